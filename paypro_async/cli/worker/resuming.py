"""``paypro resume`` of a batch that workers pay: it may go on, and what is open is enqueued again."""

import os
from typing import Any

import click

from paypro_async.batch.shards import batch_progress, enqueue_open_shards, resume_batch
from paypro_async.cli.exits import Exit
from paypro_async.cli.options import client_settings, ledger_url
from paypro_async.cli.output import note, print_json, say
from paypro_async.cli.worker.handing_out import HandingOut
from paypro_async.cli.worker.telling import told_of_workers, workers_as_data
from paypro_async.client import PayProClient
from paypro_async.ledger.shared import BatchStatus

__all__ = ["hand_out_again"]

_ACCOUNT = ("base_url", "merchant_no", "region", "environment", "allow_plain_http")


async def hand_out_again(batch_id: str, ledger: str | None, options: dict[str, Any]) -> int:
    """Let workers go on with a batch, and enqueue every shard of it that is open and has no job that waits."""
    url = ledger_url(ledger)
    if url is None:
        raise click.UsageError(f"Where are payouts remembered? Give --ledger, or PAYPRO_LEDGER.{os.linesep}")
    handing = HandingOut.of(url, queue=options["queue"], shard_size=options["shard_size"], detach=True)
    given = {name: options[name] for name in _ACCOUNT if name in options}
    async with PayProClient(**client_settings(ledger=url.url, **given)) as client:
        batch = await resume_batch(client, batch_id)
        if batch.status is BatchStatus.CANCELLED:
            raise click.UsageError(f"The batch {batch_id} was cancelled, so nothing more of it is ever sent.")
        if batch.status is BatchStatus.IMPORTING:
            raise click.UsageError(
                f"The batch {batch_id} was not imported whole, so nothing of it was sent. Give its file again: 'paypro "
                "batch FILE --workers'."
            )
        shards = await enqueue_open_shards(client, batch_id, handing.carrier.announce)
        progress = await batch_progress(client, batch_id)
    if options["as_json"]:
        print_json(workers_as_data(progress) | {"given_again": len(shards)})
        return Exit.OK
    say(told_of_workers(progress))
    note(f"{len(shards):,} open shards are with the workers.")
    return Exit.OK
