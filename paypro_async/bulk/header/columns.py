"""Which column of a file holds which field."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from attrs import evolve, frozen
from attrs import field as attrs_field

from paypro_async._core.regions import RegionSpec
from paypro_async.bulk.cells.invisible import without_invisible
from paypro_async.bulk.header.column_names import ColumnNames, CurrencyColumn, key
from paypro_async.bulk.problems import FileProblem, PayoutFileError
from paypro_async.report.formulas import original, original_number

__all__ = [
    "RESULT_COLUMNS",
    "RETRY_COLUMNS",
    "Columns",
    "HeaderReader",
    "column_letters",
    "is_no_header",
    "listed",
    "shown",
]

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
_LISTED = 30
_LONGEST_SHOWN = 60
_ENOUGH = 2

Wrong = dict[str, tuple[str, str]]


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
        currency: The column that says in which currency each amount is, or None.
    """

    names: tuple[str, ...]
    fields: Mapping[str, int]
    numbered: int | None
    retried: int | None
    read: Callable[[str], str]
    results: frozenset[int]
    others: tuple[str, ...]
    currency: CurrencyColumn | None = None


@frozen(eq=False)
class HeaderReader:
    """Finds the fields in the header of a file.

    Args:
        spec: The region, whose field names and wire names both count, and those of the trade.
        defaults: Fields that need no column, since the client has a value for all payouts.
        given: The field of each column that the caller named; an empty one means that the column is no field.
    """

    spec: RegionSpec
    defaults: Mapping[str, str]
    given: Mapping[str, str] = attrs_field(factory=dict)

    @cached_property
    def names(self) -> ColumnNames:
        """What columns are called."""
        return ColumnNames(self.spec, {key(name): one.strip() for name, one in self.given.items()})

    def score(self, names: Sequence[str]) -> int:
        """How many columns of a payout file a row names."""
        found = {one[0] for name in names if (one := self.names.field_of(name))}
        units = any(self.names.wrong_unit(name) for name in names)
        return len(found) + units + sum(key(name) in _RESULTS for name in names)

    def read(self, names: Sequence[str], *, line: int, cells: Sequence[str] | None = None) -> Columns:
        """Find the fields in a header.

        Args:
            names: The cells of the header.
            line: Where it stands.
            cells: What a spreadsheet calls each of its cells, if it is one.

        Raises:
            PayoutFileError: With everything that is wrong with the header.
        """
        read = _reading(names)
        names = tuple(map(read, names))
        places = cells or [str(at + 1) for at in range(len(names))]
        results = {key(name): at for at, name in enumerate(names) if key(name) in _RESULTS}
        retries = {key(name): at for at, name in enumerate(names) if key(name) in _RETRIES}
        fields, wrong = self._fields(names, places, skip=results)
        taken = {*fields.values(), *results.values(), *retries.values()}
        others = [name.strip() for at, name in enumerate(names) if at not in taken]
        wrong |= self._unclear(others, fields) | self._units(names, places, fields)
        if results and key(RESULT_COLUMNS[0]) not in results and "trade_no" not in fields:
            wrong["trade_no"] = "COLUMN_MISSING", _WITHOUT_NUMBERS
        for one in _required(self.spec, self.defaults):
            if one not in fields:
                wrong.setdefault(one, ("COLUMN_MISSING", _missing(self.spec, one)))
        problems = [FileProblem(line=line, field=one, code=c, message=m) for one, (c, m) in wrong.items()]
        problems = self._naming(names, line) + _listing(problems, names) + _twice(names, places, line, fields)
        if problems:
            raise PayoutFileError(problems)
        return Columns(
            names=names,
            fields=fields,
            numbered=results.get(key(RESULT_COLUMNS[0])),
            retried=retries.get(key(RETRY_COLUMNS[0])),
            read=read,
            results=frozenset(results.values()),
            others=tuple(filter(None, others)),
            currency=self.names.currency_column(names, skip=taken),
        )

    def _fields(
        self, names: Sequence[str], places: Sequence[str], *, skip: Mapping[str, int]
    ) -> tuple[dict[str, int], Wrong]:
        """The column of each field: the one that is called so most surely."""
        found: dict[str, list[tuple[int, int]]] = {}
        for at, name in enumerate(names):
            if key(name) not in skip and (named := self.names.field_of(name)):
                found.setdefault(named[0], []).append((named[1], at))
        fields: dict[str, int] = {}
        wrong: Wrong = {}
        for one, ranked in found.items():
            ranked.sort()
            fields[one] = ranked[0][1]
            # The name of this project and one of the trade: which is meant, only the user knows.
            rival = [at for rank, at in ranked[1:] if rank == ranked[0][0] or 0 <= ranked[0][0] < rank == 1]
            same_name = rival and key(names[rival[0]]) == key(names[fields[one]])
            if one == "amount" and ranked[0][0] >= 0 and not same_name:
                # Gross and net: whichever is meant, the other is wrong money.
                taken = fields[one]
                rival = [at for at, name in enumerate(names) if at != taken and self.names.may_be_amount(name)]
                if rival:
                    both = " and ".join(f"{shown(names[at])} ({places[at]})" for at in sorted((taken, rival[0])))
                    mend = f"{shown(names[rival[0]])[1:-1]}=amount"
                    wrong[one] = "COLUMN_TWICE", f'may be in two columns, {both}; say which is paid, as --map "{mend}"'
                continue
            if rival:
                both = f"{places[fields[one]]} and {places[rival[0]]}"
                choose = "" if ranked[1][0] <= 0 else f", or {_CHOOSE}"
                wrong[one] = "COLUMN_TWICE", f"has two columns, {both}; keep one of them{choose}"
        return fields, wrong

    def _unclear(self, others: Sequence[str], fields: Mapping[str, int]) -> Wrong:
        """Columns that look like a field which has no other column: a slip would lose it in silence."""
        found: Wrong = {}
        for name in others:
            if key(name) in self.names.given:
                continue
            close = difflib.get_close_matches(key(name), self.names.own, n=1, cutoff=_LOOKS_LIKE)
            one = self.names.own[close[0]] if close else ""
            if close and one not in fields:
                meant = f"may be meant by the column {shown(name)}; call it {one}, or clearly otherwise"
                found[one] = "COLUMN_UNCLEAR", meant
        return found

    def _units(self, names: Sequence[str], places: Sequence[str], fields: Mapping[str, int]) -> Wrong:
        for name, place in zip(names, places, strict=True):
            unit = None if key(name) in self.names.given else self.names.wrong_unit(name)
            if unit and "amount" not in fields:
                currency = self.spec.currency
                message = (
                    f"has a column in {unit} ({place}), and payouts here are in {currency}; "
                    f'give a column "Amount ({currency})" with each amount in {currency}, as 1500 or 1500.50'
                )
                return {"amount": ("COLUMN_UNIT", message)}
        return {}

    def _naming(self, names: Sequence[str], line: int) -> list[FileProblem]:
        """What is wrong with the columns that the caller named."""
        here, known = {key(name) for name in names}, list(self.spec.unset)
        problems = []
        for name, one in self.given.items():
            if one.strip() and one.strip() not in known:
                message = (
                    f"{shown(one)} is no field, so the column {shown(name)} cannot hold it; {listed(known, 'fields')}"
                )
                problems.append(FileProblem(line=line, code="MAP_FIELD", message=message))
            elif key(name) not in here:
                message = f"has no column {shown(name)}; {listed(names, 'columns')}"
                problems.append(FileProblem(line=line, field=one.strip() or None, code="MAP_COLUMN", message=message))
        return problems


_BY_HAND = '--map "COLUMN=FIELD" (in a program: columns={"COLUMN": "FIELD"})'
_CHOOSE = f"name one with {_BY_HAND}"


def _reading(names: Sequence[str]) -> Callable[[str], str]:
    """How the cells of a file with this header are read.

    A file that this package has written holds them so that no spreadsheet changes them; any other means what it says.
    """
    keys = {key(original(name)) for name in names}
    if keys >= _RESULTS_BEFORE and not keys & (_RESULTS - _RESULTS_BEFORE):
        return original_number
    return original if keys & (_RESULTS | _RETRIES) else str


def is_no_header(score: int) -> bool:
    """Whether a row names so few columns that it is none."""
    return score < _ENOUGH


def column_letters(position: int) -> str:
    """What a spreadsheet calls a column: ``A`` for 0, ``AA`` for 26."""
    letters = ""
    while position >= 0:
        position, at = divmod(position, 26)
        letters = chr(ord("A") + at) + letters
        position -= 1
    return letters


def shown(name: str) -> str:
    """The name of a column in quotes; of what looks like a value instead, nothing."""
    text = " ".join("".join(one if one.isprintable() else " " for one in name).split())
    if sum(map(str.isdigit, text)) >= 5 or "@" in text:
        return "(one that looks like a value)"
    return repr(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…")


def listed(names: Sequence[str], what: str) -> str:
    """What was found, for an error."""
    found = [shown(name) for name in names if name.strip()]
    more = f" and {len(found) - _LISTED:,} more" if len(found) > _LISTED else ""
    return f"the {what} are {', '.join(found[:_LISTED])}{more}" if found else f"there are no {what}"


def _listing(problems: list[FileProblem], names: Sequence[str]) -> list[FileProblem]:
    """With the columns that were found, once."""
    for at, one in enumerate(problems):
        if one.code == "COLUMN_MISSING":
            found = listed(names, "columns in the file")
            message = f"{one.message}; or say {_BY_HAND} for one that is called otherwise ({found})"
            return [*problems[:at], evolve(one, message=message), *problems[at + 1 :]]
    return problems


def _twice(names: Sequence[str], places: Sequence[str], line: int, fields: Mapping[str, int]) -> list[FileProblem]:
    """Columns of one name that are no fields: which of them is which, nobody could say of the result file."""
    found: dict[str, int] = {}
    problems = []
    for at, name in enumerate(names):
        folded = re.sub(r"[\s_-]+", "", without_invisible(name)).casefold()
        if folded and folded in found and not {at, found[folded]} & {*fields.values()}:
            message = f"has two columns {shown(name)}, {places[found[folded]]} and {places[at]}; give one another name"
            problems.append(FileProblem(line=line, code="COLUMN_TWICE", message=message))
        found.setdefault(folded, at)
    return problems


_RESULTS = frozenset(key(name) for name in RESULT_COLUMNS)
_RETRIES = frozenset(key(name) for name in RETRY_COLUMNS)
_NEW = ("paypro_meaning", "paypro_what_to_do", "paypro_begun_at", "paypro_changed_at")
_RESULTS_BEFORE = _RESULTS - {key(name) for name in _NEW}
"""The columns of result files in which nothing but formulas was defused."""


def _required(spec: RegionSpec, defaults: Mapping[str, str]) -> list[str]:
    return ["amount", *(one.name for one in spec.fields if one.required and one.name not in defaults)]


def _missing(spec: RegionSpec, field: str) -> str:
    for_all = any(one.name == field and one.default_by_client for one in spec.fields)
    option = f", or give one for all payouts with --{field.replace('_', '-')} or PAYPRO_{field.upper()}"
    return f"has no column; add one with this name{option if for_all else ''}"
