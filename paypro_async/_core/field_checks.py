"""The checks of single fields that regions put together.

A check says how to mend the field and never quotes its text, which may be an account number.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Self
from urllib.parse import urlsplit

from attrs import frozen

from paypro_async._core.money import decimals, written_decimals
from paypro_async._core.trade_no import TRADE_NO_PATTERN

__all__ = [
    "ACCOUNT",
    "EMAIL",
    "IP_ADDRESS",
    "TEXT",
    "TRADE_NO",
    "URL",
    "Check",
    "Slip",
    "amount_problem",
    "amount_warning",
    "certain_amount",
]

Wrong = tuple[str, str]
"""A code for programs, and how to mend it."""


@frozen(kw_only=True)
class Slip:
    """A common way to write a value wrongly, which gets words of its own.

    Args:
        pattern: What such a text matches whole.
        code: For programs.
        message: How to mend it.
        ignoring: What is taken out of the text before it is compared.
    """

    pattern: str
    code: str
    message: str
    ignoring: str = ""


@frozen(eq=False)
class Check:
    """What the text of a field must be.

    Args:
        wrong: Text in; a code and a message, or None, out.
        certain: A pattern, if there is one: what matches it whole can be sent, passes the check and has no blanks
            around it, so a payout or a column of a file is checked at once. It matches nothing that JSON would write
            otherwise, such as a line break or a quote, and never goes back. What it does not match may be right too.
    """

    wrong: Callable[[str], Wrong | None]
    certain: str | None = None

    def certainly(self, *, required: bool = True) -> str:
        """*certain* as a part of a larger pattern, which nothing matches if there is none."""
        pattern = f"(?:{self.certain or '(?!)'})"
        return pattern if required else f"{pattern}?+"

    @classmethod
    def matching(
        cls, pattern: str, code: str, message: str, *, certain: str | None = None, slips: Sequence[Slip] = ()
    ) -> Self:
        """The text must match *pattern* whole; one that does not is *code* and *message*, unless it is a known slip."""
        right = re.compile(pattern)
        known = [(re.compile(slip.pattern), re.compile(slip.ignoring), slip) for slip in slips]

        def wrong(text: str) -> Wrong | None:
            if right.fullmatch(text):
                return None
            for slip_pattern, ignoring, slip in known:
                if slip_pattern.fullmatch(ignoring.sub("", text)):
                    return slip.code, slip.message
            return code, message

        return cls(wrong, certain)


_MAX_WHOLE_DIGITS = 15
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _text(text: str) -> Wrong | None:
    if text.isascii() and text.isprintable():
        return None if text.strip() else ("REQUIRED", "is blank; give a value")
    if all(unicodedata.category(character)[0] in "ZC" for character in text):
        # Separators and format characters: some of them str.strip() does not know.
        return "REQUIRED", "is blank; give a value"
    if _CONTROL.search(text):
        return "CONTROL_CHARACTER", "holds a line break, a tab or another control character; take it out"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "NOT_UNICODE", "holds a broken character (a lone surrogate); read the text again as UTF-8"
    return None


@lru_cache(maxsize=64)  # most payouts share them
def _ip_address(text: str) -> Wrong | None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return "IP_FORMAT", "must be an IP address such as 203.0.113.7"
    return ("IP_FORMAT", "must be an IP address without a zone") if "%" in text else None


@lru_cache(maxsize=64)
def _url(text: str) -> Wrong | None:
    try:
        url = urlsplit(text)
        usable = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        usable = False
    if usable and not re.search(r"\s", text):
        return None
    return "URL_FORMAT", "must be an absolute http or https URL such as https://merchant.example/paypro"


TEXT = Check(_text, certain=r"[!#-\[\]-~\w]++(?: [!#-\[\]-~\w]++)*+")
"""Any text that can be sent: not blank, no control characters, encodable as UTF-8."""

ACCOUNT = Check.matching(
    r"(?![0-9]+[eE][0-9]+\Z)[A-Za-z0-9]{1,40}",
    "ACCOUNT_FORMAT",
    "must be 1 to 40 letters and digits without blanks or signs",
    certain=r"[0-9]{1,40}+",
    slips=[
        Slip(
            pattern=r"[+-]?[0-9]+([.,][0-9]+)?[eE][+-]?[0-9]+",
            code="ACCOUNT_SCIENTIFIC",
            message="is in scientific notation: a spreadsheet has destroyed digits; format the column as text and "
            "enter the number anew",
        )
    ],
)
"""An account number: letters and digits. What a spreadsheet makes of long numbers is named."""

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
EMAIL = Check.matching(
    # At most 254 characters, and no two dots in a row. The part before the @ may be in any script.
    rf"(?=.{{1,254}}\Z)(?!.*\.\.)[^\s@,;<>()\[\]\"]+@({_LABEL}\.)+[A-Za-z]{{2,}}",
    "EMAIL_FORMAT",
    "must be one e-mail address such as asha@gmail.com",
    # No longer than 229 characters.
    certain=r"[A-Za-z0-9_+-]{1,30}+(?:\.[A-Za-z0-9_+-]{1,30}+){0,2}+"
    r"@(?:[A-Za-z0-9]{1,20}+(?:-[A-Za-z0-9]{1,20}+)?+\.){1,3}+[A-Za-z]{2,10}+",
)
"""An e-mail address by its form; nothing is looked up."""

_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IP_ADDRESS = Check(_ip_address, certain=rf"{_BYTE}(?:\.{_BYTE}){{3}}+")
"""An IPv4 or IPv6 address."""

URL = Check(
    _url,
    certain=r"https?://[A-Za-z0-9-]{1,63}+(?:\.[A-Za-z0-9-]{1,63}+)*+(?::[1-9][0-9]{0,3}+)?+(?:/[A-Za-z0-9/._~%?&=-]*+)?+",
)
"""An absolute http or https URL."""

TRADE_NO = Check.matching(
    TRADE_NO_PATTERN,
    "TRADE_NO_FORMAT",
    "must be 1 to 64 characters of letters, digits, '-' and '_'",
    certain=TRADE_NO_PATTERN,
)
"""The merchant's order number."""


def certain_amount(max_decimals: int) -> str:
    """What an amount of one unit and more certainly is, as a pattern for many at once (see :class:`Check`)."""
    decimals_too = rf"(?:\.[0-9]{{1,{max_decimals}}}+)?+" if max_decimals else ""
    return rf"[1-9][0-9]{{0,{_MAX_WHOLE_DIGITS - 1}}}+{decimals_too}"


def amount_problem(amount: Decimal | None, *, max_decimals: int) -> tuple[str, str] | None:
    """An amount in major units; None stands for text that is no plain number."""
    if amount is None:
        return "AMOUNT_FORMAT", "must be a plain number such as 300 or 300.50, without separators, signs or currency"
    if amount <= 0:
        return "AMOUNT_NOT_POSITIVE", "must be more than zero"
    if amount.adjusted() >= _MAX_WHOLE_DIGITS:
        return "AMOUNT_TOO_LARGE", f"has more than {_MAX_WHOLE_DIGITS} digits; is it an account number?"
    if written_decimals(amount) > max_decimals:
        # Also where they are zeros: to those who write 1.500 for fifteen hundred, 1.50 is another amount.
        return "AMOUNT_DECIMALS", (
            f"is written with more than {max_decimals} decimals, zeros counted; a dot is no thousands separator, and "
            "nothing is rounded here"
        )
    return None


def amount_warning(amount: Decimal) -> tuple[str, str] | None:
    """What is allowed but advised against (docs: india/payout, "decimals are not recommended")."""
    if not decimals(amount):
        return None
    return "AMOUNT_HAS_DECIMALS", "has decimals, which the platform accepts but advises against"
