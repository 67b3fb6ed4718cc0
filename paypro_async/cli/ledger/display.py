"""What the reading commands about a ledger show, as values and as tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from attrs import asdict

from paypro_async.cli.ledger.options import print_table, readable

if TYPE_CHECKING:
    from paypro_async.ledger.admin.records import Attention, BatchState, Record, Totals

__all__ = ["masked", "print_list", "print_overview", "print_record", "totals_as_json"]

MEANING = {
    "new": "nothing of it is out; it may be sent",
    "sending": "unknown: it may have been sent",
    "processing": "accepted by the platform, not yet paid",
    "succeeded": "paid",
    "failed": "not paid",
    "reversed": "paid and taken back",
    "review": "only a person can decide",
}


def masked(record: "Record") -> dict[str, Any]:
    """All of a payout, its personal values masked."""
    from paypro_async._core.beneficiary import beneficiary_of, without_personal_values

    found = asdict(record)
    content = found.pop("content")
    found["message"] = without_personal_values(record.message, record.region, content)
    found["beneficiary"] = beneficiary_of(record.region, content) or None
    return found


def totals_as_json(totals: "Totals") -> list[dict[str, Any]]:
    """By state in the order of a payout's life. Amounts are text, since a float would round them."""
    return [
        {
            "state": state,
            "currency": currency,
            "payouts": totals.counts[state, currency],
            "amount": str(totals.amounts[state, currency]),
        }
        for state, currency in sorted(totals.counts, key=_order)
    ]


def print_overview(
    about: dict[str, Any], totals: "Totals", attention: "Attention", batches: "list[BatchState]"
) -> None:
    """The ledger at one glance."""
    click.echo(f"Ledger {about['ledger']}, schema version {about['schema_version']}")
    for merchant in about["merchants"]:
        click.echo(f"Merchant {readable(merchant['merchant_no'])} on {readable(merchant['environment'])}")
    if about["asks_first_since"]:
        click.echo(f"It asks the platform before it sends, since {about['asks_first_since']}: it was restored.")
    elif about["suspicion"]:
        click.echo(f"It looks like a restored backup: {about['suspicion']}. Who pays from it will ask first.")
    rows = [
        (
            one["state"],
            f"{one['payouts']:,}",
            f"{totals.amounts[key]:,}",
            one["currency"],
            MEANING.get(one["state"], "?"),
        )
        for one in totals_as_json(totals)
        for key in [(one["state"], one["currency"])]
    ]
    print_table(["state", "payouts", "amount", "currency", "meaning"], rows, numbers=["payouts", "amount"])
    if totals.unreadable:
        click.echo(f"{totals.unreadable:,} amounts cannot be read and are in no sum; run 'paypro ledger check'.")
    if attention.count:
        click.echo(f"Look into these {attention.count:,}, the first of them shown:")
        print_list(attention.first)
    else:
        click.echo("No payout waits for a person or has been unknown for long.")
    if batches:
        _print_batches(batches)


def print_list(records: "Sequence[Record]") -> None:
    """A line for each payout."""
    rows = [
        (one.trade_no, one.state, one.amount, one.currency, one.attempt, one.code, one.batch_id, one.updated_at)
        for one in records
    ]
    names = ["trade_no", "state", "amount", "currency", "attempt", "code", "batch", "changed"]
    print_table(names, rows, numbers=["amount", "attempt"])


def print_record(record: dict[str, Any]) -> None:
    """All of one payout."""
    click.echo(f"{readable(record['trade_no'])}: {record['state']} ({MEANING.get(record['state'], '?')})")
    beneficiary = record["beneficiary"] or {"beneficiary": "erased"}
    for name, value in (record | beneficiary).items():
        if (value is not None and name not in ("trade_no", "state", "beneficiary")) or value == "erased":
            click.echo(f"  {name.replace('_', ' ')}: {readable(value)}")


def _order(key: tuple[str, str]) -> tuple[int, str, str]:
    states = list(MEANING)
    return (states.index(key[0]) if key[0] in states else len(states), *key)


def _print_batches(batches: "list[BatchState]") -> None:
    runs = [
        (
            one.batch_id,
            one.source,
            one.total,
            one.claimed,
            one.final,
            one.created_at,
            one.ended_at or "runs, or was cut off",
        )
        for one in batches
    ]
    names = ["batch", "source", "rows", "in the ledger", "final", "begun", "ended"]
    print_table(names, runs, numbers=["rows", "in the ledger", "final"])
