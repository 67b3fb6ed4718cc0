import math
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async._core.pacing import Pace, Pacer, RetryBudget

ARRIVALS = st.lists(st.floats(0, 0.5) | st.sampled_from([0.0, 1e-9, 0.02, 1.0, 3.0]), min_size=1, max_size=80)
RATES = st.integers(1, 40) | st.floats(0.2, 40)


def starts(rate: float, gaps: list[float]) -> list[float]:
    """When callers that arrive with these gaps between them start."""
    pacer, arrival, now, found = Pacer(rate), 1000.0, 1000.0, []
    for gap in gaps:
        arrival += gap
        now = max(now, arrival)
        while (delay := pacer.take(now)) > 0:
            now += delay
        found.append(now)
    return found


def full(earlier: list[float], rate: float) -> bool:
    """Whether the last second holds as many as it may."""
    most = math.ceil(rate)
    return len(earlier) >= most


def busiest_second(moments: list[float]) -> int:
    """The most that any half-open second holds; one that holds the most can be moved to begin at a start."""
    return max(bisect_left(moments, begin + 1) - index for index, begin in enumerate(moments))


@given(RATES, ARRIVALS)
def test_no_second_holds_more_starts_than_the_rate(rate: float, gaps: list[float]):
    """Wherever the second begins and whenever the callers come: all at once, in bursts, after a pause."""
    assert busiest_second(starts(rate, gaps)) <= math.ceil(rate)


@pytest.mark.parametrize("rate", [1, 5, 50, 1000])
def test_a_crowd_is_let_through_at_almost_the_full_rate(rate: int):
    """Two per cent stay unused, and no more."""
    found = starts(rate, [0.0] * (rate * 3 + 1))
    assert busiest_second(found) <= rate
    assert found[-1] - found[0] <= 3 * 1.021


@given(RATES, ARRIVALS)
def test_nobody_waits_without_need(rate: float, gaps: list[float]):
    """A caller starts at once, or one spacing after the one before; and never before it came."""
    found, now = starts(rate, gaps), 1000.0
    for index, gap in enumerate(gaps):
        now += gap
        assert found[index] >= now
        waited = found[index] > now
        assert not waited or found[index] - found[index - 1] <= 1.02 / rate * (1 + 1e-9) or full(found[:index], rate)


def test_a_late_start_is_never_made_up_for():
    """After a pause there is no burst."""
    pacer = Pacer(10)
    assert pacer.take(0.0) == 0.0
    assert pacer.take(60.0) == 0.0
    assert pacer.take(60.0) == pytest.approx(0.102)
    assert pacer.take(61.0) == 0.0, "who comes late starts the spacing anew"
    assert pacer.take(61.05) == pytest.approx(0.052)


def test_a_batch_keeps_its_rate_at_the_launch_and_at_the_send():
    """Each by itself."""
    pace = Pace(10)
    assert pace.launch.take(0.0) == pace.send.take(0.0) == 0.0
    assert pace.launch.take(0.0) == pace.send.take(0.0) == pytest.approx(0.102)


BUDGETS = st.builds(
    RetryBudget, burst=st.floats(0, 1000), per_second=st.floats(0.01, 1000), per_answer=st.floats(0, 10)
)
CALLS = st.lists(st.tuples(st.sampled_from(["take", "give_back", "answered"]), st.floats(-10, 100)), max_size=60)


@given(BUDGETS, CALLS)
def test_a_budget_never_asks_to_wait_a_negative_time(budget: RetryBudget, calls: list[tuple[str, float]]):
    """Whatever happens in whatever order, and if the clock stands still or goes back."""
    now = 0.0
    for name, gap in calls:
        now += gap
        if name == "take":
            delay = budget.take(now)
            assert math.isfinite(delay)
            assert delay >= 0
        else:
            getattr(budget, name)()


@given(st.integers(1, 50), st.floats(0.5, 50), st.integers(1, 200))
def test_in_an_outage_a_client_tries_no_more_than_its_burst_and_the_flow_allow(burst: int, flow: float, tries: int):
    """A crowd that comes at once is spread: try number n waits until its token has come back."""
    budget = RetryBudget(burst=burst, per_second=flow)
    delays = [budget.take(0.0) for _ in range(tries)]
    for index, delay in enumerate(delays):
        assert delay == pytest.approx(max(0.0, (index + 1 - burst) / flow))


def test_tokens_come_back_with_time_up_to_the_burst():
    """A long quiet night does not save up a storm."""
    budget = RetryBudget(burst=2, per_second=1)
    assert [budget.take(0.0) for _ in range(3)] == [0.0, 0.0, 1.0]
    assert [budget.take(1e6) for _ in range(3)] == [0.0, 0.0, 1.0]


def test_as_long_as_the_platform_answers_nobody_waits():
    """Each readable answer gives back more than its question took."""
    budget = RetryBudget(burst=3, per_second=0.001)
    for _ in range(1000):
        assert budget.take(0.0) == 0.0
        budget.answered()


def test_a_token_that_was_not_used_is_there_again():
    """But never more than the burst."""
    budget = RetryBudget(burst=1, per_second=1)
    assert budget.take(0.0) == 0.0
    budget.give_back()
    budget.give_back()
    assert budget.take(0.0) == 0.0
    assert budget.take(0.0) == 1.0


def test_a_clock_that_goes_back_costs_nothing():
    """Time that seems to be lost takes no token away."""
    budget = RetryBudget(burst=3, per_second=1)
    assert budget.take(1000.0) == 0.0
    assert budget.take(0.0) == 0.0
    assert budget.take(0.0) == 0.0
    assert budget.take(0.0) == 1.0
