"""Deadlines, attempts, budgets: how long and how often a call tries."""

import asyncio
import socket

import pytest

from paypro_async import (
    ConfigurationError,
    ConnectionFailedError,
    NotSentError,
    OutcomeUnknownError,
    PayoutStatus,
    PayProClient,
    PoolTimeoutError,
    State,
)
from paypro_async._core.wire import Exchange, Phase
from paypro_async.sandbox import Fault, FaultPlan
from tests.support.merchant import (
    MERCHANT_NO,
    SIGNER,
    bookings,
    client_of,
    fields,
    paid_at,
    requests,
    scripted_client,
    virtual_sandbox,
)
from tests.support.scripted import LOST, NOT_SENT, PAID, PROCESSING, Scripted, page
from tests.support.virtual_time import VirtualRuntime, freeze, now, virtual_time


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@virtual_time
async def test_a_closed_port_is_a_failed_connection_after_the_last_attempt():
    """Nothing left, for certain: tried as often as allowed, NEW in the ledger, and the error says no money moved."""
    client = PayProClient(
        base_url=closed_port(), merchant_no=MERCHANT_NO, signer=SIGNER, ledger="memory", runtime=VirtualRuntime()
    )
    async with client:
        with pytest.raises(ConnectionFailedError) as caught:
            await client.payout(**fields(), max_attempts=3)
        entry = await client.ledger.get(MERCHANT_NO, "T1")
    assert (caught.value.trade_no, caught.value.attempts) == ("T1", 3)
    assert caught.value.money_may_have_moved is False
    assert caught.value.elapsed == pytest.approx(0.5 + 1.0, abs=0.1)
    assert (entry.state, entry.attempt) == (State.NEW, 3)


@virtual_time
async def test_what_was_not_sent_is_sent_again_without_a_question():
    """A connection that fails twice and then works: three attempts and no need to ask."""
    transport = Scripted([NOT_SENT, NOT_SENT, PROCESSING])
    async with scripted_client(transport) as client:
        result = await client.payout(**fields())
    assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 3)
    assert transport.kinds == ["payout"] * 3
    first, second, third = (sent.at for sent in transport.payouts)
    assert (second - first, third - second) == (pytest.approx(0.5), pytest.approx(1.0))


@virtual_time
async def test_busy_connections_are_told_from_failed_ones():
    """Every connection taken is a matter of max_connections, and says so."""
    transport = Scripted(Exchange(phase=Phase.NOT_SENT, cause="every connection was busy", pool_timeout=True))
    async with scripted_client(transport) as client:
        with pytest.raises(PoolTimeoutError, match="max_connections"):
            await client.payout(**fields())


@pytest.mark.parametrize("timeout", [0.1, 1.0, 25.0, 100.0])
@virtual_time
async def test_one_deadline_holds_over_attempts_backoff_and_questions(timeout: float):
    """A platform that never answers anything: the call ends when it said it would."""
    plan = FaultPlan(rate=1, query_rate=1, kinds=frozenset({Fault.SILENCE}))
    async with virtual_sandbox(faults=plan) as sandbox, client_of(sandbox, timeout=timeout) as client:
        began = now()
        with pytest.raises(OutcomeUnknownError) as caught:
            await client.payout(**fields())
        assert now() - began <= timeout + 0.01
        assert caught.value.elapsed <= timeout + 0.01
    assert len(paid_at(sandbox)) == 1


@virtual_time
async def test_a_reply_that_drips_does_not_outlive_the_deadline():
    """A byte each second is no progress: the exchange has one deadline for all of its bytes."""
    plan = FaultPlan(rate=1, query_rate=1, kinds=frozenset({Fault.DRIP}))
    async with virtual_sandbox(faults=plan) as sandbox, client_of(sandbox) as client:
        began = now()
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields(), timeout=12)
    assert now() - began == pytest.approx(12, abs=0.5)


@virtual_time
async def test_a_call_may_have_its_own_timeout_and_attempts():
    """Per call instead of the client's; and a limit that makes no sense is refused before anything is stored."""
    transport = Scripted(NOT_SENT)
    async with scripted_client(transport, timeout=300, max_attempts=50) as client:
        with pytest.raises(NotSentError):
            await client.payout(**fields("T1"), max_attempts=1)
        assert len(transport.payouts) == 1
        began = now()
        with pytest.raises(NotSentError):
            await client.payout(**fields("T2"), timeout=3)
        assert now() - began <= 3
        for wrong in ({"timeout": 0}, {"timeout": -1}, {"timeout": float("nan")}, {"max_attempts": 0}):
            with pytest.raises(ConfigurationError):
                await client.payout(**fields("T3"), **wrong)
        assert await client.ledger.get(MERCHANT_NO, "T3") is None


@pytest.mark.parametrize("frozen_for", [11.0, 40.0, 100_000.0])
@virtual_time
async def test_a_process_that_was_frozen_after_the_intent_does_not_send_late(frozen_for: float):
    """Stopped between the intent and the first byte, then woken: that attempt never leaves. A call with time left
    makes a new attempt; one without says that nothing was sent.
    """

    class FrozenOnce:
        woken = False

        def sign(self, fields):
            if not self.woken:
                self.woken = True
                freeze(frozen_for)
            return SIGNER.sign(fields)

    async with virtual_sandbox() as sandbox, client_of(sandbox, signer=FrozenOnce(), timeout=30) as client:
        woken_at = now() + frozen_for
        if frozen_for < 30:
            result = await client.payout(**fields())
            assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 2)
        else:
            with pytest.raises(NotSentError):
                await client.payout(**fields())
            assert requests(sandbox) == []
            assert (await client.ledger.get(MERCHANT_NO, "T1")).state is State.NEW
            assert (await client.payout(**fields())).attempts == 2
        assert now() >= woken_at
    assert bookings(sandbox) == ["T1"]


@virtual_time
async def test_an_attempt_frozen_for_longer_than_the_settle_window_never_meets_its_own_successor():
    """One process freezes before sending, another believes the payout lost and sends it; when the first wakes, its
    bytes must not leave, even if the platform would book them.
    """
    woken = asyncio.Event()

    class Asleep:
        async def sign(self, fields):
            await woken.wait()
            return SIGNER.sign(fields)

    async with (
        virtual_sandbox(deduplicate=False) as sandbox,
        client_of(sandbox, signer=Asleep(), timeout=1000) as frozen,
        client_of(sandbox, ledger=frozen.ledger, timeout=300) as other,
    ):
        asleep = asyncio.create_task(frozen.payout(**fields()))
        await asyncio.sleep(1)
        assert (await other.payout(**fields())).attempts == 2
        woken.set()
        await asyncio.gather(asleep, return_exceptions=True)
    assert bookings(sandbox) == ["T1"]


@virtual_time
async def test_an_outage_is_not_multiplied():
    """300 calls meet a platform that answers nothing useful: all their retries together stay within the budget."""
    transport = Scripted(NOT_SENT)
    async with scripted_client(transport, timeout=30, max_attempts=50) as client:
        results = await asyncio.gather(*(client.payout(**fields(f"T{n}")) for n in range(300)), return_exceptions=True)
    assert all(isinstance(result, NotSentError) for result in results)
    retries = len(transport.log) - 300
    assert 200 <= retries <= 100 + 10 * 30


@virtual_time
async def test_the_questions_of_an_outage_stay_within_the_same_budget():
    """Lost replies make every call ask; those questions are bounded too."""
    transport = Scripted(LOST, page(502))
    async with scripted_client(transport, timeout=30) as client:
        await asyncio.gather(*(client.payout(**fields(f"T{n}")) for n in range(300)), return_exceptions=True)
        await asyncio.gather(*(client.query(f"T{n}") for n in range(300)), return_exceptions=True)
    assert len(transport.queries) <= 100 + 10 * (now() - 1000) + 600 + 1  # the first question of a call is no retry


@virtual_time
async def test_patient_calls_of_an_outage_leave_the_next_call_its_question():
    """Hundreds that wait with minutes to go owe no tokens of those minutes: a call of two seconds asks."""
    transport = Scripted(LOST, page(502))
    async with scripted_client(transport, timeout=300) as client:
        crowd = [asyncio.create_task(client.payout(**fields(f"T{number}"))) for number in range(400)]
        await asyncio.sleep(15)
        before = [sent.trade_no for sent in transport.queries]
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields("LATE"), timeout=2)
        assert "LATE" not in before
        assert "LATE" in [sent.trade_no for sent in transport.queries]
        assert len(before) <= 100 + 10 * 15 + 400
        for one in crowd:
            one.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)


@virtual_time
async def test_what_was_announced_is_forgotten_once_it_has_settled():
    """A client that runs for weeks keeps nothing of payouts whose settle window has passed."""
    transport = Scripted(LOST, page(502))
    async with scripted_client(transport, timeout=0.2, settle_after=60) as client:
        announced = client._paying().recording.announced
        for number in range(300):
            with pytest.raises(OutcomeUnknownError):
                await client.payout(**fields(f"T{number}"))
        assert len(announced) == 300
        await asyncio.sleep(120)
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields("LAST"))
        assert list(announced) == ["LAST"]


@virtual_time
async def test_good_answers_fill_the_budget_again():
    """After an outage that emptied it, a few payouts that are answered are enough for questions without delay."""
    transport = Scripted([PAID] * 70 + [LOST], PAID)
    async with scripted_client(transport) as client:
        for _ in range(160):
            client._asking().budget.take(now())
        for number in range(70):
            await client.payout(**fields(f"T{number}"))
        assert now() == 1000
        await client.payout(**fields("T70"))
    assert now() - 1000 == pytest.approx(0.5)  # the back-off alone: no waiting for a token


@virtual_time
async def test_a_question_that_gives_up_takes_nothing_from_the_budget():
    """Three hundred questions without time for a second try leave the budget as it was."""
    transport = Scripted(LOST, lambda sent: PAID if sent["tradeNo"] == "T1" else page(502))
    async with scripted_client(transport) as client:
        await asyncio.gather(*(client.query("T9", timeout=0.3) for _ in range(300)), return_exceptions=True)
        await client.payout(**fields())
    assert now() - 1000 == pytest.approx(0.5)


@virtual_time
async def test_a_platform_that_answers_is_asked_without_delay():
    """The budget holds back in an outage only: a thousand lost replies with good answers wait for no token."""
    transport = Scripted(LOST, PAID)
    async with scripted_client(transport) as client:
        for number in range(1000):
            await client.payout(**fields(f"T{number}"))
    assert now() - 1000 == pytest.approx(1000 * 0.5, rel=0.01)
