"""A batch that many workers pay: imported once, cut into shards, and paid by whoever is given one.

What carries shards to workers is any queue or engine, and none is trusted: it may lose a shard, give it to two workers
at one time, or give it out anew long after. What is paid and what is not stands in the ledger alone::

    await import_batch(client, payouts, batch_id="july")  # once: stored as planned, nothing is sent
    for shard in await open_shards(client, "july"):  # given to workers, as often as you like
        await run_shard(client, shard.batch_id, shard.low, shard.high)
"""

from collections.abc import Callable

from paypro_async.batch.client import BatchClient
from paypro_async.batch.frames import items_of
from paypro_async.batch.importing import Announce, Import
from paypro_async.batch.shard_run import ShardReport, ShardRun, no_such_batch
from paypro_async.batch.shared_work import SharedWork
from paypro_async.batch.source import Source
from paypro_async.engine.limits import check_count
from paypro_async.engine.rate import check_rate
from paypro_async.errors import ConfigurationError
from paypro_async.ledger.shared import BatchStatus, Shard, SharedBatch, SharedProgress

__all__ = [
    "ShardReport",
    "batch_progress",
    "cancel_batch",
    "enqueue_open_shards",
    "import_batch",
    "open_shards",
    "pause_batch",
    "resume_batch",
    "run_shard",
    "set_batch_rate",
    "unfinished_batches",
]

_MOST_IN_SHARD = 10_000
_SHORTEST_PAUSE = 0.5


async def import_batch(
    client: BatchClient,
    source: Source,
    /,
    *,
    batch_id: str,
    name: str | None = None,
    shard_size: int = 250,
    rate: float | None = None,
    announce: Announce | None = None,
    on_progress: Callable[[int], object] | None = None,
) -> SharedBatch:
    """Check and store many payouts as planned, in memory that does not grow with them. Nothing is sent.

    Give the whole source again after a crash: what is stored is compared and kept. A batch that was imported whole
    before is left as it is, and *announce* is told of the shards that are still open. A payout without a ``trade_no``
    gets one that follows from *batch_id* and its position.

    Args:
        client: Open, with a ledger in PostgreSQL, or in a file for the processes of one machine.
        source: As for ``batch_payout``: any iterable or async iterable, of any length, or a data frame.
        batch_id: The batch's name in the ledger, unique for the merchant.
        name: Where the payouts come from, for people: a file's name.
        shard_size: Payouts in a shard, 100 to 500 for most engines: so many a worker leaves open that dies.
        rate: Payouts a second at most, over all workers together; None for no limit.
        announce: Called as ``announce(connection, shards)`` with SQLAlchemy's connection in the transaction that makes
            the batch ready, in the ledger's own thread. What it inserts there is stored if and only if the import is.
        on_progress: Called with how many payouts were read, page by page.

    Returns:
        The batch, which is ready.

    Raises:
        InvalidBatchError: If payouts have wrong fields; the first hundred are named. The batch is not ready.
        ConfigurationError: If the batch was imported with other payouts, or cancelled, or has one trade number for
            payouts that differ; or if the ledger cannot be shared.
        LedgerUnavailableError: If the ledger cannot be written. Import again.
    """
    check_count("shard_size", shard_size)
    if shard_size > _MOST_IN_SHARD:
        raise ConfigurationError(f"shard_size must be {_MOST_IN_SHARD:,} at most. Nothing was sent.")
    if rate is not None:
        check_rate(rate)
    work = _work(client)
    run = Import(work=work, batch_id=work.intake.batch_id(batch_id), announce=announce, on_progress=on_progress)
    return await run.run(items_of(source, work.intake), source=name, shard_size=shard_size, rate=rate)


async def run_shard(
    client: BatchClient, batch_id: str, low: int, high: int, /, *, concurrency: int = 20, wait: bool = True
) -> ShardReport:
    """Pay what is open of a batch from position *low* to before *high*, as far as the batch may run.

    It may run twice at one time, or again at any time: each payout is paid at most once all the same. What became of
    payouts is no exception but stands in the ledger. Cancelled, it begins nothing more, and what is under way is
    recorded before it ends, in the time of one exchange and five seconds more.

    Args:
        client: Open, with the ledger into which the batch was imported; made in this process.
        batch_id: The batch.
        low: The first position, from 0; *high*, that behind the last one.
        concurrency: How many of its payouts may be under way at one time.
        wait: Stay until nothing of the range is open, or somebody must mend something. If it is False, end as soon as
            all that is left is unknown and will be for a while, and say in ``again_in`` when to run it again.

    Raises:
        LedgerUnavailableError: If the ledger cannot be read or written. Run it again later.
        ConfigurationError: If there is no such batch, or the ledger cannot be shared.
    """
    check_count("concurrency", concurrency)
    work = _work(client)
    while True:
        run = ShardRun(work=work, batch_id=batch_id, low=low, high=high, concurrency=concurrency, may_leave=not wait)
        report = await run.run()
        if not wait or report.again_in is None:
            return report
        await work.runtime.sleep(max(_SHORTEST_PAUSE, report.again_in))


async def open_shards(client: BatchClient, batch_id: str, /, *, idle_for: float = 0.0) -> list[Shard]:
    """The shards of which payouts are open, as the rows say; giving these to workers again repairs any loss of theirs.

    None of a batch that is paused, cancelled or not imported whole.

    Args:
        client: Open.
        batch_id: The batch.
        idle_for: Only those at which no worker was for so many seconds.

    Raises:
        ConfigurationError: If there is no such batch.
    """
    work = _work(client)
    found = await work.answer(work.ledger.shared_batch(work.merchant_no, batch_id))
    if found is None:
        raise no_such_batch(batch_id)
    return await work.answer(work.ledger.open_shards(work.merchant_no, batch_id, idle_for=idle_for))


async def enqueue_open_shards(
    client: BatchClient, batch_id: str, announce: Announce, /, *, idle_for: float = 0.0
) -> list[Shard]:
    """Tell *announce* of the open shards, in one transaction of the ledger for two thousand of them; these shards.

    See ``import_batch``.
    """
    work = _work(client)
    return await work.answer(work.ledger.announce_shards(work.merchant_no, batch_id, announce, idle_for=idle_for))


async def unfinished_batches(client: BatchClient, /) -> list[SharedBatch]:
    """The imported batches that may have open payouts, paused ones too; the oldest first."""
    work = _work(client)
    return await work.answer(work.ledger.unfinished_batches(work.merchant_no))


async def pause_batch(client: BatchClient, batch_id: str, /, *, why: str | None = None) -> SharedBatch:
    """Let no worker begin anything more of the batch, until it is resumed. What is under way is recorded.

    Raises:
        ConfigurationError: If there is no such batch.
    """
    return await _set_status(client, batch_id, BatchStatus.PAUSED, why)


async def resume_batch(client: BatchClient, batch_id: str, /) -> SharedBatch:
    """Let workers go on. Give them ``open_shards`` again, or wait until whatever repairs an engine does.

    Raises:
        ConfigurationError: If there is no such batch.
    """
    return await _set_status(client, batch_id, BatchStatus.READY, None)


async def cancel_batch(client: BatchClient, batch_id: str, /, *, why: str | None = None) -> SharedBatch:
    """Let nothing more of the batch ever begin. What was begun stays what it is; reconciliation tells its end.

    Raises:
        ConfigurationError: If there is no such batch.
    """
    return await _set_status(client, batch_id, BatchStatus.CANCELLED, why)


async def set_batch_rate(client: BatchClient, batch_id: str, rate: float | None, /) -> SharedBatch:
    """Set how many payouts a second all workers together begin; they follow within two seconds.

    Raises:
        ConfigurationError: If there is no such batch, or the rate makes no sense.
    """
    if rate is not None:
        check_rate(rate)
    work = _work(client)
    try:
        return await work.answer(work.ledger.set_batch_rate(work.merchant_no, batch_id, rate))
    except KeyError:
        raise no_such_batch(batch_id) from None


async def batch_progress(client: BatchClient, batch_id: str, /) -> SharedProgress:
    """How far the batch is, over all workers, as the ledger has it now.

    Raises:
        ConfigurationError: If there is no such batch.
    """
    work = _work(client)
    found = await work.answer(work.ledger.shared_progress(work.merchant_no, batch_id))
    if found is None:
        raise no_such_batch(batch_id)
    return found


async def _set_status(client: BatchClient, batch_id: str, status: BatchStatus, why: str | None) -> SharedBatch:
    work = _work(client)
    try:
        changed = work.ledger.set_batch_status(work.merchant_no, batch_id, status, why=why)
        return await work.answer(changed)
    except KeyError:
        raise no_such_batch(batch_id) from None


def _work(client: BatchClient) -> SharedWork:
    return client._shared_work()  # noqa: SLF001  made for this
