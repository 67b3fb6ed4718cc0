"""Asking moves no money: queries, the balance, and what the ledger learns from them."""

from decimal import Decimal

import pytest

from paypro_async import (
    ConfigurationError,
    OutcomeUnknownError,
    PayoutStatus,
    PayProError,
    QuestionFailedError,
    ReviewRequiredError,
    State,
)
from paypro_async.sandbox import Fault, FaultPlan
from tests.support.merchant import MERCHANT_NO, bookings, client_of, fields, requests, scripted_client, virtual_sandbox
from tests.support.scripted import ABSENT, LOST, NOT_SENT, PAID, PROCESSING, Scripted, order, page, refusal, reply
from tests.support.virtual_time import now, virtual_time


async def state_of(client) -> State:
    return (await client.ledger.get(MERCHANT_NO, "T1")).state


@virtual_time
async def test_a_query_tells_what_the_platform_knows():
    """Status, the platform's number, the amount, and once paid the time and the bank's reference."""
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        await client.payout(**fields())
        processing = await client.query("T1")
        sandbox.books.set_status("T1", "0000")
        paid = await client.query("T1")
        booked = sandbox.books.orders["T1"]
    assert (processing.status, processing.code) == (PayoutStatus.PROCESSING, "0015")
    assert (paid.status, paid.code, paid.amount) == (PayoutStatus.SUCCEEDED, "0000", Decimal(300))
    assert (paid.platform_trade_no, paid.utr) == (booked.platform_trade_no, booked.utr)
    assert paid.success_time
    assert paid.found


@pytest.mark.parametrize("unknown_order", ["null", "empty"])
@virtual_time
async def test_a_query_for_an_unknown_number_finds_nothing(unknown_order: str):
    """That is an answer and no error, and without a payout of ours nothing is stored."""
    async with virtual_sandbox(unknown_order=unknown_order) as sandbox, client_of(sandbox) as client:
        answer = await client.query("T404")
        assert await client.ledger.get(MERCHANT_NO, "T404") is None
    assert (answer.trade_no, answer.status, answer.found) == ("T404", None, False)


@pytest.mark.parametrize("trade_no", ["", "T 1", "x" * 65, "T/1", None, 17])
@virtual_time
async def test_a_number_that_cannot_be_one_is_not_asked_for(trade_no):
    """Refused before any request."""
    transport = Scripted()
    async with scripted_client(transport) as client:
        with pytest.raises(ConfigurationError, match="trade_no"):
            await client.query(trade_no)
    assert transport.log == []


@virtual_time
async def test_a_query_that_meets_faults_is_asked_again():
    """Resets, pages and cut bodies: asking again costs nothing."""
    plan = FaultPlan(query_rate=0.7, seed=5)
    async with virtual_sandbox(faults=plan) as sandbox, client_of(sandbox) as client:
        for number in range(10):
            await client.payout(**fields(f"T{number}"))
        answers = [await client.query(f"T{number}", timeout=600, max_attempts=50) for number in range(10)]
        assert sum(sandbox.books.fault_counts.values()) > 5
    assert {answer.status for answer in answers} == {PayoutStatus.PROCESSING}


@virtual_time
async def test_a_question_without_a_usable_answer_fails_after_its_attempts():
    """QuestionFailedError: no money moved, and the text says what was wrong."""
    transport = Scripted(queries=page(502), balances=LOST)
    async with scripted_client(transport) as client:
        with pytest.raises(QuestionFailedError, match="HTTP 502") as caught:
            await client.query("T1", max_attempts=3)
        assert len(transport.log) == 3
        with pytest.raises(QuestionFailedError, match="connection broke"):
            await client.balance(max_attempts=2)
        assert len(transport.log) == 5
    assert caught.value.trade_no == "T1"
    assert caught.value.money_may_have_moved is False


@virtual_time
async def test_a_refused_question_is_not_asked_again():
    """A refusal with a code will be the same next time; the error carries the code and the words."""
    transport = Scripted(queries=refusal("1002", "sign error"), balances=refusal("1003", "merchant does not exist"))
    async with scripted_client(transport) as client:
        with pytest.raises(QuestionFailedError) as caught:
            await client.query("T1")
        with pytest.raises(QuestionFailedError, match="1003"):
            await client.balance()
    assert (caught.value.platform_code, caught.value.platform_message) == ("1002", "sign error")
    assert len(transport.log) == 2


@virtual_time
async def test_a_question_keeps_its_deadline():
    """A platform that is silent: the call ends when it said it would."""
    plan = FaultPlan(query_rate=1, kinds=frozenset({Fault.SILENCE}))
    async with virtual_sandbox(faults=plan) as sandbox, client_of(sandbox) as client:
        began = now()
        with pytest.raises(QuestionFailedError):
            await client.query("T1", timeout=7)
    assert now() - began == pytest.approx(7, abs=0.01)


@virtual_time
async def test_a_question_keeps_its_deadline_also_when_the_budget_is_empty():
    """Waiting for a token of the retry budget counts as time of the call."""
    transport = Scripted(queries=page(502))
    async with scripted_client(transport) as client:
        for _ in range(400):
            client._asking().budget.take(now())
        began = now()
        with pytest.raises(QuestionFailedError):
            await client.query("T1", timeout=7, max_attempts=50)
    assert now() - began <= 7


@virtual_time
async def test_429_to_a_question_is_waited_out():
    """The pause that the server wants is kept before the next question."""
    transport = Scripted(queries=[page(429, retry_after="4"), PAID])
    async with scripted_client(transport) as client:
        assert (await client.query("T1")).status is PayoutStatus.SUCCEEDED
    assert transport.log[1].at - transport.log[0].at >= 4


@virtual_time
async def test_what_a_query_finds_is_in_the_ledger():
    """An unknown payout becomes known by a query, and the next payout call needs no request."""
    found = order("0000", amount="300", utr="123")
    transport = Scripted(LOST, lambda _: page(502) if now() < 1005 else found)
    async with scripted_client(transport) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields(), timeout=5)
        assert await state_of(client) is State.SENDING
        await client._runtime.sleep(1)
        assert (await client.query("T1")).status is PayoutStatus.SUCCEEDED
        asked = len(transport.log)
        result = await client.payout(**fields())
        assert (result.status, result.utr) == (PayoutStatus.SUCCEEDED, "123")
        assert len(transport.log) == asked


@virtual_time
async def test_a_query_that_finds_nothing_changes_nothing():
    """A single absence proves nothing, however late: the payout stays unknown."""
    transport = Scripted(LOST, ABSENT)
    async with scripted_client(transport) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields(), timeout=5)
        for _ in range(3):
            await client._runtime.sleep(100)
            assert not (await client.query("T1")).found
        assert await state_of(client) is State.SENDING
    assert len(transport.payouts) == 1


@virtual_time
async def test_a_success_that_is_taken_back_is_reversed():
    """Paid, then reported as failed: REVERSED for the query and for every later call, and it is not paid again."""
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        await client.payout(**fields(remark="sandbox:paid"))
        sandbox.books.set_status("T1", "00029")
        answer = await client.query("T1")
        assert answer.status is PayoutStatus.REVERSED
        assert await state_of(client) is State.REVERSED
        result = await client.payout(**fields(remark="sandbox:paid"))
    assert result.status is PayoutStatus.REVERSED
    assert result.is_final
    assert bookings(sandbox) == ["T1"]


@pytest.mark.parametrize("status", ["0000", "0015"])
@virtual_time
async def test_a_failure_that_is_seen_alive_needs_a_person(status: str):
    """Failed, then reported as paid or processing: before anybody pays a second time somebody must look."""
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        failed = await client.payout(**fields(remark="sandbox:fail:00029"))
        assert failed.status is PayoutStatus.FAILED
        sandbox.books.set_status("T1", status)
        await client.query("T1")
        assert await state_of(client) is State.REVIEW
        with pytest.raises(ReviewRequiredError):
            await client.payout(**fields(remark="sandbox:fail:00029"))
    assert bookings(sandbox) == ["T1"]


@virtual_time
async def test_a_processing_payout_that_fails_later_is_failed():
    """The normal way of a bank's refusal: accepted first, refused later."""
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        await client.payout(**fields())
        sandbox.books.set_status("T1", "00029")
        assert (await client.query("T1")).status is PayoutStatus.FAILED
        assert (await client.payout(**fields())).status is PayoutStatus.FAILED
    assert [path for path, _ in requests(sandbox)] == ["payout", "queryPayOutResult"]


@virtual_time
async def test_an_order_over_another_amount_is_not_our_payout():
    """A query that shows another amount than was sent puts the payout before a person."""
    transport = Scripted(PROCESSING, order("0000", amount="999"))
    async with scripted_client(transport) as client:
        await client.payout(**fields())
        answer = await client.query("T1")
        assert (answer.amount, answer.status) == (Decimal(999), PayoutStatus.UNKNOWN)
        assert await state_of(client) is State.REVIEW


@pytest.mark.parametrize("name", ["availableAmount", "availablAmount"])
@pytest.mark.parametrize("amount", ["9998989.0000", Decimal("9998989.0000")])
@virtual_time
async def test_the_balance_is_exact_under_both_spellings(name: str, amount):
    """As text or as a JSON number, with all its digits."""
    data = {name: "9998989.0000", "freezeAmount": "0.10", "unsettledAmount": "7"}
    exchange = reply(data)
    if not isinstance(amount, str):
        from attrs import evolve

        exchange = evolve(exchange, body=exchange.body.replace(b'"9998989.0000"', b"9998989.0000"))
    async with scripted_client(Scripted(balances=exchange)) as client:
        balance = await client.balance()
    assert str(balance.available) == "9998989.0000"
    assert (balance.frozen, balance.unsettled, balance.currency) == (Decimal("0.10"), Decimal(7), "INR")


@virtual_time
async def test_the_balance_of_the_sandbox_goes_down_with_each_payout():
    """Over real HTTP."""
    async with virtual_sandbox(balance="1000") as sandbox, client_of(sandbox) as client:
        before = await client.balance()
        await client.payout(**fields())
        after = await client.balance()
    assert (before.available, after.available) == (Decimal(1000), Decimal(700))


@pytest.mark.parametrize("data", [None, {}, {"freezeAmount": "1"}, {"availableAmount": "much"}, []])
@virtual_time
async def test_a_balance_that_cannot_be_read_is_never_guessed(data):
    """Missing or of another type: QuestionFailedError instead of a number."""
    async with scripted_client(Scripted(balances=reply(data))) as client:
        with pytest.raises(QuestionFailedError):
            await client.balance()


DUPLICATE = refusal("0100024", "DUPLICATE_REFERENCE_NUMBER_LEVEL2")


@pytest.mark.parametrize("status", ["0000", "0015", "00029"])
@virtual_time
async def test_a_query_never_answers_for_an_order_that_is_perhaps_anothers(status: str):
    """Our only attempt was a duplicate, or none ever left: the order of an equal amount is not said to be ours."""
    for payouts in (DUPLICATE, NOT_SENT):
        transport = Scripted(payouts, order(status, amount="300", tradeNo="T1"))
        async with scripted_client(transport, timeout=5, max_attempts=1) as client:
            with pytest.raises(PayProError):
                await client.payout(**fields())
            for _ in range(2):
                assert (await client.query("T1")).status is PayoutStatus.UNKNOWN
                assert await state_of(client) is State.REVIEW


@pytest.mark.parametrize("status", ["0000", "0015", "00029"])
@virtual_time
async def test_a_query_never_answers_with_the_order_of_another_payout(status: str):
    """The order of T1 comes as the answer about T2, which is neither paid nor under way nor failed by that."""
    first = order("0015", platFormTradeNo="P-X")
    answers = {"T1": order("0000", platFormTradeNo="P-X"), "T2": order(status, platFormTradeNo="P-X", amount="300")}
    transport = Scripted([first, LOST], lambda sent: answers[sent["tradeNo"]])
    async with scripted_client(transport, timeout=1) as client:
        await client.payout(**fields())
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields("T2"))
        assert (await client.query("T2")).status is PayoutStatus.UNKNOWN
        assert (await client.ledger.get(MERCHANT_NO, "T2")).state is State.SENDING
        assert (await client.query("T1")).status is PayoutStatus.SUCCEEDED
