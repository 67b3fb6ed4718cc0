"""What a person decides."""

from typing import Any

import pytest
from attrs import evolve

from paypro_async import (
    Decision,
    DecisionRefusedError,
    Entry,
    Ledger,
    MemoryLedger,
    PayoutStatus,
    PayProClient,
    QueryResult,
    ReviewRequiredError,
    State,
    decide,
)
from paypro_async._core.lifecycle import Cause, Change
from paypro_async._core.transitions import DECISIONS
from tests.support.intents import ACCOUNT, MERCHANT, OTHER_MERCHANT, ageless, change, intent
from tests.support.merchant import SIGNER, fields
from tests.support.scripted import ABSENT, PROCESSING, Scripted, refusal

WHO: dict[str, Any] = {"by": "Meera", "note": "seen in the dashboard", "settle_after": 0}
WAYS: dict[State, list[dict[str, Any]]] = {
    State.NEW: [{"to": State.NEW}],
    State.SENDING: [],
    State.PROCESSING: [{"to": State.PROCESSING}],
    State.MISSING: [
        {"to": State.PROCESSING},
        {"to": State.MISSING, "state": State.PROCESSING, "cause": Cause.QUERY},
    ],
    State.SUCCEEDED: [{"to": State.SUCCEEDED}],
    State.FAILED: [{"to": State.FAILED}],
    State.REVERSED: [
        {"to": State.SUCCEEDED},
        {"to": State.REVERSED, "state": State.SUCCEEDED, "cause": Cause.QUERY},
    ],
    State.REVIEW: [{"to": State.REVIEW, "cause": Cause.QUERY}],
}


async def at(ledger: Ledger, state: State) -> None:
    """Payout T1 in that state."""
    await ledger.claim(intent("T1"))
    for details in WAYS[state]:
        assert (await ledger.move(change(**details))).done


def client_of(ledger: Ledger, transport: Scripted) -> PayProClient:
    return PayProClient(
        base_url="https://paypro.example/in",
        merchant_no=MERCHANT,
        signer=SIGNER,
        transport=transport,
        ledger=ledger,
        environment=ACCOUNT.environment,
    )


@pytest.mark.parametrize(("state", "decision"), DECISIONS, ids=lambda one: one.value)
async def test_a_decision_is_stored_with_who_made_it_and_why(ledger: Ledger, state: State, decision: Decision):
    """The entry is where the decision leads, and the history's last step is that of a person."""
    await at(ledger, state)

    entry = await decide(ledger, MERCHANT, "T1", decision, **WHO)

    assert entry.state is DECISIONS[state, decision]
    assert ageless(await ledger.get(MERCHANT, "T1")) == ageless(entry)
    last = (await ledger.history(MERCHANT, "T1"))[-1]
    assert (last.before, last.to, last.cause) == (state, entry.state, Cause.PERSON)
    assert (last.by, last.note, last.attempt) == ("Meera", "seen in the dashboard", 1)


@pytest.mark.parametrize("state", State)
async def test_what_a_state_does_not_allow_is_refused(ledger: Ledger, state: State):
    """The error says what can be decided, and nothing is written."""
    await at(ledger, state)
    before = await ledger.history(MERCHANT, "T1")
    allowed = {decision for where, decision in DECISIONS if where is state}

    for decision in set(Decision) - allowed:
        with pytest.raises(DecisionRefusedError, match=f"is {state.value}, and of such a one") as caught:
            await decide(ledger, MERCHANT, "T1", decision, **WHO)
        assert set(caught.value.allowed) == {one.value for one in allowed}
        assert (caught.value.state, caught.value.trade_no) == (state.value, "T1")
        assert all(repr(one.value) in str(caught.value) for one in allowed)
        assert not caught.value.money_may_have_moved

    assert await ledger.history(MERCHANT, "T1") == before


async def test_a_payout_that_is_not_there_cannot_be_decided(ledger: Ledger):
    """Neither an unknown number nor another merchant's."""
    await at(ledger, State.REVIEW)
    for merchant_no, trade_no in ((MERCHANT, "T2"), (OTHER_MERCHANT, "T1")):
        with pytest.raises(DecisionRefusedError, match=f"holds no payout {trade_no} of merchant {merchant_no}"):
            await decide(ledger, merchant_no, trade_no, Decision.PAID, **WHO)


@pytest.mark.parametrize("decision", Decision)
async def test_while_an_attempt_may_still_arrive_nobody_can_know_that_it_did_not(ledger: Ledger, decision: Decision):
    """Within the settle window neither "not paid" nor "pay again" is taken, whatever number it is given as."""
    await at(ledger, State.SUCCEEDED if decision is Decision.REVERSED else State.REVIEW)
    if decision is Decision.HOLD:
        await decide(ledger, MERCHANT, "T1", Decision.PROCESSING, **WHO)
    for window in ({}, {"settle_after": float("nan")}):
        if decision in (Decision.NOT_PAID, Decision.PAY_AGAIN):
            with pytest.raises(DecisionRefusedError, match="may still arrive"):
                await decide(ledger, MERCHANT, "T1", decision, by="Meera", note="no trace", **window)
    if decision not in (Decision.NOT_PAID, Decision.PAY_AGAIN):
        assert (await decide(ledger, MERCHANT, "T1", decision, by="Meera", note="seen")).state is not State.REVIEW or (
            decision is Decision.HOLD
        )


@pytest.mark.parametrize("decision", [Decision.NOT_PAID, Decision.PAY_AGAIN, Decision.PROCESSING])
async def test_what_was_noted_since_the_platform_was_asked_must_be_looked_at(ledger: Ledger, decision: Decision):
    """A callback says "paid" while a person decides upon what the platform had answered before."""
    await at(ledger, State.REVIEW)
    nothing_found = QueryResult(trade_no="T1", status=None)

    async def ask(_: Entry) -> QueryResult:
        noted = change(State.REVIEW, state=State.REVIEW, cause=Cause.CALLBACK, code="0000")
        assert (await ledger.move(noted)).done
        return nothing_found

    async def ask_again(_: Entry) -> QueryResult:
        return nothing_found

    with pytest.raises(DecisionRefusedError, match=r"something else of payout T1 \(code 0000\)"):
        await decide(ledger, MERCHANT, "T1", decision, ask=ask, **WHO)
    entry = await ledger.get(MERCHANT, "T1")
    assert entry is not None
    assert entry.state is State.REVIEW
    decided = await decide(ledger, MERCHANT, "T1", decision, ask=ask_again, **WHO)
    assert decided.state is not State.REVIEW


@pytest.mark.parametrize("decision", [Decision.NOT_PAID, Decision.PAY_AGAIN])
async def test_the_window_that_is_stored_with_the_attempt_counts_too(ledger: Ledger, decision: Decision):
    """The longer of both: who decides need not know with which settings the payout was sent."""
    await ledger.claim(evolve(intent("T1"), settle_after=3600.0))
    await ledger.move(change(State.REVIEW, cause=Cause.QUERY))
    with pytest.raises(DecisionRefusedError, match="3600 seconds after it"):
        await decide(ledger, MERCHANT, "T1", decision, **WHO)


async def test_what_asks_first_may_refuse_or_come_to_the_same(ledger: Ledger):
    """It is awaited only once the decision is allowed, and what it stored is not decided a second time."""
    await at(ledger, State.SUCCEEDED)
    asked: list[State] = []

    async def refuse(entry: Entry) -> None:
        asked.append(entry.state)
        raise DecisionRefusedError("no")

    async def learn(entry: Entry) -> None:
        assert (await ledger.move(change(State.REVERSED, state=entry.state, cause=Cause.QUERY))).done

    with pytest.raises(DecisionRefusedError, match="only 'reversed' can be decided"):
        await decide(ledger, MERCHANT, "T1", Decision.PAID, **WHO, ask=refuse)
    assert not asked
    with pytest.raises(DecisionRefusedError, match=r"^no$"):
        await decide(ledger, MERCHANT, "T1", Decision.REVERSED, **WHO, ask=refuse)
    assert asked == [State.SUCCEEDED]
    assert (await decide(ledger, MERCHANT, "T1", Decision.REVERSED, **WHO, ask=learn)).state is State.REVERSED
    assert [step.by for step in await ledger.history(MERCHANT, "T1")] == [None] * 3


@pytest.mark.parametrize("wrong", [{"by": " "}, {"note": ""}, {"by": "Me\nera"}, {"note": "a\0b"}])
async def test_a_decision_without_a_name_or_a_reason_is_refused(wrong: dict[str, str]):
    """They are for those who ask later, so they are text in one line."""
    ledger = MemoryLedger()
    await at(ledger, State.REVIEW)
    with pytest.raises(DecisionRefusedError, match=f"needs {next(iter(wrong))}="):
        await decide(ledger, MERCHANT, "T1", Decision.PAID, **WHO | wrong)


async def test_a_decision_fits_what_is_there_when_it_is_written(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    """Somebody else writes between the look and the decision: it is made about what they wrote."""
    await at(ledger, State.SENDING)
    meanwhile(ledger, monkeypatch, change(State.PROCESSING))

    entry = await decide(ledger, MERCHANT, "T1", Decision.HOLD, **WHO)

    assert entry.state is State.REVIEW
    assert [step.before for step in await ledger.history(MERCHANT, "T1")] == [None, State.SENDING, State.PROCESSING]


async def test_a_decision_that_does_not_fit_any_more_is_refused(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    """It was paid meanwhile, so nothing is held back."""
    await at(ledger, State.SENDING)
    meanwhile(ledger, monkeypatch, change(State.SUCCEEDED))
    with pytest.raises(DecisionRefusedError, match="is succeeded"):
        await decide(ledger, MERCHANT, "T1", Decision.HOLD, **WHO)


def meanwhile(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, step: Change) -> None:
    real = ledger.get

    async def get(merchant_no: str, trade_no: str) -> Entry | None:
        entry = await real(merchant_no, trade_no)
        await ledger.move(step)
        return entry

    monkeypatch.setattr(ledger, "get", get)


async def test_pay_again_sends_exactly_once_more(ledger: Ledger):
    """The next payout of the same content asks and sends it, the one after that asks."""
    await at(ledger, State.REVIEW)
    transport = Scripted(PROCESSING, [ABSENT, PROCESSING])
    async with client_of(ledger, transport) as client:
        with pytest.raises(ReviewRequiredError):
            await client.payout(**fields("T1"))
        await decide(ledger, MERCHANT, "T1", Decision.PAY_AGAIN, **WHO)
        results = [await client.payout(**fields("T1")) for _ in range(3)]

    assert [(result.status, result.attempts) for result in results] == [(PayoutStatus.PROCESSING, 2)] * 3
    assert len(transport.payouts) == 1


async def test_a_refusal_after_pay_again_ends_nothing(ledger: Ledger):
    """The attempt before may have been booked after all, so the platform is asked."""
    await at(ledger, State.REVIEW)
    await decide(ledger, MERCHANT, "T1", Decision.PAY_AGAIN, **WHO)
    transport = Scripted(refusal("1001"), [ABSENT, PROCESSING])
    async with client_of(ledger, transport) as client:
        result = await client.payout(**fields("T1"))
    assert result.status is PayoutStatus.PROCESSING
    assert transport.kinds == ["query", "payout", "query"]


@pytest.mark.parametrize(
    ("decision", "status"), [(Decision.PAID, PayoutStatus.SUCCEEDED), (Decision.NOT_PAID, PayoutStatus.FAILED)]
)
async def test_what_a_person_ended_costs_no_request(ledger: Ledger, decision: Decision, status: PayoutStatus):
    """Paid or not, the same payout again gives that back."""
    await at(ledger, State.REVIEW)
    await decide(ledger, MERCHANT, "T1", decision, **WHO)
    transport = Scripted()
    async with client_of(ledger, transport) as client:
        result = await client.payout(**fields("T1"))
    assert result.status is status
    assert transport.log == []
