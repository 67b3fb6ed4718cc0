"""The rate that all processes of one ledger keep together."""

import asyncio
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async import MemoryLedger
from paypro_async.engine.rate import Rate
from tests.support.virtual_time import VirtualLoop, VirtualRuntime, freeze, now, virtual_time


def most_in_one_second(times: Sequence[float]) -> int:
    ordered = sorted(times)
    return max(sum(1 for at in ordered if begin <= at < begin + 1) for begin in ordered)


async def walk(rate: Rate, count: int, *, every: float = 0.0) -> list[float]:
    """When a process that pays as fast as it may starts each of *count* payouts."""
    times = []
    for _ in range(count):
        await rate.go(await rate.turn())
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
