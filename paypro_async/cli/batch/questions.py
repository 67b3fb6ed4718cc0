"""What only a person can say before a file is paid, asked where there is a person: on a terminal."""

import signal
import sys

import click

__all__ = ["agreed", "can_ask"]


def can_ask() -> bool:
    """Whether questions are seen, and answers can be typed."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agreed(question: str) -> bool:
    """Ask; no is what Enter alone means.

    Raises:
        click.Abort: At Ctrl-C, or if the terminal is gone.
    """
    # The handler of a running batch only takes note, and the question would go on waiting.
    heard = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return click.confirm(question, default=False, err=True)
    finally:
        signal.signal(signal.SIGINT, heard)
