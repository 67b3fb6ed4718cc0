"""The one JSON object that a command prints with ``--json``, however it ends."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import click

from paypro_async.cli.exits import Exit

__all__ = ["Answer", "current_answer"]

_STANDARD_OUTPUT = 1


class Answer:
    """What a command answers a program: held until the command has ended, so that it tells of its end too.

    An end with another exit code than 0 adds ``exit_code``, ``kind`` (its name) and ``message`` to what the command has
    to say, or is all that is said.

    Args:
        arguments: The words of the command line.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        words = list(arguments)
        self.words: list[str] = words
        self.wanted: bool = "--json" in (words[: words.index("--")] if "--" in words else words)
        self._found: dict[str, Any] = {}
        self._held = False
        self._listed: int | None = None
        self._printed = False

    def hold(self, found: Mapping[str, Any]) -> None:
        """Say *found* when the command has ended."""
        self._found |= found
        self._held = True

    def begin_list(self, name: str, found: Mapping[str, Any]) -> None:
        """Begin the object with a list, for more than memory holds; *found* is said behind it if nothing else is."""
        click.echo(f"{{{json.dumps(name)}: [", nl=False)
        self._listed = 0
        self.hold(found)

    def add(self, one: Mapping[str, Any]) -> None:
        """Print one object of the list."""
        click.echo(f"{',' if self._listed else ''}\n  {json.dumps(one)}", nl=False)
        self._listed = (self._listed or 0) + 1

    def end(self, code: int, message: str | None = None) -> None:
        """Print the object, unless the command has done so itself or nobody wants one."""
        if self._printed or not (self._held or (self.wanted and code)):
            return
        self._printed = True
        told = _ending(code, message)
        for name in ("kind", "message") if message is None else ():
            if name in self._found:
                told.pop(name, None)
        text = _as_text(self._found | told)
        click.echo(text if self._listed is None else f"\n],{text[1:]}")

    def end_at_once(self, code: int, message: str) -> None:
        """The same where the process is about to end in a signal's handler, past all buffers."""
        if self.wanted and not self._printed:
            self._printed = True
            text = json.dumps(self._found | _ending(code, message), default=str)
            with suppress(OSError):
                os.write(_STANDARD_OUTPUT, f"{text}\n".encode())


def _ending(code: int, message: str | None = None) -> dict[str, Any]:
    """What is said of an end with *code*; nothing of 0."""
    if code == Exit.OK:
        return {}
    kind = Exit(code) if code in set(Exit) else Exit.UNEXPECTED
    return {"exit_code": int(code), "kind": kind.name.lower(), "message": message or kind.meaning}


def current_answer() -> Answer:
    """That of the command that runs."""
    answer = click.get_current_context().find_object(Answer)
    if answer is None:
        raise RuntimeError("No command runs that was given an answer.")
    return answer


def _as_text(found: Mapping[str, Any]) -> str:
    """One document; times and other values that JSON does not know become text."""
    # In ASCII: any console can show it, and nothing that others wrote steers one.
    return json.dumps(found, default=str, indent=2)
