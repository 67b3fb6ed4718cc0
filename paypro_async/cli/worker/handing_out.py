"""``--workers``: a file that was checked and agreed to is imported, given to workers, and followed in the ledger."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol, Self, TypeVar

import click
from attrs import frozen

from paypro_async._core.items import ItemStatus
from paypro_async.batch.shard_run import FOR_A_PERSON
from paypro_async.batch.shards import batch_progress, set_batch_rate
from paypro_async.bulk import BatchSettings, Before, Disbursement, import_file
from paypro_async.cli.output import note, note_command, pasted
from paypro_async.cli.signals import Stop
from paypro_async.client import PayProClient
from paypro_async.errors import ConfigurationError, LedgerUnavailableError
from paypro_async.ledger.opening import LedgerUrl
from paypro_async.ledger.shared import BatchStatus, SharedBatch, SharedProgress
from paypro_async.report.batch_report import BatchProgress, BatchReport

__all__ = ["HandingOut", "carrier"]

_LOOK_SECONDS = 1.0
_SPARING = 20.0
"""A look takes at most one part in so many of the ledger's time."""
_NOBODY_SECONDS = 15.0
_WAIT_SECONDS = 3600.0
_STORED_SECONDS = 5.0
_NOBODY = "no worker is at the batch; start one with 'paypro worker', on any machine that has the ledger"


T = TypeVar("T")


class Watcher(Protocol):
    """Shows how far a batch is, and why nothing is sent just now."""

    trouble: Callable[[], str | None]

    def __call__(self, progress: BatchProgress) -> None: ...


def carrier(ledger: LedgerUrl, queue: str) -> Any:
    """What enqueues shards, by Procrastinate.

    Raises:
        ConfigurationError: If the ledger is no PostgreSQL, or Procrastinate is not installed.
    """
    try:
        from paypro_async.integrations.procrastinate import add_payout_tasks, app_for  # noqa: PLC0415  an extra
    except ImportError as error:
        raise ConfigurationError(f"{error}. Nothing was sent.") from None
    return add_payout_tasks(app_for(ledger.url), queue=queue)


@frozen(kw_only=True)
class HandingOut:
    """How workers are given a file.

    Args:
        carrier: What enqueues its shards.
        shard_size: How many rows a shard has.
        detach: Whether nobody follows them.
    """

    carrier: Any
    shard_size: int
    detach: bool

    @classmethod
    def of(cls, ledger: LedgerUrl, *, queue: str, shard_size: int, detach: bool) -> Self:
        """By the options of the command line.

        Raises:
            UsageError: If the ledger is a file.
        """
        if ledger.file is not None:
            raise click.UsageError(
                "Workers share a ledger in PostgreSQL, and this one is a file. Nothing was sent. Give --ledger "
                "postgresql://user@host/database; or leave --workers out, and this process pays the file."
            )
        return cls(carrier=carrier(ledger, queue), shard_size=shard_size, detach=detach)

    async def pay(
        self,
        disbursement: Disbursement,
        before: Before,
        watcher: Watcher,
        stop: Stop,
        *,
        settings: BatchSettings,
        pay_again: bool,
        skip_paid: bool,
    ) -> BatchReport:
        """Import, enqueue, and follow until workers have nothing more to do, or *stop*."""
        began, batch_id = time.monotonic(), disbursement.plan.batch_id
        importing = import_file(
            disbursement,
            before,
            announce=self.carrier.announce,
            rate=settings.get("rate"),
            shard_size=self.shard_size,
            pay_again=pay_again,
            skip_paid=skip_paid,
            on_progress=_Stored(disbursement.plan.rows),
        )
        batch = await _unless(stop, importing)
        if batch is None:
            return await _cut_off(disbursement, began)
        await _keep_rate(disbursement.client, batch, settings.get("rate"))
        if batch.status is BatchStatus.PAUSED:
            note(f"The batch is paused{f' ({batch.why})' if batch.why else ''}. Workers begin nothing of it.")
            note_command("Let it go on with:", f"paypro resume {pasted(batch_id)}")
        until = time.monotonic() + (settings.get("wait_timeout") or _WAIT_SECONDS)
        progress = await batch_progress(disbursement.client, batch_id)
        if self.detach:
            note("The batch is handed out. Workers pay it; nothing more is needed here.")
            note_command("See how far it is with:", f"paypro status {pasted(batch_id)}")
            return _report(progress, began, stopped=None, waits=False)
        follow = _Follow(disbursement, watcher, stop, waits=bool(settings.get("wait")), until=until)
        progress = await follow.to_the_end(progress, began)
        return _report(progress, began, stopped=_stopped(progress, stop), waits=follow.waits)


@frozen(eq=False)
class _Follow:
    disbursement: Disbursement
    watcher: Watcher
    stop: Stop
    waits: bool
    until: float

    async def to_the_end(self, progress: SharedProgress, began: float) -> SharedProgress:
        """Read the progress again and again, and show it; the last one."""
        nobody_since: float | None = None
        self.watcher.trouble = lambda: _NOBODY if _for(nobody_since) > _NOBODY_SECONDS else None
        while True:
            self.watcher(_shown(progress, began))
            if progress.working or progress.done:
                nobody_since = None
            elif nobody_since is None:
                nobody_since = time.monotonic()
            if self.stop or not progress.batch.may_run or self._has_ended(progress):
                break
            looked = time.monotonic()
            progress = await self._look(progress)
            pause = max(_LOOK_SECONDS, _SPARING * (time.monotonic() - looked))
            await _until(self.stop, pause)
        if progress.batch.status is BatchStatus.PAUSED and progress.batch.why:
            note(f"The batch was paused: {progress.batch.why}.")
        if self.stop:
            note("The workers go on. The same command follows them again; 'paypro pause' would stop them.")
        return progress

    async def _look(self, last: SharedProgress) -> SharedProgress:
        try:
            return await batch_progress(self.disbursement.client, self.disbursement.plan.batch_id)
        except LedgerUnavailableError as error:
            note(f"The progress cannot be read just now, and is looked at again: {error}")
            return last

    def _has_ended(self, progress: SharedProgress) -> bool:
        if not progress.done:
            return False
        open_yet = any(status.is_open for status in progress.counts)
        return not (self.waits and open_yet) or time.monotonic() > self.until


class _Stored:
    """Says now and then how many rows are stored."""

    def __init__(self, rows: int) -> None:
        self._rows, self._said = rows, time.monotonic()

    def __call__(self, stored: int) -> None:
        if time.monotonic() - self._said > _STORED_SECONDS:
            self._said = time.monotonic()
            note(f"{stored:,} of {self._rows:,} rows are stored for workers; nothing is sent before all are.")


async def _unless(stop: Stop, work: Coroutine[Any, Any, T]) -> T | None:
    """What *work* comes to; None if it was cut off by a signal."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        working.cancel()
        await asyncio.wait({working})
    return None if working.cancelled() else working.result()


async def _cut_off(disbursement: Disbursement, began: float) -> BatchReport:
    """Tell what an import that a signal has cut off leaves behind."""
    try:
        progress = await batch_progress(disbursement.client, disbursement.plan.batch_id)
    except ConfigurationError:
        note("Stopped before a row was stored for workers. Nothing was sent.")
        return BatchReport(counts={}, amounts={}, codes={}, failures=(), elapsed=0.0, stopped="cancelled")
    if progress.batch.status is BatchStatus.IMPORTING:
        note("Stopped while the rows were stored for workers. Nothing was sent, and nothing is until all are stored.")
    else:
        note("All rows were stored, so workers pay them. 'paypro pause' would stop them.")
    return _report(progress, began, stopped="cancelled", waits=False)


async def _keep_rate(client: PayProClient, batch: SharedBatch, rate: float | None) -> None:
    """Let the rate that is given hold for a batch that was handed out before, too."""
    if rate is not None and batch.rate != rate and batch.may_run:
        await set_batch_rate(client, batch.batch_id, rate)


def _for(since: float | None) -> float:
    return 0.0 if since is None else time.monotonic() - since


async def _until(stop: Stop, seconds: float) -> None:
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait([stopping], timeout=seconds)
    stopping.cancel()


def _stopped(progress: SharedProgress, stop: Stop) -> str | None:
    batch = progress.batch
    if batch.status is BatchStatus.PAUSED:
        # What a person says of it is no word for programs.
        return batch.why if batch.why in FOR_A_PERSON else "paused"
    if batch.status is BatchStatus.CANCELLED:
        return "cancelled_for_good"
    return "cancelled" if stop else None


def _begun(progress: SharedProgress, of: Mapping[ItemStatus, Any], nothing: Any) -> dict[ItemStatus, Any]:
    """Without what nobody has begun."""
    counts = progress.counts
    left_out = {ItemStatus.NOT_SENT} if counts.get(ItemStatus.NOT_SENT, 0) <= progress.planned else set()
    return {status: of.get(status, nothing) for status in counts if status not in left_out}


def _shown(progress: SharedProgress, began: float) -> BatchProgress:
    counts = _begun(progress, progress.counts, 0)
    if ItemStatus.NOT_SENT in counts:
        counts[ItemStatus.NOT_SENT] -= progress.planned
    return BatchProgress(
        done=progress.begun - progress.under_way,
        in_flight=0,
        waiting=progress.under_way,
        counts=counts,
        elapsed=time.monotonic() - began,
        total=progress.total,
        amounts=_begun(progress, progress.amounts, 0),
    )


def _report(progress: SharedProgress, began: float, *, stopped: str | None, waits: bool) -> BatchReport:
    return BatchReport(
        counts=progress.counts,
        amounts=progress.amounts,
        codes={},
        failures=(),
        elapsed=time.monotonic() - began,
        stopped=stopped,
        sent=progress.begun,
        repeated=progress.repeated,
        waited=waits,
    )
