import asyncio
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from attrs import evolve

from paypro_async._core.lifecycle import FINAL, Cause, Change, Reply, State
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.transitions import after_absence, next_attempt
from paypro_async.ledger import Ledger, merge
from tests.support.intents import MERCHANT, again, ageless, change, intent

# How a payout comes to each state that it can leave again or not.
ROADS: dict[State, tuple[Change, ...]] = {
    State.SENDING: (),
    State.NEW: (change(State.NEW),),
    State.PROCESSING: (change(State.PROCESSING),),
    State.SUCCEEDED: (change(State.SUCCEEDED),),
    State.FAILED: (change(State.FAILED),),
    State.REVIEW: (change(State.REVIEW, cause=Cause.QUERY),),
    State.REVERSED: (
        change(State.SUCCEEDED),
        change(State.REVERSED, state=State.SUCCEEDED, cause=Cause.CALLBACK),
    ),
}
# A final state, and all that it can still become.
EXITS = {State.SUCCEEDED: {State.REVERSED}, State.FAILED: {State.REVIEW}, State.REVERSED: {State.REVIEW}}


def buildable(state: State, to: State, cause: Cause) -> Change | None:
    try:
        return change(to, state=state, cause=cause, attempt=None)
    except ValueError:
        return None


async def arrive(ledger: Ledger, state: State) -> None:
    await ledger.claim(intent())
    for step in ROADS[state]:
        assert (await ledger.move(step)).done


async def test_a_change_happens_and_says_so(ledger: Ledger):
    """The answer is the entry as it stands now, and so is the next reading."""
    await ledger.claim(intent())
    told = {"code": "0000", "message": "paid", "platform_trade_no": "P7", "utr": "123456789012"}

    moved = await ledger.move(change(State.SUCCEEDED, **told))

    assert moved.done
    assert moved.entry.state is State.SUCCEEDED
    assert {name: getattr(moved.entry, name) for name in told} == told
    assert ageless(await ledger.get(MERCHANT, "T1")) == ageless(moved.entry)


@pytest.mark.parametrize("seen", [one for one in State if one not in (State.PROCESSING, State.REVERSED)])
async def test_a_change_happens_only_in_the_state_that_its_writer_saw(ledger: Ledger, seen: State):
    """A writer that was overtaken changes nothing and gets what the other one wrote."""
    await arrive(ledger, State.PROCESSING)
    before = ageless(await ledger.get(MERCHANT, "T1"))
    late = [one for to, cause in product(State, Cause) if (one := buildable(seen, to, cause))]

    answers = [await ledger.move(one) for one in late]

    assert answers
    assert not any(answer.done for answer in answers)
    assert all(ageless(answer.entry) == before for answer in answers)
    assert ageless(await ledger.get(MERCHANT, "T1")) == before


@pytest.mark.parametrize(("attempt", "done"), [(1, False), (2, True), (3, False), (None, True)])
async def test_a_change_happens_only_at_the_attempt_that_it_names(ledger: Ledger, attempt: int | None, done: bool):
    """What an older attempt learned says nothing about a newer one; without a number it is true for any."""
    await ledger.claim(intent())
    await ledger.move(again())

    moved = await ledger.move(change(State.FAILED, attempt=attempt, code="00029"))

    assert moved.done is done
    assert (moved.entry.state, moved.entry.attempt) == (State.FAILED if done else State.SENDING, 2)


async def test_fifty_announcements_of_one_attempt_have_one_winner(ledger: Ledger):
    """Compare-and-set on the attempt's number: of fifty that would send again one may."""
    await ledger.claim(intent())

    answers = await asyncio.gather(*(ledger.move(again(doubt=True)) for _ in range(50)))

    assert sum(answer.done for answer in answers) == 1
    assert {answer.entry.attempt for answer in answers} == {2}


async def test_a_new_attempt_starts_afresh(ledger: Ledger):
    """The attempt counts up, its time starts, and what the last one was answered no longer counts."""
    first = (await ledger.claim(intent())).entry
    await ledger.move(change(State.SENDING, reply=Reply.REFUSED, code="00029", message="no"))
    await asyncio.sleep(0.01)

    entry = (await ledger.move(again())).entry

    assert (entry.attempt, entry.reply) == (2, None)
    assert (entry.code, entry.message) == ("00029", "no")
    assert first.sent_at is not None
    assert entry.sent_at is not None
    assert entry.sent_at > first.sent_at


async def test_a_reply_is_kept_until_the_next_attempt(ledger: Ledger):
    """It is noted at the attempt, does not restart its time, and a change that tells no reply leaves it."""
    first = (await ledger.claim(intent())).entry
    await ledger.move(change(State.SENDING, reply=Reply.DUPLICATE, code="0100024"))

    entry = (await ledger.move(change(State.PROCESSING, cause=Cause.QUERY))).entry

    assert (entry.reply, entry.code) == (Reply.DUPLICATE, "0100024")
    assert (entry.attempt, entry.sent_at) == (1, first.sent_at)


async def test_doubt_stays_until_somebody_says_otherwise(ledger: Ledger):
    """That an earlier attempt may have left is forgotten by no change that does not know it."""
    await ledger.claim(intent())

    doubts = [
        (await ledger.move(one)).entry.doubt
        for one in (
            again(doubt=True),
            again(attempt=2),
            change(State.SENDING, attempt=3, reply=Reply.REFUSED),
            change(State.SENDING, attempt=3, doubt=False),
        )
    ]

    assert doubts == [True, True, True, False]


async def test_what_a_change_does_not_know_stays(ledger: Ledger):
    """A later answer with less in it takes nothing back."""
    await ledger.claim(intent())
    await ledger.move(change(State.PROCESSING, code="0015", message="in progress", platform_trade_no="P7"))

    entry = (await ledger.move(change(State.SUCCEEDED, state=State.PROCESSING, code="0000", utr="U1"))).entry

    assert (entry.code, entry.platform_trade_no, entry.utr) == ("0000", "P7", "U1")


async def test_words_belong_to_their_code(ledger: Ledger):
    """Those of an older code do not stand beside a new one, and a change without a code leaves both."""
    await ledger.claim(intent())
    first = (await ledger.move(change(State.SENDING, code="0100024", message="duplicate"))).entry
    second = (await ledger.move(again())).entry
    third = (await ledger.move(change(State.SUCCEEDED, attempt=2, code="0000"))).entry

    assert [(one.code, one.message) for one in (first, second, third)] == [
        ("0100024", "duplicate"),
        ("0100024", "duplicate"),
        ("0000", None),
    ]


@pytest.mark.parametrize("final", sorted(FINAL))
async def test_a_final_state_stays(ledger: Ledger, final: State):
    """Of all changes that can be built at all, only the platform's taking back of its own word moves it."""
    await arrive(ledger, final)
    before = ageless(await ledger.get(MERCHANT, "T1"))
    for state, to, cause in product(State, State, Cause):
        one = buildable(state, to, cause)
        if one is not None and (state is not final or to not in {*EXITS[final], final}):
            assert not (await ledger.move(one)).done
    assert ageless(await ledger.get(MERCHANT, "T1")) == before


@pytest.mark.parametrize("final", sorted(FINAL))
def test_a_way_out_of_a_final_state_cannot_even_be_built(final: State):
    """Not by the platform, not by a callback, and not by a person. What is noted of it leaves it where it is."""
    assert {to for to, cause in product(State, Cause) if buildable(final, to, cause)} - {final} == EXITS[final]


@pytest.mark.parametrize(
    "details",
    [
        {"state": State.SUCCEEDED, "to": State.NEW},
        {"state": State.SUCCEEDED, "to": State.SENDING},
        {"state": State.FAILED, "to": State.SENDING},
        {"state": State.PROCESSING, "to": State.SENDING},
        {"state": State.PROCESSING, "to": State.NEW},
        {"state": State.REVIEW, "to": State.SENDING},
        {"state": State.REVIEW, "to": State.NEW, "cause": Cause.QUERY},
        {"state": State.NEW, "to": State.SENDING, "cause": Cause.QUERY},
        {"state": State.SENDING, "to": State.MISSING, "cause": Cause.QUERY},
        {"state": State.MISSING, "to": State.SENDING},
        {"state": State.FAILED, "to": State.FAILED, "cause": Cause.QUERY},
    ],
)
def test_an_illegal_change_cannot_even_be_built(details: dict[str, Any]):
    """No ledger ever has to refuse one."""
    with pytest.raises(ValueError, match="cannot go from"):
        change(**details)


async def test_a_payout_that_is_not_there_cannot_change(ledger: Ledger):
    """It is a KeyError for that caller, and no entry appears."""
    with pytest.raises(KeyError):
        await ledger.move(change(State.SUCCEEDED))
    assert await ledger.get(MERCHANT, "T1") is None


async def test_requests_that_arrive_together_act_one_after_the_other(ledger: Ledger):
    """Claims and several changes of one entry in one group: each sees what those before it did."""
    await ledger.claim(intent("old"))

    answers = await asyncio.gather(
        ledger.claim(intent("new")),
        ledger.claim(intent("new")),
        ledger.move(change(State.SENDING, "new", reply=Reply.REFUSED)),
        ledger.move(again("new", doubt=True)),
        ledger.move(again("new")),  # of the first attempt, so too late
        ledger.move(change(State.SUCCEEDED, "missing")),
        ledger.move(change(State.NEW, "new", attempt=2)),
        ledger.move(again("new", attempt=2, state=State.NEW)),
        ledger.move(change(State.SUCCEEDED, "new", attempt=3, code="0000")),
        ledger.move(change(State.FAILED, "old", code="00029")),
        ledger.claim(intent("old")),
        return_exceptions=True,
    )

    missing = answers.pop(5)
    assert isinstance(missing, KeyError)
    seen = [(one.done, one.entry.state, one.entry.attempt) for one in answers if not isinstance(one, BaseException)]
    assert seen == [
        (True, State.SENDING, 1),
        (False, State.SENDING, 1),
        (True, State.SENDING, 1),
        (True, State.SENDING, 2),
        (False, State.SENDING, 2),
        (True, State.NEW, 2),
        (True, State.SENDING, 3),
        (True, State.SUCCEEDED, 3),
        (True, State.FAILED, 1),
        (False, State.FAILED, 1),
    ]
    stored = await ledger.get_many(MERCHANT, ["old", "new", "missing"])
    assert {number: (entry.state, entry.attempt) for number, entry in stored.items()} == {
        "old": (State.FAILED, 1),
        "new": (State.SUCCEEDED, 3),
    }
    assert stored["new"].doubt


async def test_what_was_learned_beside_a_duplicate_is_decided_anew(ledger: Ledger):
    """Who asked before our only attempt was answered as a duplicate takes another system's order for ours no more."""
    asked = (await ledger.claim(intent())).entry
    await ledger.move(change(State.SENDING, reply=Reply.DUPLICATE, code="0100024"))
    found = Outcome(verdict=Verdict.PAID, code="0000", amount=asked.amount)

    entry = await merge(ledger, asked, found, cause=Cause.QUERY)

    assert entry.state is State.REVIEW


async def test_what_is_believed_of_an_attempt_is_believed_of_that_one_alone(ledger: Ledger):
    """It is announced once more by who has seen when it was announced, and after that by nobody who has not."""
    first = (await ledger.claim(intent())).entry
    read = await ledger.get(MERCHANT, "T1")
    assert read is not None
    for seen in (first, read):
        believed = after_absence(seen, resend=False, exhausted=False)
        assert believed is not None
        stale = evolve(believed, sent_at=seen.sent_at - timedelta(seconds=1))
        assert not (await ledger.move(stale)).done
        assert not (await ledger.move(evolve(next_attempt(seen), sent_at=stale.sent_at))).done
    assert (await ledger.move(next_attempt(read))).entry.attempt == 2
    assert not (await ledger.move(next_attempt(first))).done
