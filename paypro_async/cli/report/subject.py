"""What a report is about: a file, a plan of one, or a batch of the ledger; and its rows, as the ledger knows them."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from attrs import evolve, frozen

from paypro_async._core.beneficiary import beneficiary_of, without_personal_values
from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import State
from paypro_async._core.money import parse_amount
from paypro_async._core.regions import REGIONS, RegionSpec
from paypro_async.bulk import Disbursement, PlanFile, ReadingOptions
from paypro_async.client import PayProClient
from paypro_async.ledger.admin.batch_rows import PlannedRow, batch_records, planned_rows
from paypro_async.ledger.admin.records import BatchState, Record, find, shown_state
from paypro_async.ledger.shared import BatchStatus
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.report.html import About
from paypro_async.report.rows import ReportRow

__all__ = ["Subject", "of_batch", "of_file", "region_of"]

_STATES = frozenset(State)
_ASIDE = {
    "paid_meanwhile": "Not sent, since another run paid the same amount to the same account meanwhile.",
    "conflict": "Not sent, since another payout has this number.",
}
_UNSAFE = re.compile(r"[^\w.-]+")
_PLAIN_ENDS = frozenset({".csv", ".xlsx", ".jsonl", ".ndjson"})


@frozen(kw_only=True)
class Subject:
    """What a report is about.

    Args:
        about: What it tells beside its rows.
        rows: The payouts in their order.
        beside: Where the report goes if nothing else is said.
        inputs: Files that it must not be written to.
    """

    about: About
    rows: AsyncIterator[ReportRow]
    beside: Path
    inputs: frozenset[Path] = frozenset()


class _NoSigner:
    """Of a client that only reads a file: whatever would send something fails."""

    def sign(self, fields: Mapping[str, str]) -> NoReturn:
        """Never."""
        raise AssertionError(f"a report sends nothing, and these were to be signed: {sorted(fields)}")


@contextmanager
def of_file(
    ledger: SqlLedger, path: Path, plan: PlanFile | None, *, about: About, reading: ReadingOptions
) -> Iterator[Subject]:
    """The rows of a file, or of the one that was planned; a row that the ledger does not hold was not sent.

    Args:
        ledger: Open to read.
        path: The file, or the *plan*, if it is one.
        about: What is known of the ledger.
        reading: How the file was read when it was paid.

    Raises:
        PayoutFileError: If the file is not one that could be paid.
        OSError: If it cannot be read.
    """
    source = path if plan is None else plan.path
    # Whether it was whole when it was paid is no concern of a report.
    if plan is not None:
        reading = ReadingOptions(run=plan.run, columns=dict(plan.columns), sheet=plan.sheet)
    reading["complete"] = True
    with Disbursement(_reader(about), source, **reading) as disbursement:
        found = disbursement.plan
        yield Subject(
            about=evolve(
                about,
                title=source.name,
                batch_id=found.batch_id,
                digest=found.digest.hex(),
                currency=found.currency,
                rows=found.rows,
                total=found.total,
            ),
            rows=_of_outcomes(disbursement, ledger),
            beside=_beside(path.with_name(source.name)),
            inputs=frozenset({path.resolve(), source.resolve()}),
        )


def of_batch(ledger: SqlLedger, batch: BatchState, *, about: About) -> Subject:
    """The payouts that a batch has claimed, and those that are planned for workers.

    What a batch without workers did not come to is in no ledger.
    """
    source = batch.source or batch.batch_id
    name = _UNSAFE.sub("-", source.replace("\\", "/").rpartition("/")[2]).strip("-.") or "batch"
    notes = about.notes
    if batch.status is not None:
        if batch.status == BatchStatus.CANCELLED:
            notes += ("This batch was cancelled: what was not sent of it never will be.",)
        elif not batch.has_ended:
            notes += ("This batch has not ended: its workers go on with what was not sent, unless they are paused.",)
    elif batch.total is None:
        notes += ("This batch runs, or was cut off: only what it has begun so far is in this report.",)
    elif batch.total > batch.claimed:
        notes += (f"{batch.total - batch.claimed:,} of {batch.total:,} are not in the ledger, so they are not here.",)
    return Subject(
        about=evolve(
            about,
            title=source,
            batch_id=batch.batch_id,
            begun_at=_moment(batch.created_at),
            ended_at=_moment(batch.ended_at),
            notes=notes,
        ),
        rows=_of_records(ledger, about.merchant_no or "", batch.batch_id),
        beside=_beside(Path(name)),
    )


async def _of_records(ledger: SqlLedger, merchant_no: str, batch_id: str) -> AsyncIterator[ReportRow]:
    number = 0
    waiting = planned_rows(ledger, merchant_no, batch_id)
    new = await anext(waiting, None)
    async for record in batch_records(ledger, merchant_no, batch_id):
        number = number + 1 if record.position is None else record.position + 1
        while new is not None and new.position < number:
            if new.trade_no != record.trade_no:
                yield await _not_begun(ledger, merchant_no, new)
            new = await anext(waiting, None)
        yield _row(record, number)
    while new is not None:
        yield await _not_begun(ledger, merchant_no, new)
        new = await anext(waiting, None)


async def _not_begun(ledger: SqlLedger, merchant_no: str, new: PlannedRow) -> ReportRow:
    """A payout that is planned; of one that another batch has, what became of it there."""
    if new.aside == "elsewhere" and (found := await find(ledger, merchant_no, [new.trade_no])):
        return _row(found[0], new.position + 1)
    beneficiary = beneficiary_of(new.region, new.content, unmasked=True)
    return ReportRow(
        row=new.position + 1,
        trade_no=new.trade_no,
        status=ItemStatus.CONFLICT if new.aside == "conflict" else ItemStatus.NOT_SENT,
        amount=parse_amount(new.amount),
        currency=new.currency,
        name=beneficiary.get("name"),
        bank_number=beneficiary.get("bank_number"),
        message=_ASIDE.get(new.aside or ""),
    )


async def _of_outcomes(disbursement: Disbursement, ledger: SqlLedger) -> AsyncIterator[ReportRow]:
    before = await disbursement.look_back(ledger=ledger)
    async for outcome in disbursement.outcomes(ledger, before=before):
        yield outcome.report_row(disbursement.plan.currency)


def _row(record: Record, number: int) -> ReportRow:
    """A payout of the ledger, of which each value may be damaged."""
    beneficiary = beneficiary_of(record.region, record.content, unmasked=True)
    state, message = shown_state(record), without_personal_values(record.message, record.region, record.content)
    known = state in _STATES
    return ReportRow(
        row=number,
        trade_no=record.trade_no,
        status=ItemStatus.of(State(state)) if known else ItemStatus.REVIEW,
        amount=parse_amount(str(record.amount)),
        currency=record.currency,
        name=beneficiary.get("name"),
        bank_number=beneficiary.get("bank_number"),
        code=record.code,
        message=message if known else "Its state cannot be read. Run 'paypro ledger check'.",
        platform_trade_no=record.platform_trade_no,
        utr=record.utr,
        attempts=record.attempt,
        begun_at=_moment(record.created_at),
        changed_at=_moment(record.updated_at),
    )


def _reader(about: About) -> PayProClient:
    """A client that reads files as one that pays does, and cannot send."""
    return PayProClient(
        base_url="https://localhost",
        merchant_no=about.merchant_no or "",
        signer=_NoSigner(),
        region="india",  # the one whose files can be read
        environment=about.environment,
        # Neither is part of what is paid to whom, and a file may leave both to the client.
        ip_address="127.0.0.1",
        notify_url="https://localhost/",
    )


def region_of(name: str | None) -> RegionSpec:
    """The region that a ledger names; the usual one if it does not know it."""
    return REGIONS.get(name or "", REGIONS["india"])


def _moment(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo else None


def _beside(path: Path) -> Path:
    name = path.stem if path.suffix.lower() in _PLAIN_ENDS else path.name
    return path.with_name(f"{name}.report.html")
