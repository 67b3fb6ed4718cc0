"""How far workers are with a batch, for people and for programs."""

from typing import Any

from paypro_async.cli.output import readable
from paypro_async.ledger.shared import BatchStatus, SharedProgress

__all__ = ["told_of_workers", "workers_as_data"]

_SAID = {
    BatchStatus.IMPORTING: "It is being imported for workers; nothing of it is sent yet.",
    BatchStatus.PAUSED: "Paused: its workers begin nothing. 'paypro resume' lets them go on.",
    BatchStatus.CANCELLED: "Cancelled: nothing more of it is ever begun.",
}


def told_of_workers(progress: SharedProgress) -> str:
    """A line or two for people."""
    batch = progress.batch
    rate = f", {batch.rate:g} a second at most" if batch.rate else ""
    state = _SAID.get(batch.status)
    if state is None:
        state = "Its workers have nothing more to do." if progress.done else f"Paid by workers{rate}."
    elif batch.why:
        state += f" Why: {readable(batch.why)}."
    return (
        f"{state} {progress.planned:,} not begun; {progress.open_shards:,} of {progress.shards:,} shards open, "
        f"{progress.working:,} with a worker just now."
    )


def workers_as_data(progress: SharedProgress) -> dict[str, Any]:
    """For programs; amounts are text, since a float would round them."""
    batch = progress.batch
    return {
        "batch_id": batch.batch_id,
        "status": batch.status.value,
        "why": batch.why,
        "rate": batch.rate,
        "total": progress.total,
        "planned": progress.planned,
        "under_way": progress.under_way,
        "counts": {status.value: count for status, count in progress.counts.items()},
        "amounts": {status.value: f"{amount:f}" for status, amount in progress.amounts.items()},
        "shards": progress.shards,
        "open_shards": progress.open_shards,
        "working": progress.working,
        "done": progress.done,
    }
