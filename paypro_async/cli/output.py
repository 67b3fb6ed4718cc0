"""What is printed: results on standard output, all else on standard error."""

import re
import shlex
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from paypro_async.cli.answer import current_answer
from paypro_async.errors import PayProWarning

__all__ = ["note", "print_json", "print_table", "readable", "same_command", "warnings_as_notes"]

_WIDE = 200


def note(text: str) -> None:
    """Say something that is no result: standard output is for results alone."""
    click.echo(text, err=True)


@contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Warnings of the package are for people, and said in a line."""

    def say(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        note(f"Note: {message}" if issubclass(category, PayProWarning) else f"{category.__name__}: {message}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", PayProWarning)
        warnings.showwarning = say
        yield


def print_json(found: Mapping[str, Any]) -> None:
    """Answer *found* as one JSON object, once the command has ended; more of it may be added until then."""
    current_answer().hold(found)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, numbers: Sequence[str] = ()) -> None:
    """Print a table in which nothing is cut off, and nothing is taken for markup or for orders to the terminal.

    Args:
        columns: The names above the columns.
        rows: The cells of each row.
        numbers: The names of columns that are aligned to the right.
    """
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(readable(cell)) for cell in row))
    console = Console(highlight=False)
    # A file or a pipe has no width, and a number that is broken in two is of no use to the next program.
    if not console.is_terminal:
        console.width = _WIDE
    console.print(table)


def readable(value: Any) -> str:
    """Text for a terminal: a character that would steer it is shown as a mark."""
    text = "" if value is None else str(value)
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def same_command() -> str:
    """The command that runs, to be given again; without a password that an address in it may hold."""
    words = (re.sub(r"(://[^:/@]*):[^@]*@", r"\1:…@", word) for word in current_answer().words)
    return readable(shlex.join(["paypro", *words]))
