"""What only a person can say before a file is paid, asked where there is a person: on a terminal."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

__all__ = ["agreed", "asked", "can_ask"]


def can_ask() -> bool:
    """Whether questions are seen, and answers can be typed."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agreed(question: str) -> bool:
    """Ask; no is what Enter alone means.

    Raises:
        click.Abort: At Ctrl-C, or if the terminal is gone.
    """
    with _heard_at_once():
        return click.confirm(question, default=False, err=True)


def asked(question: str) -> str:
    """What a person types; Enter alone is empty.

    Raises:
        click.Abort: At Ctrl-C, or if the terminal is gone.
    """
    with _heard_at_once():
        return str(click.prompt(question, default="", show_default=False, err=True))


@contextmanager
def _heard_at_once() -> Iterator[None]:
    # The handler of a running batch only takes note, and the question would go on waiting.
    heard = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, heard)
