"""Amounts as people write them: what is wrong with one, in words, and how it is to be written.

An amount is no personal value, so it is shown; a text that may be anything else, such as an account number in the wrong
column, is not.
"""

import re
import unicodedata

__all__ = ["amount_message"]

_PLAIN = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,2})?")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]+)?")
_DOTS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})+(?:,[0-9]+)?")
_COMMA = re.compile(r"[0-9]+,[0-9]{1,2}")
_CURRENCY = re.compile(r"(?:₹|rs\.?|inr|rupees?|/-|only)", re.IGNORECASE)
_FOREIGN = re.compile(
    r"[$€£¥₩₽]|(?<![a-z])(?:usd|eur|gbp|jpy|cny|aed|sgd|aud|cad|hkd|chf|sar|qar|kwd|omr|bhd|myr|thb|idr|php|vnd|bdt|pkr|"
    r"lkr|npr|dollars?|euros?|pounds?|dirhams?)(?![a-z])",
    re.IGNORECASE,
)
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?e[+-]?[0-9]+", re.IGNORECASE)
_SPACES = re.compile(r"[0-9]{1,3}(?:[ '\u2019][0-9]{2,3})+(?:\.[0-9]+)?")
_ERROR = re.compile(r"#[A-Z0-9/!?]+")
_AMOUNT_WORDS = "an amount is a plain number such as 300 or 300.50"


def amount_message(text: str) -> str | None:
    """How to mend an amount that is no plain number; None if there is nothing special about it."""
    if any(one.isdecimal() and not one.isascii() for one in text):
        return _foreign_digits(text)
    if _FOREIGN.search(text) and any(map(str.isdigit, text)):
        return f"is in another currency, and only rupees are paid here; {_AMOUNT_WORDS}, in rupees"
    for pattern, found in _KINDS:
        if pattern.fullmatch(text):
            return found(text)
    if _CURRENCY.search(text) and any(map(str.isdigit, text)):
        return _with(_CURRENCY.sub("", text), f"has a currency sign or word in it; {_AMOUNT_WORDS}")
    if text and text.isalpha():
        return f"is written in letters; {_AMOUNT_WORDS}"
    return None


def _foreign_digits(text: str) -> str:
    digit = next(one for one in text if one.isdecimal() and not one.isascii())
    script = unicodedata.name(digit, "foreign digits").partition(" DIGIT")[0].title()
    plain = "".join(str(unicodedata.decimal(one, one)) for one in text)
    return _with(plain, f"is written in {script} digits; use 0 to 9")


def _with(mended: str, message: str) -> str:
    """The message with the amount as it should be, if that is beyond doubt and certainly an amount."""
    plain = mended.strip()
    if _THOUSANDS.fullmatch(plain):
        plain = plain.replace(",", "")
    return f"{message}: write {plain}" if _PLAIN.fullmatch(plain) else message


def _separated(text: str) -> str:
    plain = re.sub(r"[,' \u2019]", "", text)
    if not _PLAIN.fullmatch(plain):
        return f"is written with separators between its digits; {_AMOUNT_WORDS}"
    return f"is {text}, with separators between its digits; write {plain}"


def _comma(text: str) -> str:
    plain = text.replace(".", "").replace(",", ".")
    if not _PLAIN.fullmatch(plain):
        return f"has a decimal comma; {_AMOUNT_WORDS}"
    return f"is {text}, with a decimal comma; write {plain} if that is meant"


def _signed(_text: str) -> str:
    return f"has a sign or stands in brackets, as what is paid in does; {_AMOUNT_WORDS}"


def _scientific(_text: str) -> str:
    return f"is in scientific notation, as a spreadsheet shows long numbers; {_AMOUNT_WORDS}"


def _broken(_text: str) -> str:
    return f"is an error of a formula; {_AMOUNT_WORDS}"


_KINDS = (
    (_THOUSANDS, _separated),
    (_SPACES, _separated),
    (_DOTS, _comma),
    (_COMMA, _comma),
    (_SCIENTIFIC, _scientific),
    (re.compile(r"[+\-\u2212]\s*[0-9.,]+|\([0-9.,\s]+\)|[0-9.,]+-"), _signed),
    (_ERROR, _broken),
)
