"""Tables for people at a terminal, however narrow it is, and for the next program where standard output is none.

On a terminal a table is as wide as its cells, if that fits. If it does not, prose is wrapped in its column; and if that
is not enough, each row takes several lines. A number is never broken or cut, so that it can be copied. Elsewhere the
values stand between tabs, whole and plain, below their names.
"""

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

import click
from attrs import frozen
from rich.cells import cell_len, chop_cells

from paypro_async._core.money import amount_for_people
from paypro_async.cli.output import readable

__all__ = ["Cell", "Column", "amount_cell", "on_screen", "print_lines", "print_table", "time_cell"]

_GAP = 2
_INDENT = 4
_NARROWEST = 20


@frozen
class Cell:
    """A value as people read it, and as a program does."""

    shown: str
    plain: str

    @classmethod
    def of(cls, value: Any) -> "Cell":
        """One that both read alike; None is empty."""
        if isinstance(value, Cell):
            return value
        text = readable(value)
        return cls(text, text)


@frozen
class Column:
    """A column of a table.

    Args:
        name: Above it.
        right: Whether it is aligned to the right.
        least: The cells that prose needs at least, to which it is wrapped; None if it is never broken.
        label: What stands before the value where there is no header above it.
    """

    name: str
    right: bool = False
    least: int | None = None
    label: str = ""


def amount_cell(amount: Any, currency: str) -> Cell:
    """An amount in major units as the people of the currency write it; what is no number stands as it is."""
    try:
        return Cell(amount_for_people(Decimal(amount), currency), readable(amount))
    except (InvalidOperation, TypeError, ValueError):
        return Cell.of(amount)


def time_cell(at: str | datetime | None, zone: tzinfo) -> Cell:
    """A time in the zone, to the minute for people; what is none stands as it is."""
    if at is None:
        return Cell("", "")
    try:
        local = (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone(zone)
    except ValueError:
        return Cell.of(at)
    return Cell(f"{local:%Y-%m-%d %H:%M}", local.isoformat(timespec="seconds"))


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table; nothing in it is taken for markup or for orders to the terminal.

    Args:
        columns: Their names and what may be done to them.
        rows: The cells of each row: a :class:`Cell`, or a value that is shown as its text.
    """
    cells = [[Cell.of(value) for value in row] for row in rows]
    if not on_screen():
        for texts in ([one.name for one in columns], *([cell.plain for cell in row] for row in cells)):
            click.echo("\t".join(texts))
        return
    for line in _lines(columns, [[cell.shown for cell in row] for row in cells], _width()):
        click.echo(line)


def print_lines(text: str, *, first: str = "", indent: int = 0) -> None:
    """Print prose, on a terminal in lines that fit.

    Args:
        text: What to say.
        first: What stands before it.
        indent: How far the lines below the first one are moved to the right.
    """
    lines = _wrapped(text, _width() - max(indent, cell_len(first))) if on_screen() else [text]
    for at, line in enumerate(lines):
        click.echo(f"{' ' * indent if at else first}{line}")


def on_screen() -> bool:
    """Whether standard output is a terminal, in front of which people sit."""
    return sys.stdout.isatty()


def _width() -> int:
    return max(_NARROWEST, shutil.get_terminal_size().columns)


def _wrapped(text: str, width: int) -> list[str]:
    """Prose in lines of so many cells; a word that is longer is broken."""
    lines = [""]
    for word in text.split():
        first, *rest = [word] if cell_len(word) <= width else chop_cells(word, width)
        joined = f"{lines[-1]} {first}" if lines[-1] else first
        if cell_len(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(first)
        lines += rest
    return lines


def _lines(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    widths = _widths(columns, rows, width)
    if widths is None:
        for row in rows:
            yield from _stacked(columns, row, width)
        return
    yield _joined(columns, [one.name for one in columns], widths)
    yield (" " * _GAP).join("-" * one for one in widths)
    for row in rows:
        broken = [
            [cell] if one.least is None else _wrapped(cell, wide)
            for one, cell, wide in zip(columns, row, widths, strict=True)
        ]
        for at in range(max(map(len, broken))):
            yield _joined(columns, [lines[at] if at < len(lines) else "" for lines in broken], widths)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """How wide each column is; None if they do not fit beside each other."""
    widths = [max(map(cell_len, (one.name, *texts))) for one, *texts in zip(columns, *rows, strict=True)]
    too_much = sum(widths) + _GAP * (len(widths) - 1) - width
    for at in sorted(range(len(widths)), key=lambda at: -widths[at]):
        least = columns[at].least
        if least is not None and too_much > 0:
            spare = min(too_much, max(0, widths[at] - max(least, cell_len(columns[at].name))))
            widths[at] -= spare
            too_much -= spare
    return widths if too_much <= 0 else None


def _joined(columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int]) -> str:
    filled = []
    for column, cell, wide in zip(columns, cells, widths, strict=True):
        blanks = " " * (wide - cell_len(cell))
        filled.append(blanks + cell if column.right else cell + blanks)
    return (" " * _GAP).join(filled).rstrip()


def _stacked(columns: Sequence[Column], row: Sequence[str], width: int) -> Iterator[str]:
    """A row in several lines: its first cell at the beginning, the others behind and below it."""
    line = row[0]
    for column, cell in zip(columns[1:], row[1:], strict=True):
        if not cell:
            continue
        piece = f"{column.label} {cell}".strip()
        for part in [piece] if cell_len(piece) <= width - _INDENT else _wrapped(piece, width - _INDENT):
            joined = f"{line}{' ' * _GAP}{part}" if line else part
            if cell_len(joined) > width:
                yield line
                line = " " * _INDENT + part
            else:
                line = joined
    yield line
