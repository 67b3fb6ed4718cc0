"""Where a file of payouts comes from: a path, or what is open for reading bytes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from paypro_async.errors import ConfigurationError

__all__ = ["Source", "name_of", "opened"]

Source = str | os.PathLike[str] | BinaryIO
"""The path of a file, or the file itself, open for reading bytes."""


@contextmanager
def opened(source: Source) -> Iterator[BinaryIO]:
    """The source, open for reading; one that was open before is put back to where it was, if it can be.

    Raises:
        ConfigurationError: If it is something else. Nothing was sent.
        OSError: If it cannot be opened.
    """
    if isinstance(source, str | os.PathLike):
        with Path(source).open("rb") as data:
            yield data
        return
    _refuse_other(source)
    before: int | None = None
    with suppress(AttributeError, OSError, ValueError):  # A pipe has no place to come back to.
        before = source.tell()
    try:
        yield source
    finally:
        # An upload is checked and paid afterwards, by the same object.
        if before is not None:
            with suppress(OSError, ValueError):
                source.seek(before)


def name_of(source: object) -> str:
    """What a source is called if nobody says otherwise."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    # The name of a file that was opened by its number is that number.
    name = getattr(source, "name", None)
    return os.fspath(name) if isinstance(name, str | os.PathLike) and name else "<stream>"


def _refuse_other(source: object) -> None:
    read = getattr(source, "read", None)
    if isinstance(source, bytes | bytearray | memoryview):
        raise _wrong("bytes", "give io.BytesIO(data)")
    if not callable(read):
        raise _wrong(f"{type(source).__name__}", "give its path, or the file itself, opened with open(path, 'rb')")
    try:
        nothing = read(0)
    except ValueError as error:
        raise _wrong("a file that is closed or open for writing", "open it with open(path, 'rb')") from error
    if isinstance(nothing, str):
        raise _wrong("text", "open the file with open(path, 'rb'), or give io.BytesIO(text.encode())")
    if not isinstance(nothing, bytes):
        if close := getattr(nothing, "close", None):
            close()  # Or Python would warn of a coroutine that was never awaited.
        raise _wrong(
            f"{type(source).__name__}, whose read() gives no bytes",
            "of an upload of FastAPI or Starlette give upload.file, with name=upload.filename",
        )


def _wrong(what: str, mend: str) -> ConfigurationError:
    return ConfigurationError(
        f"A file of payouts is a path, or a file that is open for reading bytes, and not {what}. Nothing was sent; "
        f"{mend}."
    )
