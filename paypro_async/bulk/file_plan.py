"""A file checked whole, before anything of it is sent: what it will pay, and under which trade numbers."""

import hashlib
import heapq
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import TypeVar

from attrs import define, field, frozen

from paypro_async._core.codec import json_bytes
from paypro_async._core.intent import Intent
from paypro_async._core.money import amount_text, minor_units
from paypro_async._core.payment_key import payment_key
from paypro_async._core.trade_no import derived_trade_no
from paypro_async.bulk.cells.amounts import amount_message
from paypro_async.bulk.checks.columnwise import Certain, Columnwise, content_line
from paypro_async.bulk.checks.doubts import Doubts
from paypro_async.bulk.checks.duplicates import Again, Seen
from paypro_async.bulk.payout_file import PayoutFile, Row
from paypro_async.bulk.problems import FileProblem, Problems
from paypro_async.bulk.readers.base import Stretch
from paypro_async.errors import InvalidPayoutError, Problem
from paypro_async.ledger.base import PAGE

__all__ = ["Plan", "Planned", "Prepare", "RowAmount", "make_plan", "pages", "planned"]

_LARGEST = 10

T = TypeVar("T")

Prepare = Callable[[Mapping[str, str], str], Intent]
"""A row's values and its trade number in; an intent out, or :class:`~paypro_async.InvalidPayoutError`."""

Planned = tuple[Row, Intent]
"""A row, and the payout that it is, under its trade number."""


@frozen(order=True)
class RowAmount:
    """How much a row pays: the amount in major units, its number and its line."""

    amount: Decimal
    row: int
    line: int


@frozen(kw_only=True)
class Plan:
    """What a file will pay.

    Args:
        rows: How many payouts.
        total: Their sum, in major units of *currency*.
        digest: Of the file's content: the same content, the same digest, however it was saved.
        given: Holds the trade numbers that stand in the file itself, as long as the file is open.
        problems: Everything that is wrong with it; a plan with problems must not be paid.
        with_decimals: Rows whose amount has decimals, which the platform advises against.
        identical: Lines of rows that pay the same to the same as a row before them, unless each of the two has a trade
            number of its own.
        alike: Lines of rows whose trade number differs from that of a row before them only by case, zeros or number
            format; both are paid if they do not pay the same.
        twins: Problems of rows whose trade number does so, and which pay the same too.
        doubts: What is allowed and yet seldom meant; a person is asked about it before the file is paid.
        largest: The ten rows that pay most, the largest first.
        median: Of the amounts, the lower of the two in the middle; None if no row is right.
    """

    rows: int
    total: Decimal
    currency: str
    digest: bytes = field(repr=False)
    given: Container[str] = field(repr=False)
    problems: tuple[FileProblem, ...] = ()
    with_decimals: int = 0
    identical: tuple[int, ...] = ()
    alike: tuple[int, ...] = ()
    twins: tuple[FileProblem, ...] = ()
    doubts: tuple[FileProblem, ...] = ()
    largest: tuple[RowAmount, ...] = ()
    median: Decimal | None = None

    def trade_no(self, row: Row) -> str:
        """The row's own trade number, or the one that follows from the file's content and the row's number."""
        return row.values.get("trade_no") or derived_trade_no(self.digest, row.number)

    @property
    def batch_id(self) -> str:
        """The same for every run of the same content."""
        return f"file-{self.digest.hex()[:32]}"

    def owns(self, trade_no: str) -> bool:
        """Whether a trade number belongs to a row of this file."""
        if trade_no in self.given:
            return True
        number = trade_no.rpartition("-")[2]
        in_range = number.isascii() and number.isdigit() and 1 <= int(number) <= self.rows
        return in_range and trade_no == derived_trade_no(self.digest, int(number))


def make_plan(file: PayoutFile, prepare_row: Prepare, *, run: str | None = None) -> Plan:
    """Check every row.

    Args:
        file: Where the rows are.
        prepare_row: Checks one.
        run: Mixed into the digest: the same file under another name of a run has other trade numbers.
    """
    columnwise, seen = Columnwise(file.spec, file.columns), file.held.enter_context(Seen())
    survey = _Survey(file, prepare_row, columnwise, seen, Doubts(file.spec.currency))
    for stretch in file.stretches():
        survey.add(stretch)
    survey.end()
    alike = survey.seen.numbers_alike()
    digest = survey.content.digest()
    median, places = seen.median(), file.spec.max_decimals
    unlike = [again for again, same in alike if not same]
    return Plan(
        rows=survey.rows,
        total=survey.total,
        currency=file.spec.currency,
        digest=digest if run is None else hashlib.sha256(json_bytes([digest.hex(), run]) + b"\n").digest(),
        given=survey.seen,
        problems=survey.problems.sorted(),
        with_decimals=survey.with_decimals,
        identical=tuple(again.line for again in survey.seen.payments_again()),
        alike=tuple(again.line for again in unlike),
        twins=tuple(_twin(again) for again, same in alike if same),
        doubts=survey.doubts.end(seen, alike=unlike, median=median, places=places),
        median=None if median is None else Decimal(f"{median}E-{places}"),
        largest=tuple(sorted(survey.largest, key=_largest_first)),
    )


def planned(file: PayoutFile, plan: Plan, prepare_row: Prepare) -> Iterator[Planned]:
    """Every row of a file whose *plan* has no problems, with its payout."""
    return ((row, prepare_row(row.values, plan.trade_no(row))) for row in file.rows())


@define
class _Survey:
    file: PayoutFile
    prepare_row: Prepare
    columnwise: Columnwise
    seen: Seen
    doubts: Doubts
    rows: int = 0
    total: Decimal = Decimal(0)
    with_decimals: int = 0
    problems: Problems = field(factory=Problems)
    content: "hashlib._Hash" = field(factory=hashlib.sha256)
    one_was_right: bool = False
    largest: list[RowAmount] = field(factory=list)

    def add(self, stretch: Stretch) -> None:
        # As soon as one row is right, so are the client's values for all payouts.
        found = self.columnwise.certain(stretch.records) if self.one_was_right and not stretch.problems else None
        if found is not None:
            self._add_certain(stretch, found)
        else:
            self.seen.add([self._add(row) for row in self.file.rows_of(stretch)])
            self.rows += len(stretch.lines)

    def end(self) -> None:
        self.problems.add(*self.file.problems())
        if not self.rows:
            self.problems.add(FileProblem(line=1, code="NO_PAYOUTS", message="has a header only: no payouts in it"))
        self.problems.add(*map(_twice, self.seen.numbers_again()))

    def _add_certain(self, stretch: Stretch, found: Certain) -> None:
        self.rows += len(stretch.lines)
        self.content.update(found.content)
        self.total += sum(found.amounts)
        self.with_decimals += found.with_decimals
        numbers = range(stretch.first, stretch.first + len(stretch.lines))
        self._keep_largest(found.amounts, numbers, stretch.lines)
        self.doubts.look([*zip(numbers, stretch.lines, strict=True)], found.names, found.accounts)
        columns = found.trade_nos, found.payments, found.minor_units
        self.seen.add(zip(numbers, stretch.lines, *columns, strict=True))

    def _add(self, row: Row) -> tuple[int, int, str | None, bytes | None, int | None]:
        """Check a row by itself; what it is known by."""
        self.content.update(content_line(sorted(row.values.items())))
        self.problems.add(*row.problems)
        if any(problem.field is None for problem in row.problems):
            return row.number, row.line, None, None, None
        given = row.values.get("trade_no")
        try:
            intent = self.prepare_row(row.values, given or f"row-{row.number}")
        except InvalidPayoutError as error:
            known = {problem.field for problem in row.problems}
            self.problems.add(*(self._placed(row, one) for one in error.problems if one.field not in known))
            return row.number, row.line, given, None, None
        if row.problems:
            return row.number, row.line, given, None, None
        self.one_was_right = True
        self.total += intent.amount
        self._keep_largest([intent.amount], [row.number], [row.line])
        self.with_decimals += bool(intent.warnings)
        key = payment_key(intent.region, intent.content)
        self.doubts.look([(row.number, row.line)], [row.values.get("name", "")], [row.values["bank_number"]])
        minor = minor_units(amount_text(intent.amount), places=self.file.spec.max_decimals)
        return row.number, row.line, given, bytes.fromhex(key) if key else None, minor

    def _placed(self, row: Row, problem: Problem) -> FileProblem:
        code, message = problem.code, problem.message
        if code == "AMOUNT_FORMAT":
            message = amount_message(row.values.get("amount", "")) or message
        cell = self.file.cell(row.line, problem.field)
        return FileProblem(line=row.line, row=row.number, field=problem.field, cell=cell, code=code, message=message)

    def _keep_largest(self, amounts: Sequence[Decimal], numbers: Iterable[int], lines: Iterable[int]) -> None:
        # Nearly all stretches have none that is among them.
        if len(self.largest) == _LARGEST and max(amounts) <= self.largest[-1].amount:
            return
        found = [*self.largest, *map(RowAmount, amounts, numbers, lines)]
        self.largest = heapq.nsmallest(_LARGEST, found, key=_largest_first)


def _largest_first(one: RowAmount) -> tuple[Decimal, int]:
    return -one.amount, one.row


def _twice(again: Again) -> FileProblem:
    message = f"is that of row {again.first} too; two payouts cannot share a trade number"
    return FileProblem(line=again.line, row=again.row, field="trade_no", code="DUPLICATE_TRADE_NO", message=message)


def _twin(again: Again) -> FileProblem:
    message = (
        f"pays the same amount to the same account as row {again.first}, whose trade number differs only by case, "
        "zeros or number format; take one of them out"
    )
    return FileProblem(line=again.line, row=again.row, field="trade_no", code="TRADE_NO_TWIN", message=message)


def pages(items: Iterator[T]) -> Iterator[list[T]]:
    """The items in lists of as many as a ledger looks up at one time."""
    while page := list(islice(items, PAGE)):
        yield page
