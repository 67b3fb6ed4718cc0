"""The archive that a workbook is, and its parts as XML, read piece by piece and within limits.

A few kilobytes can hold gigabytes, so nothing is unpacked as a whole: each part is unpacked while it is read, counted,
and given up as soon as it is more than any list of payouts is. What its directory says of sizes is not believed.
"""

import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import BinaryIO
from xml.parsers import expat

from attrs import frozen

from paypro_async.bulk.problems import FileProblem, PayoutFileError

__all__ = ["LIMITS", "Limits", "Package", "broken", "too_large"]

_CHUNK = 64 * 1024
_END_OF_DIRECTORY = b"PK\x05\x06"
_LONGEST_END = 22 + 65_535
_END_64, _LOCATOR_64 = b"PK\x06\x06", b"PK\x06\x07"
_IN_END_64 = 0xFFFFFFFF
_LONGEST_TOKEN = 1024 * 1024
_RATIO_FROM = 16 * 1024 * 1024
_CSV = 'save the list as "CSV UTF-8", which has no such limit'


@frozen(kw_only=True)
class Limits:
    """What a workbook may hold.

    Args:
        packed: Bytes of the file.
        unpacked: Bytes of all parts that are read.
        ratio: How many times its packed size a part may have.
        directory: Bytes of the archive's directory.
        cells: Cells of the sheet that is read, empty ones too.
        area: Cells from the first one that holds something to the last: rows times columns. A library takes 32 bytes of
            memory for each.
        cell_texts: Characters of all cells of the sheet, however often they refer to one text.
        texts: Different texts in the whole workbook, and *text_bytes* their bytes.
        cell_length: Characters of a cell, as Excel has it.
    """

    packed: int = 100_000_000
    unpacked: int = 1_500_000_000
    ratio: int = 200
    directory: int = 1_000_000
    cells: int = 30_000_000
    area: int = 20_000_000
    cell_texts: int = 500_000_000
    texts: int = 5_000_000
    text_bytes: int = 200_000_000
    cell_length: int = 32_767


LIMITS = Limits()

Start = Callable[[str, Mapping[str, str]], object]
End = Callable[[str], object]
Text = Callable[[str], object]


def broken(why: str) -> PayoutFileError:
    """A workbook that cannot be read."""
    message = f"is a workbook that {why}; open it in Excel or LibreOffice and save it again as .xlsx"
    return PayoutFileError([FileProblem(line=1, code="WORKBOOK_BROKEN", message=message)])


def too_large(what: str, mend: str = _CSV) -> PayoutFileError:
    """A workbook that holds more than is read."""
    return PayoutFileError([FileProblem(line=1, code="WORKBOOK_TOO_LARGE", message=f"is a workbook {what}; {mend}")])


class Package:
    """A workbook's parts by their names.

    Args:
        data: The file, from its beginning.
        size: Its bytes.

    Raises:
        PayoutFileError: If it is no archive, or is larger than *limits*.
    """

    def __init__(self, data: BinaryIO, size: int, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self._unpacked: dict[str, int] = {}
        if size > limits.packed:
            raise too_large(f"of more than {limits.packed // 1_000_000} MB")
        _refuse_directory(data, size, limits)
        try:
            self._archive = zipfile.ZipFile(data)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, UnicodeError):
            raise broken("is cut off or damaged") from None
        self._parts: dict[str, zipfile.ZipInfo] = {}
        for one in self._archive.infolist():
            name = one.filename.lstrip("/").lower()
            if name in self._parts:
                raise broken("holds two parts of one name")
            self._parts[name] = one

    @property
    def names(self) -> frozenset[str]:
        """The names of its parts, in small letters."""
        return frozenset(self._parts)

    def beginning(self, name: str, size: int) -> bytes:
        """The first bytes of a part; none if there is no such part."""
        return next(self.pieces(name), b"")[:size] if name in self._parts else b""

    def parse(self, name: str, start: Start, end: End, text: Text) -> None:
        """Read a part that is XML.

        Args:
            name: Of the part, in small letters.
            start: Called with the name of each element that begins, without a prefix, and its attributes.
            end: Called with the name of each that ends.
            text: Called with pieces of text.

        Raises:
            PayoutFileError: If it cannot be read, or is larger than the limits.
        """
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = lambda tag, attributes: start(_local(tag), attributes)
        parser.EndElementHandler = lambda tag: end(_local(tag))
        parser.CharacterDataHandler = text
        parser.StartDoctypeDeclHandler = _refuse_declarations
        read = 0
        try:
            for chunk in self.pieces(name):
                parser.Parse(chunk)
                read += len(chunk)
                if read - parser.CurrentByteIndex > _LONGEST_TOKEN:
                    raise broken("holds XML that no spreadsheet writes")
            parser.Parse(b"", True)  # noqa: FBT003  it takes no names
        except expat.ExpatError:
            raise broken("is damaged: a part of it is no XML") from None

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of a part, piece by piece.

        Raises:
            PayoutFileError: If it cannot be read, or is larger than the limits.
        """
        found = self._parts.get(name)
        if found is None:
            raise broken("lacks a part")
        if found.flag_bits & 1:
            raise broken("has a password")
        if found.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise broken("is packed in a way that no spreadsheet uses")
        unpacked = 0
        try:
            with self._archive.open(found) as part:
                while chunk := part.read(_CHUNK):
                    unpacked += len(chunk)
                    self._unpacked[name] = max(unpacked, self._unpacked.get(name, 0))
                    if sum(self._unpacked.values()) > self.limits.unpacked:
                        raise too_large(f"that unpacks to more than {self.limits.unpacked // 1_000_000:,} MB")
                    if unpacked > max(_RATIO_FROM, self.limits.ratio * found.compress_size):
                        raise too_large(f"that unpacks to more than {self.limits.ratio} times its size")
                    yield chunk
        except PayoutFileError:
            raise
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError):
            raise broken("is cut off or damaged") from None


@lru_cache(maxsize=1024)
def _local(tag: str) -> str:
    """The name of an element without its prefix."""
    return tag.rpartition(":")[2]


def _refuse_directory(data: BinaryIO, size: int, limits: Limits) -> None:
    """Look at the directory's size before it is read: each of its entries takes memory."""
    data.seek(max(0, size - _LONGEST_END - 76))
    tail = data.read()
    at = tail.rfind(_END_OF_DIRECTORY)
    if at < 0 or len(tail) < at + 22:
        raise broken("is cut off: its end is missing")
    found = int.from_bytes(tail[at + 12 : at + 16], "little")
    # The larger form of the end (zip64) stands before it, and counts whatever the smaller one says.
    before = tail[max(0, at - 76) : at]
    if before[56:60] == _LOCATOR_64 and before[:4] == _END_64:
        large = int.from_bytes(before[40:48], "little")
        found = large if found == _IN_END_64 else max(found, large)
    if found > limits.directory:
        raise too_large("with more parts than any spreadsheet writes")
    data.seek(0)


def _refuse_declarations(*_: object) -> None:
    raise broken("holds declarations (DTD), which no spreadsheet writes")
