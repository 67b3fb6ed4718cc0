"""What a workbook says of itself: its sheets, its texts, its number formats."""

import posixpath
import re
from array import array
from collections.abc import Mapping, Sequence

from attrs import define, field, frozen

from paypro_async.bulk.problems import FileProblem, PayoutFileError
from paypro_async.bulk.readers.number_formats import BUILT_IN
from paypro_async.bulk.readers.package import Package, too_large

__all__ = ["NO_CHARACTER", "Sheet", "Texts", "Workbook", "open_workbook", "unescaped"]

_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_SURROGATE = re.compile("[\ud800-\udfff]")
NO_CHARACTER = "\0\N{REPLACEMENT CHARACTER}"
"""What stands in a text for an escape of half a character, such as ``_xD800_``, which no text can hold."""

_OTHERS = (
    (re.compile(r"xl/workbook\.bin"), "is a binary workbook (.xlsb)"),
    (re.compile(r"index/.*\.iwa|index\.zip"), "is a Numbers document"),
    (re.compile(r"word/"), "is a Word document"),
    (re.compile(r"ppt/"), "is a presentation"),
    (re.compile(r"content\.xml"), "is an OpenDocument file (.ods or its like)"),
)


@frozen
class Sheet:
    """One sheet: its name, the part that holds it, and whether it is hidden."""

    name: str
    part: str
    hidden: bool


class Texts:
    """The texts that cells refer to by number, side by side in as little memory as they need."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("Q")
        self.too_long: set[int] = set()

    def add(self, text: str) -> None:
        """Take one more."""
        self._bytes += text.encode()
        self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> str:
        start = self._ends[number - 1] if number else 0
        return self._bytes[start : self._ends[number]].decode()

    @property
    def size(self) -> int:
        """Bytes of all."""
        return len(self._bytes)


@frozen(kw_only=True)
class Workbook:
    """A workbook.

    Args:
        package: Its parts.
        sheets: Its sheets of cells in their order.
        texts: By number, and *texts_part* the part that holds them, if there is one.
        formats: The number format of each style of cells, as :func:`shown_as` takes it.
        since_1904: Whether its days are counted from 1904.
    """

    package: Package
    sheets: Sequence[Sheet]
    texts: Texts
    texts_part: str | None
    formats: Sequence[str]
    since_1904: bool


def unescaped(text: str) -> str:
    """Text without the escapes of characters that XML cannot hold."""
    if "_x" not in text:
        return text
    return _SURROGATE.sub(NO_CHARACTER, _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text))


def open_workbook(package: Package) -> Workbook:
    """Read what a workbook says of itself.

    Raises:
        PayoutFileError: If it is another kind of archive, or cannot be read.
    """
    main = _main_part(package)
    book = _Book()
    package.parse(main, book.start, _nothing, _nothing)
    relations = _relations(package, main)
    sheets = [
        Sheet(name, part, hidden)
        for name, identity, hidden in book.sheets
        for kind, part in (relations.get(identity, ("", "")),)
        if kind.endswith("/worksheet")
    ]
    by_kind = {kind.rpartition("/")[2]: part for kind, part in relations.values()}
    styles = _Styles()
    if "styles" in by_kind:
        package.parse(by_kind["styles"], styles.start, styles.end, _nothing)
    texts = _SharedTexts(package)
    texts_part = by_kind.get("sharedStrings")
    if texts_part is not None:
        package.parse(texts_part, texts.start, texts.end, texts.text)
    return Workbook(
        package=package,
        sheets=sheets,
        texts=texts.found,
        texts_part=texts_part,
        formats=styles.formats,
        since_1904=book.since_1904,
    )


def _main_part(package: Package) -> str:
    for kind, part in _relations(package, "").values():
        if kind.endswith("/officeDocument") and part in package.names and part.endswith(".xml"):
            if part.startswith("xl/"):
                return part
            break
    if "xl/workbook.xml" in package.names:
        return "xl/workbook.xml"
    what = next(
        (what for pattern, what in _OTHERS if any(map(pattern.match, package.names))),
        "is an archive (zip) and no workbook",
    )
    message = f'{what}; save the list as an Excel workbook (.xlsx) or as "CSV UTF-8"'
    raise PayoutFileError([FileProblem(line=1, code="NOT_CSV", message=message)])


def _relations(package: Package, part: str) -> dict[str, tuple[str, str]]:
    """What a part refers to: kind and part by the reference."""
    folder, name = posixpath.split(part)
    found: dict[str, tuple[str, str]] = {}

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "Relationship" and attributes.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/", folder, attributes.get("Target", ""))).lstrip("/").lower()
            found[attributes.get("Id", "")] = attributes.get("Type", ""), target

    place = posixpath.join(folder, "_rels", f"{name}.rels")
    if place in package.names:
        package.parse(place, start, _nothing, _nothing)
    return found


@define
class _Book:
    sheets: list[tuple[str, str, bool]] = field(factory=list)
    since_1904: bool = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "sheet":
            identity = next((value for name, value in attributes.items() if name.rpartition(":")[2] == "id"), "")
            self.sheets.append((attributes.get("name", ""), identity, attributes.get("state", "visible") != "visible"))
        elif tag == "workbookPr":
            self.since_1904 = attributes.get("date1904", "0") in ("1", "true")


@define
class _Styles:
    formats: list[str] = field(factory=list)
    _codes: dict[str, str] = field(factory=dict)
    _in_cells: bool = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "numFmt":
            self._codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
        elif tag == "cellXfs":
            self._in_cells = True
        elif tag == "xf" and self._in_cells:
            number = attributes.get("numFmtId", "0")
            self.formats.append(self._codes.get(number, f"{BUILT_IN}{number}"))

    def end(self, tag: str) -> None:
        if tag == "cellXfs":
            self._in_cells = False


class _SharedTexts:
    def __init__(self, package: Package) -> None:
        self.found = Texts()
        self._limits = package.limits
        self._pieces: list[str] = []
        self._length = 0
        self._reads = self._phonetic = False

    def start(self, tag: str, _attributes: Mapping[str, str]) -> None:
        if tag == "si":
            self._pieces, self._length = [], 0
        elif tag == "rPh":
            self._phonetic = True
        elif tag == "t":
            self._reads = not self._phonetic

    def text(self, piece: str) -> None:
        if self._reads:
            self._length += len(piece)
            if self._length <= self._limits.cell_length:
                self._pieces.append(piece)

    def end(self, tag: str) -> None:
        if tag == "t":
            self._reads = False
        elif tag == "rPh":
            self._phonetic = False
        elif tag == "si":
            if self._length > self._limits.cell_length:
                self.found.too_long.add(len(self.found))
            self.found.add(unescaped("".join(self._pieces)))
            if len(self.found) > self._limits.texts or self.found.size > self._limits.text_bytes:
                raise too_large(f"with more than {self._limits.texts:,} different texts, or too much of them")


def _nothing(*_: object) -> None:
    """What is not looked at."""
