"""Importing a batch that many workers pay: each payout is checked and stored as planned; nothing is sent."""

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from decimal import Decimal
from typing import Any

from attrs import define, field

from paypro_async._core.intent import Intent
from paypro_async._core.money import total
from paypro_async._core.trade_no import derived_trade_no
from paypro_async.batch.shared_work import SharedWork
from paypro_async.batch.source import Items
from paypro_async.errors import ConfigurationError, InvalidBatchError, InvalidPayoutError, Problem
from paypro_async.ledger.shared import BatchStatus, Shard, SharedBatch

__all__ = ["Announce", "Import"]

Announce = Callable[[Any, Sequence[Shard]], object]
"""Is given a connection of SQLAlchemy and shards, and may enqueue these in the connection's transaction."""

_PAGE = 1000
_MOST_WRONG = 100


@define(kw_only=True, eq=False)
class Import:
    """One import of a batch.

    Args:
        work: Of the client whose payouts these are.
        batch_id: The batch's name in the ledger.
        announce: What is told of the shards when they are ready.
        on_progress: Called with how many payouts were read.
    """

    work: SharedWork
    batch_id: str
    announce: Announce | None
    on_progress: Callable[[int], object] | None
    _digest: Any = field(factory=hashlib.sha256, init=False)
    _amount: Decimal = field(default=Decimal(0), init=False)
    _read: int = field(default=0, init=False)
    _wrong: list[tuple[int, InvalidPayoutError]] = field(factory=list, init=False)

    async def run(self, items: Items, *, source: str | None, shard_size: int, rate: float | None) -> SharedBatch:
        """Store them all, or go on where an import of the same stopped."""
        work, named = self.work, (self.work.merchant_no, self.batch_id)
        batch = await work.answer(work.ledger.begin_import(*named, source=source, shard_size=shard_size, rate=rate))
        if batch.status is BatchStatus.CANCELLED:
            raise ConfigurationError(
                f"The batch {self.batch_id} was cancelled, so nothing more of it is ever sent. Import what shall be "
                "paid under another batch_id."
            )
        importing = batch.status is BatchStatus.IMPORTING
        async for page in self._pages(items):
            if importing and not self._wrong:
                await self._store(page)
            if self.on_progress is not None:
                self.on_progress(self._read)
        if self._wrong:
            raise self._invalid()
        if importing:
            self._refuse_shorter(batch.imported)
            finished = work.ledger.finish_import(
                *named, amount=self._amount, digest=self._digest.hexdigest(), announce=self.announce
            )
            return await work.answer(finished)
        return await self._again(batch)

    async def _again(self, batch: SharedBatch) -> SharedBatch:
        """It was imported before: see that it is the same, and announce what is still open."""
        if batch.digest != self._digest.hexdigest():
            raise ConfigurationError(
                f"The batch {self.batch_id} was imported before, with {batch.total:,} payouts, and the source has "
                f"other ones now ({self._read:,}). Nothing was changed or sent. Give the same payouts in the same "
                "order, or another batch_id."
            )
        if self.announce is not None:
            shards = self.work.ledger.announce_shards(self.work.merchant_no, self.batch_id, self.announce, idle_for=0.0)
            await self.work.answer(shards)
        return batch

    async def _store(self, page: Sequence[Intent]) -> None:
        first = page[0].position or 0
        stored = self.work.ledger.import_rows(self.work.merchant_no, self.batch_id, first, page)
        if (other := await self.work.answer(stored)) is not None:
            raise ConfigurationError(
                f"The batch {self.batch_id} was imported in part before, and at position {other} the source has "
                "another payout now. Nothing of it was sent. Give the same payouts in the same order; or cancel "
                "the batch, and import under another batch_id."
            )

    def _invalid(self) -> InvalidBatchError:
        problems = [
            Problem(one.field, one.code, f"of position {position}: {one.message}")
            for position, error in self._wrong
            for one in error.problems
        ]
        more = "There may be more of them." if len(self._wrong) >= _MOST_WRONG else ""
        return InvalidBatchError(problems, advice=more)

    def _refuse_shorter(self, imported: int) -> None:
        if self._read < imported:
            raise ConfigurationError(
                f"The batch {self.batch_id} was imported in part before, with {imported:,} payouts, and the source has "
                f"only {self._read:,} now. Nothing of it was sent. Give all payouts; or cancel the batch, and import "
                "under another batch_id."
            )

    async def _pages(self, items: Items) -> AsyncIterator[Sequence[Intent]]:
        page: list[Intent] = []
        async for item in _each(items):
            if (intent := self._intent(item)) is not None:
                page.append(intent)
            if len(page) == _PAGE:
                yield page
                page = []
                # Others in this event loop have their turn.
                await asyncio.sleep(0)
        if page:
            yield page

    def _intent(self, item: Any) -> Intent | None:
        """The payout at the next position; None for one that is wrong, which is kept for the error."""
        position, self._read = self._read, self._read + 1
        # A payout without a number gets the same one in each import of this batch.
        number = derived_trade_no(f"{self.work.merchant_no} {self.batch_id}".encode(), position)
        try:
            intent = self.work.intake.intent(item, place=(self.batch_id, position), number=number)
        except InvalidPayoutError as error:
            self._wrong.append((position, error))
            if len(self._wrong) >= _MOST_WRONG:
                raise self._invalid() from None
            return None
        self._digest.update(f"{intent.trade_no} {intent.fingerprint}\n".encode())
        self._amount = total([self._amount, intent.amount])
        return intent


async def _each(items: Items) -> AsyncIterator[Any]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
