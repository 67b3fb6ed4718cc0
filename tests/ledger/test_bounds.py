"""However much is said of a payout, its ledger records what became of the money and keeps a part of the words."""

import pytest

from paypro_async._core.lifecycle import Cause, State
from paypro_async.ledger import BatchRecord, Ledger
from tests.support.intents import MERCHANT, change, intent

LONG = "long " * 1_000_000
TEXTS = ("code", "message", "platform_trade_no", "utr", "by", "note")


async def test_texts_without_an_end_are_cut_and_the_money_is_recorded(ledger: Ledger):
    """Megabytes of message, code or number cost neither the record nor the disk; a mark says what is missing."""
    await ledger.claim(intent("T1"))

    done = await ledger.move(change(State.SUCCEEDED, "T1", **dict.fromkeys(TEXTS, LONG)))

    assert done.done
    stored = await ledger.get(MERCHANT, "T1")
    assert stored is not None
    assert stored.state is State.SUCCEEDED
    _, step = await ledger.history(MERCHANT, "T1")
    kept = [getattr(stored, name) for name in TEXTS[:4]] + [step.code, step.by, step.note]
    assert all(text.startswith("long long") and "[5000000 characters, " in text for text in kept)
    assert max(map(len, kept)) <= 4_000


@pytest.mark.parametrize("ending", ["", "\udc00", "\0"])
async def test_long_numbers_of_two_orders_stay_two(ledger: Ledger, ending: str):
    """And the same one stays the same, so that an order is not taken for another payout's."""
    for name in ("T1", "T2"):
        await ledger.claim(intent(name))
        number = f"{'9' * 10_000}{name}{ending}"
        assert (await ledger.move(change(State.PROCESSING, name, platform_trade_no=number))).done
        more = change(State.SUCCEEDED, name, state=State.PROCESSING, cause=Cause.QUERY, platform_trade_no=number)
        assert (await ledger.move(more)).done


async def test_a_batch_from_a_place_with_a_long_name(ledger: Ledger):
    """It is noted with the beginning of it."""
    await ledger.record_batch(BatchRecord(merchant_no=MERCHANT, batch_id="B", source=LONG))
    kept = (await ledger.batches(MERCHANT, ["B"]))["B"].source
    assert kept is not None
    assert kept.startswith("long ")
    assert len(kept) <= 4_000


async def test_the_control_question_answered_at_length(ledger: Ledger):
    """What is kept of it is short."""
    await ledger.record_control(MERCHANT, LONG)
    answer = await ledger.control_answer(MERCHANT)
    assert answer is not None
    assert len(answer.code) <= 200
