"""The checks of single fields that regions put together.

Each check takes the text of a field and returns a :class:`Problem` without ``field``, or None. A message says how to
mend the field and never quotes the value, which may be an account number.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from urllib.parse import urlsplit

from paypro_async._core.money import decimals
from paypro_async._core.trade_no import is_trade_no

__all__ = [
    "CERTAIN_ACCOUNT",
    "CERTAIN_EMAIL",
    "CERTAIN_IFSC",
    "CERTAIN_INDIAN_MOBILE",
    "CERTAIN_TEXT",
    "Check",
    "amount_problem",
    "amount_warning",
    "certain_amount",
    "check_account",
    "check_email",
    "check_ifsc",
    "check_indian_mobile",
    "check_ip_address",
    "check_text",
    "check_trade_no",
    "check_url",
]

Check = Callable[[str], "tuple[str, str] | None"]
"""Text in; ``(code, message)`` or None out."""

_MAX_WHOLE_DIGITS = 15
_MAX_ADDRESS = 254
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?[eE][+-]?[0-9]+", re.ASCII)
_ACCOUNT = re.compile(r"[A-Za-z0-9]{1,40}", re.ASCII)
_IFSC = re.compile(r"[A-Z]{4}0[A-Z0-9]{6}", re.ASCII)
_MOBILE = re.compile(r"[6-9][0-9]{9}", re.ASCII)
_MOBILE_WITH_COUNTRY = re.compile(r"(\+|00)?91[6-9][0-9]{9}", re.ASCII)
_EMAIL = re.compile(r"[^\s@,;<>()\[\]\"]+@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}")


# What matches one of these whole certainly passes its check. They match nothing that JSON would write otherwise,
# such as a line break or a quote, and never go back.
CERTAIN_TEXT = r"[!#-\[\]-~\w]++(?: [!#-\[\]-~\w]++)*+"
CERTAIN_ACCOUNT = r"[0-9]{1,40}+"
CERTAIN_IFSC = _IFSC.pattern
CERTAIN_INDIAN_MOBILE = _MOBILE.pattern
# No longer than 229 characters.
CERTAIN_EMAIL = (
    r"[A-Za-z0-9_+-]{1,30}+(?:\.[A-Za-z0-9_+-]{1,30}+){0,2}+"
    r"@(?:[A-Za-z0-9]{1,20}+(?:-[A-Za-z0-9]{1,20}+)?+\.){1,3}+[A-Za-z]{2,10}+"
)


def certain_amount(max_decimals: int) -> str:
    """The same for an amount of one unit and more."""
    decimals_too = rf"(?:\.[0-9]{{1,{max_decimals}}}+)?+" if max_decimals else ""
    return rf"[1-9][0-9]{{0,{_MAX_WHOLE_DIGITS - 1}}}+{decimals_too}"


def check_text(value: str) -> tuple[str, str] | None:
    """Any text that can be sent: not blank, no control characters, encodable as UTF-8."""
    if value.isascii() and value.isprintable():
        return None if value.strip() else ("REQUIRED", "is blank; give a value")
    if all(unicodedata.category(character)[0] in "ZC" for character in value):
        # Separators and format characters: some of them str.strip() does not know.
        return "REQUIRED", "is blank; give a value"
    if _CONTROL.search(value):
        return "CONTROL_CHARACTER", "holds a line break, a tab or another control character; take it out"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "NOT_UNICODE", "holds a broken character (a lone surrogate); read the text again as UTF-8"
    return None


def check_account(value: str) -> tuple[str, str] | None:
    """An account number: letters and digits. What a spreadsheet makes of long numbers is named."""
    if _SCIENTIFIC.fullmatch(value):
        mend = "a spreadsheet has destroyed digits; format the column as text and enter the number anew"
        return "ACCOUNT_SCIENTIFIC", f"is in scientific notation: {mend}"
    if not _ACCOUNT.fullmatch(value):
        return "ACCOUNT_FORMAT", "must be 1 to 40 letters and digits without blanks or signs"
    return None


def check_ifsc(value: str) -> tuple[str, str] | None:
    """An Indian bank branch code (docs: india/payout, 11-digit alphanumeric)."""
    if _IFSC.fullmatch(value):
        return None
    if _IFSC.fullmatch(value.strip().upper()):
        return "IFSC_FORMAT", "must be in capital letters without blanks"
    return "IFSC_FORMAT", "must be 11 characters: four capital letters, a zero, six letters or digits (IDFB0043121)"


def check_indian_mobile(value: str) -> tuple[str, str] | None:
    """An Indian mobile number (docs: india/payout)."""
    if _MOBILE.fullmatch(value):
        return None
    if _MOBILE_WITH_COUNTRY.fullmatch(re.sub(r"[\s-]", "", value)):
        return "MOBILE_COUNTRY_CODE", "drop the country code 91: 10 digits that begin with 6, 7, 8 or 9"
    return "MOBILE_FORMAT", "must be 10 digits that begin with 6, 7, 8 or 9, without blanks"


def check_email(value: str) -> tuple[str, str] | None:
    """An e-mail address by its form; nothing is looked up."""
    if _EMAIL.fullmatch(value) and ".." not in value and len(value) <= _MAX_ADDRESS:
        return None
    return "EMAIL_FORMAT", "must be one e-mail address such as asha@gmail.com"


@lru_cache(maxsize=64)  # most payouts share them
def check_ip_address(value: str) -> tuple[str, str] | None:
    """An IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return "IP_FORMAT", "must be an IP address such as 203.0.113.7"
    return ("IP_FORMAT", "must be an IP address without a zone") if "%" in value else None


@lru_cache(maxsize=64)
def check_url(value: str) -> tuple[str, str] | None:
    """An absolute http or https URL."""
    try:
        url = urlsplit(value)
        usable = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        usable = False
    if usable and not re.search(r"\s", value):
        return None
    return "URL_FORMAT", "must be an absolute http or https URL such as https://merchant.example/paypro"


def check_trade_no(value: str) -> tuple[str, str] | None:
    """The merchant's order number."""
    if is_trade_no(value):
        return None
    return "TRADE_NO_FORMAT", "must be 1 to 64 characters of letters, digits, '-' and '_'"


def amount_problem(amount: Decimal | None, *, max_decimals: int) -> tuple[str, str] | None:
    """An amount in major units; None stands for text that is no plain number."""
    if amount is None:
        return "AMOUNT_FORMAT", "must be a plain number such as 300 or 300.50, without separators, signs or currency"
    if amount <= 0:
        return "AMOUNT_NOT_POSITIVE", "must be more than zero"
    if amount.adjusted() >= _MAX_WHOLE_DIGITS:
        return "AMOUNT_TOO_LARGE", f"has more than {_MAX_WHOLE_DIGITS} digits; is it an account number?"
    if decimals(amount) > max_decimals:
        return "AMOUNT_DECIMALS", f"has more than {max_decimals} decimals; round it yourself, it is never rounded here"
    return None


def amount_warning(amount: Decimal) -> tuple[str, str] | None:
    """What is allowed but advised against (docs: india/payout, "decimals are not recommended")."""
    if not decimals(amount):
        return None
    return "AMOUNT_HAS_DECIMALS", "has decimals, which the platform accepts but advises against"
