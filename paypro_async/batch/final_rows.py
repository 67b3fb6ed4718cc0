"""The rows of a batch that the platform has taken and whose end is waited for: each holds no slot and no task."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from itertools import islice
from typing import Protocol

from attrs import define, evolve, field, frozen

from paypro_async._core.failures import unsettled
from paypro_async._core.items import BatchItem, ItemStatus
from paypro_async._core.lifecycle import FINAL, Entry, State
from paypro_async.errors import LedgerUnavailableError, PayProError
from paypro_async.ledger.base import PAGE
from paypro_async.log import logger
from paypro_async.tracking.waiting import Waiting, look_up

__all__ = ["FinalRows"]

_KEPT_INPUTS = 10_000


@frozen(eq=False)
class _Row:
    item: BatchItem
    amount: Decimal | None
    sent: bool


class LateEnd(Protocol):
    """Hears of an item that has ended for good."""

    def __call__(self, item: BatchItem, amount: Decimal | None, /, *, sent: bool, entry: Entry | None) -> None: ...


@define(kw_only=True, eq=False)
class FinalRows:
    """Waits for many payouts, with one record for each.

    Args:
        waiting: What all that wait in this client share.
        patience: Seconds to wait once nothing is left to begin; infinite for as long as it takes.
        end: Called with each item that has ended for good, its amount, whether the batch has sent it, and what the
            ledger holds of it now; None if that told no news.
        keep_inputs: Whether the caller gets the items, and so every one must keep its input.
    """

    waiting: Waiting
    patience: float
    end: LateEnd
    keep_inputs: bool = False
    deadline: float = field(default=float("inf"), init=False)
    _rows: dict[str, _Row] = field(factory=dict, init=False)
    _given_up: bool = field(default=False, init=False)
    _changed: asyncio.Event = field(factory=asyncio.Event, init=False)

    def __len__(self) -> int:
        return len(self._rows)

    def takes(self, item: BatchItem) -> bool:
        """Whether the end of *item* is worth waiting for: not that of one for which the source gave it twice."""
        return item.status.is_open and item.repeats is None and item.trade_no not in self._rows and not self._given_up

    def add(self, trade_no: str, item: BatchItem, amount: Decimal | None, *, sent: bool) -> None:
        """Wait for *item* from now on."""
        # Only the first hundred failures of an awaited batch are shown, and as a rule these are among the first.
        if not self.keep_inputs and len(self._rows) >= _KEPT_INPUTS:
            item = evolve(item, payout=None)
        self._rows[trade_no] = _Row(item, amount, sent)
        self.waiting.join(trade_no, self, is_open=True)

    def hear(self, entry: Entry) -> None:
        """It was written or looked up."""
        if entry.state in FINAL or entry.state is State.REVIEW:
            self._end(entry.trade_no, entry)

    def miss(self, trade_no: str) -> None:
        """The ledger has lost it, so nothing will be heard of it."""
        self._end(trade_no, None)

    def fail(self, error: PayProError) -> None:
        """The ledger was closed."""
        logger.warning("Nothing is waited for any more: %s", error)
        self.give_up()

    def give_up(self) -> None:
        """Wait no longer: what is not final is told as it is."""
        self._given_up = True
        self._changed.set()

    async def run_out(self) -> None:
        """Wait for all that were added, as long as there is patience; then the others are told as they are."""
        session = self.waiting.session
        self.deadline = session.runtime.steady() + self.patience
        self.waiting.ask_before_end(self, self._rows)
        while self._rows and not self._given_up and (left := self.deadline - session.runtime.steady()) > 0:
            self._changed.clear()
            with session.closing.interrupts(after=left):
                await self._changed.wait()
        known = {} if self._given_up else await self._last_look()
        for trade_no in tuple(self._rows):
            self._end(trade_no, known.get(trade_no))

    async def _last_look(self) -> Mapping[str, Entry]:
        """Those that another process has ended are told as that; what is open, as the ledger has it now."""
        found: dict[str, Entry] = {}
        numbers = iter(tuple(self._rows))
        try:
            while page := list(islice(numbers, PAGE)):
                for entry in (await look_up(self.waiting.session, self.waiting.ledger, page)).values():
                    self.hear(entry)
                    row = self._rows.get(entry.trade_no)
                    if row is not None and ItemStatus.of_entry(entry) is not row.item.status:
                        found[entry.trade_no] = entry
        except LedgerUnavailableError as error:
            logger.warning("Rows that were waited for are told as they were last seen: %s", error)
        return found

    def leave(self) -> None:
        """Nothing is waited for any more, in whatever way the batch has ended."""
        self._given_up = True
        for trade_no in self._rows:
            self.waiting.leave(trade_no, self)
        self._rows.clear()

    def _end(self, trade_no: str, entry: Entry | None) -> None:
        row = self._rows.pop(trade_no, None)
        if row is None:
            return
        self.waiting.leave(trade_no, self)
        if not self._rows:
            self._changed.set()
        self.end(row.item if entry is None else _item(row.item, entry), row.amount, sent=row.sent, entry=entry)


def _item(item: BatchItem, entry: Entry) -> BatchItem:
    result = entry.result()
    error = unsettled(entry, None, elapsed=0.0) if result is None else None
    return evolve(item, result=result, error=error)
