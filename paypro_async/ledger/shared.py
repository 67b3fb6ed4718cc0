"""The protocol of a ledger whose batches many workers pay: what is planned, which ranges are open, who may go on.

::

    importing ──▶ ready ◀──▶ paused          whoever reads or begins anything goes by the batch's row
                    └──────────┴──▶ cancelled

1. ``import_rows`` stores the payouts of a batch as planned, page by page; ``finish_import`` makes the batch ready, and
   in the same transaction whatever shall carry its shards to workers may be told.
2. A worker reads the open rows of a range with ``shard_rows`` and pays them as it pays all payouts: the claim of a
   planned payout takes it from the plan in one transaction, and only while the batch is ready.
3. ``leave_shard`` notes whether anything of the range is still open. ``open_shards`` finds the ranges that are, from
   the rows themselves, so that nothing depends on what carried them.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Protocol, runtime_checkable

from attrs import field, frozen

from paypro_async._core.intent import Intent
from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import Entry
from paypro_async._core.plain_data import PlainData
from paypro_async.errors import ConfigurationError

__all__ = [
    "BatchStatus",
    "OpenRows",
    "Shard",
    "SharedBatch",
    "SharedLedger",
    "SharedProgress",
    "refuse_without_workers",
    "shared_ledger",
]


class BatchStatus(StrEnum):
    """What may be done for a batch that many workers pay."""

    IMPORTING = "importing"
    """Its rows are being stored; nothing of it is sent."""
    READY = "ready"
    """Workers pay it, or have paid it."""
    PAUSED = "paused"
    """Nothing more of it is begun, until somebody lets it go on."""
    CANCELLED = "cancelled"
    """Nothing more of it is ever begun."""


@frozen(order=True)
class Shard(PlainData):
    """A range of a batch: the positions from *low* to before *high*."""

    batch_id: str
    low: int
    high: int

    @property
    def key(self) -> str:
        """A name for it, the same at all times."""
        return f"{self.batch_id}:{self.low}"


@frozen(kw_only=True)
class SharedBatch(PlainData):
    """A batch that many workers pay, as its row in the ledger says.

    Args:
        batch_id: Unique for the merchant.
        source: Where its payouts come from, for people: a file's name.
        status: What may be done for it; *why*, if it was not a person who paused it.
        imported: How many of its payouts are stored.
        total: How many it has; None until all are stored.
        amount: What they come to, in major units of the currency; None until all are stored.
        shard_size: How many payouts a shard has.
        rate: Payouts a second at most, over all workers; None for no limit.
        digest: Of all its payouts, in their order, by which the same source is known again.
        ended: Whether every shard was left with nothing open.
    """

    batch_id: str
    source: str | None
    status: BatchStatus
    why: str | None
    imported: int
    total: int | None
    amount: Decimal | None
    shard_size: int
    rate: float | None
    digest: str | None
    ended: bool

    @property
    def may_run(self) -> bool:
        """Whether its payouts may be begun."""
        return self.status is BatchStatus.READY


@frozen(kw_only=True)
class OpenRows:
    """What is open in a range of a batch.

    Args:
        batch: As it stands.
        planned: Payouts that were not begun, in their order.
        unsettled: Payouts that were begun, and are to be sent once more or asked about.
        idle: Seconds since a worker was last at the range; None if none ever was.
    """

    batch: SharedBatch
    planned: Sequence[Intent] = field(repr=False)
    unsettled: Sequence[Entry] = field(repr=False)
    idle: float | None


@frozen(kw_only=True)
class SharedProgress(PlainData):
    """How far a batch is that many workers pay, from the ledger.

    Args:
        batch: As its row says.
        counts: How many of its payouts have which status. Those that nobody has begun are ``not_sent``.
        amounts: What these come to, in major units of the currency.
        planned: How many nobody has begun.
        under_way: How many were begun and are to be sent once more or asked about.
        repeated: How many are a number that the batch has twice; they are paid once, and counted nowhere else.
        shards: How many ranges there are; *open_shards*, how many of them a worker has not left with nothing open.
        working: At how many a worker was within the last ten seconds.
    """

    batch: SharedBatch
    counts: Mapping[ItemStatus, int]
    amounts: Mapping[ItemStatus, Decimal]
    planned: int
    under_way: int
    repeated: int
    shards: int
    open_shards: int
    working: int
    also_told: ClassVar[tuple[str, ...]] = ("total", "begun", "done")

    @property
    def total(self) -> int:
        """How many payouts the batch has, a number that it has twice counted once."""
        return sum(self.counts.values())

    @property
    def begun(self) -> int:
        """How many were begun, or will not be."""
        return self.total - self.planned

    @property
    def done(self) -> bool:
        """Whether workers have nothing more to do for it: each payout is taken, has failed, or waits for a person."""
        return self.batch.total is not None and not self.planned and not self.under_way


@runtime_checkable
class SharedLedger(Protocol):
    """What a ledger can that many workers share. Each method raises as those of a ``Ledger`` do."""

    async def shared_batch(self, merchant_no: str, batch_id: str) -> SharedBatch | None:
        """The batch, or None if there is none that was imported."""
        ...

    async def unfinished_batches(self, merchant_no: str) -> list[SharedBatch]:
        """The batches that were imported and have not ended, nor were cancelled; the oldest first."""
        ...

    async def begin_import(
        self, merchant_no: str, batch_id: str, *, source: str | None, shard_size: int, rate: float | None
    ) -> SharedBatch:
        """Note that a batch is imported, or find how far that came."""
        ...

    async def import_rows(self, merchant_no: str, batch_id: str, first: int, intents: Sequence[Intent]) -> int | None:
        """Store payouts as planned, at the positions from *first* on; those that are stored are compared.

        Returns:
            The first position at which another payout is stored; None if there is none.

        Raises:
            ConfigurationError: If one trade number is given to two payouts that differ.
        """
        ...

    async def finish_import(
        self, merchant_no: str, batch_id: str, *, amount: Decimal, digest: str, announce: Any
    ) -> SharedBatch:
        """Make the batch ready.

        Args:
            announce: Called with the connection and all shards, in the same transaction.
        """
        ...

    async def announce_shards(self, merchant_no: str, batch_id: str, announce: Any, *, idle_for: float) -> list[Shard]:
        """Call *announce* with a connection and open shards, some thousand in a transaction; all of these shards."""
        ...

    async def set_batch_status(
        self, merchant_no: str, batch_id: str, status: BatchStatus, *, why: str | None = None
    ) -> SharedBatch:
        """Let workers go on or not, from the next transaction on. One that is cancelled stays so.

        Raises:
            KeyError: If there is no such batch.
        """
        ...

    async def set_batch_rate(self, merchant_no: str, batch_id: str, rate: float | None) -> SharedBatch:
        """Set the rate that all workers keep for this batch.

        Raises:
            KeyError: If there is no such batch.
        """
        ...

    async def open_shards(self, merchant_no: str, batch_id: str, *, idle_for: float = 0.0) -> list[Shard]:
        """The ranges with open rows at which no worker was for so many seconds; none of a batch that may not run."""
        ...

    async def shard_rows(self, merchant_no: str, batch_id: str, low: int, high: int) -> OpenRows | None:
        """What is open in a range, and note that a worker is at it; None if there is no such batch."""
        ...

    async def touch_shard(self, merchant_no: str, batch_id: str, low: int, high: int) -> SharedBatch | None:
        """Note that a worker is at the range; the batch as it stands."""
        ...

    async def leave_shard(self, merchant_no: str, batch_id: str, low: int, high: int) -> int:
        """Note that the worker leaves the range; how many of its rows are open. The last one ends the batch."""
        ...

    async def shared_progress(self, merchant_no: str, batch_id: str) -> SharedProgress | None:
        """How far the batch is; None if there is none that was imported."""
        ...


def shared_ledger(ledger: object) -> SharedLedger:
    """*ledger*, if many workers can share it.

    Raises:
        ConfigurationError: If they cannot.
    """
    if not isinstance(ledger, SharedLedger):
        raise ConfigurationError(
            "This ledger cannot be shared by workers. Nothing was sent. Use 'postgresql://…' for many machines, or a "
            "file ('payouts.db') for the processes of one."
        )
    return ledger


async def refuse_without_workers(ledger: object, merchant_no: str, batch_id: str) -> None:
    """See that no workers pay the batch: by itself a process would heed neither a pause nor a cancellation.

    Raises:
        ConfigurationError: If they do, or did until it was cancelled.
    """
    found = await ledger.shared_batch(merchant_no, batch_id) if isinstance(ledger, SharedLedger) else None
    if found is None or (found.ended and found.may_run):
        return
    if found.status is BatchStatus.CANCELLED:
        raise ConfigurationError(
            f"The batch {batch_id} was cancelled, so nothing more of it is ever sent. Nothing was sent now. 'paypro "
            f"status {batch_id}' shows what was begun before."
        )
    raise ConfigurationError(
        f"The batch {batch_id} was given to workers ({found.status}) and has not ended, so nothing is sent without "
        f"them. Nothing was sent now. Follow them with 'paypro batch FILE --workers'; 'paypro resume {batch_id}' lets "
        "them go on, and 'paypro worker' starts one."
    )
