"""The payments of one amount to one account: what the ledger tells of them, and the claim that wants no further one."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from paypro_async import PaidMeanwhileError
from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import Cause, State
from paypro_async._core.payment_key import payment_key
from paypro_async.ledger import BatchRecord, Ledger, Written
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT, MERCHANT, OTHER_MERCHANT, change, intent


def key_of(one: Intent) -> str:
    key = payment_key(one.region, one.content)
    assert key is not None
    return key


def guarded(trade_no: str, batch_id: str | None = "B2", others: int | None = 0, **changes: str) -> Intent:
    """A payout that may be claimed if the ledger holds no more others than so many."""
    return evolve(intent(trade_no, **changes), batch_id=batch_id, others=others)


async def claimed(ledger: Ledger, one: Intent) -> bool:
    try:
        return (await ledger.claim(one)).done
    except PaidMeanwhileError:
        return False


async def test_payments_are_found_whatever_else_they_say(ledger: Ledger):
    """By amount and account, oldest first; not those of another merchant, and none where there is none."""
    first = evolve(intent("A", remark="June"), batch_id="B1")
    for one in (
        first,
        intent("B", name="A. Rao", mobile="9234567890", remark="July"),
        intent("C", bank_number="0010094038292", email="rao@example.com"),
        intent("D", amount="301"),
        intent("E", bank_number="10094038293"),
        intent("F", merchant_no=OTHER_MERCHANT),
    ):
        await ledger.claim(one)
    await ledger.move(change(State.SUCCEEDED, "B"))

    found = await ledger.same_payments(MERCHANT, [key_of(first), key_of(intent("X", amount="9"))])

    assert list(found) == [key_of(first)]
    payments = found[key_of(first)]
    assert [one.trade_no for one in payments] == ["A", "B", "C"]
    assert [one.state for one in payments] == [State.SENDING, State.SUCCEEDED, State.SENDING]
    assert [one.batch_id for one in payments] == ["B1", None, None]
    assert payments[0].fingerprint == first.fingerprint
    assert all(0 <= one.age < 5 for one in payments)
    assert await ledger.same_payments(MERCHANT, []) == {}


async def test_batches_are_found_by_their_names(ledger: Ledger):
    """One that runs, one that ended, one that was stopped; with the file that each came from."""
    for name, total, ended in (("runs", None, False), ("ended", 3, True), ("stopped", None, True)):
        record = BatchRecord(merchant_no=MERCHANT, batch_id=name, source=f"{name}.csv")
        await ledger.record_batch(record)
        await ledger.record_batch(evolve(record, source=None, total=total, ended=ended))

    found = await ledger.batches(MERCHANT, ["runs", "ended", "stopped", "none"])

    assert {name: (one.source, one.total, one.ended) for name, one in found.items()} == {
        "runs": ("runs.csv", None, False),
        "ended": ("ended.csv", 3, True),
        "stopped": ("stopped.csv", None, True),
    }
    assert await ledger.batches(OTHER_MERCHANT, ["runs"]) == {}


async def test_a_claim_that_wants_no_other_is_refused_where_there_is_one(ledger: Ledger):
    """Nothing is stored of it; and where as many are there as its caller knew of, it is claimed."""
    await ledger.claim(intent("A", remark="something else"))

    with pytest.raises(PaidMeanwhileError, match="A, which was not there when the file was looked up") as caught:
        await ledger.claim(guarded("B"))

    assert (caught.value.trade_no, caught.value.other, caught.value.money_may_have_moved) == ("B", "A", False)
    assert await ledger.get(MERCHANT, "B") is None
    assert await ledger.history(MERCHANT, "B") == []
    assert await claimed(ledger, guarded("B", others=1))


@pytest.mark.parametrize("state", [State.FAILED, State.REVERSED])
async def test_what_paid_nothing_is_no_other(ledger: Ledger, state: State):
    """No money is out for it."""
    await ledger.claim(intent("A"))
    if state is State.REVERSED:
        await ledger.move(change(State.SUCCEEDED, "A"))
        await ledger.move(change(state, "A", state=State.SUCCEEDED, cause=Cause.QUERY))
    else:
        await ledger.move(change(state, "A"))
    assert await claimed(ledger, guarded("B"))


async def test_payments_of_its_own_batch_are_no_others(ledger: Ledger):
    """A file may pay the same twice, since both rows stand in it; another batch may not come in between."""
    assert [await claimed(ledger, guarded(number)) for number in ("A", "B", "C")] == [True] * 3
    assert not await claimed(ledger, guarded("D", "B3"))
    assert not await claimed(ledger, guarded("D", "B3", others=2))
    assert await claimed(ledger, guarded("D", "B3", others=3))


async def test_another_amount_account_or_merchant_is_no_other(ledger: Ledger):
    """Only what pays the same to the same counts."""
    for one in (
        intent("A", amount="301"),
        intent("B", bank_number="10094038293"),
        intent("C", merchant_no=OTHER_MERCHANT),
    ):
        await ledger.claim(one)
    assert await claimed(ledger, guarded("D"))


async def test_a_claim_that_says_nothing_of_others_is_never_refused(ledger: Ledger):
    """As payout() and batch_payout() claim."""
    await ledger.claim(intent("A"))
    assert (await ledger.claim(evolve(intent("B"), batch_id="B1"))).done


async def test_a_number_that_is_there_is_found_and_not_refused(ledger: Ledger):
    """The same file again goes on where it was, whatever was paid beside it."""
    assert await claimed(ledger, guarded("A"))
    await ledger.claim(intent("B"))
    found = await ledger.claim(guarded("A"))
    assert isinstance(found, Written)
    assert (found.done, found.entry.trade_no) == (False, "A")


async def test_of_claims_in_one_group_the_first_batch_has_the_payment(ledger: Ledger):
    """What a group has decided already counts, though it is not committed yet; also what says nothing of others."""
    wanted = [guarded("A", "B1"), guarded("B", "B2"), guarded("C", "B1"), guarded("D", "B2")]
    assert await asyncio.gather(*(claimed(ledger, one) for one in wanted)) == [True, False, True, False]
    other = {"amount": "9"}
    wanted = [intent("E", **other), guarded("F", "B2", **other)]
    assert await asyncio.gather(*(claimed(ledger, one) for one in wanted)) == [True, False]


@pytest.fixture(params=["sqlite", "postgresql"])
async def two(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[list[SqlLedger]]:
    """One ledger, opened twice, as two processes have it."""
    url = f"sqlite:///{path}" if request.param == "sqlite" else await request.getfixturevalue("server").ledger()
    ledgers = [SqlLedger(url) for _ in range(2)]
    for ledger in ledgers:
        await ledger.open(ACCOUNT)
    yield ledgers
    for ledger in ledgers:
        await ledger.aclose()


async def test_two_runs_at_one_moment_have_each_payment_once(two: list[SqlLedger]):
    """Both have looked and found nothing; whichever claims first has it, in whatever order they come."""
    count, dice = 300, random.Random(7)

    async def run(ledger: SqlLedger, batch_id: str) -> list[str]:
        order = list(range(count))
        dice.shuffle(order)
        won: list[str] = []

        async def worker(numbers: list[int]) -> None:
            for number in numbers:
                one = guarded(f"{batch_id}-{number}", batch_id, amount=str(100 + number))
                won.extend([one.content["amount"]] if await claimed(ledger, one) else [])

        await asyncio.gather(*(worker(order[start::20]) for start in range(20)))
        return won

    first, second = await asyncio.gather(run(two[0], "B1"), run(two[1], "B2"))
    assert Counter(first + second) == Counter({str(100 + number): 1 for number in range(count)})


async def test_groups_that_want_the_same_payments_in_other_orders_never_block_each_other(server: Any):
    """The locks of PostgreSQL are taken in one order, so there is no circle."""
    url = await server.ledger()
    ledgers = [SqlLedger(url, patience=0.0) for _ in range(4)]
    for ledger in ledgers:
        await ledger.open(ACCOUNT)
    try:
        for turn in range(20):
            claims = [
                claimed(ledger, guarded(f"{turn}-{at}-{number}", f"B{at}", amount=str(1 + number)))
                for at, ledger in enumerate(ledgers)
                for number in (range(30) if at % 2 else reversed(range(30)))
            ]
            await asyncio.gather(*claims)
    finally:
        for ledger in ledgers:
            await ledger.aclose()
