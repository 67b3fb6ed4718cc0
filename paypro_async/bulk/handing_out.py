"""A checked file, imported for many workers to pay."""

from paypro_async.batch.importing import Announce
from paypro_async.batch.shards import import_batch
from paypro_async.bulk.apply import Disbursement
from paypro_async.bulk.evidence import Before
from paypro_async.ledger.shared import SharedBatch

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
) -> SharedBatch:
    """Import what is not paid yet, after what :meth:`Disbursement.look_back` found *before*; nothing is sent.

    A payment of the same to the same that is stored later, by another run, keeps its row from being paid, as in
    :meth:`Disbursement.start`. The rows get their numbers as in a run without workers, so that either goes on where the
    other one stopped.

    Args:
        disbursement: The file.
        before: What is known of it.
        announce: As ``import_batch`` takes it; and so are *rate* and *shard_size*.
        pay_again: As :meth:`Disbursement.start` takes it; and so is *skip_paid*.

    Raises:
        PayoutFileError: As :meth:`Disbursement.start` raises it.
        ConfigurationError: If the batch was imported with other rows, or cancelled, or the ledger cannot be shared.
    """
    payouts = disbursement.payouts(before, pay_again=pay_again, skip_paid=skip_paid)
    return await import_batch(
        disbursement.client,
        payouts,
        batch_id=disbursement.plan.batch_id,
        name=disbursement.name,
        shard_size=shard_size,
        rate=rate,
        announce=announce,
    )
