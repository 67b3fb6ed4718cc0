"""``paypro batch``: the file before anything is sent, and how it is handed on to be paid."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from attrs import field, frozen

from paypro_async._core.stopping import StopRules
from paypro_async.bulk import BatchSettings, Before, Disbursement, FileProblem, PaymentLimits, PayoutFileError, PlanFile
from paypro_async.bulk.plan_file import looks_like_a_plan
from paypro_async.bulk.steps import plan_of
from paypro_async.cli.batch.confirmation import Approvals, Confirmation, KeptApproval
from paypro_async.cli.batch.earlier import EarlierRuns
from paypro_async.cli.batch.notices import tell_of, told_while_reading
from paypro_async.cli.batch.options import (
    FILE,
    approval_required,
    file_options,
    guard_options,
    ledger_look_options,
    limit,
    pay_options,
    platform_file_options,
)
from paypro_async.cli.batch.questions import can_ask
from paypro_async.cli.batch.refusal import refuse
from paypro_async.cli.batch.result_file import ResultPlace, result_beside
from paypro_async.cli.batch.run import Run, pay, preview
from paypro_async.cli.options import LEDGER_EXAMPLE, client_settings, files_of_ledger, ledger_url
from paypro_async.cli.output import note, pasted, print_json, readable
from paypro_async.cli.places import refuse_path
from paypro_async.cli.worker.handing_out import HandingOut
from paypro_async.client import PayProClient
from paypro_async.ledger.opening import LedgerUrl
from paypro_async.settings import slips

__all__ = ["NOTHING_SENT", "Wish", "batch", "pay_file", "taken_settings"]

_SETTINGS = (
    "base_url",
    "merchant_no",
    "region",
    "environment",
    "ip_address",
    "notify_url",
    "settle_after",
    "request_timeout",
    "resend",
    "allow_plain_http",
    "adopt_duplicates",
)
NOTHING_SENT: Mapping[str, int | None] = {"sent_now": 0, "known_before": None, "failed": 0}
"""What the object of --json says until the first row is sent."""

_LIMITS = ("max_amount", "max_total", "expect_total", "expect_rows")
_WISHES = (
    "run",
    "dry_run",
    "pay_again",
    "skip_paid",
    "paid_within",
    "ignore_balance",
    "file_complete",
    "new_ledger",
    "replace_result",
    "as_json",
    "quiet",
    "no_stop_rules",
    "plan_path",
    "columns",
    "sheet",
    "workers",
    "queue",
    "detach",
    "shard_size",
)


@click.command(short_help="Pay every row of a file, each at most once.")
@click.argument("file", type=FILE)
@guard_options
@click.option("--dry-run", is_flag=True, help="Show what would be paid, and send nothing.")
@pay_options
@ledger_look_options
@file_options
@platform_file_options
def batch(file: Path, ledger: str | None, **options: Any) -> int:
    """Pay every row of a FILE (- for standard input), each at most once: plan and apply in one.

    The whole file is checked first: if a row is wrong, all wrong rows are listed and nothing is sent. Then it is asked
    once whether the sum is meant; where nobody can be asked, --yes or --expect-total and --expect-rows say so. The same
    command again, after a crash or Ctrl-C, continues and pays nothing twice.

    \b
    Exit codes:
        0  all rows are accepted or paid (with --wait: all are paid)
        1  something unexpected
        2  wrong usage or settings, or nobody said yes; nothing was sent
        3  the file was refused; nothing was sent
        4  some rows failed or were not sent
        5  unknown outcomes are left (with --wait: or rows are still processing)
      130  interrupted
    """  # noqa: D301  click wants the character itself, which a raw string cannot hold
    return pay_file(file, ledger, options)


def pay_file(
    path: Path,
    ledger: str | None,
    options: dict[str, Any],
    *,
    planned: PlanFile | None = None,
    begun: str | None = None,
) -> int:
    """Check a file, ask, and pay it.

    Args:
        path: The file, or - for standard input.
        ledger: What --ledger says.
        options: Of the command line: those of :mod:`paypro_async.cli.batch.options`.
        planned: What was reviewed, if it is a plan that is paid.
        begun: The batch that was agreed to when its run began, which this one continues.
    """
    if planned is None and begun is None and str(path) != "-" and looks_like_a_plan(path):
        raise click.UsageError(
            f"{readable(path)} is a plan, not a file of payouts. Nothing was sent. Pay what it says with: paypro apply "
            f"{pasted(path)}"
        )
    if options["wait_timeout"] is None:
        del options["wait_timeout"]
    elif not options["wait"]:
        raise click.UsageError("--wait-timeout says how long --wait waits; give --wait too.")
    url = _ledger(ledger)
    given = options.pop("result")
    to_stdout = str(given) == "-"
    if to_stdout and options["as_json"]:
        raise click.UsageError("The result and the summary as JSON cannot both be standard output; name a result file.")
    if options["as_json"]:
        print_json(NOTHING_SENT)
    confirmation = _confirmation(path, options, planned, begun=begun)
    wish = Wish(
        path=path,
        ledger=url,
        result=None if to_stdout else _result(path, given, url),
        to_stdout=to_stdout,
        settings=taken_settings(url, options),
        planned=planned,
        confirmation=confirmation,
        **{name: options.pop(name) for name in _WISHES if name in options},
        batch=options,
    )
    try:
        return _run(wish)
    except PayoutFileError as error:
        return refuse(_name(path), error.problems, as_json=wish.as_json)


def taken_settings(ledger: LedgerUrl, options: dict[str, Any]) -> dict[str, Any]:
    """The client's arguments, which are taken out of the *options*."""
    given = {name: options.pop(name) for name in _SETTINGS if name in options}
    # aiohttp carries several times what httpx does; PAYPRO_TRANSPORT says otherwise.
    return {"transport": "aiohttp"} | client_settings(ledger=ledger.url, **given)


def _confirmation(path: Path, options: dict[str, Any], planned: PlanFile | None, *, begun: str | None) -> Confirmation:
    given = {name: options.pop(name) for name in _LIMITS}
    if begun:  # What a machine allows holds for a run that goes on, too.
        given |= {one.name: limit(None, one, None) for one in batch.params if one.name in ("max_amount", "max_total")}
    limits = PaymentLimits(**given)
    approvals, plan = tuple(options.pop("approval", ())), options.pop("plan", None)
    required = (options.pop("require_approval") or bool(begun and approval_required())) and not options["dry_run"]
    if required and not begun and (planned is None or plan is None):
        raise click.UsageError(
            "An approval is of a plan. Nothing was sent. Make one with 'paypro plan', have it approved with 'paypro "
            "approve', and pay it with 'paypro apply'."
        )
    return Confirmation(
        yes=options.pop("yes"),
        begun=begun,
        ask=can_ask() and str(path) != "-",
        limits=limits,
        approvals=_approvals(planned, plan, approvals, begun) if required else None,
    )


def _approvals(
    planned: PlanFile | None, plan: Path | None, given: Sequence[Path], begun: str | None
) -> Approvals | KeptApproval | None:
    if planned is not None and plan is not None:
        return Approvals.beside(planned, plan, given)
    return KeptApproval(batch_id=begun) if begun else None


@frozen(kw_only=True)
class Wish:
    """What the command line asks for.

    Args:
        path: The file; *ledger*, where payouts are remembered; *settings*, of the client; *batch*, of the batch.
        result: Where the result file goes, or None; *to_stdout*, whether to standard output.
        planned: What was reviewed, if it is a plan that is paid.
        confirmation: Who says yes.
    """

    path: Path
    ledger: LedgerUrl
    settings: dict[str, Any] = field(repr=False)
    result: Path | None = None
    to_stdout: bool = False
    planned: PlanFile | None = field(default=None, repr=False)
    plan_path: Path | None = None
    confirmation: Confirmation
    run: str | None = None
    dry_run: bool = False
    pay_again: bool = False
    skip_paid: bool = False
    paid_within: float
    ignore_balance: bool = False
    file_complete: bool = False
    new_ledger: bool = False
    replace_result: bool = False
    as_json: bool = False
    quiet: bool = False
    no_stop_rules: bool = False
    columns: dict[str, str] = field(factory=dict)
    sheet: str | None = None
    workers: bool = False
    queue: str = "paypro"
    detach: bool = False
    shard_size: int = 250
    batch: dict[str, Any] = field(factory=dict)

    @property
    def name(self) -> str:
        """What the ledger calls the file."""
        return self.planned.name if self.planned else _name(self.path)


def _run(wish: Wish) -> int:
    """Read, check, pay. Everything that can be refused is refused before the first payout."""
    client = PayProClient(**wish.settings, max_connections=max(100, wish.batch.get("concurrency", 0)))
    source = sys.stdin.buffer if str(wish.path) == "-" else wish.path
    # Where a person is asked, that is a part of what is asked.
    complete = wish.file_complete or (wish.confirmation.asks and not wish.dry_run)
    planning = wish.plan_path is not None
    with told_while_reading(wish.name):
        disbursement = Disbursement(
            client,
            source,
            name=wish.name,
            run=wish.run,
            # What a plan is paid by is what was looked at, and a file that has grown since is another one.
            complete=complete or planning,
            columns=wish.columns,
            sheet=wish.sheet,
        )
    with disbursement:
        tell_of(disbursement, whole=wish.file_complete)
        if planning and not complete and (open_yet := _open_for_writing(disbursement)):
            return refuse(disbursement.name, open_yet, as_json=wish.as_json)
        if refused := _refused(wish, disbursement):
            return refused
        if not wish.dry_run:
            wish.confirmation.refuse_unasked(disbursement.plan)
        return _go(wish, client, disbursement)


def _open_for_writing(disbursement: Disbursement) -> list[FileProblem]:
    return [one for one in disbursement.file.incomplete if one.code == "FILE_OPEN"]


def _refused(wish: Wish, disbursement: Disbursement) -> int | None:
    """Refuse what is not as it was planned, or goes beyond its limits."""
    problems = (
        () if wish.planned is None else wish.planned.differences(plan_of(disbursement, Before(), None, with_rows=False))
    )
    problems += wish.confirmation.limits.problems(disbursement.plan)
    return refuse(disbursement.name, problems, as_json=wish.as_json) if problems else None


def _place(wish: Wish, disbursement: Disbursement) -> ResultPlace | None:
    if wish.result is None:
        return None
    return ResultPlace.look(wish.result, wish.path, disbursement.plan, disbursement.file.columns)


def _go(wish: Wish, client: PayProClient, disbursement: Disbursement) -> int:
    place = None if wish.result is None else _place(wish, disbursement)
    merchant_no = wish.settings["merchant_no"]
    earlier = EarlierRuns.of(merchant_no, wish.path, None if wish.replace_result else wish.result, disbursement.file)
    stop = StopRules.off() if wish.no_stop_rules else StopRules()
    checked = Run(
        client=client,
        disbursement=disbursement,
        settings=BatchSettings(stop=stop, **wish.batch),  # type: ignore[typeddict-item]  # click has checked them
        result=wish.result,
        place=place,
        to_stdout=wish.to_stdout,
        earlier=EarlierRuns(merchant_no=merchant_no) if wish.new_ledger else earlier,
        pay_again=wish.pay_again,
        skip_paid=wish.skip_paid,
        paid_within=timedelta(days=wish.paid_within),
        ignore_balance=wish.ignore_balance or wish.no_stop_rules,
        confirmation=wish.confirmation,
        as_json=wish.as_json,
        quiet=wish.quiet,
        handing_out=_handing_out(wish),
    )
    # A preview makes no ledger.
    known = wish.ledger.file is None or wish.ledger.file.exists()
    if wish.ledger.file is not None and not known:
        checked.earlier.refuse_missing(wish.ledger.file)
    if place is not None and not wish.replace_result:
        place.refuse_foreign(ask=checked.ask and not wish.dry_run)
    if wish.dry_run:
        return asyncio.run(preview(checked, wish.settings, look_back=known, save_to=wish.plan_path))
    return asyncio.run(pay(checked))


def _handing_out(wish: Wish) -> HandingOut | None:
    if not wish.workers:
        if wish.detach:
            raise click.UsageError("--detach leaves a file to workers; give --workers too. Nothing was sent.")
        return None
    return HandingOut.of(wish.ledger, queue=wish.queue, shard_size=wish.shard_size, detach=wish.detach)


def _name(path: Path) -> str:
    return "<standard input>" if str(path) == "-" else readable(path)


def _ledger(given: str | None) -> LedgerUrl:
    url = ledger_url(given)
    if url is None:
        raise click.UsageError(
            f"Where are payouts remembered? Give --ledger {LEDGER_EXAMPLE}, or PAYPRO_LEDGER.{slips(os.environ)}"
        )
    if url.in_memory:
        raise click.UsageError(f"A ledger in memory forgets in a crash what was paid. Give --ledger {LEDGER_EXAMPLE}.")
    return url


def _result(source: Path, given: Path | None, ledger: LedgerUrl) -> Path | None:
    """Where the result goes; refused now if it could not be written later."""
    if given is None and str(source) == "-":
        note("No result file, since the payouts come from standard input; --result names one.")
        return None
    path = given or result_beside(source)
    refuse_path(path, files_of_ledger(ledger) | {source.resolve()}, replace=True)
    return path
