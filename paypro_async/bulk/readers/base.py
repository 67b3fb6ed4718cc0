"""What every reader gives: the header of a file, and its rows of text in stretches."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, Protocol

from attrs import field, frozen

from paypro_async.bulk.header.columns import Columns
from paypro_async.bulk.problems import FileProblem

__all__ = ["FIRST_ROW", "STRETCH", "Header", "Kind", "Reader", "Score", "Stretch"]

STRETCH = 1000
"""Rows of a stretch."""

FIRST_ROW = 1
"""The number of the first payout: rows are counted without the header and empty ones."""

Kind = Literal["csv", "xlsx", "jsonl"]

Score = Callable[[Sequence[str]], int]
"""How many fields a row of a file names, if it is taken for the header."""

_NONE: Mapping[int, Sequence[FileProblem]] = MappingProxyType({})


@frozen
class Header:
    """The names of a file's columns.

    Args:
        line: Where they stand.
        names: As they stand there.
        above: The rows above them, each with its line.
        tables: The lines above them that name columns too.
    """

    line: int
    names: Sequence[str]
    above: Sequence[tuple[int, Sequence[str]]] = field(default=(), repr=False)
    tables: Sequence[int] = ()


@frozen
class Stretch:
    """Rows that follow each other, as they stand in the file.

    Args:
        first: The number of the first one.
        lines: Where each begins.
        records: The cells of each.
        problems: What is wrong with some of them whatever they hold, by their places in the stretch.
    """

    first: int
    lines: Sequence[int]
    records: Sequence[Sequence[str]] = field(repr=False)
    problems: Mapping[int, Sequence[FileProblem]] = _NONE


class Reader(Protocol):
    """One kind of file. Each reader finds the header when it is made, and reads the rows as often as it is asked.

    Attributes:
        kind: Which kind.
        delimiter: What stands between two cells of a CSV file; a comma for the others.
        columns: The header, understood.
        sheets: The names of a workbook's sheets, the one that is read before the others; none of another file.
    """

    kind: Kind
    sheets: Sequence[str]
    delimiter: str
    columns: Columns

    def stretches(self) -> Iterator[Stretch]:
        """All rows below the header that are not empty."""
        ...

    def problems(self) -> Sequence[FileProblem]:
        """What is wrong with the file as a whole, known once its rows were read."""
        ...

    def cell(self, line: int, position: int) -> str | None:
        """What a spreadsheet calls the cell of a column, as ``B7``; None if the file has no such names."""
        ...
