"""The commands of ``paypro ledger`` for a person who has looked a payout up: decide about it, or hold it."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from paypro_async._core.report import ItemStatus
from paypro_async._core.transitions import Decision
from paypro_async.cli.exits import Exit
from paypro_async.cli.ledger.options import json_option, merchant_option, open_to, run_async, the_merchant
from paypro_async.cli.options import ledger_option
from paypro_async.cli.output import print_json, readable
from paypro_async.ledger import changes

__all__ = ["decide", "hold"]

C = TypeVar("C", bound=Callable[..., Any])


def _person_options(command: C) -> C:
    for option in (
        click.option(
            "--settle-after",
            type=click.FloatRange(0),
            default=60.0,
            show_default=True,
            metavar="S",
            envvar="PAYPRO_SETTLE_AFTER",
            help="Seconds for which an attempt may still be on its way.",
        ),
        click.option("--note", "why", required=True, metavar="TEXT", help="Why; it stays in the payout's history."),
        click.option("--by", required=True, metavar="NAME", help="Who decides; it stays in the payout's history."),
        json_option,
        merchant_option,
        ledger_option,
    ):
        command = option(command)
    return command


@click.command(short_help="Store what a person found out about a payout.")
@click.argument("trade_no")
@click.argument("decision", type=click.Choice(["paid", "not-paid", "processing", "pay-again", "reversed"]))
@_person_options
def decide(trade_no: str, decision: str, **options: Any) -> int:
    """Store what a person found out about a payout, having looked it up in PayPro's dashboard. Nothing is sent.

    \b
    paid        it was paid
    not-paid    it was not paid and must not be: it ends as failed
    processing  the platform works on it
    pay-again   it was not paid and shall be: the same payout once more sends it
    reversed    it was paid and came back

    A payout that waits for a person allows all but the last; one that succeeded allows that. For others, `hold` first.
    """  # noqa: D301  click wants the character itself, which a raw string cannot hold
    return run_async(_decide(trade_no, decision, **options))


@click.command()
@click.argument("trade_no")
@_person_options
def hold(trade_no: str, **options: Any) -> int:
    """Send nothing more for a payout until a person has decided."""
    return run_async(_decide(trade_no, "hold", **options))


async def _decide(
    trade_no: str,
    decision: str,
    *,
    by: str,
    why: str,
    settle_after: float,
    ledger: str | None,
    merchant: str | None,
    as_json: bool,
) -> int:
    async with open_to(ledger, "maintain") as opened:
        merchant_no = await the_merchant(opened, merchant)
        choice = Decision(decision)
        entry = await changes.decide(opened, merchant_no, trade_no, choice, by=by, note=why, settle_after=settle_after)
    status = ItemStatus.of(entry.state)
    if as_json:
        print_json({"trade_no": entry.trade_no, "state": status, "attempt": entry.attempt})
    else:
        click.echo(f"{entry.trade_no}: {status}, as {readable(by)} decided.")
    return Exit.OK
