"""What the reading commands about a ledger show, as values and as tables."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from attrs import asdict

from paypro_async._core.beneficiary import BENEFICIARY_FIELDS, beneficiary_of, without_personal_values
from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import State
from paypro_async.cli.output import readable
from paypro_async.cli.tabular import Cell, Column, amount_cell, print_lines, print_table, time_cell
from paypro_async.ledger import KeptCallback
from paypro_async.ledger.admin.records import COLUMNS, Attention, BatchState, Record, Totals, shown_state
from paypro_async.ledger.outbox import Parked
from paypro_async.ledger.shared import BatchStatus

__all__ = [
    "masked",
    "print_batches",
    "print_history",
    "print_kept",
    "print_list",
    "print_overview",
    "print_parked",
    "print_records",
    "print_totals",
    "status_of",
    "totals_as_json",
]

_STATES = frozenset(State)
_ORDER = list(ItemStatus)
_LABEL = 16
_RUN = {
    BatchStatus.IMPORTING.value: "is imported for workers",
    BatchStatus.READY.value: "workers pay it",
    BatchStatus.PAUSED.value: "its workers are paused",
    BatchStatus.CANCELLED.value: "was cancelled",
}
_TOLD = {
    "amount": "amount",
    "name": "name",
    "bank_number": "account",
    "bank_code": "bank code",
    "mobile": "mobile",
    "email": "e-mail",
    "remark": "remark",
    "utr": "UTR",
    "platform_trade_no": "PayPro's number",
    "code": "code",
    "message": "message",
    "created_at": "begun",
    "sent_at": "last sent",
    "updated_at": "changed",
    "batch_id": "batch",
}


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


def print_overview(
    about: dict[str, Any], totals: Totals, attention: Attention, batches: Sequence[BatchState], *, zone: tzinfo
) -> None:
    """The ledger at one glance."""
    print_lines(f"Ledger {readable(about['ledger'])}, schema version {about['schema_version']}")
    for merchant in about["merchants"]:
        print_lines(f"Merchant {readable(merchant['merchant_no'])} on {readable(merchant['environment'])}")
    if about["asks_first_since"]:
        print_lines(f"It asks the platform before it sends, since {about['asks_first_since']}: it was restored.")
    elif about["suspicion"]:
        print_lines(f"It looks like a restored backup: {about['suspicion']}. Who pays from it will ask first.")
    print_totals(totals)
    if about["planned"]:
        print_lines(f"{about['planned']:,} more are planned for workers, and not begun.")
    if totals.unreadable:
        print_lines(f"{totals.unreadable:,} amounts cannot be read and are in no sum; run 'paypro ledger check'.")
    if attention.count:
        print_lines(f"Look into these {attention.count:,}, the first of them shown:")
        print_list(attention.first, zone=zone)
    else:
        print_lines("No payout waits for a person or has been unknown for long.")
    if batches:
        print_batches(batches, zone=zone)


def print_totals(totals: Totals) -> None:
    """How many payouts and how much money, by status."""
    columns = [
        Column("state"),
        Column("payouts", right=True),
        Column("amount", right=True),
        Column("currency"),
        Column("meaning", least=16),
    ]
    rows = [
        (
            one["state"],
            Cell(f"{one['payouts']:,}", str(one["payouts"])),
            amount_cell(one["amount"], one["currency"]),
            one["currency"],
            _meaning(one["state"]),
        )
        for one in totals_as_json(totals)
    ]
    print_table(columns, rows)


def print_list(records: Sequence[Record], *, zone: tzinfo) -> None:
    """A payout for each row."""
    columns = [
        Column("trade_no"),
        Column("state"),
        Column("amount", right=True),
        Column("currency"),
        Column("name"),
        Column("code", label="code"),
        Column("utr", label="UTR"),
        Column(f"changed ({_zone_name(zone)})", label="changed"),
    ]
    rows = [
        (
            one.trade_no,
            status_of(shown_state(one)),
            amount_cell(one.amount, one.currency),
            one.currency,
            beneficiary_of(one.region, one.content).get("name"),
            one.code,
            one.utr,
            time_cell(one.updated_at, zone),
        )
        for one in records
    ]
    print_table(columns, rows)


def print_records(records: Sequence[dict[str, Any]], *, zone: tzinfo, as_table: bool) -> None:
    """All of some payouts: one below the other for people, with what to do; as a table for programs."""
    if as_table:
        flat = [one | (one["beneficiary"] or {}) for one in records]
        names = [*COLUMNS, *BENEFICIARY_FIELDS]
        print_table([*map(Column, names)], [[_plain(name, one, zone) for name in names] for one in flat])
        return
    for record in records:
        _print_record(record, zone)


def print_history(steps: Sequence[dict[str, Any]], *, zone: tzinfo) -> None:
    """Every step of a payout."""
    columns = [
        Column(f"at ({_zone_name(zone)})"),
        Column("from"),
        Column("to"),
        Column("cause"),
        Column("attempt", right=True, label="attempt"),
        Column("code", label="code"),
        Column("by", least=8, label="by"),
        Column("note", least=16),
    ]
    rows = [
        (
            time_cell(one["at"], zone),
            *(one[name] for name in ("from", "to", "cause", "attempt", "code", "by", "note")),
        )
        for one in steps
    ]
    print_table(columns, rows)


def print_parked(parked: Sequence[Parked], *, zone: tzinfo) -> None:
    """Changes that their handler has refused too often."""
    if not parked:
        return
    print_lines("Changes that their handler would not take; 'paypro ledger release TRADE_NO' lets them be told again:")
    columns = [
        Column("trade_no"),
        Column("consumer", least=8),
        Column("tries", right=True, label="tries"),
        Column("error", least=16),
        Column("behind", right=True, label="behind"),
        Column(f"parked ({_zone_name(zone)})", label="parked"),
    ]
    rows = [
        (one.trade_no, one.consumer, one.tries, one.error, one.behind, time_cell(one.parked_at, zone)) for one in parked
    ]
    print_table(columns, rows)


def print_kept(kept: Sequence[KeptCallback], *, zone: tzinfo) -> None:
    """Genuine callbacks that changed nothing."""
    if not kept:
        return
    print_lines(
        "Callbacks that changed nothing here, the latest first (of another ledger, or of the collection side?):"
    )
    columns = [
        Column("trade_no"),
        Column("why", least=12),
        Column("status"),
        Column("amount", right=True),
        Column("came", right=True, label="came"),
        Column(f"last ({_zone_name(zone)})", label="last"),
    ]
    rows = [(one.trade_no, one.why, one.status, one.amount, one.count, time_cell(one.last_at, zone)) for one in kept]
    print_table(columns, rows)


def print_batches(batches: Sequence[BatchState], *, zone: tzinfo) -> None:
    """The latest batches, and how far each has come."""
    columns = [
        Column("batch"),
        Column("source", least=10),
        Column("rows", right=True, label="rows"),
        Column("known", right=True, label="known"),
        Column("final", right=True, label="final"),
        Column(f"begun ({_zone_name(zone)})", label="begun"),
        Column("ended", label="ended"),
    ]
    rows = [
        (
            one.batch_id,
            one.source,
            one.total,
            one.claimed,
            one.final,
            time_cell(one.created_at, zone),
            time_cell(one.ended_at, zone) if one.ended_at else _RUN.get(one.status or "", "runs, or was cut off"),
        )
        for one in batches
    ]
    print_table(columns, rows)


def _print_record(record: dict[str, Any], zone: tzinfo) -> None:
    status = record["state"]
    print_lines(f"{readable(record['trade_no'])}: {status} ({_meaning(status)})")
    if status in _ORDER:
        advice = record.get("what_to_do") or ItemStatus(status).what_to_do
        print_lines(advice, first=f"  {'what to do':{_LABEL}}", indent=_LABEL + 2)
    flat = record | (record["beneficiary"] or {})
    for name, label in _TOLD.items():
        if flat.get(name) is not None:
            text = _shown(name, flat, zone)
            print_lines(text, first=f"  {label:{_LABEL}}", indent=_LABEL + 2)
    if record["beneficiary"] is None:
        print_lines("erased", first=f"  {'beneficiary':{_LABEL}}", indent=_LABEL + 2)


def _shown(name: str, record: dict[str, Any], zone: tzinfo) -> str:
    if name == "amount":
        return f"{amount_cell(record['amount'], record['currency']).shown} {readable(record['currency'])}"
    if name.endswith("_at"):
        return f"{time_cell(record[name], zone).shown} {_zone_name(zone)}"
    return readable(record[name])


def _plain(name: str, record: dict[str, Any], zone: tzinfo) -> Any:
    return time_cell(record[name], zone) if name.endswith("_at") else record.get(name)


def _zone_name(zone: tzinfo) -> str:
    return datetime.now(UTC).astimezone(zone).tzname() or "local"


def _meaning(status: str) -> str:
    return ItemStatus(status).meaning if status in _ORDER else "?"


def _order(key: tuple[str, str]) -> tuple[int, str, str]:
    status = status_of(key[0])
    return (_ORDER.index(ItemStatus(status)) if status in _ORDER else len(_ORDER), *key)
