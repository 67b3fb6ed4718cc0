"""What is printed: results on standard output, all else on standard error."""

import re
import shlex
import shutil
import sys
import textwrap
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from paypro_async.cli.answer import current_answer
from paypro_async.errors import PayProWarning

__all__ = [
    "fits",
    "hanging",
    "note",
    "note_command",
    "pasted",
    "print_json",
    "readable",
    "same_command",
    "say",
    "warnings_as_notes",
]

_NARROWEST = 40


def note(text: str) -> None:
    """Say something that is no result: standard output is for results alone. A terminal breaks no word of it."""
    click.echo("\n".join(map(_fitting, text.splitlines())) if sys.stderr.isatty() else text, err=True)


def pasted(path: Path | str) -> str:
    """A path as a word of a command: quoted, and never taken for an option."""
    text = str(path)
    return readable(shlex.quote(f"./{text}" if text.startswith("-") else text))


def note_command(text: str, command: str) -> None:
    """Say which command to give next. It is never broken: it must work when it is pasted."""
    if not sys.stderr.isatty() or len(text) + 1 + len(command) <= shutil.get_terminal_size().columns:
        click.echo(f"{text} {command}", err=True)
        return
    note(text)
    click.echo(command, err=True)


def say(text: str, *, err: bool = False) -> None:
    """Print the result of a command for people. A terminal breaks no word of it."""
    click.echo(text if err else "\n".join(hanging("", line) for line in text.split("\n")), err=err)


def hanging(before: str, text: str) -> str:
    """A line of a table whose last cell may be long: on a terminal its further lines stand below its first one."""
    return _fitting(before + text, indent=len(before)) if sys.stdout.isatty() else before + text


def fits(line: str) -> bool:
    """Whether a line of standard output is not broken by a terminal."""
    return not sys.stdout.isatty() or len(line) <= shutil.get_terminal_size().columns


def _fitting(line: str, *, indent: int = 0) -> str:
    width = max(_NARROWEST, indent + _NARROWEST // 2, shutil.get_terminal_size().columns)
    if len(line) <= width:
        return line
    wrapper = textwrap.TextWrapper(
        width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )
    return "\n".join(wrapper.wrap(line))


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


def readable(value: Any) -> str:
    """Text for a terminal: a character that would steer it is shown as a mark."""
    text = "" if value is None else str(value)
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def same_command() -> str:
    """The command that runs, to be given again; without a password that an address in it may hold."""
    words = (re.sub(r"(://[^:/@]*):[^@]*@", r"\1:…@", word) for word in current_answer().words)
    return readable(shlex.join(["paypro", *words]))
