"""Cells by which a payout is told, wherever they stand: above the header, or inside another cell."""

import re
from collections.abc import Sequence

__all__ = ["ROWS_IN_CELL", "holds_rows", "looks_like_payout", "signs_of_payout"]

ROWS_IN_CELL = (
    "has a cell that holds line breaks and what looks like other payouts, as where a quote is missing or one too many; "
    "take the quote out, or the line breaks"
)
"""What is said of one for which :func:`holds_rows` is true."""

_FEWEST_CELLS = 3
_FEWEST_SIGNS = 2
_MOST_PARTS = 4
_IFSC = r"[A-Za-z]{4}0[A-Za-z0-9]{6}"
_EMAIL = r"[^\s@,;|]+@[^\s@,;|]+\.[^\s@,;|]+"
_DIGITS = r"\+?(?:[0-9][ -]?){8,}[0-9]"
_SIGN = re.compile(rf"[\s'\"]*(?:{_IFSC}|{_EMAIL}|{_DIGITS})[\s'\"]*")
_SEPARATOR = re.compile(r"[,;\t|]")
_LINE_BREAK = re.compile(r"[\r\n]")


def signs_of_payout(cells: Sequence[str]) -> int:
    """How many cells are an IFSC, an e-mail address or a number as long as an account or a mobile."""
    return sum(_SIGN.fullmatch(cell) is not None for cell in cells)


def looks_like_payout(cells: Sequence[str]) -> bool:
    """Whether a row is one whatever its columns are; a title with a telephone number in it is none."""
    filled, signs = sum(bool(cell.strip()) for cell in cells), signs_of_payout(cells)
    return (filled >= _FEWEST_CELLS and signs >= _FEWEST_SIGNS) or (filled >= _MOST_PARTS and signs > 0)


def holds_rows(cell: str) -> bool:
    """Whether a cell holds other rows, as it does from a quote that nobody closed up to the next one."""
    if _LINE_BREAK.search(cell) is None:
        return False
    lines = (_SEPARATOR.split(line) for line in _LINE_BREAK.split(cell))
    return any(len(parts) >= _FEWEST_CELLS and signs_of_payout(parts) for parts in lines)
