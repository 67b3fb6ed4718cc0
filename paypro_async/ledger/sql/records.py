"""What a database's ledger holds beside its payouts, and looks at them that take no part in paying."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection, select

from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import Entry, Event
from paypro_async.ledger.base import (
    PAGE,
    Account,
    BatchRecord,
    ControlAnswer,
    KeptCallback,
    Payment,
)
from paypro_async.ledger.sql import queries
from paypro_async.ledger.sql.rows import event_of_row
from paypro_async.ledger.sql.schema import event

__all__ = ["SqlRecords"]

T = TypeVar("T")


class SqlRecords(ABC):
    """Reads and writes in transactions of a ledger."""

    @abstractmethod
    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run *query* in a transaction that only reads."""

    @abstractmethod
    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run *work* in a transaction; what it returns once that is durable."""

    async def same_payments(self, merchant_no: str, keys: Sequence[str]) -> dict[str, list[Payment]]:
        """The payouts that pay the same amount to the same account, by their payment key, oldest first."""
        return await self.read(lambda connection: queries.same_payments(connection, merchant_no, keys))

    async def batches(self, merchant_no: str, batch_ids: Sequence[str]) -> dict[str, BatchRecord]:
        """The batches of those names that are there."""
        return await self.read(lambda connection: queries.batches(connection, merchant_no, batch_ids))

    async def recent_refusals(self, merchant_no: str, *, after: str = "", limit: int = PAGE) -> list[Entry]:
        """A page of the payouts that were refused within the last day and not looked at since, by trade number."""
        return await self.read(
            lambda connection: queries.recent_refusals(connection, merchant_no, after=after, limit=limit)
        )

    async def decided_failures(self, merchant_no: str, *, after: str = "", limit: int = PAGE) -> list[Entry]:
        """A page of the payouts that a person decided not to be paid within the last week, by trade number."""
        return await self.read(
            lambda connection: queries.decided_failures(connection, merchant_no, after=after, limit=limit)
        )

    async def count_open(self, merchant_no: str) -> dict[ItemStatus, int]:
        """The payouts that are not final, by status; of more than 100,000 as many, as it must not take long."""
        return await self.read(lambda connection: queries.count_open(connection, merchant_no))

    async def reconciled_to(self, merchant_no: str) -> str:
        """Where the last reconciliation stopped that had not the time for all (list, number); else empty."""
        return await self.read(lambda connection: queries.reconciled_to(connection, merchant_no))

    async def note_reconciled(self, merchant_no: str, trade_no: str) -> None:
        """Note how far a reconciliation came; empty if it came to the end."""
        await self.write(lambda connection: queries.note_reconciled(connection, merchant_no, trade_no))

    async def control_answer(self, merchant_no: str) -> ControlAnswer | None:
        """What the platform answers this merchant about a number that was never used, as it was last kept; or None."""
        return await self.read(lambda connection: queries.control_answer(connection, merchant_no))

    async def record_control(self, merchant_no: str, code: str) -> None:
        """Keep what the platform answered about a number that was never used."""
        await self.write(lambda connection: queries.record_control(connection, merchant_no, code))

    async def history(self, merchant_no: str, trade_no: str) -> list[Event]:
        """Everything that happened to a payout, oldest first; empty if it is not there."""
        of_payout = event.c.merchant_no == merchant_no, event.c.trade_no == trade_no
        query = select(event).where(*of_payout).order_by(event.c.at, event.c.id)
        return await self.read(lambda connection: [event_of_row(row) for row in connection.execute(query)])

    async def record_batch(self, batch: BatchRecord) -> None:
        """Note that a batch runs, or that it has ended."""
        await self.write(lambda connection: queries.record_batch(connection, batch))

    async def merchants(self) -> list[Account]:
        """Whose payouts the ledger holds."""
        return await self.read(queries.accounts)

    async def holds_payouts(self, merchant_no: str) -> bool:
        """Whether it was ever paid from for this merchant; else it is new."""
        return await self.read(lambda connection: queries.holds_payouts(connection, merchant_no))

    async def known_numbers(self, merchant_no: str, trade_nos: Sequence[str]) -> set[str]:
        """Those of these numbers that are there; lighter than ``get_many``."""
        return await self.read(lambda connection: queries.known_numbers(connection, merchant_no, trade_nos))

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
        kept = {"why": why, "status": status, "amount": amount, "platform_trade_no": platform_trade_no}
        await self.write(lambda connection: queries.keep_callback(connection, merchant_no, trade_no, kept))

    async def kept_callbacks(self, merchant_no: str, *, limit: int = PAGE) -> list[KeptCallback]:
        """Callbacks that were kept apart, the latest first."""
        return await self.read(lambda connection: queries.kept_callbacks(connection, merchant_no, limit))
