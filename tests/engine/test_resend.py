"""After an unknown: what is asked, when, and when the same payout may go out again. Scripted, in virtual time."""

import asyncio

import pytest

from paypro_async import OutcomeUnknownError, PayoutStatus, ReviewRequiredError, State
from tests.support.merchant import (
    MERCHANT_NO,
    bookings,
    client_of,
    fields,
    paid_at,
    scripted_client,
    virtual_sandbox,
)
from tests.support.scripted import ABSENT, LOST, NOT_SENT, PAID, PROCESSING, Scripted, order, page, refusal
from tests.support.virtual_time import now, virtual_time

DUPLICATE = refusal("0100024", "DUPLICATE_REFERENCE_NUMBER_LEVEL2")
OURS = order("0015", amount="300")


async def state_of(client, trade_no: str = "T1") -> State:
    return (await client.ledger.get(MERCHANT_NO, trade_no)).state


@pytest.mark.parametrize("settle_after", [10, 60, 300])
@virtual_time
async def test_nothing_is_sent_again_before_two_spaced_questions_after_the_settle_window(settle_after: float):
    """However early the platform says "no such order", only the two answers after the window count."""
    transport = Scripted([LOST, PROCESSING], ABSENT)
    async with scripted_client(transport, settle_after=settle_after, timeout=2000) as client:
        result = await client.payout(**fields())
    began, resent = transport.payouts[0].at, transport.payouts[1].at
    counted = [sent.at - began for sent in transport.queries if sent.at - began >= settle_after]
    assert result.attempts == 2
    assert len(counted) == 2
    assert counted[0] == pytest.approx(settle_after)
    assert counted[1] == pytest.approx(settle_after + min(3, settle_after / 10))
    assert resent - began >= counted[1]
    assert transport.payouts[0].fields["tradeNo"] == transport.payouts[1].fields["tradeNo"]


@virtual_time
async def test_the_repeated_attempt_has_the_same_content_and_a_signature_of_its_own():
    """Only the timestamp and the signature differ between two attempts, even if the client's defaults changed."""
    transport = Scripted([LOST, PROCESSING], ABSENT)
    async with scripted_client(transport, timeout=300) as client:
        await client.payout(**fields())
    first, second = (sent.fields for sent in transport.payouts)
    changed = {name for name in first if first[name] != second[name]}
    assert set(first) == set(second)
    assert changed == {"timestamp", "sign"}
    assert int(second["timestamp"]) - int(first["timestamp"]) >= 60_000


@virtual_time
async def test_what_is_learned_late_stops_the_resend():
    """The first question after the window finds nothing, the second finds the order: nothing is sent again."""

    def lagging(_):
        return OURS if now() >= 1062 else ABSENT

    transport = Scripted(LOST, lagging)
    async with scripted_client(transport, timeout=300) as client:
        result = await client.payout(**fields())
    assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 1)
    assert len(transport.payouts) == 1
    assert len([sent for sent in transport.queries if sent.at >= 1060]) == 2


@virtual_time
async def test_questions_that_fail_prove_nothing():
    """While the platform cannot be asked nothing is believed and nothing sent, for as long as that lasts."""
    transport = Scripted(LOST, page(502))
    async with scripted_client(transport, timeout=600) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields())
        assert await state_of(client) is State.SENDING
    assert len(transport.payouts) == 1
    assert len(transport.queries) > 60


@virtual_time
async def test_an_unreadable_answer_between_two_absences_begins_the_count_anew():
    """The two that are believed follow one another; a failure in between is not counted over."""
    transport = Scripted([LOST, PROCESSING], lambda _: page(502) if 1061 < now() < 1064 or now() < 1060 else ABSENT)
    async with scripted_client(transport, timeout=300) as client:
        result = await client.payout(**fields())
    after = [sent.at - 1000 for sent in transport.queries if sent.at >= 1060]
    assert result.attempts == 2
    assert len(after) == 4  # nothing, a failure, nothing, nothing
    assert after[-1] - after[-2] == pytest.approx(3)


@virtual_time
async def test_each_attempt_has_a_settle_window_of_its_own():
    """A second attempt that is lost too is waited out as long as the first."""
    transport = Scripted([LOST, LOST, PROCESSING], ABSENT)
    async with scripted_client(transport, timeout=600) as client:
        result = await client.payout(**fields())
    sent = [one.at for one in transport.payouts]
    assert result.attempts == 3
    assert sent[1] - sent[0] >= 63
    assert sent[2] - sent[1] >= 63


@virtual_time
async def test_resend_never_leaves_a_payout_that_never_arrived_to_a_person():
    """The client asks until it would believe, then stops: REVIEW, and no later call sends or asks."""
    transport = Scripted(LOST, ABSENT)
    async with scripted_client(transport, timeout=300, resend="never") as client:
        with pytest.raises(ReviewRequiredError) as caught:
            await client.payout(**fields())
        assert await state_of(client) is State.REVIEW
        so_far = len(transport.log)
        with pytest.raises(ReviewRequiredError):
            await client.payout(**fields())
    assert caught.value.money_may_have_moved
    assert caught.value.trade_no == "T1"
    assert len(transport.payouts) == 1
    assert len(transport.log) == so_far


@virtual_time
async def test_the_attempts_of_one_call_are_bounded_and_the_next_call_goes_on():
    """What was believed lost, after the last attempt, is unknown: a later call asks once more and sends again."""
    transport = Scripted([LOST, LOST, PROCESSING], ABSENT)
    async with scripted_client(transport, timeout=900, max_attempts=2) as client:
        with pytest.raises(OutcomeUnknownError, match="which is no proof") as caught:
            await client.payout(**fields())
        assert caught.value.attempts == 2
        assert await state_of(client) is State.NEW
        result = await client.payout(**fields())
    assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 3)
    assert transport.kinds[-2:] == ["query", "payout"]


@virtual_time
async def test_a_duplicate_reply_means_ask():
    """Attempt 1 was booked after it had been believed lost; the platform refuses attempt 2, and asking tells why."""
    transport = Scripted([LOST, DUPLICATE], lambda _: OURS if len(transport.payouts) == 2 else ABSENT)
    async with scripted_client(transport, timeout=300) as client:
        result = await client.payout(**fields())
    assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 2)
    assert transport.kinds[-2:] == ["payout", "query"]
    assert transport.log[-1].at == transport.log[-2].at  # there is nothing to wait for


@virtual_time
async def test_a_duplicate_in_the_order_itself_means_ask_too():
    """The platform may say it in data.status, with the number of the order that was there before: it is not ours."""
    transport = Scripted(order("0100024"), OURS)
    async with scripted_client(transport) as client:
        with pytest.raises(ReviewRequiredError):
            await client.payout(**fields())
        assert await state_of(client) is State.REVIEW
    assert transport.kinds == ["payout", "query"]


@virtual_time
async def test_a_number_that_somebody_else_has_used_is_left_to_a_person():
    """The number was booked before, over another amount: review, and nothing more is ever sent for it."""
    async with virtual_sandbox() as sandbox:
        async with client_of(sandbox) as somebody_else:
            await somebody_else.payout(**fields(amount="999"))
        async with client_of(sandbox) as client:
            with pytest.raises(ReviewRequiredError):
                await client.payout(**fields())
            assert await state_of(client) is State.REVIEW
            with pytest.raises(ReviewRequiredError):
                await client.payout(**fields())
    assert bookings(sandbox) == ["T1"]
    assert len(paid_at(sandbox)) == 2


@pytest.mark.parametrize("status", ["0000", "0015", "00029"])
@virtual_time
async def test_a_duplicate_whose_order_has_no_amount_is_left_to_a_person(status: str):
    """Nothing shows that the order under our number is ours."""
    transport = Scripted(DUPLICATE, order(status))
    async with scripted_client(transport) as client:
        with pytest.raises(ReviewRequiredError):
            await client.payout(**fields())
        assert await state_of(client) is State.REVIEW
    assert len(transport.payouts) == 1


@virtual_time
async def test_a_duplicate_that_cannot_be_found_is_left_to_a_person():
    """The platform refuses the number and knows no such order: a contradiction that no program resolves."""
    transport = Scripted(DUPLICATE, ABSENT)
    async with scripted_client(transport, timeout=300) as client:
        with pytest.raises(ReviewRequiredError):
            await client.payout(**fields())
    assert len(transport.payouts) == 1


@pytest.mark.parametrize("no", [refusal("1001", "parameter error"), order("00029")], ids=["outer", "status"])
@virtual_time
async def test_a_refusal_of_the_only_attempt_ends_the_payout(no):
    """Nothing else is out, so a refusal that a page lists is the whole truth; another one the platform must confirm."""
    transport = Scripted(no)
    async with scripted_client(transport) as client:
        result = await client.payout(**fields())
        assert await state_of(client) is State.FAILED
    assert result.status is PayoutStatus.FAILED
    assert result.code in ("1001", "00029")
    assert transport.kinds == (["payout"] if result.code == "00029" else ["payout", "query", "query"])


@pytest.mark.parametrize("no", [refusal("1001"), order("00029")], ids=["outer", "status"])
@virtual_time
async def test_a_refusal_after_an_unknown_attempt_ends_nothing_until_it_has_settled(no):
    """The first attempt may still be booked: FAILED only after two questions beyond the second's settle window."""
    transport = Scripted([LOST, no], ABSENT)
    async with scripted_client(transport, timeout=600) as client:
        result = await client.payout(**fields())
    second = transport.payouts[1].at
    counted = [sent for sent in transport.queries if sent.at >= second + 60]
    assert (result.status, result.attempts) == (PayoutStatus.FAILED, 2)
    assert len(counted) == 2
    assert len(transport.payouts) == 2


@virtual_time
async def test_a_refusal_after_an_unknown_attempt_that_was_booked_is_not_a_failure():
    """The platform refused attempt 2 and had booked attempt 1: the payout is processing, as the platform says."""
    transport = Scripted(
        [LOST, refusal("1001")], lambda _: OURS if len(transport.payouts) == 2 and now() > 1090 else ABSENT
    )
    async with scripted_client(transport, timeout=600) as client:
        result = await client.payout(**fields())
    assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 2)


@virtual_time
async def test_a_late_refusal_of_an_older_attempt_says_nothing_about_the_newer_one():
    """Attempt 1's refusal comes when another process has already sent attempt 2, which was accepted."""
    hold = asyncio.Event()

    async def late(_):
        await hold.wait()
        return refusal("1001")

    slow, quick = Scripted([late]), Scripted(PROCESSING, ABSENT)
    async with scripted_client(slow) as one, scripted_client(quick, ledger=one.ledger, timeout=300) as other:
        first = asyncio.create_task(one.payout(**fields()))
        await asyncio.sleep(1)
        result = await other.payout(**fields())
        assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 2)
        hold.set()
        assert (await first).status is PayoutStatus.PROCESSING
        assert await state_of(one) is State.PROCESSING


@pytest.mark.parametrize("answer", [NOT_SENT, page(429), refusal("1001")], ids=["not sent", "429", "refused"])
@virtual_time
async def test_what_an_older_attempt_learns_late_does_not_free_a_newer_one_that_is_unknown(answer):
    """Attempt 2 may be out; that attempt 1 was not accepted must not make the payout look payable or failed."""
    hold = asyncio.Event()

    async def late(_):
        await hold.wait()
        return answer

    slow, quick = Scripted([late], LOST), Scripted(LOST, lambda _: ABSENT if not hold.is_set() else page(502))
    async with scripted_client(slow) as one, scripted_client(quick, ledger=one.ledger, timeout=100) as other:
        first = asyncio.create_task(one.payout(**fields()))
        await asyncio.sleep(1)
        second = asyncio.create_task(other.payout(**fields()))
        await asyncio.sleep(70)
        assert len(quick.payouts) == 1
        hold.set()
        with pytest.raises(OutcomeUnknownError):
            await first
        with pytest.raises(OutcomeUnknownError):
            await second
        entry = await one.ledger.get(MERCHANT_NO, "T1")
    assert (entry.state, entry.attempt, entry.reply) == (State.SENDING, 2, None)
    assert len(slow.payouts) == len(quick.payouts) == 1


@virtual_time
async def test_what_another_process_has_found_out_is_not_asked_again():
    """Two clients wait for one unknown payout; when one has its answer in the ledger the other takes it from there."""
    transport = Scripted(LOST, lambda _: OURS if now() >= 1010 else page(502))
    watching = Scripted(queries=page(502))
    async with (
        scripted_client(transport, timeout=60) as one,
        scripted_client(watching, timeout=60, ledger=one.ledger) as other,
    ):
        first = asyncio.create_task(one.payout(**fields()))
        await asyncio.sleep(0.1)
        second = asyncio.create_task(other.payout(**fields()))
        assert (await first).status is (await second).status is PayoutStatus.PROCESSING
        answered = transport.log[-1].at
    assert watching.payouts == []
    assert watching.queries
    assert max(sent.at for sent in watching.queries) < answered


@virtual_time
async def test_a_late_acceptance_of_an_older_attempt_is_true_all_the_same():
    """Attempt 1 turns out to be paid while attempt 2 is unknown: the order exists, so the payout has succeeded."""
    hold = asyncio.Event()

    async def late(_):
        await hold.wait()
        return PAID

    slow, quick = Scripted([late]), Scripted(LOST, ABSENT)
    async with scripted_client(slow) as one, scripted_client(quick, ledger=one.ledger, timeout=80) as other:
        first = asyncio.create_task(one.payout(**fields()))
        await asyncio.sleep(1)
        second = asyncio.create_task(other.payout(**fields()))
        await asyncio.sleep(70)
        assert len(quick.payouts) == 1
        hold.set()
        assert (await first).status is PayoutStatus.SUCCEEDED
        assert await state_of(one) is State.SUCCEEDED
        with pytest.raises(OutcomeUnknownError):
            await second
        assert (await other.payout(**fields())).status is PayoutStatus.SUCCEEDED


@virtual_time
async def test_two_processes_that_believe_at_the_same_time_send_once():
    """Both have found nothing twice; the compare-and-set on the attempt's number lets one of them send."""
    transport = Scripted([LOST, PROCESSING], lambda _: OURS if len(transport.payouts) == 2 else ABSENT)
    async with (
        scripted_client(transport, timeout=300) as one,
        scripted_client(transport, timeout=300, ledger=one.ledger) as other,
    ):
        results = await asyncio.gather(one.payout(**fields()), other.payout(**fields()))
    assert {(result.status, result.attempts) for result in results} == {(PayoutStatus.PROCESSING, 2)}
    assert len(transport.payouts) == 2
