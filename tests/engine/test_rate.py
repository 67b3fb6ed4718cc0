"""The rate that all processes of one ledger keep together."""

import asyncio
import itertools
import math
from collections.abc import Sequence

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from paypro_async import LedgerUnavailableError, MemoryLedger, State
from paypro_async._core.intent import Intent
from paypro_async.engine.rate import Rate
from paypro_async.ledger import Written
from paypro_async.ledger.base import Turns
from tests.support.merchant import MERCHANT_NO, fields, scripted_client
from tests.support.scripted import PROCESSING, Scripted
from tests.support.virtual_time import VirtualLoop, VirtualRuntime, freeze, now, virtual_time


def most_in_one_second(times: Sequence[float]) -> int:
    ordered = sorted(times)
    return max(sum(1 for at in ordered if begin <= at < begin + 1) for begin in ordered)


async def walk(rate: Rate, count: int, *, every: float = 0.0) -> list[float]:
    """When a process that pays as fast as it may starts each of *count* payouts."""
    times = []
    for _ in range(count):
        await rate.ready(math.inf)
        turn = await rate.take(math.inf)
        assert await rate.go(turn, until=math.inf)
        times.append(now())
        await asyncio.sleep(every)
    return times


def rates(processes: int, per_second: float) -> list[Rate]:
    ledger = MemoryLedger(runtime=VirtualRuntime())
    return [Rate(ledger, "0000000001", per_second, VirtualRuntime()) for _ in range(processes)]


@given(st.integers(1, 6), st.floats(0.5, 300), st.lists(st.floats(0, 0.3), min_size=6, max_size=6))
def test_in_no_second_start_more_than_the_rate_allows(processes: int, per_second: float, pauses: list[float]):
    """However many processes, and however irregularly they come; seven per cent more at most."""

    async def run() -> list[float]:
        walks = [walk(one, 20, every=pause) for one, pause in zip(rates(processes, per_second), pauses, strict=False)]
        return [at for times in await asyncio.gather(*walks) for at in times]

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        times = runner.run(run())
    assert most_in_one_second(times) <= max(math.ceil(per_second), per_second * 1.07)


@pytest.mark.parametrize("processes", [1, 4])
@virtual_time
async def test_nearly_all_of_the_rate_is_used(processes: int):
    """By those who have something to pay."""
    began = now()
    await asyncio.gather(*(walk(one, 400 // processes) for one in rates(processes, 100)))
    # At the end a few turns that another process took ahead stay unused.
    assert now() - began <= 4 * 1.04 + 0.2


@virtual_time
async def test_a_missed_place_is_never_made_up_for():
    """A process that was frozen starts no burst when it goes on."""
    (rate,) = rates(1, 50)
    await walk(rate, 20)
    freeze(30)
    assert most_in_one_second(await walk(rate, 60)) <= 50


@virtual_time
async def test_a_process_that_dies_wastes_a_tenth_of_a_second_at_most():
    """The turns that it had taken are lost, and no more."""
    dying, living = rates(2, 100)
    await walk(dying, 50)
    began = now()
    await walk(living, 100)
    assert now() - began <= 1 * 1.04 + 0.1 + 0.02


@virtual_time
async def test_a_place_far_ahead_is_waited_for():
    """One payout in twenty seconds: the second one waits that long."""
    (rate,) = rates(1, 0.05)
    first, second = await walk(rate, 2)
    assert second - first == pytest.approx(20.8, abs=0.1)


@virtual_time
async def test_who_is_ready_first_takes_the_first_turn():
    """One that takes long to sign holds up no other, and its turn is not lost."""
    (rate,) = rates(1, 10)
    times: list[tuple[float, str]] = []

    async def pay(name: str, preparing: float) -> None:
        await rate.ready(math.inf)
        await asyncio.sleep(preparing)
        turn = await rate.take(math.inf)
        assert await rate.go(turn, until=math.inf)
        times.append((now(), name))

    began = now()
    await asyncio.gather(pay("slow", 2.0), *(pay(f"quick {number}", 0.0) for number in range(10)))
    assert times[-1][1] == "slow"
    assert times[-1][0] - began <= 2.0 + 0.104 + 0.001
    assert most_in_one_second([at for at, _ in times]) <= 10


@virtual_time
async def test_what_takes_long_is_begun_so_much_ahead_of_its_turn():
    """Where signing takes three seconds and storing one, a turn in two seconds is not missed by any but the first."""
    (rate,) = rates(1, 0.5)
    times = []

    async def pay() -> None:
        began = now()
        await asyncio.sleep(3.0)
        rate.prepared(now() - began)
        turn = await rate.take(math.inf)
        await asyncio.sleep(1.0)
        rate.stored(1.0)
        assert await rate.go(turn, until=math.inf)
        times.append(now())

    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            await rate.ready(math.inf)
            group.create_task(pay())
    assert times[-1] - times[0] <= 9 * 2.08 + 2.08 + 0.1
    assert min(after - before for before, after in itertools.pairwise(times)) >= 2.0


@pytest.mark.parametrize("per_second", [0.5, 3, 20])
@virtual_time
async def test_a_ledger_that_takes_long_hands_out_turns_that_can_be_met(per_second: float):
    """Each of its answers is a third of a second old when it comes, and so is each announcement when it is stored."""

    class Slow(MemoryLedger):
        async def reserve(self, pace, *, spacing, count):
            turns = await super().reserve(pace, spacing=spacing, count=count)
            await asyncio.sleep(0.3)
            return evolve(turns, first=turns.first - 0.3)

    rate = Rate(Slow(runtime=VirtualRuntime()), "0000000001", per_second, VirtualRuntime())
    times = []

    async def pay() -> None:
        turn = await rate.take(math.inf)
        began = now()
        await asyncio.sleep(0.3)
        rate.stored(now() - began)
        assert await rate.go(turn, until=math.inf)
        times.append(now())

    async with asyncio.TaskGroup() as group:
        for _ in range(30):
            await rate.ready(math.inf)
            group.create_task(pay())
    assert len(times) / (times[-1] - times[0] + 1 / per_second) >= 0.8 * per_second
    assert most_in_one_second(times) <= max(1, per_second)


@virtual_time
async def test_a_turn_past_the_deadline_is_left_to_others():
    """It is neither waited for nor lost."""
    (rate,) = rates(1, 0.1)
    assert await rate.go(await rate.take(math.inf), until=math.inf)
    assert await rate.take(now() + 5) is None
    began = now()
    assert await rate.take(math.inf) is not None
    assert now() - began <= 10.4


class Broken(MemoryLedger):
    """Hands out turns once, and then none any more."""

    def __init__(self, *, hangs: bool) -> None:
        super().__init__(runtime=VirtualRuntime())
        self._hangs, self._asked = hangs, 0

    async def reserve(self, pace: str, *, spacing: float, count: int) -> Turns:
        self._asked += 1
        if self._asked == 1:
            return await super().reserve(pace, spacing=spacing, count=count)
        if self._hangs:
            await asyncio.sleep(math.inf)
        raise LedgerUnavailableError("the disk is full")


class SlowToStore(Broken):
    """So slow with the first claim that its turn is missed."""

    async def claim(self, intent: Intent) -> Written:
        await asyncio.sleep(0.5)
        return await super().claim(intent)


@pytest.mark.parametrize("hangs", [True, False])
@virtual_time
async def test_what_was_announced_and_is_given_no_turn_is_not_sent_and_not_unknown(hangs: bool):
    """Its turn was missed while it was stored, and the ledger hands out no other one: nothing left, and it says so."""
    transport = Scripted(PROCESSING)
    async with scripted_client(transport, ledger=SlowToStore(hangs=hangs), timeout=20) as client:
        (item,) = (await client.batch_payout([fields()], rate=10)).failures
        entry = await client.ledger.get(MERCHANT_NO, "T1")
    assert not item.error.money_may_have_moved
    assert (entry.state, entry.attempt, transport.payouts) == (State.NEW, 1, [])
