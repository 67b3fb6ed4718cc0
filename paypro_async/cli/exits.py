"""The exit codes, and errors in one sentence."""

import traceback
from enum import IntEnum

import click

from paypro_async.errors import ConfigurationError, PayProError

__all__ = ["Exit", "code_of", "explain", "note"]


class Exit(IntEnum):
    """What the process ends with; documented, and never changed."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    NOT_VALID = 3
    SOME_FAILED = 4
    UNKNOWN_LEFT = 5
    INTERRUPTED = 130


def note(text: str) -> None:
    """Say something that is no result: standard output is for results alone."""
    click.echo(text, err=True)


def code_of(error: Exception) -> Exit:
    """The exit code for an error that ends a command."""
    return Exit.USAGE if isinstance(error, ConfigurationError) else Exit.UNEXPECTED


def explain(error: Exception) -> str:
    """The error for people: ours in its own sentence, others by kind and place, since their text may quote a value."""
    if isinstance(error, PayProError):
        return f"Error: {error}"
    if isinstance(error, OSError) and error.strerror:
        about = f": {error.filename}" if error.filename else ""
        return f"Error: {error.strerror}{about}"
    frames = "".join(traceback.format_tb(error.__traceback__))
    return (
        f"Unexpected {type(error).__name__}. What the ledger holds is right; run the same command again to continue.\n"
        f"{frames}"
    )
