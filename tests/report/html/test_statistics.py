from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async._core.items import ItemStatus
from paypro_async.report.html.statistics import Latency, Statistics, Timeline
from paypro_async.report.rows import ReportRow

_IST = timezone(timedelta(hours=5, minutes=30))
_BEGUN = datetime(2026, 11, 28, 4, 0, tzinfo=UTC)


@given(st.lists(st.integers(0, 10**8), min_size=1, max_size=300))
def test_a_timeline_counts_every_payout_in_at_most_sixty_bars(offsets):
    """However long the time is that it covers, and in whatever order they come."""
    timeline = Timeline(zone=_IST)
    for seconds in offsets:
        timeline.add(_BEGUN + timedelta(seconds=seconds), "paid")
    bars = list(timeline.bars())
    assert sum(counts["paid"] for _, counts in bars) == len(offsets)
    assert len(bars) <= 60
    assert bars[0][0] <= _BEGUN + timedelta(seconds=min(offsets)) < bars[0][0] + timedelta(seconds=timeline.width)


def test_days_begin_at_midnight_of_the_zone():
    """Not at that of London."""
    timeline = Timeline(zone=_IST)
    for day in range(40):
        timeline.add(_BEGUN + timedelta(days=day), "paid")
    assert timeline.width == 86_400
    assert {(at.hour, at.minute) for at, _ in timeline.bars()} == {(0, 0)}


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.sampled_from([0.5, 0.95]))
def test_a_share_of_the_payouts_was_within_the_time_that_is_said(durations, share):
    """And the time is not much too long."""
    latency = Latency()
    for duration in durations:
        latency.add(duration)
    said = latency.within(share)
    assert sum(max(one, 0.001) <= said * 1.000001 for one in durations) >= share * len(durations)
    assert said <= max(0.001, *durations) * 1.06
    assert sum(count for _, _, count in latency.bars()) == len(durations)


def test_only_payouts_that_were_answered_count_for_how_long_it_took():
    """An unknown one has no end yet."""
    numbers = Statistics(timeline=Timeline(zone=UTC))
    for status in ItemStatus:
        ended = _BEGUN + timedelta(seconds=3)
        row = ReportRow(
            row=1, trade_no="a", status=status, amount=Decimal(1), currency="INR", begun_at=_BEGUN, changed_at=ended
        )
        numbers.add(row, None)
    assert numbers.latency.count == 4


@pytest.mark.parametrize("code", ["60019", None])
def test_causes_are_counted_by_code_or_by_words(code):
    """Of any number of different words only the first hundred stand alone."""
    numbers = Statistics(timeline=Timeline(zone=UTC))
    for number in range(300):
        row = ReportRow(
            row=number, trade_no="a", status=ItemStatus.FAILED, amount=Decimal(1), currency="INR", code=code
        )
        numbers.add(row, f"words {number}")
    assert len(numbers.causes) == (1 if code else 101)
    assert sum(cause.amounts["INR"] for cause in numbers.causes.values()) == 300
