"""The commands of ``paypro ledger`` about those who listen to changes, and what they would not take."""

import asyncio
from typing import Any

import click

from paypro_async.cli.exits import Exit
from paypro_async.cli.ledger.options import json_option, merchant_option, open_to, the_merchant
from paypro_async.cli.options import ledger_option
from paypro_async.cli.output import note, print_json, readable, say
from paypro_async.cli.tabular import Column, print_table
from paypro_async.ledger.admin import listeners

__all__ = ["consumers", "release"]


@click.command(short_help="Show who listens to changes, and how far each has come.")
@ledger_option
@merchant_option
@json_option
def consumers(ledger: str | None, merchant: str | None, as_json: bool) -> None:
    """Show who listens to changes (on_change), how far each has come, and what waits or is parked."""
    asyncio.run(_consumers(ledger, merchant, as_json=as_json))


@click.command(short_help="Let a change be told again that its handler has refused too often.")
@click.argument("trade_no", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every change that is parked.")
@click.option("--consumer", metavar="NAME", help="Those of this consumer alone.")
@ledger_option
@merchant_option
@json_option
def release(
    trade_no: tuple[str, ...],
    everything: bool,
    consumer: str | None,
    ledger: str | None,
    merchant: str | None,
    as_json: bool,
) -> int | None:
    """Let the parked change of a payout be told again, with all its tries. It touches no payment.

    A change is parked when its handler has failed with it too often; the later ones of the same payout wait behind it.
    """
    if everything is bool(trade_no):
        raise click.UsageError("Give the trade numbers, or --all.")
    return asyncio.run(_release(trade_no, consumer, ledger, merchant, as_json=as_json))


async def _consumers(url: str | None, merchant: str | None, *, as_json: bool) -> None:
    async with open_to(url, "read") as ledger:
        found = await listeners.consumers(ledger, await the_merchant(ledger, merchant))
    if as_json:
        print_json({"consumers": [one.to_dict() for one in found]})
    elif not found:
        say("Nobody listens to changes.")
    else:
        counted = [Column(name, right=True, label=name) for name in ("position", "behind", "waiting", "parked")]
        columns = [Column("consumer", least=12), *counted, Column("oldest", label="oldest")]
        rows = [(one.name, one.position, one.behind, one.waiting, one.parked, one.oldest) for one in found]
        print_table(columns, rows)


async def _release(
    numbers: tuple[str, ...], consumer: str | None, url: str | None, merchant: str | None, *, as_json: bool
) -> int | None:
    released: dict[str, int] = {}
    async with open_to(url, "maintain") as ledger:
        merchant_no = await the_merchant(ledger, merchant)
        parked = await listeners.parked_numbers(ledger, merchant_no, consumer)
        for one in numbers or parked:
            released[one] = await ledger.release(merchant_no, one, consumer=consumer)
    none: list[Any] = [one for one, count in released.items() if not count]
    count = sum(released.values())
    if as_json:
        print_json({"released": count, "not_parked": none})
    else:
        say(f"{count:,} {'change is' if count == 1 else 'changes are'} told again.")
    for one in none:
        note(f"No change of payout {readable(one)} is parked.")
    return Exit.UNEXPECTED if none else None
