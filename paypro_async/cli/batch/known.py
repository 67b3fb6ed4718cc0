"""Which batch of a ledger is meant by a file, a plan or a name, and how far it has come: from the ledger alone."""

from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import click
from attrs import define, evolve, field, frozen

from paypro_async._core.items import ItemStatus
from paypro_async._core.money import parse_amount
from paypro_async._core.regions import REGIONS, RegionSpec
from paypro_async._core.tally import Tally
from paypro_async.bulk import PayoutFileError
from paypro_async.bulk.file_plan import make_plan, planned
from paypro_async.bulk.payout_file import PayoutFile
from paypro_async.bulk.repeats import LookBack
from paypro_async.bulk.results import RowOutcome, row_outcomes
from paypro_async.bulk.retries import Retry
from paypro_async.cli.output import readable
from paypro_async.cli.retries import retries_in, status_in
from paypro_async.engine.intake import Intake
from paypro_async.ledger.admin import records
from paypro_async.ledger.admin.records import BatchState, Record, Which
from paypro_async.ledger.base import PAGE
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.runtime import SystemRuntime

__all__ = ["Known", "Reading", "batch_meant", "known_of_batch", "known_of_file"]

_SHOWN = 20
_WANT_A_LOOK = frozenset(
    {ItemStatus.FAILED, ItemStatus.UNKNOWN, ItemStatus.MISSING, ItemStatus.REVIEW, ItemStatus.CONFLICT}
)
# Values for all payouts make no difference to which payout it is; these are right wherever they are wanted.
_STAND_INS = {"ip_address": "127.0.0.1", "notify_url": "https://example.com/"}


@frozen(kw_only=True)
class Reading:
    """How a file is read: as :class:`~paypro_async.bulk.Disbursement` takes these."""

    run: str | None = None
    columns: dict[str, str] = field(factory=dict)
    sheet: str | None = None


@frozen(kw_only=True)
class Known:
    """What a ledger knows of a batch, or of the rows of a file.

    Args:
        name: The file, or the batch.
        batch_id: The batch.
        batch: What the ledger noted of it, or None if it never began.
        tally: Payouts and money by status; of a file its rows that were never begun too.
        currency: ISO 4217.
        of_file: Whether every row of a file is counted, and not only what a batch has claimed.
        look: The first of those that want a look: the trade number, its status and why.
        retried: Failed ones that were sent since under new numbers, by the status of those; they are in *tally* too.
        left_out: Rows whose payment the ledger holds under other numbers, by the status of those; they are not in
            *tally*. *others*: the first of these numbers.
    """

    name: str
    batch_id: str
    batch: BatchState | None
    tally: Tally[ItemStatus]
    currency: str
    look: tuple[tuple[str, ItemStatus, str], ...]
    retried: Tally[ItemStatus] = field(factory=Tally)
    left_out: Tally[ItemStatus] = field(factory=Tally)
    others: tuple[str, ...] = ()
    of_file: bool = False

    def what_to_do(self, status: ItemStatus) -> str:
        """What people do about those of a status."""
        since = self.retried.counts.total() if status is ItemStatus.FAILED else 0
        if not since:
            return status.what_to_do
        told = ", ".join(f"{count:,} {one}" for one, count in self.retried.counts.items())
        rest = "" if since == self.tally.counts[status] else f" The others: {status.what_to_do}"
        return f"{since:,} sent since under new numbers ({told}): never pay these as others.{rest}"


async def batch_meant(ledger: SqlLedger, merchant_no: str, what: str) -> str:
    """The batch of that name, or the latest one from a file of that name.

    Raises:
        click.UsageError: If there is none.
    """
    if await records.batches(ledger, merchant_no, batch_id=what):
        return what
    for one in await records.batches(ledger, merchant_no, limit=1000):
        if one.source and what in {one.source, Path(one.source).name}:
            return one.batch_id
    raise click.UsageError(
        f"{readable(what)} is no file, and the ledger {ledger.name} holds no batch of that name. Nothing was sent."
    )


@define
class _Rows:
    tally: Tally[ItemStatus] = field(factory=Tally)
    look: list[tuple[str, ItemStatus, str]] = field(factory=list)
    retried: Tally[ItemStatus] = field(factory=Tally)
    left_out: Tally[ItemStatus] = field(factory=Tally)
    others: list[str] = field(factory=list)

    def add_row(self, one: RowOutcome) -> None:
        if one.paid_as is None or one.paid_status is None:
            self.add(one.trade_no, one.status, one.amount, one.entry.code if one.entry else None, one.retry)
            return
        self.left_out.add(one.paid_status, one.amount)
        if len(self.others) < _SHOWN:
            self.others.append(one.paid_as)

    def add(
        self, trade_no: str, status: ItemStatus, amount: Decimal, code: str | None, retry: Retry | None = None
    ) -> None:
        self.tally.add(status, amount)
        if retry is not None:
            self.retried.add(retry.status, amount)
            code = f"{code or ''} {retry.told}".strip()
        if status in _WANT_A_LOOK and len(self.look) < _SHOWN:
            self.look.append((trade_no, status, code or ""))

    async def known(self, ledger: SqlLedger, merchant_no: str, batch_id: str, *, name: str, currency: str) -> Known:
        found = await records.batches(ledger, merchant_no, batch_id=batch_id)
        batch = found[0] if found else None
        shown = name or (batch.source if batch else None) or batch_id
        return Known(
            name=shown,
            batch_id=batch_id,
            batch=batch,
            tally=self.tally,
            currency=currency,
            look=tuple(self.look),
            retried=self.retried,
            left_out=self.left_out,
            others=tuple(self.others),
            of_file=bool(name),
        )


async def known_of_batch(ledger: SqlLedger, merchant_no: str, batch_id: str) -> Known:
    """A batch, by what the ledger has of it."""
    rows, currency = _Rows(), ""
    async for found in _pages(records.records(ledger, Which(merchant_no=merchant_no, batch_id=batch_id))):
        failed = [one.trade_no for one in found if status_in(one) is ItemStatus.FAILED]
        since = await retries_in(ledger, merchant_no, failed)
        for one in found:
            retry = since.get(one.trade_no)
            rows.add(one.trade_no, status_in(one), parse_amount(one.amount) or Decimal(0), one.code, retry)
            currency = currency or one.currency
    known = await rows.known(ledger, merchant_no, batch_id, name="", currency=currency)
    shared = await ledger.shared_progress(merchant_no, batch_id)
    if shared is None:
        return known
    # What its workers have not begun is in the ledger too, and is read with the others in one moment.
    tally = Tally(counts=Counter(shared.counts), amounts=dict(shared.amounts))
    return evolve(known, tally=tally, currency=currency or (await _spec(ledger, merchant_no)).currency)


async def _spec(ledger: SqlLedger, merchant_no: str) -> RegionSpec:
    return REGIONS.get(await records.region_of(ledger, merchant_no) or "") or next(iter(REGIONS.values()))


async def _pages(found: AsyncIterator[Record]) -> AsyncIterator[list[Record]]:
    page: list[Record] = []
    async for one in found:
        page.append(one)
        if len(page) == PAGE:
            yield page
            page = []
    yield page


async def known_of_file(ledger: SqlLedger, merchant_no: str, path: Path, reading: Reading) -> Known:
    """The rows of a file, by what the ledger has of each.

    Raises:
        PayoutFileError: If the file is not valid, so that nothing was ever paid of it as it stands.
        OSError: If it cannot be read.
    """
    spec = await _spec(ledger, merchant_no)
    every = {one.name: _STAND_INS.get(one.name, "") for one in spec.fields if one.default_by_client}
    intake = Intake(spec=spec, merchant_no=merchant_no, defaults=every, runtime=SystemRuntime())
    rows = _Rows()
    with (
        path.open("rb") as data,
        PayoutFile(data, spec=spec, defaults=every, columns=reading.columns, sheet=reading.sheet) as file,
    ):
        plan = make_plan(file, intake.intent_of, run=reading.run)
        if plan.problems:
            raise PayoutFileError(plan.problems)
        before = await LookBack(plan=plan, name=str(path), ledger=ledger, merchant_no=merchant_no).run(
            planned(file, plan, intake.intent_of)
        )
        left_out = {one.row: one.trade_no for one in before.repeats}
        async for one in row_outcomes(planned(file, plan, intake.intent_of), ledger, merchant_no, left_out=left_out):
            rows.add_row(one)
    return await rows.known(ledger, merchant_no, plan.batch_id, name=str(path), currency=plan.currency)
