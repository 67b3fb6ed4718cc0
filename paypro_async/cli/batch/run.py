"""The run of a batch: look back, pay, report."""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from attrs import field, frozen

from paypro_async.batch.batch import Batch
from paypro_async.bulk import BatchSettings, Before, Disbursement, FileProblem, FileReport, Funds, PlanFile
from paypro_async.bulk.steps import plan_of
from paypro_async.cli.batch.confirmation import Confirmation
from paypro_async.cli.batch.earlier import EarlierRuns
from paypro_async.cli.batch.failed_file import failed_file
from paypro_async.cli.batch.progress import Watcher, watching
from paypro_async.cli.batch.refusal import counted, refuse, refuse_before, show_alike, show_repeats
from paypro_async.cli.batch.result_file import ResultPlace
from paypro_async.cli.batch.screen import plan_as_data, plan_as_text
from paypro_async.cli.batch.summary import Summary
from paypro_async.cli.exits import Exit, explain, in_options
from paypro_async.cli.output import note, note_command, pasted, print_json, readable, same_command
from paypro_async.cli.signals import Stop
from paypro_async.cli.streams import failed_with, raw_text
from paypro_async.cli.worker.handing_out import HandingOut
from paypro_async.client import PayProClient
from paypro_async.errors import PayProError
from paypro_async.ledger.opening import LedgerUrl
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.report.batch_report import BatchReport

__all__ = ["Run", "pay", "preview"]


@frozen(kw_only=True)
class Run:
    """A checked file, and how to pay it and tell of it.

    Args:
        client: Not open yet.
        settings: Of the batch.
        result: Where the result file goes, or None.
        place: What stood there before, if it goes anywhere.
        to_stdout: Whether the result goes to standard output, where nothing else is printed then.
        earlier: What the ledger must know of.
        pay_again: Pay rows although the ledger holds the same under other numbers.
        skip_paid: Leave such rows out.
        paid_within: How old a payment of another, finished run may be and still speak against a row.
        ignore_balance: Pay although the balance is lower than the sum.
        confirmation: Who says yes, and to what.
        as_json: Print for programs.
        quiet: Show no progress.
        handing_out: How workers are given it, if they pay it.
    """

    client: PayProClient = field(repr=False)
    disbursement: Disbursement = field(repr=False)
    settings: BatchSettings
    result: Path | None
    place: ResultPlace | None
    to_stdout: bool
    earlier: EarlierRuns
    pay_again: bool
    skip_paid: bool
    paid_within: timedelta
    ignore_balance: bool
    confirmation: Confirmation
    as_json: bool
    quiet: bool
    handing_out: HandingOut | None = None

    @property
    def ask(self) -> bool:
        """Whether there is a person who can be asked."""
        return self.confirmation.ask

    @property
    def only_hands_out(self) -> bool:
        """Whether nothing more is wanted than that workers have it."""
        return self.handing_out is not None and self.handing_out.detach

    @property
    def leaves_out(self) -> bool:
        """Whether rows are left out that were paid before under other numbers."""
        return self.skip_paid and not self.pay_again

    def say(self, summary: Summary) -> None:
        """Print what it came to."""
        if self.as_json:
            print_json(summary.as_data())
        else:
            self.print(summary.as_text())

    def add_to_json(self, **known: int | None) -> None:
        """Let the one object of --json say more, however the run ends."""
        if self.as_json:
            print_json(known)

    def print(self, text: str) -> None:
        """Print what was found, beside the result if that is on standard output."""
        click.echo(text, err=self.to_stdout)

    async def refuse_forgetful(self) -> None:
        """Refuse a ledger that does not know what was sent in earlier runs; the client is open."""
        if isinstance(self.client.ledger, SqlLedger):
            await self.earlier.compare(self.client.ledger)

    async def look_back(self) -> Before:
        """What the ledger knows of the file."""
        before = await self.disbursement.look_back(paid_within=self.paid_within)
        self.add_to_json(known_before=before.known)
        return before

    def refused(self, before: Before) -> Exit | None:
        """Say what the ledger speaks against; None if the file may be paid.

        Args:
            before: What the ledger knows.
        """
        name = self.disbursement.name
        refused = refuse_before(name, before, pay_again=self.pay_again, skip_paid=self.skip_paid, as_json=self.as_json)
        if refused is not None or self.pay_again:
            return refused
        if self.skip_paid:
            if before.repeats:
                show_repeats(name, before.repeats)
                note(f"{counted(len(before.repeats), 'row')} left out, since the same was paid before.")
            return None
        if before.weak:
            show_repeats(name, before.weak)
            note(
                f"The same amount went to the same account before, by other runs, for "
                f"{counted(len(before.weak), 'row')}. --skip-paid leaves such rows out."
            )
        if before.alike:
            show_alike(before.alike)
        return self._refused_as_renamed(before)

    def _refused_as_renamed(self, before: Before) -> Exit | None:
        """Refuse, on a terminal, a file that was done with under another name: it may not be the one that is meant."""
        if not self.ask or self.confirmation.yes or not before.is_done_elsewhere(self.disbursement.name):
            return None
        name, accepted = self.disbursement.name, before.accepted
        message = (
            f"holds the same payouts as {accepted.sources[0]}, all of which have ended, {accepted.when}; nothing is "
            "left to pay. If that file was copied for a new month, change what is new in it. To pay it once more, "
            "say --run NAME and --pay-again; to see what became of it, say --yes"
        )
        problem = FileProblem(line=1, code="PAID_UNDER_ANOTHER_NAME", message=message)
        return refuse(name, [problem], as_json=self.as_json)

    async def funds(self, before: Before, stop: Stop) -> Funds | None:
        """The balance beside what is still to be paid; None if the run is stopped, or nobody wants to know."""
        if self.ignore_balance and not self.ask:
            return None
        question = self.disbursement.funds(before, skip_paid=self.leaves_out)
        asking, stopping = asyncio.ensure_future(question), asyncio.ensure_future(stop.wait())
        await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if asking.done():
            return await asking
        asking.cancel()
        return None

    def short(self, funds: Funds | None) -> Exit | None:
        """Refuse a balance that is too low; None if the run goes on."""
        if funds is None or self.ignore_balance:
            return None
        if funds.unknown is not None or funds.low:
            note(in_options(str(funds)))
        if not funds.low:
            return None
        note("Nothing was sent. Fill the account and run this again, or say --ignore-balance.")
        if self.as_json:
            found = {"stopped": "low_balance", "balance": str(funds.available), "to_pay": str(funds.needed)}
            print_json(found | {"currency": funds.currency})
        return Exit.SOME_FAILED

    async def agreed(self, before: Before, funds: Funds | None) -> Exit | None:
        """See that a second person has approved it, if that is required, and ask; None if the run goes on."""
        approvals = self.confirmation.approvals
        if approvals is not None:
            await approvals.check(self.client.ledger, self.earlier.merchant_no)
        if self.confirmation.agreed(before, funds, plan=self.disbursement.plan, skip_paid=self.leaves_out):
            return None
        if self.as_json:
            print_json({"valid": True, "agreed": False})
        return Exit.NOT_VALID


async def preview(run: Run, settings: Mapping[str, Any], *, look_back: bool, save_to: Path | None) -> int:
    """Say what would be paid, and send nothing.

    Args:
        run: What would be paid.
        settings: Of the client.
        look_back: Whether there is a ledger to look into.
        save_to: Where the plan is written, or None.
    """
    plan = run.disbursement.plan
    before = Before.of_nothing_known(plan)
    run.add_to_json(known_before=before.known)
    # Without its ledger the client makes none.
    async with run.client if look_back else PayProClient(**{**settings, "ledger": None}) as client:
        if look_back:
            await run.refuse_forgetful()
            before = await run.look_back()
        funds = await run.disbursement.funds(before, skip_paid=run.leaves_out, client=client)
    refused = run.refused(before)
    if refused is not None:
        return refused
    planned = plan_of(run.disbursement, before, funds, pay_again=run.pay_again, skip_paid=run.skip_paid)
    if funds.unknown is not None:
        note(in_options(str(funds)))
    if run.as_json:
        print_json(plan_as_data(planned, before, funds) | {"plan": str(save_to) if save_to else None})
    else:
        run.print(plan_as_text(planned, funds, run.disbursement.file.columns, new_ledger=not look_back))
    if save_to is not None:
        try:
            planned.save(save_to, replace=True)
        except OSError as error:
            note(f"The plan could not be written to {readable(save_to)}: {error.strerror}. Nothing was sent.")
            return Exit.UNEXPECTED
        note(f"The plan is {readable(save_to)}. Nothing was sent.")
        note_command("Pay it with:", f"paypro apply {pasted(save_to)}{_ledger_option(planned)}")
    else:
        note("The file is valid. Nothing was sent.")
    return Exit.OK


def _ledger_option(planned: PlanFile) -> str:
    """The option that names the plan's ledger, where the environment names another one."""
    named = os.environ.get("PAYPRO_LEDGER")
    file = LedgerUrl.read(named).file if named else None
    elsewhere = named and not (file is not None and str(file.resolve()) == planned.ledger)
    return f" --ledger {pasted(planned.ledger)}" if elsewhere and Path(planned.ledger).is_absolute() else ""


async def pay(run: Run) -> int:
    """Pay what is not paid yet, write the result file, say what it came to."""
    with Stop() as stop:
        async with run.client:
            await run.refuse_forgetful()
            before = await run.look_back()
            refused = run.refused(before)
            if refused is None and not stop:
                funds = await run.funds(before, stop)
                refused = run.short(funds)
                if refused is None and not stop:
                    refused = await run.agreed(before, funds)
            if refused is not None:
                return refused
            _continuing(run, before)
            if stop:
                note("Interrupted. Nothing was sent.")
                return Exit.INTERRUPTED
            report = await _pay(run, before, stop)
            try:
                whole, written = await _report(run)
            except PayProError as error:
                note(explain(error))
                return Exit.UNKNOWN_LEFT if any(one.uncertain for one in report.counts) else Exit.UNEXPECTED
            failed = await failed_file(run.disbursement, run.result, whole)
    summary = Summary(
        whole=whole,
        currency=run.disbursement.plan.currency,
        report=report,
        result=run.result if written else None,
        known=before.known,
        accepted=before.accepted,
        failed=failed,
    )
    run.say(summary)
    if run.disbursement.has_grown:
        note(f"{run.disbursement.name} has grown since it was read. What was added to it is not paid.")
    if summary.interrupted:
        note_command("Interrupted. Continue with:", same_command())
    return _code(run, summary, written=written)


def _code(run: Run, summary: Summary, *, written: bool) -> int:
    if run.only_hands_out and summary.report.stopped is None:
        return Exit.OK
    # What is known of the money comes first: a file that is missing must not hide that some of it is unknown.
    return Exit.UNEXPECTED if not written and summary.exit_code is Exit.OK else summary.exit_code


def _continuing(run: Run, before: Before) -> None:
    if before.known and not run.quiet:
        note(f"Continuing: {before.known:,} of {run.disbursement.plan.rows:,} rows are in the ledger already.")


async def _pay(run: Run, before: Before, stop: Stop) -> BatchReport:
    watcher = Watcher(run.disbursement.plan.rows, run.disbursement.plan.currency, known=before.known)
    # Until it is counted. An end that nobody foresaw must not say that nothing was sent.
    run.add_to_json(sent_now=None, failed=None)
    async with watching(watcher, quiet=run.quiet) as hide:
        if run.handing_out is not None:
            chosen = {"pay_again": run.pay_again, "skip_paid": run.skip_paid}
            return await run.handing_out.pay(run.disbursement, before, watcher, stop, settings=run.settings, **chosen)
        settings = run.settings | BatchSettings(on_progress=watcher)
        batch = await run.disbursement.start(before, pay_again=run.pay_again, skip_paid=run.skip_paid, **settings)
        watcher.trouble = lambda: batch.trouble
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


async def _report(run: Run) -> tuple[FileReport, bool]:
    """Count every row, and write it to the result file if one is wanted; whether nothing went wrong with that."""
    if run.place is not None and run.place.taken_meanwhile():
        note(
            "The result file was not written, since another program has put another file at "
            f"{readable(run.result)} meanwhile. The ledger has it all; run the command again with another --result."
        )
        return await run.disbursement.report(), False
    try:
        return await (_report_on_stdout(run) if run.to_stdout else run.disbursement.report(run.result)), True
    except OSError as error:
        note(f"The result file could not be written: {error.strerror}. The ledger has it all; run the command again.")
        return await run.disbursement.report(), False


async def _report_on_stdout(run: Run) -> FileReport:
    with raw_text(sys.stdout) as text:
        report = await run.disbursement.report(text)
    error = failed_with(sys.stdout)
    # Who reads only the beginning has all that was wanted.
    if error is not None and not isinstance(error, BrokenPipeError):
        raise error
    return report
