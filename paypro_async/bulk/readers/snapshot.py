"""A copy of the input, taken before it is looked at, so that what is paid is what was checked."""

import codecs
import io
import tempfile
from typing import BinaryIO, Protocol

from paypro_async.bulk.problems import FileProblem, PayoutFileError

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
        PayoutFileError: If it is not text in UTF-8.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  close() closes it
        try:
            self._copy(source)
        except BaseException:
            self._file.close()
            raise

    def text(self) -> io.TextIOWrapper:
        """The text from its beginning, without a byte order mark, line ends as they are."""
        return io.TextIOWrapper(io.BufferedReader(_View(self._file), _CHUNK), encoding="utf-8-sig", newline="")

    def close(self) -> None:
        """Forget the copy."""
        self._file.close()

    def _copy(self, source: BinaryIO) -> None:
        check = _Check()
        while chunk := source.read(_CHUNK):
            check.feed(chunk)
            self._file.write(chunk)
        check.end()


class _Check:
    """Whether bytes are lines of text, without keeping them."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._read = 0
        self._line = 1
        self._line_length = 0

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
