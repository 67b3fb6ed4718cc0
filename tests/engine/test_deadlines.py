"""Every public call ends in time, although the ledger, the transport or the signer never returns."""

import asyncio
import io
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from paypro_async import (
    ItemStatus,
    LedgerUnavailableError,
    MemoryLedger,
    NotSentError,
    OutcomeNotRecordedError,
    OutcomeUnknownError,
    PayoutStatus,
    PayProClient,
    PayProError,
    QuestionFailedError,
    State,
)
from paypro_async.bulk import Disbursement
from paypro_async.engine.rate import Rate
from paypro_async.runtime import Deadlines, NoAnswerError, answer_of
from tests.support.merchant import MERCHANT_NO, SIGNER, fields, scripted_client
from tests.support.payout_files import csv_text, rows
from tests.support.scripted import LOST, PAID, PROCESSING, Scripted
from tests.support.valid import SHARED
from tests.support.virtual_time import VirtualRuntime, now, virtual_time

IN_TIME = 2.5
LEARNED = 5.0


async def never() -> None:
    """Waits for ever, and ends when it is cancelled."""
    await asyncio.Event().wait()


async def never_even_cancelled() -> None:
    """Waits for ever, however often it is cancelled; a test that is over lets it go."""
    until = now() + 10_000
    while now() < until:
        try:
            await asyncio.sleep(until - now())
        except asyncio.CancelledError:
            continue


class Stuck(MemoryLedger):
    """A ledger whose methods of some names never return once it is *stuck*."""

    def __init__(self, waits: Callable[[], Awaitable[None]], *names: str) -> None:
        super().__init__(runtime=VirtualRuntime())
        self.waits, self.names, self.stuck = waits, names, False

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or not callable(found) or name == "waits":
            return found
        if not self.stuck or (self.names and name not in self.names):
            return found

        async def stuck(*_: Any, **__: Any) -> Any:
            await self.waits()

        return stuck


class Mute:
    """A transport, and a signer, that never answers."""

    def __init__(self, waits: Callable[[], Awaitable[None]]) -> None:
        self.waits = waits

    async def send(self, request: object, *, timeout: float) -> Any:
        await self.waits()

    async def sign(self, fields: Mapping[str, str]) -> Any:
        await self.waits()

    async def aclose(self) -> None:
        await self.waits()


WAITS = pytest.mark.parametrize("waits", [never, never_even_cancelled])
CALLS: dict[str, Callable[[PayProClient], Awaitable[Any]]] = {
    "payout": lambda client: client.payout(**fields("NEW"), timeout=2),
    "payout again": lambda client: client.payout(**fields("OLD"), timeout=2),
    "query": lambda client: client.query("OLD", timeout=2),
    "balance": lambda client: client.balance(timeout=2),
    "reconcile": lambda client: client.reconcile(),
    "reconcile in time": lambda client: client.reconcile(deadline=2),
    "batch": lambda client: _report(client, rate=None),
    "batch at a rate": lambda client: _report(client, rate=10),
}


async def _report(client: PayProClient, *, rate: float | None) -> Any:
    return await client.batch_payout([fields("B1"), fields("B2"), fields("OLD")], timeout=2, rate=rate)


async def _ends(call: Awaitable[Any], within: float) -> Any:
    """What the call came to, an error of the SDK included; it must come *within* so many seconds."""
    began = now()
    try:
        async with asyncio.timeout(60):
            result = await call
    except PayProError as error:
        result = error
    assert now() - began <= within
    return result


@WAITS
@pytest.mark.parametrize("name", CALLS)
@virtual_time
async def test_a_ledger_that_never_answers(name: str, waits: Callable[[], Awaitable[None]]):
    """No call waits for it longer than its time, and none says that nothing can have been sent earlier."""
    ledger = Stuck(waits)
    transport = Scripted(LOST, PROCESSING)
    async with scripted_client(transport, ledger=ledger, timeout=2) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields("OLD"), timeout=0.1, max_attempts=1)
        ledger.stuck = True
        result = await _ends(CALLS[name](client), IN_TIME + (LEARNED if name == "query" else 0))
        ledger.stuck = False
        if name.startswith("batch"):
            assert (result.total, result.accepted, result.stopped) == (3, 0, "ledger_unavailable")
        elif name in ("query", "balance"):
            assert not isinstance(result, LedgerUnavailableError)
        else:
            assert isinstance(result, LedgerUnavailableError | OutcomeUnknownError)
    assert len(transport.payouts) == 1


FILES: dict[str, Callable[[Disbursement], Awaitable[Any]]] = {
    "look back": lambda file: file.look_back(),
    "pay": lambda file: file.pay(),
    "report": lambda file: file.report(),
}


@WAITS
@pytest.mark.parametrize("name", FILES)
@virtual_time
async def test_a_file_over_a_ledger_that_never_answers(name: str, waits: Callable[[], Awaitable[None]]):
    """It is waited for as long as one call of the client takes."""
    ledger = Stuck(waits)
    async with scripted_client(Scripted(), ledger=ledger, timeout=2, **SHARED) as client:
        with Disbursement(client, io.BytesIO(csv_text(rows(3)).encode())) as file:
            ledger.stuck = True
            assert isinstance(await _ends(FILES[name](file), IN_TIME), LedgerUnavailableError)
            ledger.stuck = False


@virtual_time
async def test_the_balance_before_a_file_is_not_waited_for_longer_than_a_call():
    """It is only worth a warning."""
    mute = Mute(never)
    async with scripted_client(mute, timeout=2, **SHARED) as client:
        with Disbursement(client, io.BytesIO(csv_text(rows(3)).encode())) as file:
            funds = await _ends(file.funds(await file.look_back()), IN_TIME)
    assert funds.unknown is not None


@WAITS
@virtual_time
async def test_a_batch_whose_ledger_falls_silent_has_five_seconds_more_and_not_ten(
    waits: Callable[[], Awaitable[None]], caplog: pytest.LogCaptureFixture
):
    """A ledger that has just failed the last payout is not waited for once more, to note that the batch has ended."""
    ledger = Stuck(waits)
    async with scripted_client(Scripted(LOST, takes=1.5), ledger=ledger, timeout=2) as client:
        batch = client.batch_payout([fields("B1"), fields("B2")], timeout=2)
        asyncio.get_running_loop().call_later(1, setattr, ledger, "stuck", True)
        report = await _ends(batch, IN_TIME + LEARNED)
        ledger.stuck = False
    assert report.counts == {ItemStatus.UNKNOWN: 2}
    assert any("not noted in the ledger as ended" in message for message in caplog.messages)


@WAITS
@virtual_time
async def test_closing_over_a_ledger_that_falls_silent_lets_its_payouts_come_to_their_end(
    waits: Callable[[], Awaitable[None]],
):
    """Nothing is cut off in the moment in which it ends, to try once more for five seconds."""
    ledger = Stuck(waits, "move")
    async with scripted_client(Scripted(LOST, takes=2), ledger=ledger, timeout=2) as client:
        batch = asyncio.ensure_future(_report(client, rate=None))
        await asyncio.sleep(0)
        ledger.stuck = True
        await asyncio.sleep(0.1)
        _, report = await _ends(asyncio.gather(client.aclose(), batch), IN_TIME + LEARNED)
        ledger.stuck = False
        assert report.counts[ItemStatus.UNKNOWN] > 0


@WAITS
@pytest.mark.parametrize("part", ["transport", "signer"])
@pytest.mark.parametrize("name", CALLS)
@virtual_time
async def test_a_transport_or_a_signer_that_never_returns(name: str, part: str, waits: Callable[[], Awaitable[None]]):
    """What may have left is unknown, what was not signed was not sent."""
    ledger = MemoryLedger(runtime=VirtualRuntime())
    async with scripted_client(Scripted(LOST), ledger=ledger) as before:
        with pytest.raises(OutcomeUnknownError):
            await before.payout(**fields("OLD"), timeout=0.1, max_attempts=1)
    mute = Mute(waits)
    parts = {"transport": mute} if part == "transport" else {"transport": Scripted(), "signer": mute}
    async with scripted_client(**parts, ledger=ledger, timeout=2) as client:
        result = await _ends(CALLS[name](client), IN_TIME)
        entry = await ledger.get(MERCHANT_NO, "NEW")
    if name == "payout":
        assert isinstance(result, OutcomeUnknownError if part == "transport" else NotSentError)
        assert entry is not None
        assert entry.state is (State.SENDING if part == "transport" else State.NEW)
    elif name in ("query", "balance"):
        assert isinstance(result, QuestionFailedError)
    elif name.startswith("reconcile"):
        assert (result.unanswered, result.ok) == (1, False)


@WAITS
@virtual_time
async def test_what_was_answered_is_kept_trying_to_be_stored_for_its_five_seconds(waits: Callable[[], Awaitable[None]]):
    """The ledger hangs after the announcement: the caller hears what the platform said, and that it is not stored."""
    ledger = Stuck(waits, "move")
    async with scripted_client(Scripted(PAID), ledger=ledger) as client:
        ledger.stuck = True
        result = await _ends(client.payout(**fields(), timeout=2), IN_TIME + LEARNED)
    assert isinstance(result, OutcomeNotRecordedError)
    assert result.result.status is PayoutStatus.SUCCEEDED


@virtual_time
async def test_what_is_left_behind_is_said_in_the_log_and_what_it_does_later_sends_nothing(
    caplog: pytest.LogCaptureFixture,
):
    """A claim that is stored after its caller has gone makes the payout unknown, and the next call asks first."""
    ledger = Late()
    transport = Scripted(PAID, PROCESSING)
    async with scripted_client(transport, ledger=ledger) as client:
        with caplog.at_level(logging.WARNING), pytest.raises(LedgerUnavailableError):
            await client.payout(**fields(), timeout=2)
        assert "The ledger did not end when it was cancelled, and is left behind." in caplog.messages
        await asyncio.sleep(10)
        assert transport.log == []
        assert (await ledger.get(MERCHANT_NO, "T1")).state is State.SENDING
        assert (await client.payout(**fields())).status is PayoutStatus.PROCESSING
    assert transport.kinds == ["query"]


class Late(MemoryLedger):
    """Stores a claim after five seconds, whoever has gone meanwhile."""

    async def claim(self, intent: Any) -> Any:
        until = now() + 5
        while now() < until:
            try:
                await asyncio.sleep(until - now())
            except asyncio.CancelledError:
                continue
        return await super().claim(intent)


@virtual_time
async def test_a_part_that_is_cancelled_by_itself_is_no_answer_and_cancels_nobody():
    """A library that gives up by cancelling itself does not end its caller's task."""

    async def gives_up() -> None:
        raise asyncio.CancelledError

    with pytest.raises(NoAnswerError, match="The vault broke off"):
        await answer_of(gives_up(), within=2, who="The vault")


@virtual_time
async def test_an_answer_that_comes_while_it_is_given_up_is_taken():
    """It is there, so it counts."""

    async def at_the_last_moment() -> int:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            return 7
        return 0

    assert await answer_of(at_the_last_moment(), within=2, who="The vault") == 7


@virtual_time
async def test_those_that_wait_for_one_turn_in_the_rate_wait_together():
    """A ledger that hands out none costs each of them its own time, and not that of all before it."""
    ledger = Stuck(never, "reserve")
    ledger.stuck = True
    rate = Rate(ledger, MERCHANT_NO, 10, VirtualRuntime())
    began = now()
    turns = await asyncio.gather(*(rate.turn(within=2) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(turn, LedgerUnavailableError) for turn in turns)
    assert now() - began <= IN_TIME


@virtual_time
async def test_a_reconciliation_that_has_a_time_says_what_it_did_not_get_to():
    """It ends in its time, counts what it asked, and is not ok."""
    ledger = MemoryLedger(runtime=VirtualRuntime())
    async with scripted_client(Scripted(LOST), ledger=ledger) as before:
        await asyncio.gather(
            *(before.payout(**fields(f"T{number:04}"), timeout=0.1) for number in range(600)), return_exceptions=True
        )
    async with scripted_client(Scripted(queries=PAID, takes=1.0), ledger=ledger, signer=SIGNER) as client:
        report = await _ends(client.reconcile(deadline=10), 10.5)
        assert (report.ended, report.ok) == (False, False)
        assert 100 <= report.checked <= 600
        rest = await client.reconcile()
        assert (rest.ended, rest.ok) == (True, True)


# Many waits with one timer.


@virtual_time
async def test_each_wait_ends_at_its_own_deadline_and_a_later_one_goes_on():
    """One timer is for all, and a shorter wait that comes later is not held up by it."""
    deadlines, ended = Deadlines(), {}

    async def wait(within: float) -> None:
        began = now()
        with pytest.raises(TimeoutError):
            await deadlines.wait(never(), within)
        ended[within] = now() - began
        assert asyncio.current_task().cancelling() == 0

    assert await deadlines.wait(asyncio.sleep(1, "in time"), 2) == "in time"
    await asyncio.gather(*map(wait, (3.0, 1.0, 0.0, 2.0)))
    assert ended == pytest.approx({0.0: 0, 1.0: 1, 2.0: 2, 3.0: 3})
    assert await deadlines.wait(asyncio.sleep(1, "in time"), 2) == "in time"


@virtual_time
async def test_a_call_that_is_cancelled_just_when_its_time_is_over_is_cancelled():
    """Who cancels a task means the whole of it, and not what it waits for."""
    deadlines = Deadlines()
    task = asyncio.ensure_future(deadlines.wait(never(), 1))
    asyncio.get_running_loop().call_later(1, task.cancel)
    await asyncio.wait([task])
    assert task.cancelled()


@virtual_time
async def test_an_answer_that_comes_in_spite_of_being_cancelled_is_the_answer():
    """The task is then as if nobody had cancelled it."""

    async def at_the_last_moment() -> int:
        try:
            await never()
        except asyncio.CancelledError:
            return 7
        return 0

    assert await Deadlines().wait(at_the_last_moment(), 1) == 7
    assert asyncio.current_task().cancelling() == 0
