"""What the merchant's programs call, and what they check of what comes back."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any

from paypro_async import (
    Batch,
    BatchItem,
    BatchReport,
    ClientStateError,
    IdempotencyConflictError,
    LedgerUnavailableError,
    NotSentError,
    OrderMissingError,
    PayoutStatus,
    PayProClient,
    PayProError,
    QuestionFailedError,
    ReconcileReport,
    ReviewRequiredError,
    State,
    StopRules,
)
from paypro_async._core.lifecycle import Reply
from tests.simulation.loop import Process
from tests.simulation.wire import CALL

Job = Callable[[], Coroutine[Any, Any, None]]

_STATUS_OF = {
    State.SUCCEEDED: "succeeded",
    State.PROCESSING: "processing",
    State.FAILED: "failed",
    State.REVERSED: "reversed",
    State.SENDING: "unknown",
    State.MISSING: "missing",
    State.REVIEW: "review",
    State.NEW: "not_sent",
}


class Call:
    """One call of a program, by which its requests are known.

    Args:
        sent: The payouts that it has sent since one was not answered.
        at_most: How many it may have under way when it stops; None if it goes on.
    """

    def __init__(self, process: Process, name: str, rows: list[Any]) -> None:
        self.process, self.name = process, f"{process.name} {name}"
        self.rows = rows
        self.sent: set[str] = set()
        self.at_most: int | None = None
        self._amounts = {row.trade_no: str(row.amount) for row in rows}

    def __str__(self) -> str:
        return self.name

    def begins_anew(self) -> None:
        """What was not answered at all ends a row of equal refusals."""
        self.sent.clear()

    def content(self, trade_no: str) -> str:
        """What tells this payout's content from the edited one."""
        return self._amounts[trade_no]


def draw(world: Any, process: Process, client: PayProClient) -> list[Job]:
    """What one process does: mostly pay the file, in ways that differ."""
    dice = world.dice
    jobs: list[Job] = []
    way = dice.choice(("batch", "batch", "twins", "payouts", "both"))
    world.trace.met["program: " + way] += 1
    for number in range(2 if way == "twins" else way in ("batch", "both")):
        call = Call(process, f"batch {number}", _rows(world))
        jobs.append(partial(_after, world, batch, call, client, **_options(world)))
    for number in range(dice.choice((1, 1, 2))) if way in ("payouts", "both") else ():
        for row in _rows(world):
            call = Call(process, f"payout {number}", [row])
            jobs.append(partial(_after, world, _payout, call, client))
    # Only the last reconciliation sees what was booked as an afterthought.
    if dice.random() < 0.5 and not world.weather.afterthoughts:
        jobs.append(partial(_after, world, _reconcile, client))
    if dice.random() < 0.1:
        jobs.append(partial(_after, world, _query, client, dice.choice(world.merchant.rows)[0].trade_no))
    return jobs


async def batch(world: Any, call: Call, client: PayProClient, *, check_states: bool = False, **options: Any) -> None:
    """Pay the rows; look at each item, or at the report alone."""
    CALL.set(call)
    dice, concurrency = world.dice, world.dice.choice((1, 2, 4))
    call.at_most = None if "stop" in options else concurrency
    breaks = not world.platform.calm and dice.random() < world.weather.breaks
    source: Any = call.rows
    if breaks:
        call.rows = call.rows[: dice.randint(0, len(call.rows))]
        source = _Breaking(call.rows)
    try:
        running = client.batch_payout(source, concurrency=concurrency, **options)
        report, seen = await _run(world, call, running)
    except ClientStateError:
        assert call.process.closing
        return
    world.note(str(call), "ends:", ", ".join(f"{count} {status}" for status, count in report.counts.items()))
    _adds_up(world, call, report, seen)
    if check_states:
        _says_what_is_stored(world, call, report)
    await _pay_anew(world, call, client, [item for item in seen if item.result is not None])


class _SourceBrokeError(Exception):
    """As a database does whose connection is lost while it is read."""


class _Breaking:
    """A source that breaks behind its last row."""

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    def __iter__(self) -> Any:
        yield from self._rows
        raise _SourceBrokeError


async def _run(world: Any, call: Call, running: Batch) -> tuple[BatchReport, list[BatchItem]]:
    seen: list[BatchItem] = []
    with suppress(_SourceBrokeError):
        if world.dice.random() < 0.5:
            async with running:
                async for item in running:
                    seen.append(item)
                    _item(world, call, item)
                    if not world.platform.calm and world.dice.random() < 0.05:
                        break
        else:
            report = await running
            for item in report.failures:
                _item(world, call, item)
    return running.report, seen


async def _pay_anew(world: Any, call: Call, client: PayProClient, items: list[BatchItem]) -> None:
    """Under other numbers, what is told to have failed."""
    for item in items:
        if item.result is not None and item.result.status is PayoutStatus.FAILED:
            await _hear_of_failure(world, call, client, item.payout)


async def _hear_of_failure(world: Any, call: Call, client: PayProClient, row: Any) -> None:
    again = world.merchant.hears_of_failure(row)
    if again is not None and world.dice.random() < 0.7:
        await _payout(world, Call(call.process, "anew", [again]), client)


def check_reconciliation(world: Any, report: ReconcileReport) -> None:
    """Its numbers contradict neither each other nor, at rest, the store."""
    left = report.still_unknown + report.missing + report.review + report.overdue
    if (
        sum(report.changed.values()) > report.checked
        or left > report.checked
        or report.ok != (left + report.unanswered == 0)
    ):
        world.oracle.violate("report", f"a reconciliation says {report}")


def _item(world: Any, call: Call, item: BatchItem) -> None:
    if item.result is not None:
        world.oracle.result(call, item.result)
    elif item.error is not None:
        world.oracle.error(call, str(item.trade_no), item.error)


def _status_of(item: BatchItem) -> str:
    if item.result is not None:
        return item.result.status.value
    kinds = {
        IdempotencyConflictError: "conflict",
        ReviewRequiredError: "review",
        OrderMissingError: "missing",
        NotSentError: "not_sent",
    }
    certain = item.error is not None and not item.error.money_may_have_moved
    told = [status for kind, status in kinds.items() if isinstance(item.error, kind)]
    return told[0] if told else "not_sent" if certain else "unknown"


def _adds_up(world: Any, call: Call, report: BatchReport, seen: list[BatchItem]) -> None:
    whole = report.stopped is None
    amounts = sum(report.amounts.values(), Decimal(0))
    wrong = report.total > len(call.rows) or (whole and report.total != len(call.rows))
    wrong |= whole and amounts != sum(Decimal(row.amount) for row in call.rows)
    wrong |= bool(seen) and whole and sorted(item.position for item in seen) != list(range(len(call.rows)))
    wrong |= bool(seen) and whole and Counter(map(_status_of, seen)) != Counter(report.counts)
    wrong |= report.ok != (whole and report.accepted == report.total)
    wrong |= report.total - report.accepted != sum(report.codes.values())
    if wrong:
        world.oracle.violate("report", f"{call} says {report} of {len(call.rows)} rows")


def _says_what_is_stored(world: Any, call: Call, report: BatchReport) -> None:
    expected: dict[str, int] = {}
    for row in call.rows:
        entry = world.store.entry(row.trade_no)
        status = _STATUS_OF[entry.state] if entry else "not_sent"
        if entry and entry.state is State.NEW and entry.doubt and entry.reply is not Reply.CALLER:
            status = "unknown"  # it was believed not to have arrived, which is no proof
        expected[status] = expected.get(status, 0) + 1
    told = {status.value: count for status, count in report.counts.items()}
    # What is processing may have settled since, by a callback.
    moving = {"processing", "missing", "succeeded", "failed", "reversed", "review"}
    if {k: v for k, v in told.items() if k not in moving} != {k: v for k, v in expected.items() if k not in moving}:
        world.oracle.violate("report", f"{call} says {told}, and stored is {expected}")


async def _after(world: Any, job: Callable[..., Awaitable[None]], *about: Any, **options: Any) -> None:
    delay = world.dice.choice((0.0, 0.0, world.dice.random() * world.weather.settle_after))
    if delay:
        await asyncio.sleep(delay)
    await job(world, *about, **options)


async def _payout(world: Any, call: Call, client: PayProClient) -> None:
    CALL.set(call)
    (row,) = call.rows
    patient = world.dice.choice((None, None, 3 * world.weather.settle_after, 0.5 * world.weather.request_timeout))
    try:
        result = await client.payout(row, timeout=patient, max_attempts=world.dice.choice((None, 1, 2)))
    except PayProError as error:
        world.note(str(call), "gets", row.trade_no, type(error).__name__)
        world.trace.met["error: " + type(error).__name__] += 1
        world.oracle.error(call, row.trade_no, error)
    else:
        world.note(str(call), "gets", row.trade_no, result.status.value)
        world.oracle.result(call, result)
        if result.status is PayoutStatus.FAILED:
            await _hear_of_failure(world, call, client, row)


async def _reconcile(world: Any, client: PayProClient) -> None:
    try:
        report = await client.reconcile(wait=world.dice.random() < 0.5, concurrency=world.dice.choice((1, 2, 20)))
    except (ClientStateError, LedgerUnavailableError):
        return
    check_reconciliation(world, report)


async def _query(world: Any, client: PayProClient, trade_no: str) -> None:
    try:
        await client.query(trade_no)
    except (ClientStateError, QuestionFailedError):
        return


def _rows(world: Any) -> list[Any]:
    """The file in some order, in some worlds with rows that somebody has edited."""
    dice = world.dice
    rows = [row[dice.random() < 0.4 if world.weather.edits else 0] for row in world.merchant.rows]
    if dice.random() < 0.5:
        dice.shuffle(rows)
    return rows


def _options(world: Any) -> dict[str, Any]:
    dice = world.dice
    options = {
        "rate": dice.choice((None, None, 2.0, 50.0)),
        "timeout": dice.choice((None, None, None, 0.7 * world.weather.settle_after)),
        "max_attempts": dice.choice((None, None, 1, 3)),
        "refresh": dice.random() < 0.5,
    }
    return options | ({"stop": StopRules.off()} if dice.random() < 0.5 else {})
