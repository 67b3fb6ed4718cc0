"""What each mechanism is there for: with it taken out, a payout is paid twice. Then the tests of it can see it missing.

The platform books whatever it is sent. Each case runs twice, with the mechanism and without it.
"""

import asyncio
from contextlib import suppress

import pytest
from attrs import evolve

import paypro_async.ledger.memory
import paypro_async.ledger.sql.group
from paypro_async import MemoryLedger, PaidMeanwhileError, PayoutStatus
from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import State
from paypro_async._core.retry import RetryPolicy
from paypro_async._core.wire import Exchange, WireRequest
from paypro_async.ledger import Ledger, Written
from paypro_async.ledger.sql import queries
from paypro_async.sandbox import Fault, FaultPlan
from paypro_async.transport import TransportSettings
from paypro_async.transport.httpx import HttpxTransport
from tests.support.intents import ACCOUNT, again, intent
from tests.support.machine_faults import Make
from tests.support.merchant import bookings, client_of, fields, virtual_sandbox
from tests.support.postgres import Server
from tests.support.virtual_time import VirtualRuntime, virtual_time

PAID = fields(remark="sandbox:paid")


class Doomed(HttpxTransport):
    """Its process dies with the reply in hand: nothing more happens in it."""

    def __init__(self) -> None:
        super().__init__(TransportSettings(runtime=VirtualRuntime()))
        self.died = asyncio.Event()

    async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
        await super().send(request, timeout=timeout)
        self.died.set()
        return await asyncio.Future()


class Honest(MemoryLedger):
    """What is said to be stored is there after a crash."""

    def after_a_crash(self) -> MemoryLedger:
        return self


class AnsweringBeforeTheCommit(Honest):
    """A claim is answered while its commit is still under way; the crash comes before that."""

    def after_a_crash(self) -> MemoryLedger:
        return MemoryLedger(runtime=VirtualRuntime())


class StoringAfterTheAnswer(Honest):
    """A checkpoint of what is done, as job runners keep it: nothing is written before the answer is known."""

    def __init__(self, *, runtime: VirtualRuntime) -> None:
        super().__init__(runtime=runtime)
        self.checkpoint = MemoryLedger(runtime=runtime)

    async def claim(self, intent: Intent) -> Written:
        done = await self.checkpoint.get(intent.merchant_no, intent.trade_no)
        return Written(done, done=False) if done else await super().claim(intent)

    async def move(self, change) -> Written:
        moved = await super().move(change)
        if moved.entry.state is not State.SENDING:
            self.checkpoint._entries[change.merchant_no, change.trade_no] = moved.entry
        return moved

    def after_a_crash(self) -> MemoryLedger:
        return self.checkpoint


@pytest.mark.parametrize(
    ("ledger_class", "booked"), [(Honest, 1), (AnsweringBeforeTheCommit, 2), (StoringAfterTheAnswer, 2)]
)
@virtual_time
async def test_an_intent_that_is_not_durable_before_the_first_byte(ledger_class: type[Honest], booked: int):
    """A crash with the reply in hand: whoever comes next knows of the payout, or pays it again."""
    ledger, doomed = ledger_class(runtime=VirtualRuntime()), Doomed()
    async with virtual_sandbox(deduplicate=False) as sandbox:
        async with client_of(sandbox, ledger=ledger, transport=doomed) as client:
            payment = asyncio.create_task(client.payout(**PAID))
            await doomed.died.wait()
            payment.cancel()
            await asyncio.wait({payment})
        await doomed.aclose()
        async with client_of(sandbox, ledger=ledger.after_a_crash()) as client:
            assert (await client.payout(**PAID, timeout=300)).status is PayoutStatus.SUCCEEDED
        assert bookings(sandbox) == ["T1"] * booked


@pytest.mark.parametrize("window", [True, False])
@virtual_time
async def test_no_such_order_that_is_believed_at_once(monkeypatch: pytest.MonkeyPatch, *, window: bool):
    """The booking lags half a minute behind its request: without a settle window it is taken for lost."""
    if not window:
        monkeypatch.setattr(RetryPolicy, "settled", lambda _self, _age, _window: True)
    faults = FaultPlan.script({"T1": [Fault.LATE_BOOKING]})
    async with virtual_sandbox(faults=faults, booking_lag=30, deduplicate=False) as sandbox:
        async with client_of(sandbox, timeout=300) as client:
            await client.payout(**PAID)
            await asyncio.sleep(60)
            await client.query("T1")
        assert bookings(sandbox) == ["T1"] * (1 if window else 2)


class Frozen(HttpxTransport):
    """Its process is frozen between the announcement and the first byte.

    Args:
        deadline: Whether the send deadline reaches the wire.
    """

    def __init__(self, *, deadline: bool) -> None:
        super().__init__(TransportSettings(runtime=VirtualRuntime()))
        self.keeps_time = True  # A frozen process has nobody who would end it in time.
        self.thawed = asyncio.Event()
        self._deadline = deadline

    async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
        await self.thawed.wait()
        return await super().send(request if self._deadline else evolve(request, send_by=None), timeout=timeout)


@pytest.mark.parametrize("deadline", [True, False])
@virtual_time
async def test_a_frozen_process_without_a_send_deadline(*, deadline: bool):
    """Another one waits out the settle window and pays; the first one wakes and sends what it had in hand."""
    ledger, frozen = MemoryLedger(runtime=VirtualRuntime()), Frozen(deadline=deadline)
    async with virtual_sandbox(deduplicate=False) as sandbox:
        async with (
            client_of(sandbox, ledger=ledger, transport=frozen, timeout=500) as one,
            client_of(sandbox, ledger=ledger, timeout=500) as other,
        ):
            first = asyncio.create_task(one.payout(**PAID))
            await asyncio.sleep(0.1)
            assert (await other.payout(**PAID)).attempts == 2
            frozen.thawed.set()
            assert (await first).status is PayoutStatus.SUCCEEDED
        await frozen.aclose()
        assert bookings(sandbox) == ["T1"] * (1 if deadline else 2)


def always(*_: object) -> bool:
    return True


@pytest.mark.parametrize("conditional", [True, False])
@virtual_time
async def test_an_announcement_that_is_not_conditional(monkeypatch: pytest.MonkeyPatch, *, conditional: bool):
    """Two processes have found nothing twice, at the same time: without compare-and-set both send."""
    if not conditional:
        monkeypatch.setattr(paypro_async.ledger.memory, "applies", always)
    faults = FaultPlan.script({"T1": [Fault.RESET_BEFORE]})
    ledger = MemoryLedger(runtime=VirtualRuntime())
    async with virtual_sandbox(faults=faults, deduplicate=False) as sandbox:
        async with (
            client_of(sandbox, ledger=ledger, timeout=300) as one,
            client_of(sandbox, ledger=ledger, timeout=300) as other,
        ):
            await asyncio.gather(one.payout(**PAID), other.payout(**PAID))
        assert bookings(sandbox) == ["T1"] * (1 if conditional else 2)


@pytest.mark.parametrize("conditional", [True, False])
async def test_an_announcement_in_a_database_that_is_not_conditional(
    database_url: str, make: Make, monkeypatch: pytest.MonkeyPatch, *, conditional: bool
):
    """The same in SQL: of two announcements of attempt 2 one goes through, or both do."""
    if not conditional:
        monkeypatch.setattr(paypro_async.ledger.sql.group, "applies", always)
    ledgers: list[Ledger] = [make(database_url, busy_timeout=5), make(database_url, busy_timeout=5)]
    for ledger in ledgers:
        await ledger.open(ACCOUNT)
    await ledgers[0].claim(intent())
    moved = await asyncio.gather(*(ledger.move(again()) for ledger in ledgers))
    assert sum(one.done for one in moved) == (1 if conditional else 2)


@pytest.mark.parametrize(("mechanism", "twice"), [("whole", False), ("no lock", True), ("no count", True)])
async def test_a_payment_of_two_files_that_no_claim_looks_for(
    monkeypatch: pytest.MonkeyPatch, server: Server, make: Make, mechanism: str, *, twice: bool
):
    """Two runs of the same rows under other numbers look at one moment, and both pay what neither has seen."""
    if mechanism == "no lock":
        monkeypatch.setattr(queries, "_lock", lambda *_: None)
    if mechanism == "no count":
        monkeypatch.setattr(queries.Payments, "one_too_many", lambda *_: None)
    url = await server.ledger()
    runs = [make(url) for _ in range(2)]
    won: list[str] = []

    async def claim(number: int, at: int) -> None:
        one = evolve(intent(f"B{at}-{number}", amount=str(1 + number)), batch_id=f"B{at}", others=0)
        with suppress(PaidMeanwhileError):
            won.append((await runs[at].claim(one)).entry.content["amount"])

    for run in runs:
        await run.open(ACCOUNT)
    for start in range(0, 400, 20):
        await asyncio.gather(*(claim(number, at) for number in range(start, start + 20) for at in range(2)))
    assert len(set(won)) == 400
    assert (len(won) > 400) == twice
