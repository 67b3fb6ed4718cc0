"""Opening, closing, event loops, and who closes what."""

import asyncio
import threading
from pathlib import Path

import pytest

from paypro_async import (
    ClientStateError,
    ConfigurationError,
    LedgerUnavailableError,
    MemoryLedger,
    OutcomeUnknownError,
    PayoutStatus,
    PayProClient,
    State,
)
from paypro_async.ledger import open_ledger
from tests.support.merchant import (
    MERCHANT_NO,
    SIGNER,
    bookings,
    client_of,
    fields,
    payouts,
    scripted_client,
    virtual_sandbox,
)
from tests.support.scripted import LOST, PROCESSING, Scripted
from tests.support.virtual_time import VirtualLoop, virtual_time


async def refuses(client: PayProClient, match: str) -> None:
    for call in (client.payout(**fields()), client.query("T1"), client.balance()):
        with pytest.raises(ClientStateError, match=match):
            await call
    with pytest.raises(ClientStateError, match=match):
        client.batch_payout(payouts(1))


@virtual_time
async def test_a_client_that_is_not_open_says_so():
    """Before async with, every call is a clear error, nothing is stored and nothing sent."""
    transport = Scripted()
    client = scripted_client(transport)
    await refuses(client, "not open")
    async with client:
        assert await client.ledger.get(MERCHANT_NO, "T1") is None
    assert transport.log == []


@virtual_time
async def test_a_closed_client_says_so():
    """After async with as well, and closing again does nothing."""
    transport = Scripted()
    async with scripted_client(transport) as client:
        pass
    await refuses(client, "closed")
    await client.aclose()
    assert transport.log == []


@virtual_time
async def test_a_client_is_opened_once():
    """Neither twice at a time nor again after it was closed."""
    client = scripted_client(Scripted())
    async with client:
        with pytest.raises(ClientStateError, match="opened before"):
            await client.open()
        await client.payout(**fields())
    with pytest.raises(ClientStateError, match="opened before"):
        await client.open()
    never_opened = scripted_client(Scripted())
    await never_opened.aclose()
    with pytest.raises(ClientStateError, match="opened before"):
        await never_opened.open()


def test_a_client_belongs_to_one_event_loop():
    """From a second loop: a clear error instead of a hang, and the first loop can go on."""
    transport = Scripted()
    client = scripted_client(transport)
    with asyncio.Runner(loop_factory=VirtualLoop) as first:
        first.run(client.open())
        with asyncio.Runner(loop_factory=VirtualLoop) as second:
            second.run(refuses(client, "another event loop"))
        assert first.run(client.payout(**fields())).status is PayoutStatus.PROCESSING
        first.run(client.aclose())
    assert len(transport.log) == 1


@virtual_time
async def test_what_was_given_is_not_closed():
    """An injected transport and an injected ledger belong to who made them."""

    class Ledger(MemoryLedger):
        closed = False

        async def aclose(self) -> None:
            self.closed = True

    transport, ledger = Scripted(), Ledger()
    async with scripted_client(transport, ledger=ledger) as client:
        await client.payout(**fields())
    assert (transport.closed, ledger.closed) == (False, False)


async def test_what_the_client_opened_is_closed(tmp_path: Path):
    """The file can be opened by the next client, and holds what was paid; no task and no thread is left."""
    url = f"sqlite:///{tmp_path / 'payouts.db'}"
    settings = {"base_url": "https://x.example", "merchant_no": MERCHANT_NO, "signer": SIGNER, "ledger": url}
    transport = Scripted(queries=PROCESSING)
    for _ in range(2):
        async with PayProClient(**settings, transport=transport) as client:
            assert (await client.payout(**fields())).status is PayoutStatus.PROCESSING
        with pytest.raises(LedgerUnavailableError):
            await client.ledger.get(MERCHANT_NO, "T1")
    assert len(transport.payouts) == 1
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_ledger_that_cannot_be_opened_leaves_nothing_open(tmp_path: Path):
    """The error comes out of async with, once, and a mended path works with a new client."""
    settings = {"base_url": "https://x.example", "merchant_no": MERCHANT_NO, "signer": SIGNER}
    missing = tmp_path / "no" / "such" / "folder.db"
    client = PayProClient(**settings, ledger=f"sqlite:///{missing}", transport=Scripted())
    with pytest.raises(LedgerUnavailableError):
        await client.open()
    missing.parent.mkdir(parents=True)
    async with PayProClient(**settings, ledger=f"sqlite:///{missing}", transport=Scripted()) as mended:
        assert await mended.payout(**fields())


async def test_settings_that_only_opening_can_check_leave_nothing_open(tmp_path: Path):
    """A proxy that cannot be used shows when the client opens, before anything is stored; the ledger that was opened
    for it is closed again, and no thread is left.
    """
    threads = threading.active_count()
    client = PayProClient(
        base_url="https://x.example",
        merchant_no=MERCHANT_NO,
        signer=SIGNER,
        ledger=f"sqlite:///{tmp_path / 'payouts.db'}",
        proxy="nonsense://proxy.example:1",
    )
    with pytest.raises(ConfigurationError, match="proxy"):
        async with client:
            pass
    with pytest.raises(LedgerUnavailableError):
        await client.ledger.get(MERCHANT_NO, "T1")
    assert threading.active_count() <= threads + 1  # the thread of anyio that read the authorities may stay


async def test_a_ledger_of_ones_own_serves_several_clients(tmp_path: Path):
    """Who made it closes it, after all of them."""
    ledger = open_ledger(f"sqlite:///{tmp_path / 'payouts.db'}")
    settings = {"base_url": "https://x.example", "merchant_no": MERCHANT_NO, "signer": SIGNER, "ledger": ledger}
    transport = Scripted()
    async with PayProClient(**settings, transport=transport) as one:
        await one.payout(**fields("T1"))
    async with PayProClient(**settings, transport=transport) as other:
        await other.payout(**fields("T2"))
        assert (await ledger.get(MERCHANT_NO, "T1")).state is State.PROCESSING
    await ledger.aclose()


@virtual_time
async def test_a_payout_whose_client_is_closed_while_it_asks_is_unknown():
    """The reply was lost and then the client closed: the call must not claim that nothing was sent."""
    from paypro_async.sandbox import Fault, FaultPlan

    plan = FaultPlan(rate=1, query_rate=1, kinds=frozenset({Fault.PAGE_502}))
    async with virtual_sandbox(faults=plan) as sandbox:
        async with client_of(sandbox, timeout=300) as client:
            call = asyncio.create_task(client.payout(**fields()))
            await asyncio.sleep(20)
        with pytest.raises(OutcomeUnknownError) as caught:
            await call
    assert caught.value.trade_no == "T1"
    assert (await client.ledger.get(MERCHANT_NO, "T1")).state is State.SENDING


@virtual_time
async def test_a_payout_in_flight_when_the_client_closes_is_recorded():
    """Its request is under way; the reply is still read and stored in a ledger that is open."""
    transport = Scripted(PROCESSING, takes=5)
    async with scripted_client(transport) as client:
        call = asyncio.create_task(client.payout(**fields()))
        await asyncio.sleep(1)
    assert (await call).status is PayoutStatus.PROCESSING
    assert (await client.ledger.get(MERCHANT_NO, "T1")).state is State.PROCESSING


@virtual_time
async def test_a_broken_ledger_sends_nothing():
    """The intent cannot be stored: LedgerUnavailableError with the number, and no request."""

    class Broken(MemoryLedger):
        async def claim(self, intent):
            raise LedgerUnavailableError("The disk is full.")

    transport = Scripted()
    async with scripted_client(transport, ledger=Broken()) as client:
        with pytest.raises(LedgerUnavailableError, match="disk") as caught:
            await client.payout(**fields())
    assert caught.value.trade_no == "T1"
    assert caught.value.money_may_have_moved is False
    assert transport.log == []


@virtual_time
async def test_an_answer_that_cannot_be_stored_is_not_lost():
    """The platform said paid and the ledger broke: the error carries the result, and a later call finds it."""
    from paypro_async import OutcomeNotRecordedError

    class Failing(MemoryLedger):
        broken = False

        async def move(self, change):
            if self.broken:
                raise LedgerUnavailableError("The disk is full.")
            return await super().move(change)

    async with virtual_sandbox() as sandbox, client_of(sandbox, ledger=Failing()) as client:
        client.ledger.broken = True
        with pytest.raises(OutcomeNotRecordedError) as caught:
            await client.payout(**fields(remark="sandbox:paid"))
        assert caught.value.result.status is PayoutStatus.SUCCEEDED
        assert caught.value.money_may_have_moved
        assert (await client.ledger.get(MERCHANT_NO, "T1")).state is State.SENDING
        client.ledger.broken = False
        assert (await client.payout(**fields(remark="sandbox:paid"))).status is PayoutStatus.SUCCEEDED
    assert bookings(sandbox) == ["T1"]


@virtual_time
async def test_a_ledger_that_recovers_in_time_stores_the_answer():
    """A short failure of the disk is waited out, and the caller does not notice."""

    class Hiccup(MemoryLedger):
        failures = 3

        async def move(self, change):
            if self.failures:
                self.failures -= 1
                raise LedgerUnavailableError("The disk is full.")
            return await super().move(change)

    transport = Scripted(PROCESSING)
    async with scripted_client(transport, ledger=Hiccup()) as client:
        assert (await client.payout(**fields())).status is PayoutStatus.PROCESSING
        assert (await client.ledger.get(MERCHANT_NO, "T1")).state is State.PROCESSING
    assert len(transport.log) == 1


@virtual_time
async def test_a_ledger_that_hangs_does_not_outlive_the_deadline():
    """Nothing was stored for certain, so nothing is sent."""

    class Hanging(MemoryLedger):
        async def claim(self, intent):
            await asyncio.sleep(100_000)

    transport = Scripted(LOST)
    async with scripted_client(transport, ledger=Hanging(), timeout=10) as client:
        with pytest.raises(LedgerUnavailableError):
            await client.payout(**fields())
        assert asyncio.get_running_loop().time() == pytest.approx(1010)
    assert transport.log == []


def test_a_client_is_closed_in_its_own_event_loop():
    """From another loop, or thread, the error says how; the client stays open, and its own loop closes it."""
    client = scripted_client(Scripted())
    with asyncio.Runner(loop_factory=VirtualLoop) as first:
        first.run(client.open())
        with asyncio.Runner() as second, pytest.raises(ClientStateError, match="run_coroutine_threadsafe") as refused:
            second.run(client.aclose())
        assert "open as before" in str(refused.value)
        assert first.run(client.payout(**fields())).status is PayoutStatus.PROCESSING
        first.run(client.aclose())


def test_a_client_whose_event_loop_has_ended_gives_its_ledger_back(tmp_path: Path):
    """It says what became of what was in flight and how to do it right; a second call has nothing left to do."""
    client = scripted_client(Scripted(), ledger=f"sqlite:///{tmp_path}/payouts.db")
    asyncio.run(client.open())
    with pytest.raises(ClientStateError, match=r"has ended before the client was closed.*asyncio\.run\(main\(\)\)"):
        asyncio.run(client.aclose())
    asyncio.run(client.aclose())
    assert client.ledger is not None
    with pytest.raises(LedgerUnavailableError, match="not open"):
        asyncio.run(client.ledger.get(MERCHANT_NO, "T1"))
