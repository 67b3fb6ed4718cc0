"""JSON lines: an object on each line, read line by line as often as needed, in constant memory."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any

from paypro_async.bulk.header.columns import Columns, HeaderReader, shown
from paypro_async.bulk.problems import FileProblem, PayoutFileError
from paypro_async.bulk.readers.base import FIRST_ROW, STRETCH, Header, Kind, Stretch
from paypro_async.bulk.readers.headers import refuse_empty, refuse_headless
from paypro_async.bulk.readers.kept_rows import Wrong
from paypro_async.bulk.readers.snapshot import Snapshot

__all__ = ["JsonLinesReader", "is_json"]

_MOST_NAMES = 500
_WRAPPING = 5
# A title of a table may begin with a bracket: "[Confidential] Salaries", "{draft}".
_JSON = re.compile(r"""\s*(?:\{\s*(?:["'}{\[]|$|[^,;\t|}]*:)|\[\s*(?:["'{\[\]\d-]|$|(?:null|true|false)\b))""")
_NUMBERS = frozenset({"amount", "mobile"})
_AS_TEXT = "write it as text, in quotes"


class _Number(str):
    """A number as the line has it."""

    __slots__ = ()


class _Fraction(_Number):
    __slots__ = ()


class _Pairs(list[tuple[str, Any]]):
    """An object as the line has it."""


_DECODER = json.JSONDecoder(
    object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Fraction, parse_constant=_Fraction, strict=True
)


def is_json(snapshot: Snapshot) -> bool:
    """Whether a text is JSON: lines of objects, or what is refused with words of its own, an array."""
    with snapshot.text() as text:
        for line in text:
            if line.strip():
                return _JSON.match(line) is not None
    return False


class JsonLinesReader:
    """A file with an object on each line.

    Args:
        snapshot: The file.
        headers: Tells the fields from other names.

    Raises:
        PayoutFileError: If its names lack fields.
    """

    kind: Kind = "jsonl"
    sheets: Sequence[str] = ()
    delimiter = ","

    def __init__(self, snapshot: Snapshot, headers: HeaderReader) -> None:
        self._snapshot = snapshot
        names = self._names()
        if not names:
            self._refuse_first()
        self._refuse_wrapped(names)
        refuse_headless(Header(1, [*names]), headers.score([*names]))
        self.columns: Columns = headers.read([*names], line=1, cells=[*map(shown, names)])
        self._at = {name: at for at, name in enumerate(names)}
        self._fields = {at: name for name, at in self.columns.fields.items()}
        for at in (self.columns.numbered, self.columns.retried):
            if at is not None:
                self._fields[at] = self.columns.names[at]

    def stretches(self) -> Iterator[Stretch]:
        """All lines that are not empty."""
        first = FIRST_ROW
        lines: list[int] = []
        records: list[list[str]] = []
        problems: dict[int, list[FileProblem]] = {}
        for line, text in self._lines():
            cells, wrong = self._record(text)
            if wrong:
                row = first + len(lines)
                problems[len(lines)] = [
                    FileProblem(line=line, row=row, field=one.field, code=one.code, message=one.message)
                    for one in wrong
                ]
            lines.append(line)
            records.append(cells)
            if len(lines) == STRETCH:
                yield Stretch(first, lines, records, problems)
                first, lines, records, problems = first + STRETCH, [], [], {}
        if lines:
            yield Stretch(first, lines, records, problems)

    def problems(self) -> Sequence[FileProblem]:
        """Nothing is known of the file as a whole."""
        return ()

    def cell(self, line: int, position: int) -> None:  # noqa: ARG002  every reader is asked the same
        """A line of text is no row of a spreadsheet."""
        return

    def _lines(self) -> Iterator[tuple[int, str]]:
        with self._snapshot.text() as text:
            for number, line in enumerate(text, 1):
                if line.strip():
                    yield number, line

    def _names(self) -> dict[str, None]:
        """Every name of the file, in the order of their first line."""
        names: dict[str, None] = {}
        for number, line in self._lines():
            found = _object(line)
            if isinstance(found, _Pairs):
                names |= dict.fromkeys(name for name, _ in found)
            if len(names) > _MOST_NAMES:
                message = f"has more than {_MOST_NAMES} different names; values may stand in their place"
                raise PayoutFileError([FileProblem(line=number, code="TOO_MANY_NAMES", message=message)])
        return names

    def _refuse_wrapped(self, names: Collection[str]) -> None:
        """Refuse the one object that holds all payouts in a list, as many programs write them."""
        (number, text), *others = islice(self._lines(), 2)
        found = _object(text)
        if others or not isinstance(found, _Pairs) or len(names) > _WRAPPING:
            return
        if any(isinstance(value, list) and value and isinstance(value[0], _Pairs) for _, value in found):
            code, message = _NOT_LINES
            raise PayoutFileError([FileProblem(line=number, code=code, message=message)])

    def _refuse_first(self) -> None:
        for number, line in self._lines():
            found = _object(line)
            code, message = found if isinstance(found, tuple) else ("NOT_JSON_LINES", "is an object without names")
            raise PayoutFileError([FileProblem(line=number, code=code, message=message)])
        refuse_empty()

    def _record(self, line: str) -> tuple[list[str], list[Wrong]]:
        cells = [""] * len(self._at)
        found = _object(line)
        if not isinstance(found, _Pairs):
            return cells, [Wrong(None, None, *found)]
        wrong: list[Wrong] = []
        seen: set[str] = set()
        for name, value in found:
            at = self._at[name]
            if name in seen:
                message = f"names {shown(name)} twice; keep one of them"
                wrong.append(Wrong(self._fields.get(at), None, "NAME_TWICE", message))
            seen.add(name)
            text, problem = _text(self._fields.get(at), value)
            cells[at] = text
            if problem:
                wrong.append(Wrong(self._fields.get(at), None, *problem))
        return cells, wrong


def _object(line: str) -> _Pairs | tuple[str, str]:
    """The object of a line, or what is wrong with it."""
    text = line.strip()
    try:
        found = _DECODER.decode(text)
    except (ValueError, RecursionError):
        if text in ("{", "[") or (text.startswith(("{", "[")) and text.endswith(("{", "[", ","))):
            return _NOT_LINES
        return "NOT_JSON", "is not JSON: is a quote, a comma or a bracket missing? Write one object on each line"
    if isinstance(found, _Pairs):
        return found
    return _NOT_LINES


_NOT_LINES = (
    "NOT_JSON_LINES",
    "is JSON, but not an object on this line: write one object on each line, without brackets and commas around them",
)


def _text(field: str | None, value: Any) -> tuple[str, tuple[str, str] | None]:
    """The text of a value, and what is wrong with it."""
    if value is None:
        return "", None
    if isinstance(value, list):
        return "", ("VALUE_NESTED", "holds an object or a list; write plain text")
    if isinstance(value, bool):
        text = str(value).lower()
        return (text, None) if field is None else ("", ("VALUE_BOOLEAN", f"is true or false; {_AS_TEXT}"))
    wrong = _wrong_number(field, value) if isinstance(value, _Number) else _wrong_text(value)
    return ("", wrong) if wrong else (str(value), None)


def _wrong_number(field: str | None, value: _Number) -> tuple[str, str] | None:
    if field is None or (field in _NUMBERS and not isinstance(value, _Fraction)):
        return None
    if field == "amount":
        return "AMOUNT_FLOAT", f"is a number with decimals, which cannot hold money exactly; {_AS_TEXT}"
    return "VALUE_NUMBER", f"is a number, which loses zeros in front and long digits; {_AS_TEXT}"


def _wrong_text(value: str) -> tuple[str, str] | None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return "NOT_UNICODE", "holds a broken character (a lone surrogate); write the text again"
    return None
