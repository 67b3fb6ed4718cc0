"""Rows that the ledger speaks against: paid before under other trade numbers, or with a number of another payout.

Derived trade numbers follow from the file's content, so a file that was edited after a part of it was paid has new ones
for all its rows; a spreadsheet turns ``000123`` into ``123``. The ledger knows what was paid to which account, whatever
else a row says of it. Each payment in the ledger speaks against one row, so that a file may pay the same twice.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import PurePath

from attrs import define, field, frozen

from paypro_async._core.intent import Intent
from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import PAID_NOTHING, Entry, State, intent_of
from paypro_async._core.money import total
from paypro_async._core.payment_key import payment_key
from paypro_async._core.regions import region_named
from paypro_async._core.tally import Tally
from paypro_async._core.trade_no import folded, lookalikes
from paypro_async.bulk.evidence import AcceptedRows, Alike, Before, Conflict, Evidence, NotFailed, Repeat
from paypro_async.bulk.file_plan import Plan, Planned, pages
from paypro_async.bulk.payout_file import Row
from paypro_async.ledger import BatchRecord, Ledger, Payment
from paypro_async.ledger.patience import PAGE_SECONDS, answer_within

__all__ = ["PAID_WITHIN", "LookBack"]

PAID_WITHIN = timedelta(days=35)
"""How old a payment of a run that has ended may be and still speak against a row: a month of wages, and some days."""

_DAY = 86_400.0
_PENDING = frozenset({State.NEW, State.SENDING})


@frozen
class _Found:
    """What speaks against one row."""

    row: Row
    amount: Decimal
    payment: Payment
    evidence: Evidence
    more: int


@define
class _Accepted:
    """Counts the rows that were accepted before."""

    count: int = 0
    first: datetime | None = None
    last: datetime | None = None
    batches: dict[str, None] = field(factory=dict)
    zone: tzinfo = UTC

    def add(self, entry: Entry) -> None:
        if not ItemStatus.of(entry.state).accepted:
            return
        self.count += 1
        self.zone = region_named(entry.region).zone
        self.first = min(self.first or entry.created_at, entry.created_at)
        self.last = max(self.last or entry.created_at, entry.created_at)
        if entry.batch_id:
            self.batches[entry.batch_id] = None


@define
class _ToSend:
    """Counts the rows that are still to be sent."""

    count: int = 0
    sum: Decimal = Decimal(0)
    largest: Decimal = Decimal(0)

    def add(self, amounts: Sequence[Decimal]) -> None:
        self.count += len(amounts)
        self.sum = total([self.sum, *amounts])
        self.largest = max([self.largest, *amounts])


@define(kw_only=True)
class LookBack:
    """Looks every row of a file up in the ledger.

    Args:
        plan: The file's, which knows which trade numbers are its own.
        name: The file's, as the ledger calls it.
        ledger: Where to look.
        merchant_no: Whose payouts.
        within: How old a payment of a run that has ended may be and still speak against a row.
        patience: Seconds that the ledger has for each page.
    """

    plan: Plan
    name: str
    ledger: Ledger
    merchant_no: str
    within: timedelta = PAID_WITHIN
    patience: float = PAGE_SECONDS
    _known: int = field(default=0, init=False)
    _to_send: _ToSend = field(factory=_ToSend, init=False)
    _tally: Tally[ItemStatus] = field(factory=Tally, init=False)
    _accepted: _Accepted = field(factory=_Accepted, init=False)
    _conflicts: list[Conflict] = field(factory=list, init=False)
    _not_failed: list[NotFailed] = field(factory=list, init=False)
    _alike: list[Alike] = field(factory=list, init=False)
    _found: list[_Found] = field(factory=list, init=False)
    _others: dict[str, int] = field(factory=dict, init=False)
    _batches: dict[str, BatchRecord] = field(factory=dict, init=False)
    _taken: dict[str, set[str]] = field(factory=lambda: defaultdict(set), init=False)
    _new: int = field(default=0, init=False)
    _same_rows: Counter[str] = field(factory=Counter, init=False)

    async def run(self, rows: Iterator[Planned]) -> Before:
        """What the ledger knows of them.

        Raises:
            LedgerUnavailableError: If it cannot be read.
        """
        for page in pages(rows):
            await self._look(page)
        accepted = self._accepted
        sources = await self._sources(accepted.batches)
        return Before(
            known=self._known,
            accepted=AcceptedRows(
                count=accepted.count,
                first=accepted.first,
                last=accepted.last,
                sources=sources,
                zone=accepted.zone,
            ),
            repeats=await self._repeats(),
            conflicts=tuple(self._conflicts),
            not_failed=tuple(self._not_failed),
            alike=tuple(self._alike),
            twins=self.plan.twins,
            unpaid=self._to_send.sum,
            to_send=self._to_send.count,
            largest=self._to_send.largest,
            tally=self._tally,
            others=self._others,
        )

    async def _look(self, page: Sequence[Planned]) -> None:
        own = await self._entries([intent.trade_no for _, intent in page])
        failed = await self._entries([row.retry_of for row, _ in page if row.retry_of])
        new: list[Planned] = []
        unpaid: list[Decimal] = []
        for row, intent in page:
            entry = own.get(intent.trade_no)
            if entry is not None and entry.fingerprint != intent.fingerprint:
                self._conflicts.append(Conflict(line=row.line, row=row.number))
                self._tally.add(ItemStatus.CONFLICT, intent.amount)
                continue
            self._tally.add(ItemStatus.of_entry(entry) if entry else ItemStatus.NOT_SENT, intent.amount)
            unsent = entry is None or entry.state is State.NEW
            if unsent and (problem := _not_failed(row, failed)):
                self._not_failed.append(problem)
                continue
            if entry is None:
                new.append((row, intent))
            else:
                self._known += 1
                self._accepted.add(entry)
            if unsent:
                unpaid.append(intent.amount)
        self._to_send.add(unpaid)
        self._new += len(new)
        await self._look_for_payments(new, failed)
        await self._look_for_numbers(new)

    async def _entries(self, numbers: Sequence[str]) -> dict[str, Entry]:
        return await answer_within(self.patience, self.ledger, self.ledger.get_many(self.merchant_no, numbers))

    async def _look_for_payments(self, rows: Sequence[Planned], failed: Mapping[str, Entry]) -> None:
        keys = [payment_key(intent.region, intent.content) for _, intent in rows]
        wanted = sorted({key for key in keys if key})
        if not wanted:
            return
        same = await answer_within(self.patience, self.ledger, self.ledger.same_payments(self.merchant_no, wanted))
        paid = {key: [one for one in found if one.state not in PAID_NOTHING] for key, found in same.items()}
        await self._learn_batches(one.batch_id for payments in paid.values() for one in payments)
        for (row, intent), key in zip(rows, keys, strict=True):
            if key is None or not paid.get(key):
                continue
            if known := sum(one.batch_id != self.plan.batch_id for one in paid[key]):
                self._others[key] = known
            # The payments of the run in which a row failed were meant beside it.
            beside = failed.get(row.retry_of or "")
            others = [one for one in paid[key] if not (beside and beside.batch_id and one.batch_id == beside.batch_id)]
            self._weigh(row, intent, key, [one for one in others if not self.plan.owns(one.trade_no)])

    async def _look_for_numbers(self, rows: Sequence[Planned]) -> None:
        """Find numbers that look like those of payments of something else."""
        candidates = {intent.trade_no: lookalikes(intent.trade_no) for row, intent in rows if "trade_no" in row.values}
        wanted = sorted({one for found in candidates.values() for one in found})
        known: dict[str, Entry] = {}
        for page in pages(iter(wanted)):
            known |= await self._entries(page)
        for row, intent in rows if known else ():
            for one in sorted(candidates.get(intent.trade_no, set()) & known.keys()):
                # What pays the same is weighed as a payment, and what stands in this file is its own.
                key = payment_key(intent.region, intent.content)
                other = payment_key(known[one].region, known[one].content)
                if key != other and not self.plan.owns(one):
                    self._alike.append(Alike(line=row.line, row=row.number, trade_no=one))

    def _weigh(self, row: Row, intent: Intent, key: str, payments: Sequence[Payment]) -> None:
        """Find the payment that speaks most surely against the row, and against none before it."""
        self._same_rows.update({one.batch_id for one in payments if one.batch_id and _is_same_row(row, intent, one)})
        weighed = [
            (evidence, one.fingerprint != intent.fingerprint, -one.created_at.timestamp(), one)
            for one in payments
            if one.trade_no not in self._taken[key] and (evidence := self._evidence(row, one, newest=payments[-1]))
        ]
        if weighed:
            evidence, _, _, payment = min(weighed, key=lambda found: found[:3])
            self._taken[key].add(payment.trade_no)
            self._found.append(_Found(row, intent.amount, payment, evidence, len(weighed) - 1))

    def _evidence(self, row: Row, payment: Payment, *, newest: Payment) -> Evidence | None:
        batch = self._batches.get(payment.batch_id or "")
        # A batch whose end could not be noted has none.
        ended = payment.batch_id is None or (batch is not None and batch.ended and batch.total is not None)
        if payment.age > self.within.total_seconds():
            # What was paid since then was paid knowing that.
            return Evidence.UNFINISHED if not ended and payment is newest else None
        if _looks_alike(row, payment):
            return Evidence.NUMBER
        if not ended:
            return Evidence.UNFINISHED
        if batch is not None and _is_same_name(batch.source, self.name):
            return Evidence.FILE_NAME
        return Evidence.LAST_DAY if payment.age <= _DAY else Evidence.EARLIER

    async def _repeats(self) -> tuple[Repeat, ...]:
        repeats: list[Repeat] = []
        for page in pages(iter(self._found)):
            entries = await self._entries([one.payment.trade_no for one in page])
            repeats += [self._repeat(one, entries.get(one.payment.trade_no)) for one in page]
        return tuple(repeats)

    def _repeat(self, found: _Found, entry: Entry | None) -> Repeat:
        payment, evidence = found.payment, found.evidence
        batch = self._batches.get(payment.batch_id or "")
        if evidence is Evidence.EARLIER and batch is not None and self._is_same_file(batch):
            evidence = Evidence.ROWS
        return Repeat(
            line=found.row.line,
            row=found.row.number,
            amount=found.amount,
            trade_no=payment.trade_no,
            state=payment.state,
            evidence=evidence,
            at=payment.created_at,
            source=batch.source if batch else None,
            remark=_remark(entry),
            more=found.more,
            zone=region_named(entry.region).zone if entry else UTC,
            pending=intent_of(entry) if entry and entry.state in _PENDING else None,
        )

    def _is_same_file(self, batch: BatchRecord) -> bool:
        """Whether most of what is new here stands in that file, or most of that file here."""
        same = 2 * self._same_rows[batch.batch_id]
        return same > self._new or (batch.total is not None and same > batch.total)

    async def _learn_batches(self, names: Iterable[str | None]) -> None:
        unknown = sorted({name for name in names if name and name not in self._batches})
        for page in pages(iter(unknown)):
            self._batches |= await answer_within(
                self.patience, self.ledger, self.ledger.batches(self.merchant_no, page)
            )

    async def _sources(self, names: Iterable[str]) -> tuple[str, ...]:
        await self._learn_batches(names)
        found = (self._batches[name].source for name in names if name in self._batches)
        return tuple(dict.fromkeys(source for source in found if source))


def _not_failed(row: Row, failed: Mapping[str, Entry]) -> NotFailed | None:
    """The row, if it is to make good what has not failed."""
    entry = failed.get(row.retry_of or "")
    if row.retry_of is None or (entry is not None and entry.state is State.FAILED):
        return None
    status = ItemStatus.of_entry(entry) if entry else None
    return NotFailed(line=row.line, row=row.number, trade_no=row.retry_of, status=status)


def _looks_alike(row: Row, payment: Payment) -> bool:
    given = row.values.get("trade_no")
    return given is not None and folded(given) == folded(payment.trade_no)


def _is_same_row(row: Row, intent: Intent, payment: Payment) -> bool:
    """Whether everything is the same but the number, unless the row's own number says that it is another one."""
    unnumbered = "trade_no" not in row.values or _looks_alike(row, payment)
    return unnumbered and payment.fingerprint == intent.fingerprint


def _is_same_name(source: str | None, name: str) -> bool:
    # A stream has a name in brackets, which says nothing of what it holds.
    if source is None or source.startswith("<"):
        return False
    return PurePath(source).name.casefold() == PurePath(name).name.casefold()


def _remark(entry: Entry | None) -> str | None:
    if entry is None:
        return None
    names = [one.wire for one in region_named(entry.region).fields if one.name == "remark"]
    return next((entry.content[name] for name in names if entry.content.get(name)), None)
