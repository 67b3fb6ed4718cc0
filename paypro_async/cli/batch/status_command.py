"""``paypro status``: how far files and batches have come, from the ledger alone. It sends nothing and asks nothing."""

import asyncio
from datetime import tzinfo
from pathlib import Path
from typing import Any

import click

from paypro_async._core.items import ItemStatus
from paypro_async._core.money import amount_for_people
from paypro_async.bulk import PayoutFileError
from paypro_async.bulk.plan_file import plan_at
from paypro_async.cli.batch.known import Known, Reading, batch_meant, known_of_batch, known_of_file
from paypro_async.cli.batch.options import file_options
from paypro_async.cli.batch.refusal import refuse
from paypro_async.cli.exits import Exit
from paypro_async.cli.ledger.options import json_option, merchant_option, open_to, the_merchant, zone_of
from paypro_async.cli.options import ledger_option
from paypro_async.cli.output import note, print_json, readable
from paypro_async.cli.tabular import Cell, Column, amount_cell, print_lines, print_table, time_cell
from paypro_async.cli.worker.telling import told_of_workers, workers_as_data
from paypro_async.ledger.admin import records
from paypro_async.ledger.admin.records import BatchState
from paypro_async.ledger.shared import BatchStatus, SharedProgress
from paypro_async.ledger.sql.ledger import SqlLedger

__all__ = ["code_of_known", "status"]

_RUN = {one.value: one.value for one in BatchStatus} | {BatchStatus.READY.value: "workers"}


@click.command(short_help="Show how far a file, a plan or a batch has come.")
@click.argument("what", metavar="[FILE|PLAN|BATCH]", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many are shown.")
@file_options
@ledger_option
@merchant_option
@json_option
def status(what: str | None, ledger: str | None, merchant: str | None, *, as_json: bool, **options: Any) -> int:
    """Show what became of a FILE, a PLAN or a BATCH of the ledger; without one, the latest batches.

    It reads the ledger alone, while others may pay: nothing is sent, and the platform is not asked. 'paypro reconcile'
    asks it about everything that is open.

    Exit code 0 if all are accepted or paid, 4 if some failed or were not sent, 5 if unknown outcomes are left.
    """
    reading = Reading(run=options["run"], columns=options["columns"], sheet=options["sheet"])
    return asyncio.run(_status(what, ledger, merchant, reading, limit=options["limit"], as_json=as_json))


async def _status(
    what: str | None, url: str | None, merchant: str | None, reading: Reading, *, limit: int, as_json: bool
) -> int:
    async with open_to(url, "read") as ledger:
        merchant_no = await the_merchant(ledger, merchant)
        zone = await zone_of(ledger, merchant_no)
        if what is None:
            await _latest(ledger, merchant_no, zone, limit=limit, as_json=as_json)
            return Exit.OK
        try:
            known = await _known(ledger, merchant_no, what, reading)
        except PayoutFileError as error:
            return refuse(readable(what), error.problems, as_json=as_json)
        shared = await ledger.shared_progress(merchant_no, known.batch_id)
    code = code_of_known(known)
    if as_json:
        workers = None if shared is None else workers_as_data(shared)
        print_json(_as_data(known) | {"workers": workers, "exit_code": int(code)})
    else:
        _print(known, zone, shared)
    return code


async def _known(ledger: SqlLedger, merchant_no: str, what: str, reading: Reading) -> Known:
    path = Path(what)
    if not path.is_file():  # noqa: ASYNC240  nobody else waits in the event loop of a command
        return await known_of_batch(ledger, merchant_no, await batch_meant(ledger, merchant_no, what))
    plan = plan_at(path)
    if plan is not None:
        return await known_of_batch(ledger, merchant_no, plan.batch_id)
    return await known_of_file(ledger, merchant_no, path, reading)


def code_of_known(known: Known) -> Exit:
    """The exit code that 'paypro batch' would end with."""
    counted = known.tally.counts.keys() | known.left_out.counts.keys()
    if any(one.uncertain for one in counted):
        return Exit.UNKNOWN_LEFT
    return Exit.OK if all(one.accepted for one in counted) else Exit.SOME_FAILED


async def _latest(ledger: SqlLedger, merchant_no: str, zone: tzinfo, *, limit: int, as_json: bool) -> None:
    found = [
        (one, await known_of_batch(ledger, merchant_no, one.batch_id))
        for one in await records.batches(ledger, merchant_no, limit=limit)
    ]
    if as_json:
        print_json({"batches": [_as_data(known) for _, known in found]})
        return
    if not found:
        print_lines(f"The ledger {ledger.name} holds no batch of merchant {merchant_no or '(none)'}.")
        return
    print_table(_COLUMNS, [_row(batch, known, zone) for batch, known in found])
    if any(batch.goes_on for batch, _ in found):
        note("What was cut off goes on with 'paypro resume', or with the same command again.")


_COLUMNS = [
    Column("begun"),
    Column("file", least=12),
    Column("rows", right=True, label="rows"),
    Column("sum", right=True),
    Column("currency"),
    *(Column(name, right=True, label=name) for name in ("paid", "processing", "failed", "unknown", "other")),
    Column("run"),
    Column("batch", label="batch"),
]
_COUNTED = (ItemStatus.SUCCEEDED, ItemStatus.PROCESSING, ItemStatus.FAILED)


def _row(batch: BatchState, known: Known, zone: tzinfo) -> list[Any]:
    counts = known.tally.counts
    numbers = [counts[one] for one in _COUNTED]
    numbers.append(sum(count for one, count in counts.items() if one.uncertain))
    numbers.append(counts.total() - sum(numbers))
    return [
        time_cell(batch.created_at, zone),
        batch.source,
        _number(batch.total) if batch.total is not None else Cell(f"{batch.claimed:,} so far", str(batch.claimed)),
        amount_cell(known.tally.total, known.currency),
        known.currency,
        *map(_number, numbers),
        _run(batch),
        batch.batch_id,
    ]


def _run(batch: BatchState) -> str:
    if batch.has_ended and batch.status != BatchStatus.CANCELLED:
        return "ended"
    return _RUN.get(batch.status or "", "not ended")


def _number(count: int) -> Cell:
    return Cell(f"{count:,}", str(count))


def _print(known: Known, zone: tzinfo, shared: SharedProgress | None) -> None:
    print_lines(f"{readable(known.name)}, batch {known.batch_id}")
    print_lines(_told(known.batch, zone) if shared is None else told_of_workers(shared))
    columns = [
        Column("status"),
        Column("rows", right=True),
        Column("amount", right=True),
        Column("meaning", least=14),
        Column("what to do", least=18),
    ]
    counts, amounts = known.tally.counts, known.tally.amounts
    rows = [
        (one, _number(counts[one]), amount_cell(amounts[one], known.currency), one.meaning, known.what_to_do(one))
        for one in ItemStatus
        if counts[one]
    ]
    print_table(columns, rows)
    total = amount_for_people(known.tally.total, known.currency)
    batch = known.batch
    # What a batch that was cut off did not come to is in no ledger; the rows of a file are all counted.
    whole = known.of_file or (batch is not None and batch.total is not None)
    print_lines(f"{counts.total():,} {'in all' if whole else 'so far'}, {total} {known.currency}.")
    if known.left_out.counts:
        print_lines(_left_out(known))
    if known.look:
        print_lines("These want a look, the first of them shown ('paypro ledger show TRADE_NO' tells more):")
        print_table([Column("trade_no"), Column("status"), Column("code", label="code")], known.look)


def _left_out(known: Known) -> str:
    out = known.left_out
    told = ", ".join(f"{count:,} {one}" for one, count in out.counts.items())
    more = out.counts.total() - len(known.others)
    return (
        f"{out.counts.total():,} more, {amount_for_people(out.total, known.currency)} {known.currency}, not sent: the "
        f"same amount to the same account is in the ledger under other numbers ({told}): "
        f"{', '.join(map(readable, known.others))}{f' and {more:,} more' if more else ''}. Do not send these, unless "
        "they are other payments: --pay-again says so."
    )


def _told(batch: BatchState | None, zone: tzinfo) -> str:
    if batch is None:
        return "The ledger knows no run of it: it was never begun with this content, or under another --run."
    begun = time_cell(batch.created_at, zone).shown
    if batch.has_ended:
        return f"Begun {begun}, ended {time_cell(batch.ended_at, zone).shown}."
    return f"Begun {begun}, and not ended: it runs, was stopped or was cut off. 'paypro resume' goes on."


def _as_data(known: Known) -> dict[str, Any]:
    batch = known.batch
    return {
        "name": known.name,
        "batch_id": known.batch_id,
        "begun_at": batch.created_at if batch else None,
        "ended_at": batch.ended_at if batch else None,
        "ended": batch.has_ended if batch else None,
        "rows": known.tally.counts.total() + known.left_out.counts.total(),
        "total_rows": batch.total if batch else None,
        "amount": str(known.tally.total),
        "currency": known.currency,
        "statuses": {
            one: {
                "rows": known.tally.counts[one],
                "amount": str(known.tally.amounts[one]),
                "meaning": one.meaning,
                "what_to_do": known.what_to_do(one),
            }
            for one in ItemStatus
            if known.tally.counts[one]
        },
        "retried": {"rows": known.retried.counts.total(), "statuses": dict(known.retried.counts)},
        "left_out": {
            "rows": known.left_out.counts.total(),
            "statuses": dict(known.left_out.counts),
            "trade_nos": list(known.others),
        },
        "attention": [{"trade_no": number, "status": one, "code": code or None} for number, one, code in known.look],
    }
