"""A copy of the input, taken before it is looked at, so that what is paid is what was checked."""

import codecs
import errno
import io
import os
import tempfile
from pathlib import Path
from typing import BinaryIO, Protocol

from paypro_async.bulk.problems import FileProblem, PayoutFileError
from paypro_async.bulk.readers.kinds import encoding_hint, is_zip, refuse_foreign, utf16_hint
from paypro_async.bulk.readers.stability import FileState, is_being_written

__all__ = ["Snapshot"]

_CHUNK = 64 * 1024
_BEGINNING = 4096
_IN_MEMORY = 8 * 1024 * 1024
_LONGEST_LINE = 1024 * 1024
_MEND = 'save it again as "CSV UTF-8"'


class _Shared(Protocol):
    def seek(self, offset: int, /) -> int: ...
    def read(self, size: int, /) -> bytes: ...


class _View(io.RawIOBase):
    """One reader of a shared file, at its own position. Closing it leaves the file open."""

    def __init__(self, file: _Shared, *, size: int = 0) -> None:
        self._file = file
        self._position = 0
        self._size = size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]  # typeshed: any writable buffer
        self._file.seek(self._position)
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


class Snapshot:
    """The bytes of a file, copied to memory or, beyond 8 MiB, to a temporary file without a name.

    Args:
        source: Open for reading bytes; read to its end.

    Raises:
        PayoutFileError: If it is neither text in UTF-8 nor a zip archive, or if it was written while it was copied.

    Attributes:
        state: The file's state when it was copied; None for what is no file on the disk.
        cut_in_line: The last line, if it may be cut off: it has no line end, and no quote that ends its last cell.
        being_written: Whether another program had the file open for writing when it was copied.
        is_zip: Whether it is an archive, as workbooks are, and no text.
        size: In bytes.
    """

    def __init__(self, source: BinaryIO) -> None:
        self.state: FileState | None = FileState.of(source)
        self.cut_in_line: int | None = None
        self.being_written: bool = False
        self.is_zip: bool = False
        self.size: int = 0
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  close() closes it
        try:
            self._copy(source)
        except BaseException:
            self._file.close()
            raise

    def text(self) -> io.TextIOWrapper:
        """The text from its beginning, without a byte order mark, line ends as they are."""
        return io.TextIOWrapper(io.BufferedReader(_View(self._file), _CHUNK), encoding="utf-8-sig", newline="")

    @property
    def has_mark(self) -> bool:
        """Whether the mark of its encoding stands in front of it."""
        return _View(self._file).read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8

    @property
    def line_end(self) -> str:
        """What stands behind its first line; ``CR LF`` if it is no text, or nothing does."""
        if self.is_zip:
            return "\r\n"
        with self.text() as text:
            line = text.readline(_LONGEST_LINE)
        return line[len(line.rstrip("\r\n")) :] or "\r\n"

    def data(self) -> io.BufferedReader:
        """The bytes from their beginning."""
        return io.BufferedReader(_View(self._file, size=self.size), _CHUNK)

    def has_grown(self, path: Path) -> bool:
        """Whether the file, which stood at *path*, holds more by now behind the same beginning.

        Only a program that had not ended writing it makes that; one that was edited or replaced is another file.
        """
        now = FileState.at(path)
        if self.state is None or now is None or not now.is_same_file(self.state) or now.size <= self.state.size:
            return False
        try:
            with path.open("rb") as file, io.BufferedReader(_View(self._file), _CHUNK) as copied:
                return all(file.read(len(chunk)) == chunk for chunk in iter(lambda: copied.read(_CHUNK), b""))
        except OSError:
            return False  # It went away meanwhile.

    def close(self) -> None:
        """Forget the copy."""
        self._file.close()

    def _copy(self, source: BinaryIO) -> None:
        # A pipe may give less at first than what tells the kind.
        first = _at_least(source, _BEGINNING)
        self.is_zip = is_zip(first)
        check = None if self.is_zip else _Check()
        chunk = first
        while chunk:
            if check is not None:
                check.feed(chunk)
            self._file.write(chunk)
            self.size += len(chunk)
            chunk = source.read(_CHUNK) if self.size >= _BEGINNING else b""
        # In this order: a writer that has ended by now has left its trace in the state.
        self.being_written = is_being_written(source)
        if FileState.of(source) != self.state or self._is_replaced(source):
            message = "was written while it was read; wait until it is whole, and run this again"
            raise PayoutFileError([FileProblem(line=1, code="FILE_CHANGED", message=message)])
        if check is not None:
            check.end()
            self.cut_in_line = check.cut_in_line

    def _is_replaced(self, source: BinaryIO) -> bool:
        """Whether another file stands under its name by now; one that was moved or removed has no other name."""
        name = getattr(source, "name", None)
        now = FileState.at(Path(name)) if isinstance(name, str | os.PathLike) else None
        return self.state is not None and now is not None and not now.is_same_file(self.state)


class _Check:
    """Whether bytes are lines of text, without keeping them."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._read = 0
        self._line = 1
        self._line_length = 0
        self._last = b""

    @property
    def cut_in_line(self) -> int | None:
        """The last line, if it may go on: a quote ends a cell for certain, a line end a whole line."""
        return None if self._last in (b"\n", b"\r", b'"') else self._line

    def feed(self, chunk: bytes) -> None:
        if self._read == 0:
            refuse_foreign(chunk)
        if (nul := chunk.find(b"\0")) >= 0:
            hint = utf16_hint(chunk)
            raise self._wrong(chunk, nul, "ENCODING", f"holds a NUL byte, so it is not plain text; {_MEND}{hint}")
        self._decode(chunk, final=False)
        self._line += _line_ends(chunk, self._last)
        # A lone carriage return ends a line too, in old files of some spreadsheets.
        last = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        self._line_length = len(chunk) - last - 1 if last >= 0 else self._line_length + len(chunk)
        if self._line_length > _LONGEST_LINE:
            long = (
                "has a line of more than a million characters, so this is no file of payouts; look at it in an editor"
            )
            raise self._wrong(b"", 0, "NOT_CSV", long)
        self._read += len(chunk)
        self._last = chunk[-1:]

    def end(self) -> None:
        self._decode(b"", final=True)
        if self._read == 0:
            raise PayoutFileError([FileProblem(line=1, code="EMPTY_FILE", message="is empty: no payouts in it")])

    def _decode(self, chunk: bytes, *, final: bool) -> None:
        held = len(self._decoder.getstate()[0])
        try:
            self._decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            at = max(0, error.start - held)
            hint = encoding_hint(error.object[error.start])
            raise self._wrong(chunk, at, "ENCODING", f"is not text in UTF-8; {_MEND}{hint}") from None

    def _wrong(self, chunk: bytes, at: int, code: str, message: str) -> PayoutFileError:
        line = self._line + _line_ends(chunk[:at], self._last)
        return PayoutFileError(
            [FileProblem(line=line, code=code, message=f"{message} (byte {self._read + at + 1} of the file)")]
        )


def _line_ends(chunk: bytes, before: bytes) -> int:
    """How many lines end in a chunk; the two characters of one end count once, also across two chunks."""
    ends = chunk.count(b"\n")
    if b"\r" in chunk:
        ends += chunk.count(b"\r") - chunk.count(b"\r\n")
    return ends - (before == b"\r" and chunk.startswith(b"\n"))


def _at_least(source: BinaryIO, size: int) -> bytes:
    found = b""
    while len(found) < size and (chunk := source.read(_CHUNK)):
        found += chunk
    return found
