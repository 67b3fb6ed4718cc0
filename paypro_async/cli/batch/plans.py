"""``paypro plan``, ``paypro apply`` and ``paypro approve``: what will be paid is reviewed, by one person or by two."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from paypro_async._core.money import amount_for_people
from paypro_async.bulk import PayoutFileError, PlanFile
from paypro_async.bulk.approval import approve as sign
from paypro_async.cli.batch.command import NOTHING_SENT, pay_file
from paypro_async.cli.batch.options import (
    FILE,
    file_options,
    guard_options,
    ledger_look_options,
    limit,
    pay_options,
    platform_file_options,
)
from paypro_async.cli.batch.questions import asked, can_ask
from paypro_async.cli.batch.refusal import counted, refuse
from paypro_async.cli.exits import Exit
from paypro_async.cli.output import note, print_json, readable, say
from paypro_async.cli.places import refuse_path
from paypro_async.settings import secret_from

__all__ = ["apply", "approve", "plan", "plan_beside", "planned_file"]

_PLAN = click.Path(exists=True, dir_okay=False, path_type=Path)
_SECRET = "PAYPRO_APPROVAL_SECRET"  # noqa: S105  its name
# What only a payment has.
_UNPAID: dict[str, Any] = {
    "wait": False,
    "wait_timeout": None,
    "result": None,
    "replace_result": True,
    "yes": False,
    "expect_total": None,
    "expect_rows": None,
    "require_approval": False,
    "ignore_balance": True,
    "no_stop_rules": False,
    "quiet": True,
    "dry_run": True,
}


def plan_beside(file: Path) -> Path:
    """Where the plan of a file goes if nothing else is said."""
    return file.with_name(f"{file.name}.plan.json")


@click.command(short_help="Show what a file would pay, and keep that as a plan.")
@click.argument("file", type=FILE)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The plan.  [default: FILE.plan.json]"
)
@click.option("--max-amount", metavar="SUM", callback=limit, help="Refuse a file with a larger payout.")
@click.option("--max-total", metavar="SUM", callback=limit, help="Refuse a file that comes to more.")
@ledger_look_options
@file_options
@click.option("--json", "as_json", is_flag=True, help="Print what would be paid as one JSON object.")
@platform_file_options
def plan(file: Path, ledger: str | None, output: Path | None, **options: Any) -> int:
    """Check a FILE whole, look every row up in the ledger, ask for the balance, and write a plan. Nothing is sent.

    The plan can be read: the content of the file as a digest, trade numbers, rows, sum, ledger and environment. It
    holds no secret and no account number. 'paypro apply' pays exactly that, or refuses.
    """
    if str(file) == "-":
        raise click.UsageError(
            "What was planned is read again when it is paid, so a plan is made of a file. Nothing was sent. Save the "
            "payouts as a file first, or see what they would pay with: paypro batch - --dry-run"
        )
    place = output or plan_beside(file)
    if place.exists():
        try:
            PlanFile.load(place)
        except PayoutFileError:
            message = f"{readable(place)} is there, and is no plan that was left as it was; it was not replaced."
            raise click.UsageError(f"{message} Nothing was sent. Name another one with -o.") from None
    refuse_path(place, frozenset({file.resolve()}), replace=True)
    return pay_file(file, ledger, {**_UNPAID, **options, "plan_path": place})


@click.command(short_help="Pay exactly what a plan says.")
@click.argument("plan", type=_PLAN)
@click.option("--file", type=_PLAN, help="Where the file of payouts is now.  [default: as the plan has it]")
@click.option("--approval", type=_PLAN, multiple=True, help="An approval.  [default: those beside PLAN]")
@guard_options
@pay_options
@ledger_look_options
@platform_file_options
def apply(plan: Path, ledger: str | None, file: Path | None, **options: Any) -> int:
    """Pay what PLAN says, each row at most once; refuse if the file, the ledger or the account is another one.

    It asks once whether the sum is meant; where nobody can be asked, say --yes, or --expect-total and --expect-rows.
    The same command again, after a crash or Ctrl-C, continues and pays nothing twice. Exit codes are those of 'paypro
    batch'.
    """
    try:
        planned = PlanFile.load(plan)
    except PayoutFileError as error:
        if options["as_json"]:
            print_json(NOTHING_SENT)
        return refuse(readable(plan), error.problems, as_json=options["as_json"])
    path = file or planned_file(planned, plan)
    read = {
        "run": planned.run,
        "file_complete": planned.complete,
        "columns": dict(planned.columns),
        "sheet": planned.sheet,
        "dry_run": False,
        "pay_again": options["pay_again"] or planned.pay_again,
        "skip_paid": options["skip_paid"] or planned.skip_paid,
    }
    return pay_file(path, ledger or _ledger_of(planned), {**options, **read, "plan": plan}, planned=planned)


@click.command(short_help="Approve a plan, as its second person.")
@click.argument("plan", type=_PLAN)
@click.option("--by", required=True, metavar="NAME", help="Who approves it.")
@click.option("--yes", is_flag=True, help="Approve without a question.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="[default: beside PLAN, with the name]"
)
def approve(plan: Path, by: str, output: Path | None, *, yes: bool) -> int:
    """Approve PLAN: sign all that it says with your secret (PAYPRO_APPROVAL_SECRET or PAYPRO_APPROVAL_SECRET_FILE).

    The approval is a file of its own. 'paypro apply PLAN --require-approval' finds it beside the plan, and keeps it in
    the ledger. It sends nothing and needs no access to PayPro.
    """
    try:
        planned = PlanFile.load(plan)
    except PayoutFileError as error:
        return refuse(readable(plan), error.problems, as_json=False)
    secret = secret_from(os.environ, _SECRET)
    if not secret:
        raise click.UsageError(
            f"With which secret? Set {_SECRET}_FILE to a file that only you can read. Nothing was approved."
        )
    name = "".join(one if one.isalnum() else "-" for one in by.strip().lower())
    place = output or plan.with_name(f"{plan.stem}.approval-{name}.json")
    refuse_path(place, frozenset({plan.resolve(), planned.path}), replace=True)
    approval = sign(planned, by=by, secret=secret, at=datetime.now(UTC))
    total = f"{amount_for_people(planned.to_pay, planned.currency)} {planned.currency}"
    of_all = f" (of {planned.rows:,} in the file)" if planned.rows != planned.to_pay_rows else ""
    about = f"{counted(planned.to_pay_rows, 'payout')}{of_all}, {total}, planned by {readable(planned.made_by)}"
    if not yes:
        if not can_ask():
            raise click.UsageError(f"Are {about} approved? Nobody can be asked here; say --yes. Nothing was approved.")
        note(f"Approve {about}?")
        if asked("Type yes").strip().lower() != "yes":
            note("Nothing was approved.")
            return Exit.NOT_VALID
    approval.save(place, replace=True)
    say(f"Approved by {readable(approval.by)}: {about}. The approval is {readable(place)}.")
    return Exit.OK


def planned_file(planned: PlanFile, plan: Path) -> Path:
    """The file of payouts: where it was planned, or beside the plan, if both were moved together."""
    beside = plan.absolute().parent / planned.path.name
    for path in (planned.path, beside):
        if path.is_file():
            return path
    raise click.UsageError(
        f"The planned file, {readable(planned.path)}, is not there. Nothing was sent. Say with --file where it is."
    )


def _ledger_of(planned: PlanFile) -> str | None:
    """That of the environment, or the one that the plan was made for, if it is a file."""
    if os.environ.get("PAYPRO_LEDGER") or not Path(planned.ledger).is_absolute():
        return None
    return planned.ledger
