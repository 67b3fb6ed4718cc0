"""What the reading commands about a ledger show, as values and as tables."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import click
from attrs import asdict

from paypro_async._core.beneficiary import beneficiary_of, without_personal_values
from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import State
from paypro_async.cli.output import print_table, readable
from paypro_async.ledger import KeptCallback
from paypro_async.ledger.admin.records import Attention, BatchState, Record, Totals, shown_state
from paypro_async.ledger.outbox import Parked

__all__ = [
    "masked",
    "print_kept",
    "print_list",
    "print_overview",
    "print_parked",
    "print_record",
    "status_of",
    "totals_as_json",
]

_STATES = frozenset(State)
_ORDER = list(ItemStatus)


def status_of(stored: str) -> str:
    """A state in the words of users; what is no state, in a ledger that is damaged, as it stands."""
    return ItemStatus.of(State(stored)) if stored in _STATES else stored


def masked(record: Record) -> dict[str, Any]:
    """All of a payout, its personal values masked."""
    found = asdict(record)
    content = found.pop("content")
    found["state"] = status_of(shown_state(record))
    found["message"] = without_personal_values(record.message, record.region, content)
    found["beneficiary"] = beneficiary_of(record.region, content) or None
    return found


def totals_as_json(totals: Totals) -> list[dict[str, Any]]:
    """By status, as it is everywhere ordered. Amounts are text, since a float would round them."""
    counts, amounts = totals.tally.counts, totals.tally.amounts
    return [
        {
            "state": status_of(state),
            "currency": currency,
            "payouts": counts[state, currency],
            "amount": str(amounts[state, currency]),
        }
        for state, currency in sorted(counts, key=_order)
    ]


def print_overview(about: dict[str, Any], totals: Totals, attention: Attention, batches: list[BatchState]) -> None:
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
            f"{Decimal(one['amount']):,}",
            one["currency"],
            _meaning(one["state"]),
        )
        for one in totals_as_json(totals)
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


def print_list(records: Sequence[Record]) -> None:
    """A line for each payout."""
    rows = [
        (
            one.trade_no,
            status_of(shown_state(one)),
            one.amount,
            one.currency,
            one.attempt,
            one.code,
            one.batch_id,
            one.updated_at,
        )
        for one in records
    ]
    names = ["trade_no", "state", "amount", "currency", "attempt", "code", "batch", "changed"]
    print_table(names, rows, numbers=["amount", "attempt"])


def print_record(record: dict[str, Any]) -> None:
    """All of one payout."""
    click.echo(f"{readable(record['trade_no'])}: {record['state']} ({_meaning(record['state'])})")
    beneficiary = record["beneficiary"] or {"beneficiary": "erased"}
    for name, value in (record | beneficiary).items():
        if (value is not None and name not in ("trade_no", "state", "beneficiary")) or value == "erased":
            click.echo(f"  {name.replace('_', ' ')}: {readable(value)}")


def print_parked(parked: Sequence[Parked]) -> None:
    """Changes that their handler has refused too often."""
    if not parked:
        return
    click.echo("Changes that their handler would not take; 'paypro ledger release TRADE_NO' lets them be told again:")
    rows = [(one.trade_no, one.consumer, one.tries, one.error, one.behind, _seconds(one.parked_at)) for one in parked]
    print_table(["trade_no", "consumer", "tries", "error", "behind", "parked"], rows, numbers=["tries", "behind"])


def print_kept(kept: Sequence[KeptCallback]) -> None:
    """Genuine callbacks that changed nothing."""
    if not kept:
        return
    click.echo("Callbacks that changed nothing here, the latest first (of another ledger, or of the collection side?):")
    rows = [(one.trade_no, one.why, one.status, one.amount, one.count, _seconds(one.last_at)) for one in kept]
    print_table(["trade_no", "why", "status", "amount", "came", "last"], rows, numbers=["amount", "came"])


def _seconds(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _meaning(status: str) -> str:
    return ItemStatus(status).meaning if status in _ORDER else "?"


def _order(key: tuple[str, str]) -> tuple[int, str, str]:
    status = status_of(key[0])
    return (_ORDER.index(ItemStatus(status)) if status in _ORDER else len(_ORDER), *key)


def _print_batches(batches: list[BatchState]) -> None:
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
