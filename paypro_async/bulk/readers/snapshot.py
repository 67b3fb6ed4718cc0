"""A copy of the input, taken before it is looked at, so that what is paid is what was checked."""

import codecs
import io
import os
import tempfile
from pathlib import Path
from typing import BinaryIO, Protocol

from paypro_async.bulk.problems import FileProblem, PayoutFileError
from paypro_async.bulk.readers.stability import FileState, is_being_written

__all__ = ["Snapshot"]

_CHUNK = 64 * 1024
_IN_MEMORY = 8 * 1024 * 1024
_LONGEST_LINE = 1024 * 1024
_MEND = 'save it again as "CSV UTF-8"'


class _Shared(Protocol):
    def seek(self, offset: int, /) -> int: ...
    def read(self, size: int, /) -> bytes: ...


class _View(io.RawIOBase):
    """One reader of a shared file, at its own position. Closing it leaves the file open."""

    def __init__(self, file: _Shared) -> None:
        self._file = file
        self._position = 0

    def readable(self) -> bool:
        return True

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
        PayoutFileError: If it is not text in UTF-8, or if it was written while it was copied.

    Attributes:
        state: The file's state when it was copied; None for what is no file on the disk.
        cut_in_line: The last line, if it may be cut off: it has no line end, and no quote that ends its last cell.
        being_written: Whether another program had the file open for writing when it was copied.
    """

    def __init__(self, source: BinaryIO) -> None:
        self.state: FileState | None = FileState.of(source)
        self.cut_in_line: int | None = None
        self.being_written: bool = False
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
        """What stands behind its first line."""
        with self.text() as text:
            line = text.readline(_LONGEST_LINE)
        return line[len(line.rstrip("\r\n")) :] or "\r\n"

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
        check = _Check()
        while chunk := source.read(_CHUNK):
            check.feed(chunk)
            self._file.write(chunk)
        # In this order: a writer that has ended by now has left its trace in the state.
        self.being_written = is_being_written(source)
        if FileState.of(source) != self.state or self._is_replaced(source):
            message = "was written while it was read; wait until it is whole, and run this again"
            raise PayoutFileError([FileProblem(line=1, code="FILE_CHANGED", message=message)])
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
            _refuse_workbooks(chunk)
        if (nul := chunk.find(b"\0")) >= 0:
            raise self._wrong(chunk, nul, "ENCODING", f"holds a NUL byte, so it is not plain text; {_MEND}")
        self._decode(chunk, final=False)
        # A lone carriage return ends a line too, in old files of some spreadsheets.
        self._line += chunk.count(b"\n")
        last = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        self._line_length = len(chunk) - last - 1 if last >= 0 else self._line_length + len(chunk)
        if self._line_length > _LONGEST_LINE:
            raise self._wrong(b"", 0, "NOT_CSV", "has a line of more than a million characters, so this is no CSV file")
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
            raise self._wrong(chunk, at, "ENCODING", f"is not text in UTF-8; {_MEND}") from None

    def _wrong(self, chunk: bytes, at: int, code: str, message: str) -> PayoutFileError:
        line = self._line + chunk.count(b"\n", 0, at)
        return PayoutFileError(
            [FileProblem(line=line, code=code, message=f"{message} (byte {self._read + at + 1} of the file)")]
        )


def _refuse_workbooks(beginning: bytes) -> None:
    if beginning.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        kind = "is a workbook (xlsx, xls or ods) or an archive, not a CSV file"
    elif beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        kind = "is text in UTF-16, not in UTF-8"
    else:
        return
    raise PayoutFileError([FileProblem(line=1, code="NOT_CSV", message=f"{kind}; {_MEND}")])
