"""``paypro batch``: the options, and the file before anything is sent."""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from paypro_async._core.stopping import StopRules
from paypro_async.bulk import BatchSettings, Disbursement, PayoutFileError
from paypro_async.cli.batch.earlier import EarlierRuns
from paypro_async.cli.batch.questions import agreed, can_ask
from paypro_async.cli.batch.refusal import counted, refuse
from paypro_async.cli.batch.result_file import ResultPlace, result_beside
from paypro_async.cli.batch.run import Run, pay, preview
from paypro_async.cli.options import (
    LEDGER_EXAMPLE,
    NumberRange,
    account_options,
    client_settings,
    files_of_ledger,
    ledger_option,
    ledger_url,
    payout_options,
    rate_option,
)
from paypro_async.cli.output import note, readable
from paypro_async.cli.places import refuse_path
from paypro_async.client import PayProClient
from paypro_async.ledger.opening import LedgerUrl
from paypro_async.settings import slips

__all__ = ["batch"]

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
_RUN = "A name mixed into the trade numbers that are made; with --pay-again it pays the same file a second time."
_RULES = (
    "Go on in spite of bad credentials, too low a balance, or many payouts in a row that are unknown or cannot be sent."
)
_WITHIN = "Show rows whose amount another, finished run paid to the same account within so many days."
_COMPLETE = "FILE is whole, although its last line has no end, or another program has it open for writing."
_NEW = "The ledger is meant to know nothing of the earlier runs whose results are there."
_ADOPT = "Take an order of the same amount for the row's own, though its first attempt was refused as a duplicate."
_REPLACE = "Replace the file where the result goes, although it is no result of FILE."
_SHOWN = 10
_Seconds = NumberRange(0, min_open=True)
_Days = NumberRange(0, 36_525)


@click.command(short_help="Pay every row of a CSV file, each at most once.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@ledger_option
@click.option("--concurrency", default=20, show_default=True, type=click.IntRange(1), help="Payouts at one time.")
@rate_option("Payouts a second at most.")
@click.option("--settle-after", type=_Seconds, metavar="S", help='Seconds until "no such order" is believed.')
@click.option("--request-timeout", type=_Seconds, metavar="S", help="Seconds for one exchange with the platform.")
@click.option("--timeout", type=_Seconds, metavar="S", help="Seconds for one payout in all.")
@click.option("--max-attempts", type=click.IntRange(1), metavar="N", help="How often one payout may be sent.")
@click.option(
    "--resend",
    type=click.Choice(["after_settle", "never"]),
    help="What never arrived is sent again, or is left to a person.  [default: after_settle]",
)
@click.option(
    "--result",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="- is standard output.  [default: beside FILE, as NAME.result.csv]",
)
@click.option("--replace-result", is_flag=True, help=_REPLACE)
@click.option("--adopt-duplicates", is_flag=True, default=None, help=_ADOPT)
@click.option("--dry-run", is_flag=True, help="Check the file and send nothing.")
@click.option("--refresh", is_flag=True, help="Ask for news of rows that are processing.")
@click.option("--wait", is_flag=True, help="End only when every row is final, or waits for a person.")
@click.option("--wait-timeout", type=_Seconds, metavar="S", help="Seconds to wait for that at most.  [default: 3600]")
@click.option("--pay-again", is_flag=True, help="Pay rows although the ledger holds the same under other numbers.")
@click.option("--skip-paid", is_flag=True, help="Leave such rows out, and pay the others.")
@click.option("--paid-within", default=35.0, show_default=True, type=_Days, metavar="DAYS", help=_WITHIN)
@click.option("--ignore-balance", is_flag=True, help="Pay although the balance is lower than the sum still to be paid.")
@click.option("--run", metavar="NAME", help=_RUN)
@click.option("--file-complete", is_flag=True, help=_COMPLETE)
@click.option("--new-ledger", is_flag=True, help=_NEW)
@click.option("--no-stop-rules", is_flag=True, help=_RULES)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@payout_options
@account_options
def batch(file: Path, ledger: str | None, **options: Any) -> int:
    """Pay every row of a CSV FILE (- for standard input), each at most once.

    The whole file is checked first: if a row is wrong, all wrong rows are listed and nothing is sent. The same command
    again, after a crash or Ctrl-C, continues and pays nothing twice.

    \b
    Exit codes:
      0  all rows are accepted or paid       4  some rows failed or were not sent
         (with --wait: all are paid)         5  unknown outcomes are left (with --wait:
      1  something unexpected                   or rows are still processing)
      2  wrong usage or settings           130  interrupted
      3  the file is not valid; nothing was sent
    """  # noqa: D301  click wants the character itself, which a raw string cannot hold
    if options["wait_timeout"] is None:
        del options["wait_timeout"]
    elif not options["wait"]:
        raise click.UsageError("--wait-timeout says how long --wait waits; give --wait too.")
    url = _ledger(ledger)
    given = options.pop("result")
    to_stdout = str(given) == "-"
    if to_stdout and options["as_json"]:
        raise click.UsageError("The result and the summary as JSON cannot both be standard output; name a result file.")
    result = None if to_stdout else _result(file, given, url)
    # aiohttp carries several times what httpx does; PAYPRO_TRANSPORT says otherwise.
    settings = {"transport": "aiohttp"} | client_settings(
        ledger=url.url, **{name: options.pop(name) for name in _SETTINGS}
    )
    try:
        return _run(file, settings, ledger=url, result=result, to_stdout=to_stdout, **options)
    except PayoutFileError as error:
        return refuse(_name(file), error.problems, as_json=options["as_json"])


def _run(
    path: Path,
    settings: dict[str, Any],
    *,
    ledger: LedgerUrl,
    result: Path | None,
    to_stdout: bool,
    run: str | None,
    dry_run: bool,
    pay_again: bool,
    skip_paid: bool,
    paid_within: float,
    ignore_balance: bool,
    file_complete: bool,
    new_ledger: bool,
    replace_result: bool,
    as_json: bool,
    quiet: bool,
    no_stop_rules: bool,
    **options: Any,
) -> int:
    """Read, check, pay. Everything that can be refused is refused before the first payout."""
    client = PayProClient(**settings, max_connections=max(100, options["concurrency"]))
    source = sys.stdin.buffer if str(path) == "-" else path
    # On a terminal it is asked below, about a file in which nothing else is wrong.
    complete = file_complete or (can_ask() and str(path) != "-")
    with Disbursement(client, source, name=_name(path), run=run, complete=complete) as disbursement:
        if not file_complete and not _is_whole(disbursement):
            return refuse(disbursement.name, disbursement.file.incomplete, as_json=as_json)
        _notices(disbursement)
        ask = can_ask() and str(path) != "-"
        place = None if result is None else ResultPlace.look(result, path, disbursement.plan)
        merchant_no = settings["merchant_no"]
        earlier = EarlierRuns.of(merchant_no, path, None if replace_result else result, disbursement.file)
        checked = Run(
            client=client,
            disbursement=disbursement,
            settings=BatchSettings(stop=StopRules.off() if no_stop_rules else StopRules(), **options),  # type: ignore[typeddict-item]  # click has checked them
            result=result,
            place=place,
            to_stdout=to_stdout,
            earlier=EarlierRuns(merchant_no=merchant_no) if new_ledger else earlier,
            pay_again=pay_again,
            skip_paid=skip_paid,
            paid_within=timedelta(days=paid_within),
            ignore_balance=ignore_balance or no_stop_rules,
            ask=ask,
            as_json=as_json,
            quiet=quiet,
        )
        # A preview makes no ledger.
        known = ledger.file is None or ledger.file.exists()
        if ledger.file is not None and not known:
            checked.earlier.refuse_missing(ledger.file)
        if place is not None and not replace_result:
            place.refuse_foreign(ask=ask and not dry_run)
        return asyncio.run(preview(checked, look_back=known) if dry_run else pay(checked))


def _is_whole(disbursement: Disbursement) -> bool:
    if not disbursement.file.incomplete:
        return True
    for problem in disbursement.file.incomplete:
        note(f"{disbursement.name}:{problem.line}: {problem}")
    plan = disbursement.plan
    return agreed(f"Is it whole, with {counted(plan.rows, 'payout')}, {plan.total:,.2f} {plan.currency} in all?")


def _notices(disbursement: Disbursement) -> None:
    plan, columns = disbursement.plan, disbursement.file.columns
    if columns.results:
        note(f"{disbursement.name} is a result file: its rows keep their trade numbers, so what is paid stays paid.")
    if columns.others:
        note(f"Columns that are no fields of a payout, carried through: {', '.join(map(repr, columns.others))}.")
    if plan.with_decimals:
        have = "1 row has an amount" if plan.with_decimals == 1 else f"{plan.with_decimals:,} rows have amounts"
        note(f"{have} with decimals, which the platform advises against.")
    if plan.identical:
        note(_identical(plan.identical))
    if plan.alike:
        differ = f"{_rows(plan.alike)} a trade number that differs from that of an earlier row only by case, zeros or"
        note(f"{differ} number format: {_lines(plan.alike)}. They are two payouts.")


def _identical(lines: tuple[int, ...]) -> str:
    same = "(same amount, same beneficiary)"
    if len(lines) == 1:
        return f"1 row repeats an earlier row {same}: {_lines(lines)}. Both will be paid."
    return f"{len(lines):,} rows repeat earlier rows {same}: {_lines(lines)}. All of them will be paid."


def _rows(lines: tuple[int, ...]) -> str:
    return "1 row has" if len(lines) == 1 else f"{len(lines):,} rows have each"


def _lines(lines: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, lines[:_SHOWN])) + (f" and {len(lines) - _SHOWN:,} more" if len(lines) > _SHOWN else "")
    return f"line {shown}" if len(lines) == 1 else f"lines {shown}"


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
