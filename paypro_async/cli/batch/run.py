"""The run of a batch: look back, pay, report."""

import asyncio
import json
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import cast

import click
from attrs import field, frozen

from paypro_async._core.report import BatchReport, ItemStatus
from paypro_async._core.stopping import StopRules
from paypro_async.batch.batch import Batch
from paypro_async.bulk.plan import Plan, Prepare, payouts
from paypro_async.bulk.readers.csv import PayoutFile
from paypro_async.bulk.repeats import Before, look_back
from paypro_async.bulk.results import Count, ResultFile, row_outcomes
from paypro_async.cli.batch.progress import Watcher, watching
from paypro_async.cli.batch.refusal import against, counted
from paypro_async.cli.batch.summary import Summary
from paypro_async.cli.exits import Exit, explain, note
from paypro_async.cli.signals import Stop
from paypro_async.client import PayProClient
from paypro_async.errors import PayProError, PayProWarning
from paypro_async.ledger import BatchRecord, Ledger

__all__ = ["Job", "pay", "preview"]


@frozen(kw_only=True)
class Job:
    """A checked file and how to pay it.

    Args:
        name: The file's, for messages.
        known_ledger: Whether the ledger was there before; a preview makes none to look back to.
        result: Where the result file goes, or None.
    """

    name: str
    client: PayProClient = field(repr=False)
    merchant_no: str
    known_ledger: bool
    file: PayoutFile = field(repr=False)
    plan: Plan
    prepare: Prepare = field(repr=False)
    result: Path | None
    concurrency: int
    rate: float | None
    timeout: float | None
    max_attempts: int | None
    refresh: bool
    pay_again: bool
    no_stop_rules: bool
    as_json: bool
    quiet: bool

    @property
    def ledger(self) -> Ledger:
        """The client's, which always has one here."""
        return cast("Ledger", self.client.ledger)


async def preview(job: Job) -> int:
    """Say what would be paid, and send nothing."""
    before = Before()
    if job.known_ledger:
        async with job.client:
            before = await _look_back(job)
    refused = against(job.name, before, pay_again=job.pay_again, as_json=job.as_json)
    if refused is not None:
        return refused
    plan = job.plan
    if job.as_json:
        found = {"rows": plan.rows, "amount": str(plan.total), "currency": plan.currency, "in_ledger": before.known}
        click.echo(json.dumps(found | {"valid": True}))
        return Exit.OK
    known = "none of them is in the ledger yet"
    if before.known:
        known = f"{before.known:,} of them {'is' if before.known == 1 else 'are'} in the ledger"
    click.echo(f"{counted(plan.rows, 'payout')}, {plan.total:,.2f} {plan.currency} in all; {known}.")
    note("The file is valid. Nothing was sent.")
    return Exit.OK


async def pay(job: Job) -> int:
    """Pay what is not paid yet, write the result file, say what it came to."""
    with Stop() as stop:
        async with job.client:
            before = await _look_back(job)
            refused = against(job.name, before, pay_again=job.pay_again, as_json=job.as_json)
            if refused is not None:
                return refused
            if before.known and not job.quiet:
                note(f"Continuing: {before.known:,} of {job.plan.rows:,} rows are in the ledger already.")
            if stop:
                note("Interrupted. Nothing was sent.")
                return Exit.INTERRUPTED
            # So that `paypro ledger show` can name the file.
            await job.ledger.record_batch(
                BatchRecord(merchant_no=job.merchant_no, batch_id=job.plan.batch_id, source=job.name)
            )
            report = await _pay(job, stop)
            try:
                count, result = await _report(job, job.result)
            except PayProError as error:
                note(explain(error))
                return Exit.UNKNOWN_LEFT if report.counts.get(ItemStatus.UNKNOWN) else Exit.UNEXPECTED
    summary = Summary(count=count, currency=job.plan.currency, report=report, result=result)
    click.echo(summary.as_json() if job.as_json else summary.as_text())
    if summary.interrupted:
        note("Interrupted. Run the same command again to continue.")
    return Exit.UNEXPECTED if job.result and not result else summary.exit_code


async def _look_back(job: Job) -> Before:
    return await look_back(job.file, job.plan, job.prepare, job.ledger, job.merchant_no)


async def _pay(job: Job, stop: Stop) -> BatchReport:
    watcher = Watcher(job.plan.rows)
    with warnings.catch_warnings():
        # Said once for the whole file, before paying.
        warnings.simplefilter("ignore", PayProWarning)
        async with watching(watcher, quiet=job.quiet) as hide:
            batch = job.client.batch_payout(
                payouts(job.file, job.plan),
                batch_id=job.plan.batch_id,
                concurrency=job.concurrency,
                rate=job.rate,
                timeout=job.timeout,
                max_attempts=job.max_attempts,
                refresh=job.refresh,
                stop=StopRules.off() if job.no_stop_rules else StopRules(),
                on_progress=watcher,
            )
            await _until_done(batch, stop, hide)
    return batch.report


async def _until_done(batch: Batch, stop: Stop, hide: Callable[[], None]) -> None:
    """Wait for the batch; at a signal, stop it in order."""
    paying, stopping = asyncio.ensure_future(_whole(batch)), asyncio.ensure_future(stop.wait())
    await asyncio.wait({paying, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if stop and not paying.done():
        hide()
        note("Stopping: nothing new is begun, what is under way is recorded. Once more to end at once.")
        await batch.aclose()
        await asyncio.wait({paying})
    if not paying.cancelled():
        await paying


async def _whole(batch: Batch) -> BatchReport:
    return await batch


async def _report(job: Job, path: Path | None) -> tuple[Count, Path | None]:
    """Count every row, and write it to the result file."""
    count = Count()
    outcomes = row_outcomes(job.file, job.plan, job.prepare, job.ledger, job.merchant_no)
    try:
        with ResultFile(path, job.file) if path else nullcontext() as written:
            async for outcome in outcomes:
                count.add(outcome)
                if written:
                    written.write(outcome)
    except OSError as error:
        note(f"The result file could not be written: {error.strerror}. The ledger has it all; run the command again.")
        return (await _report(job, None))[0], None
    return count, path
