"""The standard streams as a command has them: what cannot be printed never ends it.

A reader that has gone, a full disk, a closed file descriptor or a letter that the console cannot show say nothing of
the money, so none of them may become the exit code of a payment, or keep a result file from being written.
"""

import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TextIO

__all__ = ["failed_with", "hold_streams", "raw_text"]


class _Raw(io.RawIOBase):
    """Writes to another raw stream until that fails; from then on everything is dropped.

    Args:
        raw: The stream.

    Attributes:
        error: Why it failed.
    """

    def __init__(self, raw: Any) -> None:
        super().__init__()
        self._raw = raw
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """All of *data*, or nothing more for ever."""
        size = memoryview(data).nbytes
        if self.error is None:
            try:
                return self._written(data)
            except OSError as error:
                self.error = error
        return size

    def _written(self, data: Any) -> int:
        # A pipe that its other end has set to be non-blocking takes nothing while it is full.
        while (count := self._raw.write(data)) is None:
            select.select((), (self._raw.fileno(),), ())
        return int(count)

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """That of the stream itself."""
        return int(self._raw.fileno())

    def isatty(self) -> bool:
        """Whether the stream itself is a terminal."""
        return bool(self._raw.isatty())


def hold_streams() -> None:
    """Put streams that do not fail in place of this process's, and an empty one where one is closed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # Otherwise the next file that is opened, a ledger, would have this number and be written to as output.
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115  it is open as long as the process is
    sys.stdout, sys.stderr = _held(sys.stdout), _held(sys.stderr)


def _held(stream: Any) -> TextIO:
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    binary = getattr(stream, "buffer", None)
    if binary is None:
        return stream  # type: ignore[no-any-return]  # A development environment's own, which is no file.
    held = io.BufferedWriter(_Raw(getattr(binary, "raw", binary)))
    line_buffering = stream.line_buffering or stream is sys.stderr
    return io.TextIOWrapper(held, stream.encoding, "backslashreplace", line_buffering=line_buffering)


def failed_with(stream: IO[str]) -> OSError | None:
    """Why a held stream takes nothing more; None if it took all."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.error if isinstance(raw, _Raw) else None


@contextmanager
def raw_text(stream: TextIO) -> Iterator[TextIO]:
    """The same stream for the contents of a file: in UTF-8 and with its own line ends, whatever the console shows."""
    stream.flush()
    text = io.TextIOWrapper(stream.buffer, "utf-8", newline="")
    try:
        yield text
    finally:
        text.detach()  # flushes, and leaves the stream open
        stream.flush()
