"""What every kind of table shares."""

from collections.abc import Callable, Collection, Sequence

from attrs import frozen

__all__ = ["Add", "Layout"]

Add = Callable[[Sequence[str]], None]
"""Adds a row, which has a cell for each name."""


@frozen(kw_only=True)
class Layout:
    """The columns of a table, and how it is written if it is CSV: as the file that it answers.

    Args:
        names: Of its columns.
        numbers: The positions of those that hold numbers, which a spreadsheet may add up.
        delimiter: Between two cells.
        line_end: Behind each row.
        bom: Whether the mark of the encoding stands in front, without which Excel takes UTF-8 for something else.
    """

    names: Sequence[str]
    numbers: Collection[int] = ()
    delimiter: str = ","
    line_end: str = "\r\n"
    bom: bool = False
