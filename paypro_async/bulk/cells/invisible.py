"""Characters that nobody sees: a name or an account with one of them is another than the one that is read."""

import re
import unicodedata

from attrs import frozen

__all__ = ["Invisible", "find_invisible", "has_invisible", "without_invisible"]

# Blanks but the plain one, marks of zero width and of direction, soft hyphens, fillers, tags, variation selectors.
_INVISIBLE = re.compile(
    "[\x1c-\x1f\x85\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f"
    "\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_JOINERS = "\u200c\u200d"
_VIRAMA = 9  # Unicode's class of the sign beside which scripts of India write a joiner


@frozen
class Invisible:
    """A character that is not seen.

    Args:
        position: Where in the text, from 1.
        name: What Unicode calls it, with its number.
    """

    position: int
    name: str


def find_invisible(text: str, *, prose: bool = False) -> Invisible | None:
    """The first invisible character of a text.

    Args:
        text: Of a cell.
        prose: Whether the text is a name or a remark, in which scripts of India need joiners behind some letters.
    """
    if text.isascii() and text.isprintable():
        return None
    for found in _INVISIBLE.finditer(text):
        at = found.start()
        if prose and found[0] in _JOINERS and _joins(text[at - 1 : at], text[at + 1 : at + 2]):
            continue
        return Invisible(at + 1, _name(found[0]))
    return None


def _joins(before: str, behind: str) -> bool:
    """Whether a joiner stands where scripts of India write one: behind such a sign, or between it and a letter."""
    if before and unicodedata.combining(before) == _VIRAMA:
        return True
    return before.isalpha() and behind != "" and unicodedata.combining(behind) == _VIRAMA


def has_invisible(text: str) -> bool:
    """Whether there may be one in a text of any length."""
    return not text.isascii() and _INVISIBLE.search(text) is not None


def without_invisible(text: str) -> str:
    """The text without them, each taken for a blank: in a header they make no other name."""
    return text if text.isascii() else _INVISIBLE.sub(" ", text)


def _name(character: str) -> str:
    number = f"U+{ord(character):04X}"
    try:
        return f"{unicodedata.name(character).lower()}, {number}"
    except ValueError:
        return f"a control character, {number}"
