"""The merchant's order number, PayPro's ``tradeNo``: our idempotency key."""

import hashlib
import re
from datetime import UTC, datetime

__all__ = ["RANDOM_BITS", "TRADE_NO_PATTERN", "derived_trade_no", "is_trade_no", "make_trade_no"]

TRADE_NO_PATTERN = r"[A-Za-z0-9_-]{1,64}"
_SHAPE = re.compile(TRADE_NO_PATTERN, re.ASCII)
_RANDOM_DIGITS = 18

RANDOM_BITS = 64
"""How many random bits :func:`make_trade_no` wants."""


def is_trade_no(value: object) -> bool:
    """Whether *value* is text of 1 to 64 letters, digits, ``-`` or ``_``."""
    return isinstance(value, str) and _SHAPE.fullmatch(value) is not None


def make_trade_no(now: datetime, random_bits: int) -> str:
    """A new number in the platform's form (docs: india/payout): UTC ``YYYYMMDDHHMMSS`` and 18 random digits.

    With 10,000 numbers in one second a collision has a chance of 5 in 100,000,000,000 in that second.
    """
    digits = random_bits % 10**_RANDOM_DIGITS
    return f"{now.astimezone(UTC):%Y%m%d%H%M%S}{digits:0{_RANDOM_DIGITS}d}"


def derived_trade_no(content_digest: bytes, row: int) -> str:
    """The number of row *row* of a file with this content: the same file always gives the same numbers."""
    return f"{hashlib.sha256(content_digest).hexdigest()[:20]}-{row:07d}"
