"""A checked file, imported for many workers to pay."""

from collections.abc import Callable

from paypro_async.batch.importing import Announce
from paypro_async.batch.shards import enqueue_open_shards, import_batch
from paypro_async.bulk.apply import Disbursement
from paypro_async.bulk.evidence import Before
from paypro_async.errors import ConfigurationError
from paypro_async.ledger.shared import BatchStatus, SharedBatch

__all__ = ["import_file"]


async def import_file(
    disbursement: Disbursement,
    before: Before,
    *,
    announce: Announce | None,
    rate: float | None = None,
    shard_size: int = 250,
    pay_again: bool = False,
    skip_paid: bool = False,
    on_progress: Callable[[int], object] | None = None,
) -> SharedBatch:
    """Import what is not paid yet, after what :meth:`Disbursement.look_back` found *before*; nothing is sent.

    A payment of the same to the same that is stored later, by another run, keeps its row from being paid, as in
    :meth:`Disbursement.start`. The rows get their numbers as in a run without workers, so that workers go on where such
    a run stopped. Until they have ended, none without workers is begun.

    Args:
        disbursement: The file.
        before: What is known of it.
        announce: As ``import_batch`` takes it; and so are *rate*, *shard_size* and *on_progress*.
        pay_again: As :meth:`Disbursement.start` takes it; and so is *skip_paid*.

    Raises:
        PayoutFileError: As :meth:`Disbursement.start` raises it.
        ConfigurationError: If the batch was imported with other rows, or cancelled, or the ledger cannot be shared.
    """
    payouts = disbursement.payouts(before, pay_again=pay_again, skip_paid=skip_paid)
    left_out = [one for one in before.repeats if one.pending is None] if skip_paid and not pay_again else []
    if (found := await _handed_out(disbursement, rows=disbursement.plan.rows - len(left_out))) is not None:
        if announce is not None:
            await enqueue_open_shards(disbursement.client, found.batch_id, announce)
        return found
    return await import_batch(
        disbursement.client,
        payouts,
        batch_id=disbursement.plan.batch_id,
        name=disbursement.name,
        shard_size=shard_size,
        rate=rate,
        announce=announce,
        on_progress=on_progress,
    )


async def _handed_out(disbursement: Disbursement, *, rows: int) -> SharedBatch | None:
    """The batch if it was imported whole before; its name says that it is of the same file.

    Which rows are left out may have changed since: what was paid before in part may be paid by now.
    """
    work, batch_id = disbursement.client._shared_work(), disbursement.plan.batch_id  # noqa: SLF001  this is its client
    found = await work.answer(work.ledger.shared_batch(work.merchant_no, batch_id))
    if found is None or found.status in {BatchStatus.IMPORTING, BatchStatus.CANCELLED} or found.total is None:
        return None
    if rows > found.total:
        raise ConfigurationError(
            f"{disbursement.name} was given to workers with {found.total:,} of its rows, and {rows:,} are to be paid "
            "now, since fewer are left out. Nothing was changed. Let the workers end the batch first; then the same "
            "without workers pays the other rows, and pays nothing twice."
        )
    return found
