r"""Texts of anybody, made harmless: in HTML, and in JSON that stands in HTML.

1. What steers how text is shown (controls, marks of direction, line separators, what shows nothing) is shown by its
   escape, ``\u202e``; joiners stay, without which words of Indian scripts are misspelt.
2. What is longer than a reader wants ends in an ellipsis.
3. In HTML nothing is an element, and in JSON no character of HTML stands as itself: no text can end a script.
"""

import json
import re
from datetime import datetime, tzinfo
from decimal import Decimal
from html import escape
from typing import Any

from paypro_async._core.money import amount_for_people

__all__ = ["counted", "html", "json_in_html", "moment", "money", "seconds", "visible"]

_LONGEST = 500
_STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_IN_HTML = {one: f"\\u{ord(one):04x}" for one in "<>&'\u2028\u2029"}
_BLANKS = str.maketrans("\t\r\n", "   ")


def visible(text: str) -> str:
    """The text with nothing in it that steers, and not longer than a reader wants."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"
    if text.isascii() and text.isprintable():
        return text
    return _STEERING.sub(_escaped, text.translate(_BLANKS))


def html(text: object) -> str:
    """The text as content of an element, or of an attribute in quotes."""
    return escape(visible(str(text)))


def json_in_html(value: Any) -> str:
    """JSON that can stand in a script element, whatever its texts hold."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for one, escaped in _IN_HTML.items():
        text = text.replace(one, escaped)
    return text


def money(amount: Decimal, currency: str) -> str:
    """An amount with its currency, as people of its country write it."""
    return f"{amount_for_people(amount, currency)} {currency}".strip()


def counted(count: int, noun: str = "payout") -> str:
    """How many, in words."""
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def moment(at: datetime, zone: tzinfo) -> str:
    """A time as people of the zone read it, without the zone's name."""
    return f"{at.astimezone(zone):%d %b %Y %H:%M:%S}"


def seconds(duration: float) -> str:
    """A duration in the unit that suits it."""
    if duration < 1:
        return f"{duration * 1000:.0f} ms"
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if duration >= 2 * size or (duration >= size and duration % size == 0):
            return f"{duration / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{duration:.1f}".removesuffix(".0") + " s"


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "surrogatepass").decode()
