import subprocess
import sys
from collections import Counter

import pytest

from paypro_async.sandbox import Fault, FaultPlan
from paypro_async.sandbox.faults import USUAL_FAULTS

TRADE_NOS = [f"T{n}" for n in range(10_000)]


def test_a_plan_hits_its_share_with_all_kinds_alike():
    """At 15 %, about 15 of 100 payouts are hit, each kind about as often as the others."""
    plan = FaultPlan(rate=0.15, seed=7)
    counts = Counter(plan.payout_fault(trade_no, 1) for trade_no in TRADE_NOS)
    assert 1350 < len(TRADE_NOS) - counts.pop(None) < 1650
    assert set(counts) == USUAL_FAULTS
    assert min(counts.values()) > 90


def test_a_plan_repeats_in_any_order_and_any_process():
    """What hits a request follows from seed, trade number and attempt alone."""
    program = (
        "from paypro_async.sandbox import FaultPlan; plan = FaultPlan(rate=0.5, seed=7);"
        "print([str(plan.payout_fault(f'T{n}', 2)) for n in reversed(range(100))])"
    )
    plan = FaultPlan(rate=0.5, seed=7)
    here = [str(plan.payout_fault(f"T{n}", 2)) for n in range(100)]
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout
    assert there.strip() == str(here[::-1])


def test_seed_and_attempt_change_the_draw():
    """Another seed is another plan, and a retry draws again, so that it ends."""
    plan, other = FaultPlan(rate=0.5, seed=7), FaultPlan(rate=0.5, seed=8)
    first = [plan.payout_fault(trade_no, 1) for trade_no in TRADE_NOS[:100]]
    assert first != [other.payout_fault(trade_no, 1) for trade_no in TRADE_NOS[:100]]
    assert first != [plan.payout_fault(trade_no, 2) for trade_no in TRADE_NOS[:100]]
    assert all(any(plan.payout_fault(no, attempt) is None for attempt in range(1, 50)) for no in TRADE_NOS)


def test_kinds_restrict_the_draw():
    """Only the kinds asked for are drawn, the unusual ones too; none of none."""
    plan = FaultPlan(rate=1, kinds={Fault.DRIP, Fault.PAGE_502})
    assert {plan.payout_fault(trade_no, 1) for trade_no in TRADE_NOS[:100]} == {Fault.DRIP, Fault.PAGE_502}
    unusual = frozenset(Fault) - USUAL_FAULTS
    assert {FaultPlan(rate=1, kinds=unusual).payout_fault(trade_no, 1) for trade_no in TRADE_NOS[:100]} == unusual
    assert FaultPlan(rate=1, kinds=set()).payout_fault("T1", 1) is None


def test_questions_have_a_rate_of_their_own():
    """A question is hit only when asked for, and never by a late booking."""
    assert FaultPlan(rate=1).query_fault("T1", 1) is None
    plan = FaultPlan(query_rate=1)
    assert {plan.query_fault(trade_no, 1) for trade_no in TRADE_NOS[:1000]} == USUAL_FAULTS - {Fault.LATE_BOOKING}
    assert plan.payout_fault("T1", 1) is None


def test_a_script_is_followed_to_its_end():
    """Each payout request of a scripted trade number gets its fault; then there are no more."""
    plan = FaultPlan.script({"T1": [Fault.SILENCE, None, Fault.DRIP]})
    assert [plan.payout_fault("T1", n) for n in (1, 2, 3, 4)] == [Fault.SILENCE, None, Fault.DRIP, None]
    assert plan.payout_fault("T2", 1) is None


def test_every_request_or_only_the_first_ones():
    """`every` hits all requests, with `attempts` only the first of each trade number."""
    assert FaultPlan.every(Fault.PAGE_500).payout_fault("T1", 99) is Fault.PAGE_500
    once = FaultPlan.every(Fault.PAGE_500, attempts=1)
    assert [once.payout_fault("T1", n) for n in (1, 2)] == [Fault.PAGE_500, None]


def test_no_faults():
    """`none` hits nothing."""
    assert not any(FaultPlan.none().payout_fault(trade_no, 1) for trade_no in TRADE_NOS)


@pytest.mark.parametrize("rate", [-0.1, 1.1, 15])
def test_a_rate_is_a_share(rate: float):
    """15 is not 15 %."""
    with pytest.raises(ValueError, match="share"):
        FaultPlan(rate=rate)
