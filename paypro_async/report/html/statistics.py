"""The numbers of a report, from its rows one by one, in a space that does not grow with them."""

import math
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import pairwise

from attrs import define, field, frozen

from paypro_async._core.items import ItemStatus
from paypro_async._core.money import total
from paypro_async._core.tally import Tally
from paypro_async.report.rows import ReportRow

__all__ = ["Cause", "Group", "Latency", "Statistics", "Timeline"]

Group = str
"""What a payout is counted as in the timeline: ``paid``, ``open`` or ``not_paid``."""

_MOST_CAUSES = 100
# Each a multiple of the one before it, so that counts of one width add up to those of the next.
_WIDTHS = (1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400, 604_800, 2_419_200, 31_449_600)
_MOST_BARS = 60
_EDGES = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400)
_FINE = math.log(1.05)


@define(kw_only=True, eq=False)
class Timeline:
    """How many payouts were begun when, by what became of them; the longer the time, the wider its bars.

    Args:
        zone: Where a day begins.
        width: Seconds of one bar.
        counts: By the number of the bar since 1970 in the zone, and by group.
        untimed: Payouts that were never begun.
    """

    zone: tzinfo
    width: int = _WIDTHS[0]
    counts: dict[int, Counter[Group]] = field(factory=dict)
    untimed: int = 0

    def add(self, at: datetime | None, group: Group) -> None:
        """Count one payout."""
        if at is None:
            self.untimed += 1
            return
        offset = at.astimezone(self.zone).utcoffset() or timedelta()
        bar = math.floor((at.timestamp() + offset.total_seconds()) / self.width)
        self.counts.setdefault(bar, Counter())[group] += 1
        while max(self.counts) - min(self.counts) >= _MOST_BARS and self.width != _WIDTHS[-1]:
            self._widen()

    def bars(self) -> Iterator[tuple[datetime, Counter[Group]]]:
        """Every bar from the first to the last, those without a payout as well: its beginning, and its counts."""
        if not self.counts:
            return
        for bar in range(min(self.counts), max(self.counts) + 1):
            local = datetime(1970, 1, 1, tzinfo=self.zone) + timedelta(seconds=bar * self.width)
            yield local, self.counts.get(bar, Counter())

    def _widen(self) -> None:
        width = _WIDTHS[_WIDTHS.index(self.width) + 1]
        wider: dict[int, Counter[Group]] = {}
        for bar, counts in self.counts.items():
            wider.setdefault(bar * self.width // width, Counter()).update(counts)
        self.width, self.counts = width, wider


@define(kw_only=True, eq=False)
class Latency:
    """How long it took from a payout's beginning until the last that was heard of it, where the platform answered."""

    counts: Counter[int] = field(factory=Counter)
    fine: Counter[int] = field(factory=Counter)

    def add(self, duration: float) -> None:
        """Count one payout."""
        duration = max(duration, 0.001)
        self.counts[sum(duration >= edge for edge in _EDGES)] += 1
        self.fine[math.ceil(math.log(duration) / _FINE)] += 1

    @property
    def count(self) -> int:
        """How many payouts."""
        return self.counts.total()

    def within(self, share: float) -> float:
        """Seconds within which that share of the payouts was; some percent too long at most."""
        wanted, seen = share * self.count, 0
        for step in sorted(self.fine):
            seen += self.fine[step]
            if seen >= wanted:
                return math.exp(step * _FINE)
        return 0.0

    def bars(self) -> Iterator[tuple[float | None, float | None, int]]:
        """The first bar with a payout to the last one: from and to how many seconds (None has no end), and how many."""
        if not self.counts:
            return
        edges = list(pairwise((None, *_EDGES, None)))
        for number in range(min(self.counts), max(self.counts) + 1):
            yield *edges[number], self.counts[number]


@define(kw_only=True, eq=False)
class Cause:
    """What kept payouts from being paid.

    Args:
        code: The platform's, or the kind of an error; empty if there is none.
        message: The words that came with it first.
        statuses: How many payouts, by status.
        amounts: Their sums, by currency.
    """

    code: str
    message: str
    statuses: Counter[ItemStatus] = field(factory=Counter)
    amounts: dict[str, Decimal] = field(factory=dict)


@frozen(kw_only=True, eq=False)
class Statistics:
    """The numbers of a report.

    Args:
        tally: Payouts and their money, by status and currency.
        causes: Why payouts were not paid, by code; or by status and words, where there is no code.
    """

    timeline: Timeline
    latency: Latency = field(factory=Latency)
    tally: Tally[tuple[ItemStatus, str]] = field(factory=Tally)
    causes: dict[tuple[str, str], Cause] = field(factory=dict)

    def add(self, row: ReportRow, message: str | None) -> None:
        """Count one row, of which *message* may be shown."""
        status, amount = row.status, row.amount or Decimal(0)
        self.tally.add((status, row.currency), amount)
        self.timeline.add(row.begun_at, group_of(status))
        answered = status.accepted or status in (ItemStatus.FAILED, ItemStatus.REVERSED)
        if answered and row.begun_at is not None and row.changed_at is not None:
            self.latency.add((row.changed_at - row.begun_at).total_seconds())
        if not status.accepted:
            self._explain(row, message or "", amount)

    @property
    def count(self) -> int:
        """How many payouts."""
        return self.tally.counts.total()

    @property
    def currencies(self) -> list[str]:
        """Those that occur, the one of most payouts first."""
        found: Counter[str] = Counter()
        for (_, currency), count in self.tally.counts.items():
            found[currency] += count
        return [currency for currency, _ in found.most_common()]

    def counted(self, status: ItemStatus) -> int:
        """How many payouts have that status."""
        return sum(count for (one, _), count in self.tally.counts.items() if one is status)

    def sums(self, *statuses: ItemStatus) -> dict[str, Decimal]:
        """The money of payouts with one of these statuses, or of all, by currency."""
        return {
            currency: total(
                amount
                for (one, of), amount in self.tally.amounts.items()
                if of == currency and (not statuses or one in statuses)
            )
            for currency in self.currencies
        }

    def _explain(self, row: ReportRow, message: str, amount: Decimal) -> None:
        code = row.code or ""
        key = (code, "" if code else f"{row.status}: {message}")
        if key not in self.causes and len(self.causes) >= _MOST_CAUSES:
            key, code, message = ("", ""), "", "other causes"
        cause = self.causes.setdefault(key, Cause(code=code, message=message))
        cause.statuses[row.status] += 1
        cause.amounts[row.currency] = total([cause.amounts.get(row.currency, Decimal(0)), amount])


def group_of(status: ItemStatus) -> Group:
    """What a status is counted as in the timeline."""
    if status is ItemStatus.SUCCEEDED:
        return "paid"
    return "open" if status.is_open or status.uncertain else "not_paid"
