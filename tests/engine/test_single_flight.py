"""The same trade_no again, one after the other and at the same time."""

import asyncio
from pathlib import Path

import pytest

from paypro_async import (
    CredentialsRefusedError,
    IdempotencyConflictError,
    MemoryLedger,
    OutcomeUnknownError,
    PayoutStatus,
    PayProClient,
    State,
)
from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.support.merchant import (
    MERCHANT_NO,
    SIGNER,
    bookings,
    client_of,
    fields,
    requests,
    scripted_client,
    virtual_sandbox,
)
from tests.support.scripted import LOST, PAID, PROCESSING, Scripted, order, refusal
from tests.support.virtual_time import VirtualRuntime, now, virtual_time

OTHER_CONTENT = [
    {"amount": "301"},
    {"name": "Asha Roy"},
    {"bank_number": "10094038293"},
    {"bank_code": "IDFB0043122"},
    {"mobile": "8234567891"},
    {"email": "a@gmail.com"},
    {"remark": "another"},
]


@pytest.mark.parametrize("remark", ["sandbox:paid", "sandbox:fail:00029", "sandbox:refuse:1001"])
@virtual_time
async def test_a_final_payout_is_given_back_without_a_request(remark: str):
    """Paid or failed, the same payout again costs nothing and says the same."""
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        first = await client.payout(**fields(remark=remark))
        again = await client.payout(**fields(remark=remark))
    assert first.is_final
    assert again == first
    assert len(requests(sandbox)) == (3 if "refuse" in remark else 1)  # what no page lists is confirmed


@virtual_time
async def test_a_processing_payout_is_asked_for_once():
    """The stored result is not final, so the platform is asked, once, and what it says is stored."""
    async with virtual_sandbox(paid_after=100) as sandbox, client_of(sandbox) as client:
        await client.payout(**fields())
        again = await client.payout(**fields())
        assert again.status is PayoutStatus.PROCESSING
        await client._runtime.sleep(200)
        paid = await client.payout(**fields())
        assert (paid.status, paid.attempts) == (PayoutStatus.SUCCEEDED, 1)
        assert paid.utr
        await client.payout(**fields())
    assert [path for path, _ in requests(sandbox)] == ["payout", "queryPayOutResult", "queryPayOutResult"]
    assert bookings(sandbox) == ["T1"]


@virtual_time
async def test_a_question_without_an_answer_leaves_the_stored_result():
    """If the platform cannot be asked just now, what is known is still given back, and nothing is sent."""
    transport = Scripted(PROCESSING, LOST)
    async with scripted_client(transport) as client:
        await client.payout(**fields())
        again = await client.payout(**fields())
    assert again.status is PayoutStatus.PROCESSING
    assert transport.kinds == ["payout", "query"]


@pytest.mark.parametrize("change", OTHER_CONTENT, ids=lambda change: next(iter(change)))
@virtual_time
async def test_other_content_under_a_used_number_is_a_conflict(change: dict[str, str]):
    """Whatever identifies the payout differs: refused without a request, and the first payout stays as it is."""
    transport = Scripted(PAID)
    async with scripted_client(transport) as client:
        await client.payout(**fields())
        with pytest.raises(IdempotencyConflictError) as caught:
            await client.payout(**fields(**change))
        assert (await client.payout(**fields())).status is PayoutStatus.SUCCEEDED
    assert caught.value.trade_no == "T1"
    assert caught.value.money_may_have_moved is False
    assert len(transport.log) == 1


@pytest.mark.parametrize("change", [{"ip_address": "198.51.100.1"}, {"notify_url": "https://other.example/"}])
@virtual_time
async def test_a_technical_field_may_differ(change: dict[str, str]):
    """Where the job runs and where the platform reports is not what is paid to whom."""
    transport = Scripted(PAID)
    async with scripted_client(transport) as client:
        first = await client.payout(**fields())
        assert await client.payout(**fields(**change)) == first
    assert len(transport.log) == 1


@virtual_time
async def test_equal_amounts_in_other_words_are_the_same_payout():
    """300, "300.00" and Decimal mean one amount."""
    transport = Scripted(PAID)
    async with scripted_client(transport) as client:
        first = await client.payout(**fields(amount="300"))
        assert await client.payout(**fields(amount="300.00")) == first
        assert await client.payout(**fields(amount=300)) == first


@virtual_time
async def test_fifty_calls_at_once_are_one_payout():
    """One of them works, the others get what it got: one request, one booking, 50 equal results."""
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        results = await asyncio.gather(*(client.payout(**fields()) for _ in range(50)))
    assert len(set(results)) == 1
    assert len(results) == 50
    assert bookings(sandbox) == ["T1"]
    assert len(requests(sandbox)) == 1


async def test_fifty_calls_at_once_with_a_file_and_real_time(tmp_path: Path):
    """The same with the durable ledger on its thread, and with two clients on the file at the same time."""
    async with Sandbox() as sandbox:
        settings = {
            "base_url": sandbox.base_url,
            "environment": sandbox.environment,
            "merchant_no": MERCHANT_NO,
            "signer": SIGNER,
            "ledger": f"sqlite:///{tmp_path / 'payouts.db'}",
        }
        async with PayProClient(**settings) as one, PayProClient(**settings) as other:
            results = await asyncio.gather(*(client.payout(**fields()) for client in [one, other] * 25))
    assert {result.status for result in results} == {PayoutStatus.PROCESSING}
    assert len({result.platform_trade_no for result in results}) == 1
    assert bookings(sandbox) == ["T1"]


@virtual_time
async def test_a_lost_reply_is_found_for_all_who_wait():
    """The one that works asks; the fifty get the same answer."""
    faults = FaultPlan.every(Fault.RESET_AFTER)
    async with virtual_sandbox(faults=faults) as sandbox, client_of(sandbox) as client:
        results = await asyncio.gather(*(client.payout(**fields()) for _ in range(50)))
    assert len(set(results)) == 1
    assert bookings(sandbox) == ["T1"]


@virtual_time
async def test_other_content_conflicts_while_the_first_is_in_flight():
    """The conflict is seen before anything is stored, and does not disturb the payout under way."""
    transport = Scripted(PAID, takes=5)
    async with scripted_client(transport) as client:
        first = asyncio.create_task(client.payout(**fields()))
        await asyncio.sleep(1)
        with pytest.raises(IdempotencyConflictError):
            await client.payout(**fields(amount="301"))
        assert now() == pytest.approx(1001)
        assert (await first).status is PayoutStatus.SUCCEEDED
    assert len(transport.log) == 1


@virtual_time
async def test_those_who_join_get_errors_of_their_own():
    """A failure of the one that works reaches all, each with its own exception that carries the same data."""
    no = refusal("1002", "sign error")
    transport = Scripted(no, no, no, takes=1)
    async with scripted_client(transport) as client:
        errors = await asyncio.gather(*(client.payout(**fields()) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(error, CredentialsRefusedError) for error in errors)
    assert len({id(error) for error in errors}) == 5
    assert {(error.trade_no, error.attempts, error.platform_code) for error in errors} == {("T1", 1, "1002")}
    assert transport.kinds == ["payout", "query", "query", "balance"]  # whom it refuses, the row or the caller


@virtual_time
async def test_when_the_one_that_works_is_cancelled_a_follower_takes_over_and_asks():
    """Its payout may be out, so the follower asks, and finds the one booking."""
    faults = FaultPlan.every(Fault.SILENCE)
    async with virtual_sandbox(faults=faults) as sandbox, client_of(sandbox, timeout=300) as client:
        leader = asyncio.create_task(client.payout(**fields()))
        followers = [asyncio.create_task(client.payout(**fields())) for _ in range(5)]
        await asyncio.sleep(3)
        leader.cancel()
        results = await asyncio.gather(*followers)
        with pytest.raises(asyncio.CancelledError):
            await leader
    assert {result.status for result in results} == {PayoutStatus.PROCESSING}
    assert len(set(results)) == 1
    assert bookings(sandbox) == ["T1"]


@virtual_time
async def test_when_a_follower_is_cancelled_the_others_do_not_notice():
    """Cancelling one who waits neither ends the work nor the other calls."""
    transport = Scripted(PAID, takes=5)
    async with scripted_client(transport) as client:
        calls = [asyncio.create_task(client.payout(**fields())) for _ in range(3)]
        await asyncio.sleep(1)
        calls[1].cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(results[1], asyncio.CancelledError)
    assert results[0] == results[2]
    assert len(transport.log) == 1


@virtual_time
async def test_a_follower_keeps_its_own_deadline():
    """Who has less patience than the one that works is told that the payout is unknown, and the work goes on."""
    transport = Scripted(PAID, takes=15)
    async with scripted_client(transport) as client:
        leader = asyncio.create_task(client.payout(**fields()))
        await asyncio.sleep(1)
        with pytest.raises(OutcomeUnknownError) as caught:
            await client.payout(**fields(), timeout=2)
        assert now() == pytest.approx(1003)
        assert caught.value.trade_no == "T1"
        assert caught.value.elapsed == pytest.approx(2)
        assert (await leader).status is PayoutStatus.SUCCEEDED


@virtual_time
async def test_a_follower_that_takes_over_has_only_what_is_left_of_its_time():
    """Waiting for another call and working itself are one call with one deadline."""
    transport = Scripted(LOST, LOST)
    async with scripted_client(transport) as client:
        leader = asyncio.create_task(client.payout(**fields(), timeout=1000))
        await asyncio.sleep(0)
        began = now()
        follower = asyncio.create_task(client.payout(**fields(), timeout=30))
        await asyncio.sleep(25)
        leader.cancel()
        with pytest.raises(OutcomeUnknownError):
            await follower
    assert now() - began <= 30.5


@virtual_time
async def test_two_clients_on_one_ledger_pay_once():
    """What single flight cannot see, another process, the ledger's compare-and-set does: one payout request."""
    transport = Scripted(PROCESSING, PROCESSING, takes=1)
    async with scripted_client(transport) as one, scripted_client(transport, ledger=one.ledger) as other:
        first, second = await asyncio.gather(one.payout(**fields()), other.payout(**fields()))
    assert first.status is second.status is PayoutStatus.PROCESSING
    assert len(transport.payouts) == 1


@virtual_time
async def test_an_unknown_payout_of_an_earlier_run_is_asked_for_first():
    """A ledger that holds an attempt without an outcome: the next call asks before anything else and sends nothing."""
    transport = Scripted([LOST, PAID], [LOST, order("0015", amount="300")])
    async with scripted_client(transport) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields(), timeout=0.4)
        entry = await client.ledger.get(MERCHANT_NO, "T1")
        assert entry.state is State.SENDING
    async with scripted_client(transport, ledger=client.ledger) as later:
        result = await later.payout(**fields())
    assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 1)
    assert len(transport.payouts) == 1


class SlowToRead(MemoryLedger):
    async def get(self, merchant_no: str, trade_no: str):
        await asyncio.sleep(25)
        return await super().get(merchant_no, trade_no)


@virtual_time
async def test_a_ledger_that_is_slower_than_a_request_may_be_is_waited_for():
    """How patient one is with the platform says nothing of the ledger: the call goes on for as long as it has time."""
    ledger = SlowToRead(runtime=VirtualRuntime())
    transport = Scripted([LOST, PAID], [LOST, order("0015", amount="300")])
    async with scripted_client(transport, ledger=ledger) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields(), timeout=0.4)
    async with scripted_client(transport, ledger=ledger, request_timeout=20) as later:
        result = await later.payout(**fields(), timeout=100)
    assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 1)
