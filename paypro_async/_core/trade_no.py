"""The merchant's order number, PayPro's ``tradeNo``: our idempotency key."""

import hashlib
import re
from datetime import UTC, datetime

__all__ = [
    "RANDOM_BITS",
    "TRADE_NO_PATTERN",
    "derived_trade_no",
    "folded",
    "is_trade_no",
    "lookalikes",
    "make_trade_no",
    "retry_trade_no",
]

TRADE_NO_PATTERN = r"[A-Za-z0-9_-]{1,64}"
_SHAPE = re.compile(TRADE_NO_PATTERN, re.ASCII)
_RANDOM_DIGITS = 18
_SCIENTIFIC = re.compile(r"([0-9]+)e([0-9]{1,2})", re.ASCII)
_LEADING_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")

_LONGEST_PADDED = 12
_LONGEST = 64
_RETRY = re.compile(r"(.+)-r([2-9]|[1-9][0-9]+)", re.ASCII)
_HASH_DIGITS = 16

RANDOM_BITS = 64
"""How many random bits :func:`make_trade_no` wants."""


def is_trade_no(value: object) -> bool:
    """Whether *value* is text of 1 to 64 letters, digits, ``-`` or ``_``."""
    return isinstance(value, str) and _SHAPE.fullmatch(value) is not None


def folded(trade_no: str) -> str:
    """The same for numbers that differ only by case, by zeros in front, or by how a spreadsheet writes numbers.

    ``inv-1`` and ``INV-1``, ``000123`` and ``123``, ``1E5`` and ``100000`` look like one number. To the ledger they are
    two, and to the platform perhaps.
    """
    text = trade_no.lower()
    if found := _SCIENTIFIC.fullmatch(text):
        text = found[1] + "0" * int(found[2])
    return _LEADING_ZEROS.sub("", text)


def lookalikes(trade_no: str) -> set[str]:
    """Other numbers of which it may be another writing: in the other case, with or without zeros, in full or with E.

    Not all that :func:`folded` takes for one, but those that a spreadsheet or a form makes.
    """
    found = {trade_no.lower(), trade_no.upper()}
    scientific = _SCIENTIFIC.fullmatch(trade_no.lower())
    whole = scientific[1] + "0" * int(scientific[2]) if scientific else trade_no
    if whole.isascii() and whole.isdigit():
        short = whole.lstrip("0") or "0"
        found |= {short.zfill(width) for width in range(len(short), _LONGEST_PADDED + 1)} | {short}
        zeros = len(short) - len(short.rstrip("0")) if short != "0" else 0
        found |= {f"{short[:-count]}{letter}{count}" for count in range(1, zeros + 1) for letter in "eE"}
    return {one for one in found if one != trade_no and is_trade_no(one)}


def make_trade_no(now: datetime, random_bits: int) -> str:
    """A new number in the platform's form (docs: india/payout): UTC ``YYYYMMDDHHMMSS`` and 18 random digits.

    With 10,000 numbers in one second a collision has a chance of 5 in 100,000,000,000 in that second.
    """
    digits = random_bits % 10**_RANDOM_DIGITS
    return f"{now.astimezone(UTC):%Y%m%d%H%M%S}{digits:0{_RANDOM_DIGITS}d}"


def derived_trade_no(content_digest: bytes, row: int) -> str:
    """The number of row *row* of a file with this content: the same file always gives the same numbers."""
    return f"{hashlib.sha256(content_digest).hexdigest()[:20]}-{row:07d}"


def retry_trade_no(failed: str) -> str:
    """The number under which what has failed for good is paid: ``INV-7`` as ``INV-7-r2``, and that as ``INV-7-r3``.

    It follows from the failed number alone, so that a failure is made good at most once; two numbers never share one.
    """
    found = _RETRY.fullmatch(failed)
    base, end = (found[1], f"-r{int(found[2]) + 1}") if found else (failed, "-r2")
    if len(base) + len(end) > _LONGEST:
        digest = hashlib.sha256(failed.encode()).hexdigest()[:_HASH_DIGITS]
        base = f"{base[: _LONGEST - len(end) - len(digest) - 1]}-{digest}"
    return base + end
