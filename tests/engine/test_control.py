"""The control question: whose a refusal is, when the query about a refused payout was refused too."""

from collections.abc import Callable
from typing import Any

import pytest

from paypro_async import (
    Codes,
    CredentialsRefusedError,
    OutcomeUnknownError,
    PayoutStatus,
    PayProClient,
    PayProError,
    State,
)
from paypro_async._core.lifecycle import Reply
from paypro_async._core.wire import Exchange
from tests.support.merchant import MERCHANT_NO, fields, scripted_client
from tests.support.scripted import ABSENT, LOST, NOT_SENT, PROCESSING, Answer, Scripted, order, page, refusal, reply
from tests.support.virtual_time import now, virtual_time

X, Y = refusal("1010"), refusal("4004")
BALANCE = reply({"availableAmount": "1"})
LIMITED = page(429)


def of(own: Answer, control: Answer) -> Callable[[dict[str, Any]], Any]:
    """Answers queries about T… so, and the control question so."""

    def answer(sent: dict[str, Any]) -> Any:
        line = own if sent["tradeNo"].startswith("T") else control
        return line if isinstance(line, Exchange) else line(sent)

    return answer


async def state_of(client: PayProClient) -> State:
    return (await client.ledger.get(MERCHANT_NO, "T1")).state


@pytest.mark.parametrize(
    ("own", "control", "balance", "ends"),
    [
        # The query is answered as one about an order that does not exist.
        (Y, Y, BALANCE, PayoutStatus.FAILED),
        (Y, Y, page(404), PayoutStatus.FAILED),
        (Y, Y, refusal("4005"), PayoutStatus.FAILED),
        (Y, Y, Y, OutcomeUnknownError),
        (Y, Y, X, OutcomeUnknownError),
        (Y, ABSENT, BALANCE, OutcomeUnknownError),
        (Y, refusal("4005"), BALANCE, OutcomeUnknownError),
        (Y, LOST, BALANCE, OutcomeUnknownError),
        (Y, page(502), BALANCE, OutcomeUnknownError),
        (Y, refusal("4004", "System busy"), BALANCE, OutcomeUnknownError),
        # It is refused as the payout was.
        (X, ABSENT, X, PayoutStatus.FAILED),
        (X, Y, X, PayoutStatus.FAILED),
        (X, X, BALANCE, PayoutStatus.FAILED),
        (X, X, X, CredentialsRefusedError),
        (X, X, page(404), CredentialsRefusedError),
        (X, X, LOST, CredentialsRefusedError),
        (X, LOST, X, CredentialsRefusedError),
        # Nothing shows that anybody else is refused so.
        (X, LOST, LOST, OutcomeUnknownError),
        (X, page(502), page(404), OutcomeUnknownError),
        (X, page(502), Y, OutcomeUnknownError),
        (X, refusal("1010", "System busy"), page(404), OutcomeUnknownError),
        (X, LOST, BALANCE, OutcomeUnknownError),
    ],
)
@virtual_time
async def test_what_a_refused_question_means(
    own: Exchange, control: Exchange, balance: Exchange, ends: PayoutStatus | type[PayProError]
):
    """For a payout that was refused under a code that no page lists."""
    transport = Scripted(X, of(own, control), balance)
    async with scripted_client(transport, timeout=25) as client:
        if isinstance(ends, PayoutStatus):
            assert (await client.payout(**fields())).status is ends
        else:
            with pytest.raises(PayProError) as caught:
                await client.payout(**fields())
            assert issubclass(type(caught.value), ends)
            assert await state_of(client) is (State.NEW if ends is CredentialsRefusedError else State.SENDING)
    assert len(transport.payouts) == 1


@virtual_time
async def test_a_platform_whose_queries_are_out_of_order_ends_no_payout():
    """It has booked the payout, says "failed" to it and to every query for a while, and was clear within the hour."""

    def queries(sent: dict[str, Any]) -> Exchange:
        if now() < 1045:
            return refusal("9999", "failed")
        return order("0015", amount="300") if sent["tradeNo"] == "T1" else ABSENT

    transport = Scripted(refusal("9999", "failed"), queries, BALANCE)
    async with scripted_client(transport, timeout=200) as client:
        await client.ledger.record_control(MERCHANT_NO, "0000")
        result = await client.payout(**fields())
    assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 1)


@virtual_time
async def test_queries_that_do_not_even_know_an_accepted_order_are_out_of_order():
    """Payout and query are refused alike, the control too, and so is a question about an order that is there."""

    def queries(sent: dict[str, Any]) -> Exchange:
        if now() < 1045:
            return refusal("9999", "failed")
        return order("0015", amount="300", tradeNo=sent["tradeNo"])

    transport = Scripted([PROCESSING, refusal("9999", "failed")], queries, BALANCE)
    async with scripted_client(transport, timeout=200) as client:
        await client.payout(**fields("T0"))
        result = await client.payout(**fields())
    assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 1)
    assert len(transport.payouts) == 2


@virtual_time
async def test_a_caller_who_was_shut_out_is_let_in_again():
    """The payout is asked about first and then sent, once; the caller's refusal is no "no such order" by then."""
    shut = {"out": True}
    transport = Scripted(
        lambda _: X if shut["out"] else PROCESSING,
        lambda _: X if shut["out"] else ABSENT,
        lambda _: X if shut["out"] else BALANCE,
    )
    async with scripted_client(transport, timeout=60) as client:
        for _ in range(2):
            with pytest.raises(CredentialsRefusedError, match="1010"):
                await client.payout(**fields())
        assert await state_of(client) is State.NEW
        assert len(transport.payouts) == 1
        shut["out"] = False
        assert (await client.payout(**fields())).status is PayoutStatus.PROCESSING
    assert transport.kinds[-2:] == ["query", "payout"]
    assert len(transport.payouts) == 2


@virtual_time
@pytest.mark.parametrize(
    ("second", "ends", "attempts"),
    [
        (NOT_SENT, PayoutStatus.PROCESSING, 3),
        (LIMITED, PayoutStatus.PROCESSING, 3),
        (refusal("1020", "amount too low"), PayoutStatus.FAILED, 2),
        (LOST, OutcomeUnknownError, 2),
    ],
)
async def test_what_was_refused_for_the_callers_sake_alone_is_in_doubt_no_more(
    second: Exchange, ends: Any, attempts: int
):
    """Let in again, and told that there is no such order: whatever becomes of the next attempt, the first one is out
    of the question, also on a platform that answers unknown orders with a code that no page lists.
    """
    shut = {"out": True}

    def paid(_: dict[str, Any]) -> Exchange:
        return X if shut["out"] else second if len(transport.payouts) == 2 else PROCESSING

    transport = Scripted(paid, lambda _: X if shut["out"] else Y, lambda _: X if shut["out"] else BALANCE)
    async with scripted_client(transport, timeout=200) as client:
        with pytest.raises(CredentialsRefusedError, match="1010"):
            await client.payout(**fields())
        shut["out"] = False
        if isinstance(ends, PayoutStatus):
            result = await client.payout(**fields())
            assert (result.status, result.attempts) == (ends, attempts)
        else:
            with pytest.raises(ends):
                await client.payout(**fields())
    assert len(transport.payouts) == attempts


@virtual_time
async def test_of_an_attempt_that_may_have_left_only_a_listed_code_says_that_there_is_none():
    """The platform was busy with the second attempt; the first may be out, whatever the control is answered."""
    transport = Scripted([LOST, LIMITED, PROCESSING], lambda _: Y if len(transport.payouts) > 1 else ABSENT, BALANCE)
    async with scripted_client(transport, timeout=240) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields())
        entry = await client.ledger.get(MERCHANT_NO, "T1")
    assert (entry.state, entry.reply, entry.doubt) == (State.NEW, Reply.BUSY, True)
    assert len(transport.payouts) == 2


@virtual_time
async def test_a_platform_that_was_busy_with_the_only_attempt_is_asked_once():
    """Held back, and unknown by the code that unknown orders have: it goes out again."""
    transport = Scripted([LIMITED, PROCESSING], Y, BALANCE)
    async with scripted_client(transport, timeout=60) as client:
        assert (await client.payout(**fields())).status is PayoutStatus.PROCESSING
    assert transport.kinds == ["payout", "query", "query", "balance", "payout"]


@virtual_time
async def test_a_payout_that_stays_unknown_since_questions_are_refused_says_so():
    """Its attempt may have left, so the code must be listed, and the error names who finds out what it means."""
    async with scripted_client(Scripted(LOST, Y, BALANCE), timeout=90) as client:
        with pytest.raises(OutcomeUnknownError, match=r"refuses questions about it with code 4004.*paypro doctor"):
            await client.payout(**fields())
    mended = Scripted([LOST, PROCESSING], Y, BALANCE)
    async with scripted_client(mended, timeout=90, codes=Codes(no_such_order="4004")) as client:
        assert (await client.payout(**fields())).attempts == 2
