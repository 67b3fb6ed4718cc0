"""``paypro ledger export``: every payout of a ledger in a file, written as it is read."""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import click

from paypro_async._core.beneficiary import BENEFICIARY_FIELDS, beneficiary_of, without_personal_values
from paypro_async._core.lifecycle import State
from paypro_async.bulk.writers.csv import csv_rows
from paypro_async.bulk.writers.table import Layout
from paypro_async.cli.exits import Exit
from paypro_async.cli.ledger.display import status_of
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
from paypro_async.cli.options import ledger_files, ledger_option
from paypro_async.cli.output import note, print_json, readable
from paypro_async.cli.places import new_file
from paypro_async.cli.streams import failed_with, raw_text
from paypro_async.ledger.admin.records import COLUMNS, Which, records, shown_state
from paypro_async.ledger.sql.ledger import SqlLedger

__all__ = ["export"]

_NUMBERS = ("amount", "attempt", "position")


@click.command(short_help="Write every payout to a file, as CSV or JSON lines.")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--format", "kind", type=click.Choice(["csv", "jsonl"]), help="[default: by the ending of FILE, or csv]")
@state_option("Payouts in this state only; may be repeated.")
@click.option("--batch", metavar="ID", help="Payouts of this batch only.")
@span_options
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@click.option("--unmasked", is_flag=True, help="With names, account numbers and all; all who have FILE can read them.")
@ledger_option
@merchant_option
@json_option
def export(file: Path, ledger: str | None, merchant: str | None, **options: Any) -> int | None:
    """Write every payout to FILE (- for standard output) as CSV or JSON lines, by trade number.

    FILE is there whole or not at all, and readable by its owner only. Personal values are masked.
    """
    return asyncio.run(_export(file, ledger, merchant, **options))


async def _export(
    file: Path,
    url: str | None,
    merchant: str | None,
    *,
    kind: str | None,
    states: frozenset[State],
    batch: str | None,
    since: str | None,
    until: str | None,
    force: bool,
    unmasked: bool,
    as_json: bool,
) -> int | None:
    by_ending = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
    if as_json and str(file) == "-":
        raise click.UsageError("--json tells of a file. For payouts as JSON on standard output say --format jsonl.")
    kind = kind or by_ending.get(file.suffix.lower(), "csv")
    async with open_to(url, "read") as ledger:
        merchant_no = await the_merchant(ledger, merchant)
        first, end = span(since, until, await zone_of(ledger, merchant_no))
        which = Which(merchant_no=merchant_no, states=states, batch_id=batch, since=first, until=end)
        if str(file) == "-":
            with raw_text(sys.stdout) as standard_output:
                await _write(ledger, which, standard_output, kind, unmasked=unmasked)
            return None
        with (
            new_file(file, ledger_files(url), replace=force) as part,
            part.open("w", encoding="utf-8", errors="replace", newline="") as text,
        ):
            count = await _write(ledger, which, text, kind, unmasked=unmasked)
    if as_json:
        print_json({"file": str(file), "payouts": count})
    else:
        note(f"{count:,} payouts in {readable(file)}.")
    return Exit.OK


async def _write(ledger: SqlLedger, which: Which, text: IO[str], kind: str, *, unmasked: bool) -> int:
    add = _csv(text, (*COLUMNS, *BENEFICIARY_FIELDS)) if kind == "csv" else _jsonl(text)
    count = 0
    async for record in records(ledger, which):
        found = {name: getattr(record, name) for name in COLUMNS} | {"state": status_of(shown_state(record))}
        if not unmasked:
            found["message"] = without_personal_values(record.message, record.region, record.content)
        shown = beneficiary_of(record.region, record.content, unmasked=unmasked)
        add(found | {name: shown.get(name) for name in BENEFICIARY_FIELDS})
        count += 1
        if failed_with(text):
            break  # No program reads on.
    return count


def _csv(text: IO[str], columns: tuple[str, ...]) -> Callable[[Mapping[str, Any]], None]:
    # A trade number may begin with a minus or be nothing but digits, and anything may stand in a name.
    add_row = csv_rows(text, Layout(names=columns, numbers=[columns.index(name) for name in _NUMBERS]))

    def add(found: Mapping[str, Any]) -> None:
        add_row(["" if found[name] is None else str(found[name]) for name in columns])

    return add


def _jsonl(text: IO[str]) -> Callable[[Mapping[str, Any]], None]:
    def add(found: Mapping[str, Any]) -> None:
        text.write(f"{json.dumps(found, ensure_ascii=False)}\n")

    return add
