"""The run of a batch: look back, pay, report."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import click
from attrs import field, frozen

from paypro_async._core.report import BatchReport, ItemStatus
from paypro_async.batch.batch import Batch
from paypro_async.bulk import BatchSettings, Before, Disbursement, FileReport
from paypro_async.cli.batch.earlier import EarlierRuns
from paypro_async.cli.batch.progress import Watcher, watching
from paypro_async.cli.batch.refusal import counted, refuse_before
from paypro_async.cli.batch.summary import Summary
from paypro_async.cli.exits import Exit, explain
from paypro_async.cli.output import note
from paypro_async.cli.signals import Stop
from paypro_async.client import PayProClient
from paypro_async.errors import PayProError
from paypro_async.ledger.sql.ledger import SqlLedger

__all__ = ["Run", "pay", "preview"]


@frozen(kw_only=True)
class Run:
    """A checked file, and how to pay it and tell of it.

    Args:
        client: Not open yet.
        settings: Of the batch.
        result: Where the result file goes, or None.
        earlier: What the ledger must know of.
        pay_again: Pay rows although the ledger holds the same under other numbers.
        as_json: Print for programs.
        quiet: Show no progress.
    """

    client: PayProClient = field(repr=False)
    disbursement: Disbursement = field(repr=False)
    settings: BatchSettings
    result: Path | None
    earlier: EarlierRuns
    pay_again: bool
    as_json: bool
    quiet: bool

    async def refuse_forgetful(self) -> None:
        """Refuse a ledger that does not know what was sent in earlier runs; the client is open."""
        if isinstance(self.client.ledger, SqlLedger):
            await self.earlier.compare(self.client.ledger)

    def refused(self, before: Before) -> Exit | None:
        """Say what the ledger speaks against; None if there is nothing of it."""
        return refuse_before(self.disbursement.name, before, pay_again=self.pay_again, as_json=self.as_json)


async def preview(run: Run, *, look_back: bool) -> int:
    """Say what would be paid, and send nothing.

    Args:
        run: What would be paid.
        look_back: Whether there is a ledger to look into.
    """
    before = Before()
    if look_back:
        async with run.client:
            await run.refuse_forgetful()
            before = await run.disbursement.look_back()
    refused = run.refused(before)
    if refused is not None:
        return refused
    plan = run.disbursement.plan
    if run.as_json:
        found = {"rows": plan.rows, "amount": str(plan.total), "currency": plan.currency, "in_ledger": before.known}
        click.echo(json.dumps(found | {"valid": True}))
        return Exit.OK
    known = "none of them is in the ledger yet"
    if before.known:
        known = f"{before.known:,} of them {'is' if before.known == 1 else 'are'} in the ledger"
    click.echo(f"{counted(plan.rows, 'payout')}, {plan.total:,.2f} {plan.currency} in all; {known}.")
    note("The file is valid. Nothing was sent.")
    return Exit.OK


async def pay(run: Run) -> int:
    """Pay what is not paid yet, write the result file, say what it came to."""
    plan = run.disbursement.plan
    with Stop() as stop:
        async with run.client:
            await run.refuse_forgetful()
            before = await run.disbursement.look_back()
            refused = run.refused(before)
            if refused is not None:
                return refused
            if before.known and not run.quiet:
                note(f"Continuing: {before.known:,} of {plan.rows:,} rows are in the ledger already.")
            if stop:
                note("Interrupted. Nothing was sent.")
                return Exit.INTERRUPTED
            report = await _pay(run, before, stop)
            try:
                whole, result = await _report(run)
            except PayProError as error:
                note(explain(error))
                return Exit.UNKNOWN_LEFT if report.counts.get(ItemStatus.UNKNOWN) else Exit.UNEXPECTED
    summary = Summary(whole=whole, currency=plan.currency, report=report, result=result)
    click.echo(summary.as_json() if run.as_json else summary.as_text())
    if run.disbursement.has_grown:
        note(f"{run.disbursement.name} has grown since it was read. What was added to it is not paid.")
    if summary.interrupted:
        note("Interrupted. Run the same command again to continue.")
    return Exit.UNEXPECTED if run.result and not result else summary.exit_code


async def _pay(run: Run, before: Before, stop: Stop) -> BatchReport:
    watcher = Watcher(run.disbursement.plan.rows)
    async with watching(watcher, quiet=run.quiet) as hide:
        settings = run.settings | BatchSettings(on_progress=watcher)
        batch = await run.disbursement.start(before, pay_again=run.pay_again, **settings)
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


async def _report(run: Run) -> tuple[FileReport, Path | None]:
    """Count every row, and write it to the result file; the file that was written, if one was."""
    try:
        return await run.disbursement.report(run.result), run.result
    except OSError as error:
        note(f"The result file could not be written: {error.strerror}. The ledger has it all; run the command again.")
        return await run.disbursement.report(), None
