"""The commands of ``paypro ledger`` that show payouts. They work while others pay, and write nothing."""

import asyncio
from datetime import UTC, tzinfo
from typing import Any

import click
from attrs import asdict

from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import State
from paypro_async._core.plain_data import plain
from paypro_async.cli.exits import Exit
from paypro_async.cli.ledger.display import (
    masked,
    print_history,
    print_kept,
    print_list,
    print_overview,
    print_parked,
    print_records,
    status_of,
    totals_as_json,
)
from paypro_async.cli.ledger.options import (
    json_option,
    merchant_option,
    open_to,
    span,
    span_options,
    state_option,
    the_merchant,
    zone_of,
)
from paypro_async.cli.options import NumberRange, ledger_option
from paypro_async.cli.output import note, print_json, readable
from paypro_async.cli.retries import retries_in
from paypro_async.cli.tabular import on_screen
from paypro_async.ledger.admin import records
from paypro_async.ledger.sql.ledger import SqlLedger

__all__ = ["history", "show"]

_SHOWN = 50
_MOST_PARKED = 100_000
_UTC = click.option("--utc", is_flag=True, help="Show times in UTC, and not in the region's time.")


@click.command(short_help="Show the ledger at a glance, a list, or payouts.")
@click.argument("trade_no", nargs=-1)
@state_option("List payouts in this state; may be repeated.")
@click.option("--batch", metavar="ID", help="List payouts of this batch.")
@span_options
@click.option("--limit", type=click.IntRange(1, 5000), default=_SHOWN, show_default=True, help="How many are listed.")
@click.option("--after", metavar="TRADE_NO", default="", help="Begin the list behind this trade number.")
@click.option(
    "--settle-after",
    type=NumberRange(0),
    default=60.0,
    show_default=True,
    metavar="S",
    help="Seconds after which an unknown payout is worth a look.",
)
@_UTC
@ledger_option
@merchant_option
@json_option
def show(trade_no: tuple[str, ...], ledger: str | None, merchant: str | None, **options: Any) -> int | None:
    """Show the ledger at a glance; with TRADE_NO, all of those payouts; with --state, --batch or --since, a list.

    Times are those of the region, as days are. Where standard output is no terminal, values stand between tabs.
    """
    return asyncio.run(_show(trade_no, ledger, merchant, **options))


@click.command(short_help="Show every step of a payout.")
@click.argument("trade_no")
@_UTC
@ledger_option
@merchant_option
@json_option
def history(trade_no: str, ledger: str | None, merchant: str | None, utc: bool, as_json: bool) -> int | None:
    """Show every step of a payout: when, by what cause, and who decided why."""
    return asyncio.run(_history(trade_no, ledger, merchant, utc=utc, as_json=as_json))


async def _show(
    numbers: tuple[str, ...],
    url: str | None,
    merchant: str | None,
    *,
    states: frozenset[State],
    batch: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    after: str,
    settle_after: float,
    utc: bool,
    as_json: bool,
) -> int | None:
    async with open_to(url, "read") as ledger:
        merchant_no = await the_merchant(ledger, merchant)
        zone = await zone_of(ledger, merchant_no)
        first, end = span(since, until, zone)
        if first and end and first >= end:
            raise click.UsageError(f"No time is both since {since} and until {until}; give the earlier one as --since.")
        shown = UTC if utc else zone
        if numbers:
            return await _show_these(ledger, merchant_no, numbers, zone=shown, as_json=as_json)
        which = records.Which(merchant_no=merchant_no, states=states, batch_id=batch, since=first, until=end)
        if after or which != records.Which(merchant_no=merchant_no):
            await _show_list(ledger, which, after=after, limit=limit, zone=shown, as_json=as_json)
        else:
            await _show_all(ledger, merchant_no, settle_after=settle_after, zone=shown, as_json=as_json)
    return None


async def _show_these(
    ledger: SqlLedger, merchant_no: str, numbers: tuple[str, ...], *, zone: tzinfo, as_json: bool
) -> int | None:
    found = [masked(record) for record in await records.find(ledger, merchant_no, numbers)]
    failed = [record["trade_no"] for record in found if record["state"] is ItemStatus.FAILED]
    since = await retries_in(ledger, merchant_no, failed)
    for record in found:
        retry = since.get(record["trade_no"])
        record["retry"] = {"trade_no": retry.trade_no, "status": retry.status} if retry else None
        if retry:
            record["what_to_do"] = retry.what_to_do
    parked = await ledger.parked(merchant_no, limit=_MOST_PARKED)
    missing = [one for one in numbers if one not in {record["trade_no"] for record in found}]
    if as_json:
        held = {one.trade_no: one for one in parked}
        payouts = [record | {"parked": plain(held.get(record["trade_no"]))} for record in found]
        unknown = {"kind": "not_in_ledger", "message": " ".join(_missing(ledger, merchant_no, one) for one in missing)}
        print_json({"payouts": payouts, "missing": missing} | (unknown if missing else {}))
    else:
        print_records(found, zone=zone, as_table=not on_screen())
        print_parked([one for one in parked if one.trade_no in numbers], zone=zone)
    for one in missing:
        note(_missing(ledger, merchant_no, one))
    return Exit.UNEXPECTED if missing else None


def _missing(ledger: SqlLedger, merchant_no: str, trade_no: str) -> str:
    return f"The ledger {ledger.name} holds no payout {readable(trade_no)} of merchant {merchant_no or '(none)'}."


async def _show_list(
    ledger: SqlLedger, which: records.Which, *, after: str, limit: int, zone: tzinfo, as_json: bool
) -> None:
    found = await records.page(ledger, which, after=after, limit=limit + 1)
    shown = found[:limit]
    behind = shown[-1].trade_no if len(found) > limit else None
    if as_json:
        print_json({"payouts": [masked(record) for record in shown], "after": behind})
        return
    if not shown:
        note("No payouts match.")
    print_list(shown, zone=zone)
    if behind is not None:
        note(f"There are more: --after {behind}")


async def _show_all(ledger: SqlLedger, merchant_no: str, *, settle_after: float, zone: tzinfo, as_json: bool) -> None:
    since = ledger.restored_since
    about = {
        "ledger": ledger.name,
        "schema_version": await records.version(ledger),
        "merchants": [
            {"merchant_no": one.merchant_no, "environment": one.environment}
            for one in await ledger.merchants()
            if one.merchant_no == merchant_no
        ],
        "asks_first_since": since.isoformat(timespec="seconds") if since else None,
        "suspicion": ledger.suspicion,
        "planned": await records.planned_count(ledger, merchant_no),
    }
    totals = await records.totals(ledger, records.Which(merchant_no=merchant_no))
    attention = await records.attention(ledger, merchant_no, settle_after=settle_after)
    batches = await records.batches(ledger, merchant_no)
    parked, kept = await ledger.parked(merchant_no), await ledger.kept_callbacks(merchant_no, limit=_SHOWN)
    if not as_json:
        print_overview(about, totals, attention, batches, zone=zone)
        print_parked(parked, zone=zone)
        print_kept(kept, zone=zone)
        return
    look = {"count": attention.count, "first": [masked(record) for record in attention.first]}
    counted = {"states": totals_as_json(totals), "unreadable_amounts": totals.unreadable}
    listening = {"parked": plain(parked), "kept_callbacks": plain(kept)}
    print_json(about | counted | {"attention": look, "batches": [asdict(one) for one in batches]} | listening)


async def _history(trade_no: str, url: str | None, merchant: str | None, *, utc: bool, as_json: bool) -> int | None:
    async with open_to(url, "read") as ledger:
        merchant_no = await the_merchant(ledger, merchant)
        zone = UTC if utc else await zone_of(ledger, merchant_no)
        steps = [
            step | {name: step[name] and status_of(step[name]) for name in ("from", "to")}
            for step in await records.history(ledger, merchant_no, trade_no)
        ]
    if not steps:
        missing = _missing(ledger, merchant_no, trade_no)
        note(missing)
        if as_json:
            print_json({"trade_no": trade_no, "steps": [], "kind": "not_in_ledger", "message": missing})
        return Exit.UNEXPECTED
    if as_json:
        print_json({"trade_no": trade_no, "steps": steps})
    else:
        print_history(steps, zone=zone)
    return None
