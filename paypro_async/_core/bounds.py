"""How long a text may be that a ledger keeps. A longer one is cut, with a mark: the money is recorded all the same."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["LONGEST", "SHORT", "cut", "cut_number"]

LONGEST: Mapping[str, int] = MappingProxyType(
    {"code": 200, "message": 2_000, "platform_trade_no": 200, "utr": 200, "by": 200, "note": 4_000, "source": 4_000}
)
"""Characters of each text that a change or a batch brings."""

SHORT: int = min(LONGEST.values())
"""Where all texts together have no more characters, none of them is too long."""

_KEPT = 100


def cut(text: str, longest: int) -> str:
    """The text; of one that is longer its beginning, and how long it was."""
    if len(text) <= longest:
        return text
    mark = f"… [{len(text)} characters, cut]"
    return text[: longest - len(mark)] + mark


def cut_number(text: str, longest: int) -> str:
    """The same of a number that tells orders apart: two that differ are two when they are cut, too."""
    if len(text) <= longest:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{text[:_KEPT]}… [{len(text)} characters, {digest}]"
