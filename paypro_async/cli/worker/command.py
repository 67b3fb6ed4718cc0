"""``paypro worker``: one process that pays shards until it is told to end. Its queue is Procrastinate's."""

import asyncio
import gc
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import click
from attrs import fields, frozen

from paypro_async.batch.shards import batch_progress, unfinished_batches
from paypro_async.cli.exits import Exit
from paypro_async.cli.log_output import LOG_VARIABLE, logging_as_asked
from paypro_async.cli.options import (
    NumberRange,
    account_options,
    client_settings,
    ledger_option,
    ledger_url,
    queue_option,
)
from paypro_async.cli.output import note
from paypro_async.cli.signals import Stop
from paypro_async.cli.worker.telling import workers_as_data
from paypro_async.client import PayProClient
from paypro_async.errors import ConfigurationError, LedgerUnavailableError

if TYPE_CHECKING:
    from paypro_async.integrations.procrastinate import PayoutTasks

__all__ = ["worker"]

_MOST_SHARDS = 256


def _address(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdecimal() or int(port) > 65_535:
        raise click.BadParameter(f"{text!r} is no HOST:PORT, such as 127.0.0.1:8090 or :8090 for all addresses.")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104  as it was asked for


@click.command(short_help="Pay shards of batches that many workers pay.")
@click.option(
    "--shards", default=4, show_default=True, type=click.IntRange(1, _MOST_SHARDS), help="Shards at one time."
)
@click.option(
    "--concurrency",
    default=20,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Payouts under way at one time, for each shard.",
)
@queue_option
@click.option("--health", metavar="HOST:PORT", callback=_address, help="Serve GET /live and /ready there, as JSON.")
@click.option(
    "--drain",
    default=0.0,
    show_default=True,
    type=NumberRange(0, 86_400),
    metavar="S",
    help="Seconds for which shards that were begun go on once it is told to end.",
)
@click.option("--progress", default=0.0, type=NumberRange(0), metavar="S", help="Tell the progress each S seconds.")
@ledger_option
@account_options
def worker(ledger: str | None, **options: Any) -> int:
    """Pay shards of the batches in the ledger, until SIGTERM or Ctrl-C. Start as many as you like, on any machines.

    The queue's tables stand beside the ledger's and are made if they are missing. A worker that is killed leaves its
    shards to the others: what is open stands in the ledger, and none of it is paid twice.

    Told to end, it takes no more, and shards that are not done after --drain seconds are interrupted: what is under way
    is recorded, in the time of one exchange and five seconds more, and the rest goes back into the queue. A second
    signal ends it at once.
    """
    url = ledger_url(ledger)
    if url is None:
        raise ConfigurationError(
            "A worker needs the ledger that batches were imported into. Nothing was sent. Give --ledger "
            "postgresql://user@host/database, or PAYPRO_LEDGER."
        )
    own = Options(**{one.name: options.pop(one.name) for one in fields(Options)})
    settings = client_settings(ledger=url.url, **options)
    # Each payout under way needs a connection.
    settings.setdefault("max_connections", max(100, own.shards * own.concurrency))
    # Nobody looks at a worker: what troubles it stands in its supervisor's log, unless PAYPRO_LOG says otherwise.
    with nullcontext() if os.environ.get(LOG_VARIABLE) else logging_as_asked("warning"):
        return asyncio.run(_work(url.url, settings, own))


@frozen(kw_only=True)
class Options:
    """What ``paypro worker`` was asked for, by the names of its options."""

    shards: int
    concurrency: int
    queue: str
    health: tuple[str, int] | None
    drain: float
    progress: float


async def _work(url: str, settings: dict[str, Any], own: Options) -> int:
    gc.disable()  # see main(); one that replaces a worker that was killed is there sooner
    try:
        from paypro_async.integrations.procrastinate import add_payout_tasks, app_for  # noqa: PLC0415  an extra
    except ImportError as error:
        raise ConfigurationError(f"{error}. Nothing was sent.") from None
    finally:
        gc.enable()
    payouts = add_payout_tasks(
        app_for(url),
        lambda: PayProClient(**settings),
        queue=own.queue,
        concurrency=own.concurrency,
    )
    stopping = asyncio.Event()
    with Stop() as stop:
        beside = [asyncio.create_task(_pass_on(stop, stopping), name="paypro-worker-signals")]
        if own.progress:
            beside.append(asyncio.create_task(_tell(payouts, own.progress), name="paypro-worker-progress"))
        try:
            async with _served(payouts, own.health, stopping):
                ends_within = own.drain + (await payouts.client()).drain
                note(f"Paying up to {own.shards} shards at one time. SIGTERM ends it within {ends_within:.0f} s.")
                await payouts.work(stopping, shards=own.shards, drain=own.drain)
        finally:
            for task in beside:
                task.cancel()
    note("The worker has ended. What it was at is recorded, and the rest is left to the others.")
    return Exit.OK


async def _pass_on(stop: Stop, stopping: asyncio.Event) -> None:
    await stop.wait()
    note("Told to end: it takes no more, and records what is under way.")
    stopping.set()


@asynccontextmanager
async def _served(
    payouts: "PayoutTasks", address: tuple[str, int] | None, stopping: asyncio.Event
) -> AsyncIterator[None]:
    """Serve the worker's health while the block runs, if there is an address for it."""
    if address is None:
        yield
        return
    from paypro_async.cli.worker.health import Health  # noqa: PLC0415  only then

    health = Health(payouts=payouts, is_stopping=stopping.is_set)
    try:
        port = await health.open(*address)
    except OSError as error:
        raise ConfigurationError(
            f"Nothing can listen on {address[0]}:{address[1]} ({error.strerror}). Nothing was sent. Give --health "
            "another port."
        ) from None
    note(f"GET /live and /ready on port {port}.")
    try:
        yield
    finally:
        await health.aclose()


async def _tell(payouts: "PayoutTasks", seconds: float) -> None:
    """Print the progress of each unfinished batch as a line of JSON, again and again."""
    while True:
        await asyncio.sleep(seconds)
        try:
            client = await payouts.client()
            for batch in await unfinished_batches(client):
                click.echo(json.dumps(workers_as_data(await batch_progress(client, batch.batch_id))))
        except LedgerUnavailableError as error:
            note(f"The progress could not be read: {error}")
