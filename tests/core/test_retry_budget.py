"""How often a client tries again while the platform is away."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async._core.retry import RetryBudget

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
            assert delay is None or 0 <= delay < math.inf
        else:
            getattr(budget, name)()


@given(st.integers(1, 50), st.floats(0.5, 50), st.integers(1, 200))
def test_in_an_outage_a_client_tries_no_more_than_its_burst_and_the_flow_allow(burst: int, flow: float, tries: int):
    """A crowd that comes at once is spread: try number n waits until its token has come back."""
    budget = RetryBudget(burst=burst, per_second=flow, most_owed=200)
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


def test_what_is_owed_has_a_bound_and_whoever_finds_it_reached_takes_nothing():
    """A crowd with much time cannot have the tokens of the next minutes: whoever comes later waits seconds."""
    budget = RetryBudget(burst=1, per_second=10, most_owed=20)
    waits = [budget.take(0.0) for _ in range(3000)]
    assert waits[20] == pytest.approx(2.0)
    assert waits[21:] == [None] * 2979
    assert budget.take(0.1) == pytest.approx(2.0)
    assert budget.take(0.1) is None


@given(st.floats(0, 1))
def test_those_that_find_it_reached_look_again_at_different_times(chance: float):
    """Neither at once nor after minutes."""
    assert 1.0 <= RetryBudget().pause(chance) <= 5.0
