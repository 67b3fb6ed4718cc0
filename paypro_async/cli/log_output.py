"""``PAYPRO_LOG``: what the package logs, on standard error, one line each."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from paypro_async.cli.output import readable
from paypro_async.log import logger

__all__ = ["LOG_VARIABLE", "logging_as_asked"]

LOG_VARIABLE = "PAYPRO_LOG"
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}


class _Lines(logging.Handler):
    """Says each record in one line, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            # Not by click, which goes past the bar: rich puts its own stream in the place of this one.
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except OSError:
            return  # Nobody reads standard error any more, which is no reason to stop.


class _Format(logging.Formatter):
    default_msec_format = "%s.%03d"

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line; of an error its kind alone, since its text is another library's."""
        kind = record.exc_info[0] if isinstance(record.exc_info, tuple) else None
        what = readable(" ".join(record.getMessage().split()))
        return f"{self.formatTime(record)} {record.levelname} {what}{f' ({kind.__name__})' if kind else ''}"


@contextmanager
def logging_as_asked(usual: str = "") -> Iterator[None]:
    """Log at the level that ``PAYPRO_LOG`` names; without it at the *usual* one, or not at all.

    Raises:
        UsageError: If it names none.
    """
    asked = os.environ.get(LOG_VARIABLE, "").strip().lower() or usual
    if not asked:
        yield
        return
    if asked not in _LEVELS:
        raise click.UsageError(f"{LOG_VARIABLE} is none of {', '.join(_LEVELS)}.")
    handler, before = _Lines(), logger.level
    handler.setFormatter(_Format())
    logger.addHandler(handler)
    logger.setLevel(_LEVELS[asked])
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
