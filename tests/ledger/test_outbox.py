"""Every ledger lends each change to one process at a time, in order per payout, until one has told it."""

import asyncio
from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async import MemoryLedger
from paypro_async._core.lifecycle import Cause, State
from paypro_async.ledger.outbox import Lent, Outbox
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT, MERCHANT, OTHER_MERCHANT, again, change, intent
from tests.support.postgres import Server

NAME = "mails"
# One payout's way: claimed, refused by the network, sent once more, accepted, paid, taken back.
WAY: Sequence[Any] = (
    lambda number: change(State.NEW, number),
    lambda number: again(number, state=State.NEW),
    lambda number: change(State.PROCESSING, number, attempt=2),
    lambda number: change(State.SUCCEEDED, number, state=State.PROCESSING, attempt=2, cause=Cause.CALLBACK),
    lambda number: change(State.REVERSED, number, state=State.SUCCEEDED, attempt=2, cause=Cause.QUERY),
)
STATUSES = ("unknown", "not_sent", "unknown", "processing", "succeeded", "reversed")


async def take(ledger: Outbox, owner: str = "one", limit: int = 10, seconds: float = 60.0) -> list[Lent]:
    return await ledger.take(MERCHANT, NAME, owner=owner, limit=limit, seconds=seconds)


def words(lent: Sequence[Lent]) -> list[tuple[str, str]]:
    return [(one.change.trade_no, one.change.status.value) for one in lent]


async def tell(ledger: Outbox, lent: Sequence[Lent], owner: str = "one") -> None:
    await ledger.told(MERCHANT, NAME, [one.number for one in lent], owner=owner)


async def test_a_consumer_begins_at_the_end_and_goes_on_where_it_was(ledger: Any):
    """Registered once more, it keeps its place."""
    await ledger.claim(intent("BEFORE"))
    await ledger.register(MERCHANT, NAME)
    await ledger.claim(intent("T1"))
    await ledger.register(MERCHANT, NAME)
    assert words(await take(ledger)) == [("T1", "unknown")]
    assert await ledger.take(MERCHANT, "nobody", owner="one", limit=10, seconds=60) == []


async def test_of_each_payout_one_change_is_lent_to_one_process(ledger: Any):
    """The next one only when it was told; and what is noted and changes no public status is none."""
    await ledger.register(MERCHANT, NAME)
    for number in ("T1", "T2"):
        await ledger.claim(intent(number))
    await ledger.move(change(State.SENDING, "T1", code="5000"))
    for step in WAY:
        await ledger.move(step("T1"))
    first = await take(ledger)
    assert words(first) == [("T1", "unknown"), ("T2", "unknown")]
    assert await take(ledger, "other") == []
    for status in STATUSES[1:]:
        await tell(ledger, first)
        first = await take(ledger)
        assert words(first) == [("T1", status)]
    await tell(ledger, first)
    assert await take(ledger) == []


async def test_what_a_dead_process_had_is_lent_to_another(ledger: Any):
    """And what the first one says of it later has no effect."""
    await ledger.register(MERCHANT, NAME)
    await ledger.claim(intent("T1"))
    await ledger.move(change(State.PROCESSING, "T1"))
    lost = await take(ledger, "dead", seconds=0)
    found = await take(ledger, "alive")
    assert words(lost) == words(found) == [("T1", "unknown")]
    assert lost[0].change.id == found[0].change.id
    await tell(ledger, lost, "dead")
    await ledger.put_off(MERCHANT, NAME, lost[0].number, owner="dead", seconds=None, error="late")
    await ledger.keep(MERCHANT, NAME, [lost[0].number], owner="dead", seconds=0)
    assert await take(ledger, "third") == []
    assert await ledger.parked(MERCHANT) == []
    await tell(ledger, found, "alive")
    assert words(await take(ledger)) == [("T1", "processing")]


async def test_what_is_put_off_counts_its_tries_and_what_is_kept_does_not(ledger: Any):
    """It comes again when it is due."""
    await ledger.register(MERCHANT, NAME)
    await ledger.claim(intent("T1"))
    (lent,) = await take(ledger)
    await ledger.put_off(MERCHANT, NAME, lent.number, owner="one", seconds=60, error="RuntimeError")
    assert await take(ledger) == []
    (lent,) = await _again(ledger, lent)
    assert lent.tries == 1
    await ledger.keep(MERCHANT, NAME, [lent.number], owner="one", seconds=0)
    (lent,) = await take(ledger, "two")
    assert lent.tries == 1


async def _again(ledger: Any, lent: Lent) -> list[Lent]:
    """As if the time for which it was put off were over."""
    if isinstance(ledger, SqlLedger):
        await ledger.write(lambda connection: connection.exec_driver_sql("UPDATE delivery SET due_at = 0"))
    else:
        from paypro_async.ledger.memory_outbox import _AT_ONCE

        ledger._outbox._consumers[MERCHANT, NAME].deliveries[lent.number].due_at = _AT_ONCE
    return await take(ledger)


async def test_what_is_parked_keeps_back_its_payout_until_it_is_released(ledger: Any):
    """Others go on; it is told with the kind of its error, and how many wait behind it."""
    await ledger.register(MERCHANT, NAME)
    for number in ("T1", "T2"):
        await ledger.claim(intent(number))
        await ledger.move(change(State.PROCESSING, number))
    first, second = await take(ledger)
    await ledger.put_off(MERCHANT, NAME, first.number, owner="one", seconds=None, error="KeyError")
    await tell(ledger, [second])
    assert words(await take(ledger)) == [("T2", "processing")]
    (parked,) = await ledger.parked(MERCHANT)
    assert (parked.trade_no, parked.consumer, parked.tries, parked.error, parked.behind) == (
        *("T1", NAME, 1, "KeyError"),
        1,
    )
    assert await ledger.release(MERCHANT, "T2") == 0
    assert await ledger.release(MERCHANT, "T1", consumer="other") == 0
    assert await ledger.release(MERCHANT, "T1", consumer=NAME) == 1
    (released,) = await take(ledger, "two")
    assert (released.change.id, released.tries) == (first.change.id, 0)


async def test_merchants_and_consumers_hear_nothing_of_each_other(ledger: Any):
    """One ledger may hold the payouts of several merchants."""
    await ledger.register(MERCHANT, NAME)
    await ledger.register(MERCHANT, "other")
    await ledger.register(OTHER_MERCHANT, NAME)
    await ledger.claim(intent("T1"))
    await ledger.claim(intent("T1", merchant_no=OTHER_MERCHANT))
    assert words(await take(ledger)) == [("T1", "unknown")]
    assert len(await ledger.take(MERCHANT, "other", owner="one", limit=9, seconds=60)) == 1
    assert len(await ledger.take(OTHER_MERCHANT, NAME, owner="one", limit=9, seconds=60)) == 1
    changes, _ = await ledger.changes(MERCHANT, await _beginning(), limit=10)
    assert [one.trade_no for one in changes] == ["T1"]


async def _beginning() -> Any:
    from paypro_async.ledger.outbox import Cursor

    return Cursor(position=0)


async def test_a_watcher_reads_page_by_page(ledger: Any):
    """Nothing twice, nothing missed."""
    cursor = await ledger.cursor(MERCHANT)
    for number in range(7):
        await ledger.claim(intent(f"T{number}"))
    found = []
    while True:
        changes, after = await ledger.changes(MERCHANT, cursor, limit=3)
        found += [one.trade_no for one in changes]
        if after == cursor:
            break
        cursor = after
    assert found == [f"T{number}" for number in range(7)]


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("step"), st.integers(0, 3)),
        st.tuples(st.just("take"), st.sampled_from(["a", "b"]), st.integers(1, 3), st.booleans()),
        st.tuples(st.just("tell"), st.sampled_from(["a", "b"])),
        st.tuples(st.just("fail"), st.sampled_from(["a", "b"]), st.booleans()),
        st.tuples(st.just("release"), st.integers(0, 3)),
    ),
    min_size=5,
    max_size=40,
)


class World:
    """Payouts on their way, two processes that tell of them, and what they were lent."""

    def __init__(self, ledger: Any) -> None:
        self.ledger = ledger
        self.made: dict[str, list[str]] = {f"T{number}": [] for number in range(4)}
        self.told: dict[str, list[str]] = {number: [] for number in self.made}
        self.hands: dict[str, list[Lent]] = {"a": [], "b": []}
        self.held: dict[str, str] = {}  # payouts that are lent for long, to whom

    async def step(self, index: int) -> None:
        number = f"T{index}"
        done = len(self.made[number])
        if done == 0:
            await self.ledger.claim(intent(number))
        elif done <= len(WAY):
            await self.ledger.move(WAY[done - 1](number))
        else:
            return
        self.made[number].append(STATUSES[done])

    async def take(self, owner: str, limit: int, dies: bool) -> None:
        lent = await take(self.ledger, owner, limit, 0 if dies else 60)
        for one in lent:
            number = one.change.trade_no
            assert number not in self.held, "lent to two at one time"
            # The first one that nobody has told, and none of those behind it.
            assert one.change.status.value == self.made[number][len(self.told[number])]
            if not dies:
                self.held[number] = owner
        self.hands[owner] += [] if dies else lent

    async def tell(self, owner: str) -> None:
        hand, self.hands[owner] = self.hands[owner], []
        await tell(self.ledger, hand, owner)
        for one in hand:
            self.told[one.change.trade_no].append(one.change.status.value)
            del self.held[one.change.trade_no]

    async def fail(self, owner: str, parks: bool) -> None:
        for one in self.hands[owner]:
            seconds = None if parks else 0.0
            await self.ledger.put_off(MERCHANT, NAME, one.number, owner=owner, seconds=seconds, error="E")
            del self.held[one.change.trade_no]
        self.hands[owner] = []

    async def release(self, index: int) -> None:
        await self.ledger.release(MERCHANT, f"T{index}")

    async def run(self, operations: Sequence[Any]) -> None:
        await self.ledger.open(ACCOUNT)
        await self.ledger.register(MERCHANT, NAME)
        for name, *given_ in operations:
            await getattr(self, name)(*given_)
        for index in range(4):
            await self.release(index)
        for owner in self.hands:
            await self.tell(owner)
        while self.told != self.made:
            await self.take("a", 3, False)
            assert self.hands["a"], "something is never told"
            await self.tell("a")
        await self.ledger.aclose()


@given(OPERATIONS)
def test_whatever_happens_each_change_is_told_and_in_order_in_memory(operations: Sequence[Any]):
    """Processes that die with what they were lent, handlers that fail, changes that are parked and released."""
    asyncio.run(World(MemoryLedger()).run(operations))


@given(OPERATIONS)
def test_whatever_happens_each_change_is_told_and_in_order_in_a_file(operations: Sequence[Any]):
    """The same on SQLite."""
    with TemporaryDirectory() as folder:
        asyncio.run(World(SqlLedger(f"sqlite:///{folder}/payouts.db")).run(operations))


@pytest.mark.trial
@given(operations=OPERATIONS)
def test_whatever_happens_each_change_is_told_and_in_order_on_a_server(server: Server, operations: Sequence[Any]):
    """The same on PostgreSQL."""

    async def run() -> None:
        await World(SqlLedger(await server.ledger())).run(operations)

    asyncio.run(run())
