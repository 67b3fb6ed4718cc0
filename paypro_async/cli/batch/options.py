"""The options of the commands that read files of payouts and pay them."""

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import click

from paypro_async._core.money import parse_amount
from paypro_async.cli.options import (
    NumberRange,
    account_options,
    ledger_option,
    payout_options,
    queue_option,
    rate_option,
)

__all__ = [
    "FILE",
    "approval_required",
    "file_options",
    "guard_options",
    "ledger_look_options",
    "limit",
    "pay_options",
    "platform_file_options",
]

C = TypeVar("C", bound=Callable[..., Any])

FILE: click.Path = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
"""A file of payouts, or - for standard input."""

_RUN = "A name of the run: the same file under another name has other trade numbers, and is another run."
_RULES = (
    "Go on in spite of bad credentials, too low a balance, or many payouts in a row that are unknown or cannot be sent."
)
_WITHIN = "Show rows whose amount another, finished run paid to the same account within so many days."
_COMPLETE = "FILE is whole, although its last line has no end, or another program has it open for writing."
_NEW = "The ledger is meant to know nothing of the earlier runs whose results are there."
_ADOPT = "Take an order of the same amount for the row's own, though its first attempt was refused as a duplicate."
_REPLACE = "Replace the file where the result goes, although it is no result of FILE."
_MAP = 'The field of a column that is called otherwise, as "Konto=bank_number"; "Konto=" if it is none. Repeatable.'
_YES = "Pay without a question, also what is seldom meant and was asked about."
_REQUIRE = "PAYPRO_REQUIRE_APPROVAL"
_TRUTHS = {"1": True, "yes": True, "true": True, "on": True, "0": False, "no": False, "false": False, "off": False}
_Seconds = NumberRange(0, min_open=True)
_Days = NumberRange(0, 36_525)


def _all(*options: Callable[[C], C]) -> Callable[[C], C]:
    """One decorator of several, whose help stands in this order."""

    def add(command: C) -> C:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _mapped(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in given:
        # The name of a field has no such sign; that of a column may.
        column, sign, field = one.rpartition("=")
        if not sign or not column.strip():
            raise click.BadParameter(f'{one!r} must be COLUMN=FIELD, such as "Konto=bank_number".')
        found[column.strip()] = field.strip()
    return found


def limit(_context: click.Context | None, parameter: click.Parameter, given: str | None) -> Decimal | None:
    """An amount above zero, as it was given or as the variable of the option says, which counts also if it is empty."""
    name = (parameter.name or "").upper()
    text = os.environ.get(f"PAYPRO_{name}") if given is None and name.startswith("MAX_") else given
    if text is None:
        return None
    amount = parse_amount(text)
    if amount is None or amount <= 0:
        where = parameter.opts[0] if given is not None else f"PAYPRO_{name}"
        raise click.UsageError(
            f"{where} is {text!r}, which is no amount above zero. Nothing was sent. Give a plain number such as 23200 "
            "or 23200.50, in major units" + ("." if given is not None else ", or unset it.")
        )
    return amount


def approval_required() -> bool:
    """Whether the machine wants a second person's approval of whatever is paid."""
    text = os.environ.get(_REQUIRE)
    if text is not None and text.strip().lower() not in _TRUTHS:
        raise click.UsageError(f"{_REQUIRE} is {text!r}, which is neither 1 nor 0. Nothing was sent. Set one of these.")
    return text is not None and _TRUTHS[text.strip().lower()]


def _approval(_context: click.Context, _parameter: click.Parameter, given: bool) -> bool:
    return given or approval_required()


def file_options(command: C) -> C:
    """Adds how FILE is read."""
    return _all(
        click.option("--run", metavar="NAME", help=_RUN),
        click.option("--file-complete", is_flag=True, help=_COMPLETE),
        click.option("--map", "columns", multiple=True, metavar="COLUMN=FIELD", callback=_mapped, help=_MAP),
        click.option("--sheet", metavar="NAME", help="The sheet of a workbook, if several hold payouts."),
    )(command)


def ledger_look_options(command: C) -> C:
    """Adds what is made of payments that the ledger holds already."""
    return _all(
        click.option("--pay-again", is_flag=True, help="Pay rows although the ledger holds the same elsewhere."),
        click.option("--skip-paid", is_flag=True, help="Leave such rows out, and pay the others."),
        click.option("--paid-within", default=35.0, show_default=True, type=_Days, metavar="DAYS", help=_WITHIN),
        click.option("--new-ledger", is_flag=True, help=_NEW),
    )(command)


def guard_options(command: C) -> C:
    """Adds what stands between a file and its payment."""
    return _all(
        click.option("--yes", is_flag=True, help=_YES),
        click.option(
            "--expect-total", metavar="SUM", callback=limit, help="Pay only if the file comes to exactly this sum."
        ),
        click.option("--expect-rows", type=click.IntRange(1), metavar="N", help="Pay only if it has so many payouts."),
        click.option(
            "--max-amount",
            metavar="SUM",
            callback=limit,
            help="Refuse a file with a larger payout.  [default: PAYPRO_MAX_AMOUNT]",
        ),
        click.option(
            "--max-total",
            metavar="SUM",
            callback=limit,
            help="Refuse a file that comes to more.  [default: PAYPRO_MAX_TOTAL]",
        ),
        click.option(
            "--require-approval",
            is_flag=True,
            callback=_approval,
            help="Pay only a plan that a second person approved.  [default: PAYPRO_REQUIRE_APPROVAL]",
        ),
        click.option(
            "--ignore-balance", is_flag=True, help="Pay although the balance is lower than the sum still to be paid."
        ),
    )(command)


_SHARD = "Rows that one worker takes at a time."


def pay_options(command: C) -> C:
    """Adds how it is paid, and where the result goes."""
    return _all(
        click.option("--concurrency", default=20, show_default=True, type=click.IntRange(1), help="Payouts at a time."),
        rate_option("Payouts a second at most."),
        click.option("--settle-after", type=_Seconds, metavar="S", help='Seconds until "no such order" is believed.'),
        click.option("--request-timeout", type=_Seconds, metavar="S", help="Seconds for one exchange."),
        click.option("--timeout", type=_Seconds, metavar="S", help="Seconds for one payout in all."),
        click.option("--max-attempts", type=click.IntRange(1), metavar="N", help="How often one may be sent."),
        click.option(
            "--resend",
            type=click.Choice(["after_settle", "never"]),
            help="What never arrived is sent again, or is left to a person.  [default: after_settle]",
        ),
        click.option(
            "--result",
            type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
            help="- is standard output.  [default: beside FILE, as NAME.result.csv, .xlsx or .jsonl]",
        ),
        click.option("--replace-result", is_flag=True, help=_REPLACE),
        click.option("--adopt-duplicates", is_flag=True, default=None, help=_ADOPT),
        click.option("--refresh", is_flag=True, help="Ask for news of rows that are processing."),
        click.option("--wait", is_flag=True, help="End only when every row is final, or waits for a person."),
        click.option("--wait-timeout", type=_Seconds, metavar="S", help="Seconds for that.  [default: 3600]"),
        click.option("--no-stop-rules", is_flag=True, help=_RULES),
        click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object."),
        click.option("--quiet", is_flag=True, help="Show no progress."),
        click.option("--workers", is_flag=True, help="Have it paid by 'paypro worker' processes, and follow that."),
        click.option("--detach", is_flag=True, help="With --workers: end once it is handed out."),
        queue_option,
        click.option("--shard-size", default=250, show_default=True, type=click.IntRange(1, 10_000), help=_SHARD),
    )(command)


def platform_file_options(command: C) -> C:
    """Adds the ledger, the platform and the account."""
    return _all(ledger_option, payout_options, account_options)(command)
