import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from attrs import evolve

from paypro_async import ConfigurationError
from paypro_async._core.lifecycle import State
from paypro_async._core.payment_key import payment_key
from paypro_async.ledger import Account, Ledger, Written
from tests.support.intents import ACCOUNT, MERCHANT, OTHER_MERCHANT, ageless, change, intent


def winners(answers: Sequence[Written]) -> int:
    return sum(answer.done for answer in answers)


async def test_a_claim_stores_attempt_one_as_unknown(ledger: Ledger):
    """From the claim on the payout may have been sent, and the entry holds all that a later attempt needs."""
    wanted = intent("T1", amount="300.50", name="José Ñ. 渡辺", remark="invoice 17")

    moved = await ledger.claim(wanted)

    entry = moved.entry
    assert moved.done
    assert (entry.merchant_no, entry.trade_no, entry.region) == (MERCHANT, "T1", "india")
    assert (entry.state, entry.attempt, entry.doubt, entry.reply) == (State.SENDING, 1, False, None)
    assert (entry.amount, entry.currency) == (Decimal("300.50"), "INR")
    assert (entry.fingerprint, dict(entry.content)) == (wanted.fingerprint, dict(wanted.content))
    assert (entry.code, entry.message, entry.platform_trade_no, entry.utr) == (None, None, None, None)
    assert entry.sent_at is not None
    assert abs(datetime.now(UTC) - entry.sent_at) < timedelta(seconds=5)
    assert ageless(await ledger.get(MERCHANT, "T1")) == ageless(entry)


async def test_fifty_claims_at_once_have_one_winner(ledger: Ledger):
    """Whoever did not win sees the winner's entry."""
    answers = await asyncio.gather(*(ledger.claim(intent("T1")) for _ in range(50)))

    assert winners(answers) == 1
    assert len({str(ageless(answer.entry)) for answer in answers}) == 1


async def test_a_later_claim_changes_nothing(ledger: Ledger):
    """The first content stays, and so does what became of it, whatever a second claim would pay."""
    first = await ledger.claim(intent("T1"))
    paid = await ledger.move(change(State.SUCCEEDED, code="0000"))

    second = await ledger.claim(intent("T1", amount="999", name="Somebody Else"))

    assert (first.done, paid.done, second.done) == (True, True, False)
    assert ageless(second.entry) == ageless(paid.entry) == ageless(await ledger.get(MERCHANT, "T1"))
    assert second.entry.amount == Decimal(300)


async def test_the_same_number_of_two_merchants_is_two_payouts(ledger: Ledger):
    """A trade number is unique for a merchant, not for a ledger."""
    await ledger.open(evolve(ACCOUNT, merchant_no=OTHER_MERCHANT))
    answers = [await ledger.claim(intent("T1", merchant_no=one)) for one in (MERCHANT, OTHER_MERCHANT)]
    assert winners(answers) == 2

    await ledger.move(change(State.FAILED, merchant_no=OTHER_MERCHANT, code="60019"))

    ours, theirs = await ledger.get(MERCHANT, "T1"), await ledger.get(OTHER_MERCHANT, "T1")
    assert ours is not None
    assert theirs is not None
    assert (ours.state, ours.code, theirs.state, theirs.code) == (State.SENDING, None, State.FAILED, "60019")
    assert [entry.merchant_no for entry in await ledger.open_entries(MERCHANT)] == [MERCHANT]
    assert await ledger.open_entries(OTHER_MERCHANT) == []
    assert list(await ledger.get_many(OTHER_MERCHANT, ["T1"])) == ["T1"]
    key = payment_key("india", ours.content)
    assert key is not None
    same = await ledger.same_payments(OTHER_MERCHANT, [key])
    assert [one.trade_no for one in same[key]] == ["T1"]


async def test_one_merchant_on_two_platforms_is_refused(ledger: Ledger):
    """Test payouts and real ones never mix; the text names both platforms, and the first one stays the ledger's."""
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"sandbox\.example.*live\.example") as caught:
            await ledger.open(Account(merchant_no=MERCHANT, region="india", environment="live.example"))
        assert MERCHANT in str(caught.value)
        assert not caught.value.money_may_have_moved
    await ledger.open(ACCOUNT)
    assert (await ledger.claim(intent())).done


async def test_two_merchants_may_use_two_platforms(ledger: Ledger):
    """What must not mix is the environments of one merchant."""
    await ledger.open(Account(merchant_no=OTHER_MERCHANT, region="india", environment="live.example"))
    assert (await ledger.claim(intent(merchant_no=OTHER_MERCHANT))).done
