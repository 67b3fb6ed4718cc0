"""A ledger in memory: for tests, and for programs that say in so many words that they want to forget."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from attrs import define, evolve

from paypro_async._core.bounds import LONGEST, cut
from paypro_async._core.intent import Intent
from paypro_async._core.items import ItemStatus
from paypro_async._core.known import PayoutChange
from paypro_async._core.lifecycle import (
    FINAL,
    PAID_NOTHING,
    Change,
    Entry,
    Event,
    Reply,
    State,
    applies,
    changed,
    claim_of,
    event_of,
    first_entry,
    is_refusal,
)
from paypro_async._core.payment_key import payment_key
from paypro_async.ledger.base import (
    MOST_KEPT,
    PAGE,
    Account,
    BatchRecord,
    ControlAnswer,
    KeptCallback,
    OrderNumberTakenError,
    Payment,
    Turns,
    Written,
    paid_meanwhile,
    refuse_other_environment,
)
from paypro_async.ledger.memory_outbox import MemoryOutbox
from paypro_async.ledger.outbox import Cursor, Lent, Parked
from paypro_async.process import ProcessId, refuse_forked, this_process
from paypro_async.runtime import Runtime, SystemRuntime

__all__ = ["MemoryLedger"]


@define
class _Record:
    entry: Entry
    history: list[Event]


class MemoryLedger:
    """Forgets everything when the process ends: a payout in flight at a crash is then lost from sight.

    Args:
        runtime: The clock of ``sent_at``.
    """

    def __init__(self, *, runtime: Runtime | None = None) -> None:
        # A dictionary never waits; what is made of this class may.
        self.answers_at_once: bool = type(self) is MemoryLedger
        self._runtime = runtime or SystemRuntime()
        self._entries: dict[tuple[str, str], _Record] = {}
        self._environments: dict[str, str] = {}
        self._batches: dict[tuple[str, str], BatchRecord] = {}
        self._paces: dict[str, datetime] = {}
        # Trade numbers by merchant and payment key; made when it is first wanted, which it seldom is.
        self._payments: dict[tuple[str, str | None], list[str]] | None = None
        self._opened_by: ProcessId | None = None
        self._orders: dict[tuple[str, str], str] = {}  # the trade number of each of the platform's numbers
        self._controls: dict[str, tuple[str, datetime]] = {}
        self._reconciled: dict[str, str] = {}
        self._kept: dict[tuple[str, str, str], KeptCallback] = {}  # the latest at the end
        self._outbox = MemoryOutbox(self._runtime.now, lambda key: self._entries[key].entry)

    async def open(self, account: Account) -> None:
        """Make ready for *account*."""
        self._opened_by = self._opened_by or this_process()
        self._check()
        known = self._environments.setdefault(account.merchant_no, account.environment)
        refuse_other_environment(known, account)

    async def claim(self, intent: Intent) -> Written:
        """Store *intent* as attempt 1, unless its trade number is there already."""
        self._check()
        key = intent.merchant_no, intent.trade_no
        if key in self._entries:
            return Written(self._aged(self._entries[key]), done=False)
        if intent.others is not None:
            same = self._paying(intent.merchant_no, payment_key(intent.region, intent.content))
            others = [one for one in same if one.batch_id != intent.batch_id and one.state not in PAID_NOTHING]
            if len(others) > intent.others:
                raise paid_meanwhile(intent, others[-1].trade_no)
        entry = first_entry(intent, self._runtime.now())
        self._entries[key] = _Record(entry, [claim_of(entry)])
        self._outbox.add(key, self._entries[key].history[-1])
        if self._payments is not None:
            _add(self._payments, entry)
        return Written(entry, done=True)

    async def move(self, change: Change) -> Written:
        """Carry out *change* if the entry is still as its writer saw it."""
        self._check()
        key = change.merchant_no, change.trade_no
        record = self._entries[key]
        if not applies(record.entry, change):
            return Written(self._aged(record), done=False)
        if change.platform_trade_no is not None:
            order = change.merchant_no, change.platform_trade_no
            owner = self._orders.get(order, change.trade_no)
            owned = owner != change.trade_no and self._entries[change.merchant_no, owner].entry
            if owned and owned.platform_trade_no == change.platform_trade_no:
                raise OrderNumberTakenError(change.trade_no)
            self._orders[order] = change.trade_no
        now = self._runtime.now()
        age = (now - record.entry.sent_at).total_seconds()
        before, record.entry = record.entry, changed(record.entry, change, now, age=age)
        record.history.append(event_of(before, record.entry, change))
        self._outbox.add(key, record.history[-1])
        return Written(record.entry, done=True)

    async def learn(self, merchant_no: str, trade_no: str, decide: Callable[[Entry], Change | None]) -> Written | None:
        """Write what *decide* makes of the entry as it is; None if there is no such payout."""
        self._check()
        record = self._entries.get((merchant_no, trade_no))
        if record is None:
            return None
        change = decide(entry := self._aged(record))
        return Written(entry, done=False) if change is None else await self.move(change)

    async def get(self, merchant_no: str, trade_no: str) -> Entry | None:
        """The entry, or None."""
        return (await self.get_many(merchant_no, [trade_no])).get(trade_no)

    async def get_many(self, merchant_no: str, trade_nos: Sequence[str]) -> dict[str, Entry]:
        """The entries of those numbers that are there."""
        found = {one: self._entries.get((merchant_no, one)) for one in trade_nos}
        return {one: self._aged(record) for one, record in found.items() if record}

    async def open_entries(self, merchant_no: str, *, after: str = "", limit: int = PAGE) -> list[Entry]:
        """A page of the entries that are not final."""
        rest = (
            record
            for (merchant, number), record in sorted(self._entries.items(), key=lambda item: item[0])
            if merchant == merchant_no and number > after and record.entry.state not in FINAL
        )
        return [self._aged(record) for record, _ in zip(rest, range(limit), strict=False)]

    async def same_payments(self, merchant_no: str, keys: Sequence[str]) -> dict[str, list[Payment]]:
        """The payouts that pay the same amount to the same account, by their payment key."""
        now = self._runtime.now()
        found = {key: [_payment(entry, now) for entry in self._paying(merchant_no, key)] for key in keys}
        return {key: payments for key, payments in found.items() if payments}

    async def batches(self, merchant_no: str, batch_ids: Sequence[str]) -> dict[str, BatchRecord]:
        """The batches of those names that are there."""
        found = {one: self._batches.get((merchant_no, one)) for one in batch_ids}
        return {one: batch for one, batch in found.items() if batch}

    async def recent_refusals(self, merchant_no: str, *, after: str = "", limit: int = PAGE) -> list[Entry]:
        """A page of the payouts that were refused within the last day and not looked at since."""
        since = self._runtime.now() - timedelta(days=1)
        rest = (
            record
            for (merchant, number), record in sorted(self._entries.items(), key=lambda item: item[0])
            if merchant == merchant_no
            and number > after
            and is_refusal(record.entry)
            and record.entry.updated_at > since
        )
        return [self._aged(record) for record, _ in zip(rest, range(limit), strict=False)]

    async def decided_failures(self, merchant_no: str, *, after: str = "", limit: int = PAGE) -> list[Entry]:
        """A page of the payouts that a person decided not to be paid within the last week."""
        since = self._runtime.now() - timedelta(days=7)
        found = [
            record
            for (merchant, number), record in sorted(self._entries.items(), key=lambda item: item[0])
            if merchant == merchant_no and number > after
            if record.entry.state is State.FAILED and record.entry.reply is Reply.DECIDED
            if record.entry.updated_at > since
        ]
        return [self._aged(record) for record in found[:limit]]

    async def reconciled_to(self, merchant_no: str) -> str:
        """Where the last reconciliation stopped that had not the time for all (list, number); else empty."""
        return self._reconciled.get(merchant_no, "")

    async def note_reconciled(self, merchant_no: str, trade_no: str) -> None:
        """Note how far a reconciliation came; empty if it came to the end."""
        self._reconciled[merchant_no] = trade_no

    async def control_answer(self, merchant_no: str) -> ControlAnswer | None:
        """What the platform answers about a number that was never used."""
        if merchant_no not in self._controls:
            return None
        code, asked_at = self._controls[merchant_no]
        return ControlAnswer(code, (self._runtime.now() - asked_at).total_seconds())

    async def record_control(self, merchant_no: str, code: str) -> None:
        """Keep what the platform answered about a number that was never used."""
        self._controls[merchant_no] = cut(code, LONGEST["code"]), self._runtime.now()

    async def keep_callback(
        self,
        merchant_no: str,
        trade_no: str,
        *,
        why: str,
        status: str,
        amount: str | None,
        platform_trade_no: str | None,
    ) -> None:
        """Keep a genuine callback apart that changed nothing; one that comes again is counted."""
        key, now = (merchant_no, trade_no, why), self._runtime.now()
        known = self._kept.pop(key, None)
        self._kept[key] = KeptCallback(
            trade_no=trade_no,
            why=why,
            status=status,
            amount=amount,
            platform_trade_no=platform_trade_no,
            first_at=known.first_at if known else now,
            last_at=now,
            count=known.count + 1 if known else 1,
        )
        if len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]

    async def kept_callbacks(self, merchant_no: str, *, limit: int = PAGE) -> list[KeptCallback]:
        """Callbacks that were kept apart, the latest first."""
        mine = [kept for key, kept in reversed(self._kept.items()) if key[0] == merchant_no]
        return mine[:limit]

    async def count_open(self, merchant_no: str) -> dict[ItemStatus, int]:
        """The payouts that are not final, by status."""
        mine = (record.entry for key, record in self._entries.items() if key[0] == merchant_no)
        return dict(Counter(ItemStatus.of_entry(entry) for entry in mine if entry.state not in FINAL))

    async def history(self, merchant_no: str, trade_no: str) -> list[Event]:
        """Everything that happened to a payout, oldest first."""
        record = self._entries.get((merchant_no, trade_no))
        return list(record.history) if record else []

    async def reserve(self, pace: str, *, spacing: float, count: int) -> Turns:
        """Take the next turns of a rate."""
        now = self._runtime.now()
        first = max(now, self._paces.get(pace, now))
        self._paces[pace] = first + timedelta(seconds=count * spacing)
        return Turns(first=(first - now).total_seconds(), count=count)

    async def record_batch(self, batch: BatchRecord) -> None:
        """Note that a batch runs, or that it has ended."""
        key = batch.merchant_no, batch.batch_id
        known = self._batches.get(key, batch)
        self._batches[key] = evolve(batch, source=batch.source or known.source, total=batch.total or known.total)

    async def register(self, merchant_no: str, consumer: str) -> None:
        """Let a consumer begin with what is written from now on, unless it is known."""
        self._outbox.register(merchant_no, consumer)

    async def take(self, merchant_no: str, consumer: str, *, owner: str, limit: int, seconds: float) -> list[Lent]:
        """Lend up to *limit* changes that are due to *owner*, for so many seconds; at most one of each payout."""
        return self._outbox.take(merchant_no, consumer, owner=owner, limit=limit, seconds=seconds)

    async def told(self, merchant_no: str, consumer: str, numbers: Sequence[int], *, owner: str) -> None:
        """Those were handled: they are not told again."""
        self._outbox.told(merchant_no, consumer, numbers, owner=owner)

    async def put_off(
        self, merchant_no: str, consumer: str, number: int, *, owner: str, seconds: float | None, error: str
    ) -> None:
        """A handler has failed: it comes again after so many seconds, or is parked with None."""
        self._outbox.put_off(merchant_no, consumer, number, owner=owner, seconds=seconds, error=error)

    async def keep(
        self, merchant_no: str, consumer: str, numbers: Sequence[int], *, owner: str, seconds: float
    ) -> None:
        """Those are still being handled: let them be lent for so many seconds from now."""
        self._outbox.keep(merchant_no, consumer, numbers, owner=owner, seconds=seconds)

    async def parked(self, merchant_no: str, *, limit: int = 100) -> list[Parked]:
        """Changes that are parked, oldest first."""
        return self._outbox.parked(merchant_no, limit)

    async def release(self, merchant_no: str, trade_no: str, *, consumer: str | None = None) -> int:
        """Let the parked change of a payout be tried again, with all its tries; how many there were."""
        return self._outbox.release(merchant_no, trade_no, consumer)

    def cursor(self, merchant_no: str) -> Awaitable[Cursor]:  # noqa: ARG002  one row of numbers for all
        """Where the history ends now."""
        return _known(self._outbox.cursor())

    async def changes(self, merchant_no: str, after: Cursor, *, limit: int) -> tuple[Sequence[PayoutChange], Cursor]:
        """What was written behind *after*, oldest first, at most so many steps; and how far that is."""
        return self._outbox.changes(merchant_no, after, limit)

    async def aclose(self) -> None:
        """Nothing to close; the entries stay for the next client in this process."""

    def _check(self) -> None:
        # Two copies of one memory know nothing of each other.
        if self._opened_by is not None:
            refuse_forked(self._opened_by, "The ledger in memory")

    def _paying(self, merchant_no: str, key: str | None) -> list[Entry]:
        """The entries of one payment key, oldest first."""
        if self._payments is None:
            self._payments = {}
            for record in self._entries.values():
                _add(self._payments, record.entry)
        numbers = self._payments.get((merchant_no, key), ()) if key else ()
        return [self._entries[merchant_no, one].entry for one in numbers]

    def _aged(self, record: _Record) -> Entry:
        return evolve(record.entry, age=(self._runtime.now() - record.entry.sent_at).total_seconds())


async def _known(cursor: Cursor) -> Cursor:
    return cursor


def _add(payments: dict[tuple[str, str | None], list[str]], entry: Entry) -> None:
    key = entry.merchant_no, payment_key(entry.region, entry.content)
    payments.setdefault(key, []).append(entry.trade_no)


def _payment(entry: Entry, now: datetime) -> Payment:
    return Payment(
        trade_no=entry.trade_no,
        fingerprint=entry.fingerprint,
        state=entry.state,
        created_at=entry.created_at,
        age=(now - entry.created_at).total_seconds(),
        batch_id=entry.batch_id,
    )
