"""``paypro reconcile``: ask about everything that is open, from cron. It moves no money."""

import asyncio
import re
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import click

from paypro_async._core.items import ItemStatus
from paypro_async.cli.exits import Exit, in_options
from paypro_async.cli.options import (
    NumberRange,
    account_options,
    client_settings,
    ledger_option,
    ledger_url,
    rate_option,
)
from paypro_async.cli.output import note, print_json, readable, say
from paypro_async.cli.signals import Stop
from paypro_async.client import PayProClient
from paypro_async.engine.limits import RECORDING_SECONDS
from paypro_async.errors import ConfigurationError
from paypro_async.tracking.reconcile_report import ReconcileReport

__all__ = ["reconcile"]

_SPAN = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_CALL_SECONDS = 30.0  # as a client has it by default
_LEAST = 0.01  # seconds: a run without time tells that it had none
_UNITS = (("d", 86_400), ("h", 3600), ("min", 60))


def _span(_context: click.Context, _parameter: click.Parameter, text: str) -> timedelta:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no span of time (90s, 10m, 24h, 7d).")
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


@click.command(short_help="Ask PayPro about all that is not final yet.")
@click.option(
    "--older-than",
    default="0s",
    show_default=True,
    metavar="AGE",
    callback=_span,
    help="Pass over payouts whose last attempt is younger: 90s, 10m, 24h, 7d.",
)
@click.option(
    "--deadline",
    type=NumberRange(0, min_open=True),
    metavar="S",
    help="Seconds for everything; a ledger that does not answer has five at least.",
)
@rate_option("Questions a second at most, for all who reconcile with this ledger together.")
@click.option("--concurrency", type=click.IntRange(1, 1000), default=20, show_default=True, help="Questions at a time.")
@click.option(
    "--overdue-after",
    default="24h",
    show_default=True,
    metavar="AGE",
    callback=_span,
    help="After so long a payout that is still processing wants attention.",
)
@click.option("--wait", is_flag=True, help="Wait for the settle window of payouts that were sent just now.")
@ledger_option
@account_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def reconcile(
    older_than: timedelta,
    deadline: float | None,
    rate: float | None,
    concurrency: int,
    overdue_after: timedelta,
    wait: bool,
    ledger: str | None,
    as_json: bool,
    **account: Any,
) -> int:
    """Ask the platform about every payout in the ledger that is not final, and store what it says. Sends nothing.

    For cron: it is bounded by --deadline and goes on there the next time, and it may run beside payouts, batches and
    another reconciliation.

    Exit code 0 if nothing is left unknown, 6 if a payout is missing at the platform or has been processing for too
    long, 5 if some are unknown, wait for a person or had no answer, or if the time was over before all were asked.
    """
    asking = {
        "older_than": older_than,
        "deadline": deadline,
        "rate": rate,
        "concurrency": concurrency,
        "overdue_after": overdue_after,
        "wait": wait,
    }
    report = asyncio.run(_run(ledger, account, asking))
    if report is None:
        note("Interrupted. What was learned until then is stored; run the same command again.")
        return Exit.INTERRUPTED
    code = _code_of(report)
    if as_json:
        about = {"exit_code": code, "message": code.meaning} if code is not Exit.OK else {}
        print_json(report.to_dict() | about)
    else:
        _print(report)
    return code


def _code_of(report: ReconcileReport) -> Exit:
    if report.missing or report.overdue:
        return Exit.OVERDUE
    return Exit.OK if report.ok else Exit.UNKNOWN_LEFT


async def _run(ledger: str | None, account: dict[str, Any], asking: dict[str, Any]) -> ReconcileReport | None:
    """The report; None if a signal ended it."""
    url = ledger_url(ledger)
    if url is None:
        raise ConfigurationError(
            "No ledger is named, so there is nothing to ask about. Give --ledger payouts.db, or set PAYPRO_LEDGER."
        )
    if url.in_memory:
        raise ConfigurationError("A ledger in memory is empty when a command begins, so there is nothing to ask about.")
    if url.file is not None and not url.file.exists():
        raise ConfigurationError(f"There is no ledger {url.file}, so there is nothing to ask about.")
    settings, deadline, began = client_settings(ledger=url.url, **account), asking["deadline"], time.monotonic()
    if deadline is not None:
        # For as long as one call may take the client waits for its ledger, also when it opens it.
        settings["timeout"] = min(settings.get("timeout", _CALL_SECONDS), max(deadline, RECORDING_SECONDS))
    with Stop() as stop:
        async with PayProClient(**settings) as client:
            if deadline is not None:
                asking["deadline"] = max(_LEAST, deadline - (time.monotonic() - began))
            running, stopping = asyncio.ensure_future(client.reconcile(**asking)), asyncio.ensure_future(stop.wait())
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if running.done():
                return running.result()
            running.cancel()
            await asyncio.wait({running})
    return None


def _print(report: ReconcileReport) -> None:
    say(f"{report.checked:,} asked about in {report.elapsed:.1f} s.")
    for (before, after), count in report.changed.items():
        say(f"  {count:,}: {before.value} -> {after.value}")
    for count, words in (
        (report.missing, "MISSING: the platform had accepted them and now knows no such order. Ask PayPro."),
        (report.overdue, "OVERDUE: processing for longer than they should be. Ask PayPro."),
        (report.review, "wait for a person; see 'paypro ledger show --state review' and 'paypro ledger decide'."),
        (report.still_unknown, "are unknown: money may have moved. They are asked about again the next time."),
        (report.absent, "of them never arrived, as the platform says: the same number may be paid again."),
        (report.unanswered, "had no usable answer, and stay what they were."),
    ):
        if count:
            say(f"{count:,} {words}")
    for why, count in report.reasons.items():
        say(f"  {count:,}: {in_options(why)}")
    if report.open:
        oldest = report.longest_open[0]
        say(f"Open: {_listed(report.open)}; the oldest is {readable(oldest.trade_no)}, for {_words(oldest.age)}.")
    if report.passed_over:
        passed_over = sum(report.passed_over.values())
        say(f"{passed_over:,} younger than --older-than, not asked about: {_listed(report.passed_over)}.")
    if not report.ended:
        say("The time was over before all were asked about; the next run goes on there.")
    elif report.ok and not report.passed_over:
        say("Nothing is unknown, missing, overdue or waiting for a person.")
    elif report.ok and report.checked:
        say("Of those that were asked about, none is unknown, missing, overdue or waiting for a person.")


def _listed(counts: Mapping[ItemStatus, int]) -> str:
    return ", ".join(f"{count:,} {status.value}" for status, count in counts.items())


def _words(age: float) -> str:
    for name, seconds in _UNITS:
        if age >= 2 * seconds:
            return f"{age / seconds:.0f} {name}"
    return f"{max(0.0, age):.0f} s"
