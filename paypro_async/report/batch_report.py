"""What became of all payouts of a batch together."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import ClassVar

from attrs import define, field, frozen

from paypro_async._core.items import BatchItem, ItemStatus
from paypro_async._core.money import total
from paypro_async._core.plain_data import PlainData
from paypro_async._core.tally import Tally
from paypro_async.report.base import Origin, Report

__all__ = ["BatchProgress", "BatchReport", "BatchTally"]

_SHOWN_FAILURES = 100
_SHOWN_REASONS = 20
_SHORTEST = 1e-6  # seconds, after which a rate means something


@frozen(kw_only=True)
class BatchProgress(PlainData):
    """A batch while it runs.

    Args:
        done: Items that have ended.
        in_flight: Items that hold a slot.
        waiting: Items that wait for their next step, or for their end, and hold none.
        counts: Ended items by status.
        elapsed: Seconds since the start.
        total: Items of the source, each trade_no once as far as that is known; None if the source has no length.
        amounts: Sums of what has ended, by status, in major units; an item that is not valid counts as zero.
    """

    also_told: ClassVar[tuple[str, ...]] = ("amount", "unknown", "rate", "remaining")
    done: int
    in_flight: int
    waiting: int
    counts: Mapping[ItemStatus, int]
    elapsed: float
    total: int | None = None
    amounts: Mapping[ItemStatus, Decimal] = field(factory=dict)

    @property
    def amount(self) -> Decimal:
        """The sum of what has ended, whatever became of it."""
        return total(self.amounts.values())

    @property
    def unknown(self) -> int:
        """Ended items whose money may have moved (``ItemStatus.uncertain``)."""
        return sum(count for status, count in self.counts.items() if status.uncertain)

    @property
    def rate(self) -> float:
        """Items that ended in a second, on average."""
        return self.done / self.elapsed if self.elapsed > _SHORTEST else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds until the end at this rate; None while that is not known."""
        if self.total is None or not self.rate:
            return None
        return max(0, self.total - self.done) / self.rate


@frozen(kw_only=True)
class BatchReport(PlainData, Report):
    """A batch at its end.

    Args:
        counts: Items by status.
        amounts: Sums by status, in major units; an item that is not valid counts as zero.
        codes: How many items that are not paid or processing ended with which platform code or error.
        failures: The first 100 of those items.
        elapsed: Seconds from start to end.
        stopped: The name of the stop rule that ended it early, ``"cancelled"``, ``"source_failed"`` if its source ended
            by anything but its end, or None. What was not begun is in no count.
        sent: Items that this batch itself has sent. The others were known before, or were not sent.
        repeated: Items whose trade_no another item of the source has too. They are paid once and counted once, and
            this many are left out of all other numbers.
        reasons: What kept the platform from answering, and for how many items; twenty of them at most.
        waited: Whether the batch was to wait until every item is final.
    """

    also_told: ClassVar[tuple[str, ...]] = ("total", "accepted", "open", "ok")
    _repr_pretty_ = Report._repr_pretty_
    counts: Mapping[ItemStatus, int]
    amounts: Mapping[ItemStatus, Decimal]
    codes: Mapping[str, int]
    failures: tuple[BatchItem, ...] = field(repr=False)
    elapsed: float
    stopped: str | None = None
    sent: int = 0
    repeated: int = 0
    reasons: Mapping[str, int] = field(factory=dict)
    waited: bool = False

    @property
    def _statuses(self) -> Tally[ItemStatus]:
        return Tally(counts=Counter(self.counts), amounts=dict(self.amounts))

    @property
    def _run(self) -> tuple[float, str | None]:
        return self.elapsed, self.stopped

    @property
    def total(self) -> int:
        """Items that have ended, each trade_no once."""
        return sum(self.counts.values())

    @property
    def accepted(self) -> int:
        """Items that are paid or processing."""
        return sum(count for status, count in self.counts.items() if status.accepted)

    @property
    def open(self) -> int:
        """Items whose end is still to come, unless a person decides it: processing, unknown or missing."""
        return sum(count for status, count in self.counts.items() if status.is_open)

    @property
    def rate(self) -> float:
        """Items that ended in a second, on average."""
        return self.total / self.elapsed if self.elapsed else 0.0

    @property
    def ok(self) -> bool:
        """Whether every item was begun and is paid or processing; paid, if the batch was to wait for that."""
        return self.stopped is None and self.accepted == self.total and not (self.waited and self.open)


@define(kw_only=True, eq=False)
class BatchTally:
    """Counts items as they end, in a space that does not grow with them."""

    tally: Tally[ItemStatus] = field(factory=Tally)
    codes: Counter[str] = field(factory=Counter)
    reasons: Counter[str] = field(factory=Counter)
    failures: list[BatchItem] = field(factory=list)
    sent: int = 0
    repeated: int = 0

    @property
    def counts(self) -> Counter[ItemStatus]:
        """How many items, by status."""
        return self.tally.counts

    def add(self, item: BatchItem, amount: Decimal | None, *, sent: bool = False) -> None:
        """Count one item, which this batch has *sent* or not; one without an amount, which is not valid, is zero."""
        self.sent += sent
        if item.repeats is not None:
            self.repeated += 1
            return
        status = item.status
        self.tally.add(status, amount or Decimal(0))
        if status.accepted:
            return
        self.codes[item.code or "?"] += 1
        if (why := item.error.reason if item.error else None) and (
            why in self.reasons or len(self.reasons) < _SHOWN_REASONS
        ):
            self.reasons[why] += 1
        if len(self.failures) < _SHOWN_FAILURES:
            self.failures.append(item)

    def report(
        self, *, elapsed: float, stopped: str | None, waited: bool = False, origin: Origin | None = None
    ) -> BatchReport:
        """The report so far, with its rows if *origin* has them."""
        report = BatchReport(
            counts=MappingProxyType(dict(self.tally.counts)),
            amounts=MappingProxyType(dict(self.tally.amounts)),
            codes=MappingProxyType(dict(self.codes)),
            failures=tuple(self.failures),
            elapsed=elapsed,
            stopped=stopped,
            sent=self.sent,
            repeated=self.repeated,
            reasons=MappingProxyType(dict(self.reasons)),
            waited=waited,
        )
        return report if origin is None else report.of(origin)
