"""Which column of a file holds which field."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from paypro_async._core.regions import RegionSpec
from paypro_async.bulk.formulas import original, original_number
from paypro_async.bulk.problems import FileProblem, PayoutFileError

__all__ = ["RESULT_COLUMNS", "RETRY_COLUMNS", "Columns", "read_header"]

RESULT_COLUMNS = (
    "paypro_trade_no",
    "paypro_status",
    "paypro_meaning",
    "paypro_what_to_do",
    "paypro_code",
    "paypro_message",
    "paypro_platform_trade_no",
    "paypro_utr",
    "paypro_attempts",
    "paypro_begun_at",
    "paypro_changed_at",
)
"""What a result file adds. Fed back as input, the first is taken as the trade number and the others are replaced."""

RETRY_COLUMNS = ("retry_of", "failed_because")
"""What a file of failed rows adds: the number that failed, of which the row's own follows, and why."""

_WITHOUT_NUMBERS = (
    f"has no column, although this is a result file: without {RESULT_COLUMNS[0]} its rows would be paid anew. Put that "
    "column back"
)
_LOOKS_LIKE = 0.8


@frozen(kw_only=True)
class Columns:
    """The header of a file, understood.

    Args:
        names: As they stand in the file.
        fields: The position of each field's column.
        numbered: The position of ``paypro_trade_no`` in a result file that is fed back, or None.
        retried: The position of ``retry_of`` in a file of failed rows, or None.
        read: How its cells are read; names are read already.
        results: The positions of a result file's own columns, which a new result file writes anew.
        others: Columns that are no fields; carried through to the result file.
    """

    names: tuple[str, ...]
    fields: Mapping[str, int]
    numbered: int | None
    retried: int | None
    read: Callable[[str], str]
    results: frozenset[int]
    others: tuple[str, ...]


def read_header(names: Sequence[str], *, line: int, spec: RegionSpec, defaults: Mapping[str, str]) -> Columns:
    """Find the fields in a header.

    Args:
        names: The cells of the header.
        line: Where it stands.
        spec: The region, whose field names and wire names both count.
        defaults: Fields that need no column, since the client has a value for all payouts.

    Raises:
        PayoutFileError: With everything that is wrong with the header.
    """
    read = _reading(names)
    names = tuple(map(read, names))
    aliases = _aliases(spec)
    fields: dict[str, int] = {}
    results: dict[str, int] = {}
    retries: dict[str, int] = {}
    others: list[str] = []
    wrong: dict[str, tuple[str, str]] = {}
    for position, name in enumerate(names):
        field = aliases.get(_key(name))
        if field in fields:
            wrong[field] = "COLUMN_TWICE", f"has two columns, {fields[field] + 1} and {position + 1}; keep one of them"
        elif field is not None:
            fields[field] = position
        elif _key(name) in _RESULTS:
            results[_key(name)] = position
        elif _key(name) in _RETRIES:
            retries[_key(name)] = position
        else:
            others.append(name.strip())
    wrong |= _unclear(others, aliases, fields)
    if results and _key(RESULT_COLUMNS[0]) not in results and "trade_no" not in fields:
        wrong["trade_no"] = "COLUMN_MISSING", _WITHOUT_NUMBERS
    for field in _required(spec, defaults):
        if field not in fields:
            wrong.setdefault(field, ("COLUMN_MISSING", _missing(spec, field)))
    if wrong:
        found = wrong.items()
        raise PayoutFileError([FileProblem(line=line, field=field, code=c, message=m) for field, (c, m) in found])
    return Columns(
        names=names,
        fields=fields,
        numbered=results.get(_key(RESULT_COLUMNS[0])),
        retried=retries.get(_key(RETRY_COLUMNS[0])),
        read=read,
        results=frozenset(results.values()),
        others=tuple(others),
    )


def _reading(names: Sequence[str]) -> Callable[[str], str]:
    """How the cells of a file with this header are read.

    A file that this package has written holds them so that no spreadsheet changes them; any other means what it says.
    """
    keys = {_key(original(name)) for name in names}
    if keys >= _RESULTS_BEFORE and not keys & (_RESULTS - _RESULTS_BEFORE):
        return original_number
    return original if keys & (_RESULTS | _RETRIES) else str


def _unclear(
    others: Sequence[str], aliases: Mapping[str, str], fields: Mapping[str, int]
) -> dict[str, tuple[str, str]]:
    """Columns that look like a field which has no other column: a slip of the hand would lose it in silence."""
    found: dict[str, tuple[str, str]] = {}
    for name in others:
        close = difflib.get_close_matches(_key(name), aliases, n=1, cutoff=_LOOKS_LIKE)
        field = aliases[close[0]] if close else ""
        if close and field not in fields:
            found[field] = (
                "COLUMN_UNCLEAR",
                f"may be meant by the column {name!r}; call it {field}, or clearly otherwise",
            )
    return found


def _key(name: str) -> str:
    """``bank_number``, ``Bank Number``, ``bank-number`` and the platform's ``bankNumber`` are one."""
    return re.sub(r"[\s_-]+", "", name).lower()


_RESULTS = frozenset(_key(name) for name in RESULT_COLUMNS)
_RETRIES = frozenset(_key(name) for name in RETRY_COLUMNS)
_NEW = ("paypro_meaning", "paypro_what_to_do", "paypro_begun_at", "paypro_changed_at")
_RESULTS_BEFORE = _RESULTS - {_key(name) for name in _NEW}
"""The columns of result files in which nothing but formulas was defused."""


def _aliases(spec: RegionSpec) -> dict[str, str]:
    names = {"amount": "amount", "trade_no": "trade_no"} | {one.name: one.name for one in spec.fields}
    wires = {one.wire: one.name for one in spec.fields}
    return {_key(name): field for name, field in (names | wires).items()}


def _required(spec: RegionSpec, defaults: Mapping[str, str]) -> list[str]:
    return ["amount", *(one.name for one in spec.fields if one.required and one.name not in defaults)]


def _missing(spec: RegionSpec, field: str) -> str:
    for_all = any(one.name == field and one.default_by_client for one in spec.fields)
    option = f", or give one for all payouts with --{field.replace('_', '-')} or PAYPRO_{field.upper()}"
    return f"has no column; add one with this name{option if for_all else ''}"
