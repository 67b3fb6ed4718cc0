"""What became of every row of a file, from the ledger."""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from attrs import define, evolve, field, frozen

from paypro_async._core.items import ItemStatus
from paypro_async._core.json_schema import object_schema
from paypro_async._core.lifecycle import Entry, State
from paypro_async._core.plain_data import PlainData
from paypro_async._core.tally import Tally
from paypro_async.bulk.file_plan import Planned, pages
from paypro_async.bulk.payout_file import Row
from paypro_async.bulk.retries import Retry, retries
from paypro_async.errors import PayProError
from paypro_async.ledger import Ledger
from paypro_async.ledger.patience import PAGE_SECONDS, answer_within
from paypro_async.report.base import Report
from paypro_async.report.batch_report import BatchReport
from paypro_async.report.rows import ReportRow

__all__ = ["FileReport", "NotReportedError", "RowOutcome", "row_outcomes"]


_SHOWN_REASONS = 20
_NOTHING: Mapping[int, str] = MappingProxyType({})


@frozen(kw_only=True)
class RowOutcome:
    """A row and what is known of it.

    Args:
        status: What is known of it; never ``invalid``, since a file with such a row is not paid.
        amount: In major units.
        entry: The ledger's, or None if it holds none for this row.
        paid_as: The other trade number under which it was paid before, if the row was left out for that.
        paid_status: What is known of that one now; None if the row was not left out.
        retry: The payout under a new number that makes this one good, which has failed; None if there is none.
    """

    row: Row
    trade_no: str
    status: ItemStatus
    amount: Decimal
    entry: Entry | None = None
    paid_as: str | None = None
    paid_status: ItemStatus | None = None
    retry: Retry | None = None

    def report_row(self, currency: str) -> ReportRow:
        """The row as a report tells of it; its beneficiary as the file names it."""
        values = self.row.values
        name, bank_number = values.get("name"), values.get("bank_number")
        if self.entry is not None:
            found = ReportRow.of_entry(self.entry, row=self.row.number)
            message = found.message
            if self.retry is not None:
                message = "; ".join(part for part in (message, self.retry.told) if part)
            return evolve(found, status=self.status, message=message, name=name, bank_number=bank_number)
        return ReportRow(
            row=self.row.number,
            trade_no=self.trade_no,
            status=self.status,
            amount=self.amount,
            currency=currency,
            message=f"Left out, since the same was paid as {self.paid_as}." if self.paid_as else None,
            name=name,
            bank_number=bank_number,
        )


async def row_outcomes(
    rows: Iterator[Planned],
    ledger: Ledger,
    merchant_no: str,
    *,
    left_out: Mapping[int, str] = _NOTHING,
    patience: float = PAGE_SECONDS,
) -> AsyncIterator[RowOutcome]:
    """Every row in the order of the file.

    Args:
        rows: The rows.
        ledger: What knows of them.
        merchant_no: Whose they are.
        left_out: The numbers of rows that were left out since they were paid before, and the trade number of that.
        patience: Seconds that the ledger has for each page.

    Raises:
        LedgerUnavailableError: If the ledger cannot be read.
    """
    for page in pages(rows):
        others = [left_out[row.number] for row, _ in page if row.number in left_out]
        looking = ledger.get_many(merchant_no, [*(intent.trade_no for _, intent in page), *others])
        entries = await answer_within(patience, ledger, looking)

        async def look_up(numbers: Collection[str]) -> Mapping[str, ItemStatus]:
            found = await answer_within(patience, ledger, ledger.get_many(merchant_no, [*numbers]))
            return {number: ItemStatus.of_entry(entry) for number, entry in found.items()}

        failed = [number for number, entry in entries.items() if entry.state is State.FAILED]
        sent_since = await retries(failed, look_up)
        for row, intent in page:
            entry = entries.get(intent.trade_no)
            status = ItemStatus.of_entry(entry) if entry else ItemStatus.NOT_SENT
            if entry and entry.fingerprint != intent.fingerprint:
                # Another payout has this number, and what became of that one is not this row's news.
                status, entry = ItemStatus.CONFLICT, None
            paid_as = None if entry else left_out.get(row.number)
            other = entries.get(paid_as) if paid_as else None
            yield RowOutcome(
                row=row,
                trade_no=intent.trade_no,
                status=status,
                amount=intent.amount,
                entry=entry,
                paid_as=paid_as,
                paid_status=ItemStatus.of(other.state) if other else None,
                retry=sent_since.get(intent.trade_no) if status is ItemStatus.FAILED else None,
            )


@frozen(kw_only=True)
class _LeftOut(PlainData):
    counts: Mapping[ItemStatus, int]
    amounts: Mapping[ItemStatus, Decimal]


@frozen(kw_only=True)
class _Counted(PlainData):
    """What became of the rows of a whole file, sent or not; names and order are those of a batch's report."""

    counts: Mapping[ItemStatus, int]
    amounts: Mapping[ItemStatus, Decimal]
    codes: Mapping[str, int]
    reasons: Mapping[str, int]
    left_out: _LeftOut
    total: int


@define(kw_only=True)
class FileReport(PlainData, Report):
    """What became of the rows of a whole file, sent or not. A row that was left out is in *left_out* alone.

    Args:
        tally: How many rows, and how much money, by status.
        codes: The platform's codes of those that were not accepted, and how often each came.
        reasons: Why others of them had no answer, and how many rows each kept; twenty of them at most.
        left_out: The same of rows that were left out since they were paid before under other numbers, by the status of
            those; they are not in *tally*.
        retried: The same of rows that have failed and were sent since under new numbers, by the status of those; they
            are in *tally*, as failed. *retries*: the first twenty of these, by the number that failed.
    """

    _repr_pretty_ = Report._repr_pretty_
    tally: Tally[ItemStatus] = field(factory=Tally)
    codes: Counter[str] = field(factory=Counter)
    reasons: Counter[str] = field(factory=Counter)
    left_out: Tally[ItemStatus] = field(factory=Tally)
    retried: Tally[ItemStatus] = field(factory=Tally)
    retries: dict[str, Retry] = field(factory=dict)

    @property
    def counts(self) -> Mapping[ItemStatus, int]:
        """Rows by status."""
        return self.tally.counts

    @property
    def amounts(self) -> Mapping[ItemStatus, Decimal]:
        """Sums by status, in major units."""
        return self.tally.amounts

    @property
    def total(self) -> int:
        """How many rows."""
        return self.tally.counts.total()

    @property
    def _statuses(self) -> Tally[ItemStatus]:
        return self.tally

    def to_dict(self) -> dict[str, Any]:
        """What was counted, as plain data; sums are text, and *left_out* has ``counts`` and ``amounts`` of its own."""
        left_out = _LeftOut(counts=self.left_out.counts, amounts=self.left_out.amounts)
        return _Counted(
            counts=self.counts,
            amounts=self.amounts,
            codes=self.codes,
            reasons=self.reasons,
            left_out=left_out,
            total=self.total,
        ).to_dict()

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        return object_schema(_Counted, also=()) | {"title": cls.__name__}

    def add(self, outcome: RowOutcome) -> None:
        """Count one row, and keep it if the report has a place for rows."""
        if outcome.paid_status is not None:
            self.left_out.add(outcome.paid_status, outcome.amount)
            return
        status = outcome.status
        self.tally.add(status, outcome.amount)
        if outcome.retry is not None:
            self.retried.add(outcome.retry.status, outcome.amount)
            if len(self.retries) < _SHOWN_REASONS:
                self.retries[outcome.trade_no] = outcome.retry
        if (origin := self.origin) is not None:
            origin.rows.add(outcome.report_row(origin.currency).kept())
        # What was not sent may still have the code of an older try, which explains nothing any more.
        explained = status.accepted or status is ItemStatus.NOT_SENT
        if not explained and outcome.entry and outcome.entry.code:
            self.codes[outcome.entry.code] += 1
        why = outcome.entry.message if outcome.entry and outcome.entry.code is None and not status.accepted else None
        if why and (why in self.reasons or len(self.reasons) < _SHOWN_REASONS):
            self.reasons[why] += 1


class NotReportedError(PayProError):
    """A file was paid, and then its result could not be written, or its report not be made. Pay it again.

    That sends nothing twice: what was sent is in the ledger.

    Attributes:
        batch: What the run did, and how many rows of each status it had.
        report: What became of every row; None if the ledger could not be read for it.
    """

    money_may_have_moved: bool = True

    def __init__(self, why: str, batch: BatchReport, *, report: FileReport | None = None) -> None:
        self.batch: BatchReport = batch
        self.report: FileReport | None = report
        super().__init__(
            f"The file was paid: {batch}. Sent now: {batch.sent:,}. After that {why}. Every payout is in the ledger; "
            "mend that and pay the same file again, which sends nothing twice and reports anew."
        )
