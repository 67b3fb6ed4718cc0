"""What a database's ledger can that many workers share."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import TypeVar, cast

from sqlalchemy import Connection, exc

from paypro_async._core.intent import Intent
from paypro_async.ledger.shared import BatchStatus, OpenRows, Shard, SharedBatch, SharedProgress
from paypro_async.ledger.sql.shards import control, imports, ranges
from paypro_async.ledger.sql.shards.progress import progress
from paypro_async.ledger.sql.statements import wrapped

__all__ = ["SqlSharing"]

T = TypeVar("T")
Announce = Callable[[Connection, Sequence[Shard]], object]
_Page = tuple[list[Shard], int | None]


class SqlSharing(ABC):
    """Batches that many workers pay, in transactions of a ledger."""

    @abstractmethod
    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run *query* in a transaction that only reads."""

    @abstractmethod
    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run *work* in a transaction; what it returns once that is durable."""

    async def shared_batch(self, merchant_no: str, batch_id: str) -> SharedBatch | None:
        """The batch, or None if there is none that was imported."""
        return await self.read(lambda connection: control.find(connection, merchant_no, batch_id))

    async def unfinished_batches(self, merchant_no: str) -> list[SharedBatch]:
        """The batches that were imported and have not ended, nor were cancelled; the oldest first."""
        return await self.read(lambda connection: control.unfinished(connection, merchant_no))

    async def begin_import(
        self, merchant_no: str, batch_id: str, *, source: str | None, shard_size: int, rate: float | None
    ) -> SharedBatch:
        """Note that a batch is imported, or find how far that came."""
        return await self.write(
            lambda connection: imports.begin(
                connection, merchant_no, batch_id, source=source, shard_size=shard_size, rate=rate
            )
        )

    async def import_rows(self, merchant_no: str, batch_id: str, first: int, intents: Sequence[Intent]) -> int | None:
        """Store payouts as planned, at the positions from *first* on; the first at which another one is stored.

        Raises:
            ConfigurationError: If one trade number is given to two payouts that differ.
        """

        def work(connection: Connection) -> int | Exception | None:
            return imports.store(connection, merchant_no, batch_id, first, intents)

        return await self.write(cast("Callable[[Connection], int | None]", work))

    async def finish_import(
        self, merchant_no: str, batch_id: str, *, amount: Decimal, digest: str, announce: Announce | None
    ) -> SharedBatch:
        """Make the batch ready, and tell *announce* its shards in the same transaction."""

        def work(connection: Connection) -> SharedBatch | Exception:
            imports.finish(connection, merchant_no, batch_id, digest=digest, amount=amount)
            if announce is not None:
                announce(connection, imports.all_shards(connection, merchant_no, batch_id))
            return control.find(connection, merchant_no, batch_id) or KeyError(batch_id)

        return await self.write(_of_its_own(work))

    async def announce_shards(
        self, merchant_no: str, batch_id: str, announce: Announce, *, idle_for: float
    ) -> list[Shard]:
        """Call *announce* with a connection and open shards, some thousand in a transaction; all of these shards."""

        def look(connection: Connection, low: int) -> _Page:
            page = ranges.open_shards(connection, merchant_no, batch_id, low, idle_for=idle_for)
            if page[0]:
                announce(connection, page[0])
            return page

        return await _whole(lambda low: self.write(_of_its_own(lambda connection: look(connection, low))))

    async def set_batch_status(
        self, merchant_no: str, batch_id: str, status: BatchStatus, *, why: str | None = None
    ) -> SharedBatch:
        """Let workers go on or not, from the next transaction on. One that is cancelled stays so."""
        return await self.write(
            _of_its_own(lambda connection: control.set_status(connection, merchant_no, batch_id, status, why))
        )

    async def set_batch_rate(self, merchant_no: str, batch_id: str, rate: float | None) -> SharedBatch:
        """Set the rate that all workers keep for this batch."""
        return await self.write(
            _of_its_own(lambda connection: control.set_rate(connection, merchant_no, batch_id, rate))
        )

    async def open_shards(self, merchant_no: str, batch_id: str, *, idle_for: float = 0.0) -> list[Shard]:
        """The ranges with open rows at which no worker was for so many seconds; none of a batch that may not run."""

        def look(connection: Connection, low: int) -> _Page:
            return ranges.open_shards(connection, merchant_no, batch_id, low, idle_for=idle_for)

        return await _whole(lambda low: self.read(lambda connection: look(connection, low)))

    async def shard_rows(self, merchant_no: str, batch_id: str, low: int, high: int) -> OpenRows | None:
        """What is open in a range, and note that a worker is at it; None if there is no such batch."""
        return await self.write(lambda connection: ranges.rows(connection, merchant_no, batch_id, low, high))

    async def touch_shard(self, merchant_no: str, batch_id: str, low: int, high: int) -> SharedBatch | None:
        """Note that a worker is at the range; the batch as it stands."""
        return await self.write(lambda connection: ranges.touch(connection, merchant_no, batch_id, low, high))

    async def leave_shard(self, merchant_no: str, batch_id: str, low: int, high: int) -> int:
        """Note that the worker leaves the range; how many of its rows are open. The last one ends the batch."""
        count, is_last = await self.write(lambda connection: ranges.leave(connection, merchant_no, batch_id, low, high))
        if is_last and not await self._open_ranges(merchant_no, batch_id):
            await self.write(lambda connection: ranges.end_batch(connection, merchant_no, batch_id))
        return count

    async def _open_ranges(self, merchant_no: str, batch_id: str) -> list[Shard]:
        """Those that have open rows, whatever is noted of them."""

        def look(connection: Connection, low: int) -> _Page:
            return ranges.open_ranges(connection, merchant_no, batch_id, low)

        return await _whole(lambda low: self.read(lambda connection: look(connection, low)))

    async def shared_progress(self, merchant_no: str, batch_id: str) -> SharedProgress | None:
        """How far the batch is; None if there is none that was imported."""
        return await self.read(lambda connection: progress(connection, merchant_no, batch_id))


async def _whole(page_at: Callable[[int], Awaitable[_Page]]) -> list[Shard]:
    """The shards of all pages."""
    found: list[Shard] = []
    low: int | None = 0
    while low is not None:
        shards, low = await page_at(low)
        found += shards
    return found


def _of_its_own(work: Callable[[Connection], T | Exception]) -> Callable[[Connection], T]:
    """*work*, which fails for its caller alone: what it has written is undone, and the rest of its group stands."""

    def run(connection: Connection) -> T | Exception:
        errors = connection.dialect.loaded_dbapi.Error
        try:
            with connection.begin_nested() as apart:
                answer = work(connection)
                if isinstance(answer, Exception):
                    apart.rollback()
                return answer
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                raise
            return error
        except errors as error:
            # Of the driver itself, by which an engine's own statements go.
            if (found := wrapped(connection, error)).connection_invalidated:
                raise found from error
            return error
        except Exception as error:  # noqa: BLE001  it is the answer to this caller, not a failure of the group
            return error

    return cast("Callable[[Connection], T]", run)
