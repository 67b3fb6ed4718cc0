"""What a reconciliation found."""

import math
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from heapq import nsmallest
from types import MappingProxyType
from typing import ClassVar

from attrs import define, field, frozen

from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import Entry, Reply, State
from paypro_async._core.plain_data import PlainData
from paypro_async.errors import ConfigurationError
from paypro_async.report.notebook import cell, table, words
from paypro_async.report.texts import counted, html

__all__ = ["Counts", "OpenPayout", "ReconcileReport", "seconds_of"]

_SHOWN_REASONS = 20
_SHOWN_OPEN = 20


@frozen(kw_only=True)
class OpenPayout(PlainData):
    """A payout that is not final.

    Args:
        trade_no: The merchant's order number.
        status: What is known of it.
        age: Seconds since its last attempt was announced.
    """

    trade_no: str
    status: ItemStatus
    age: float


@frozen(kw_only=True)
class ReconcileReport(PlainData):
    """What a reconciliation found. Payouts that were never sent, or are final, are in none of the numbers.

    Args:
        checked: Payouts that the platform was asked about.
        changed: How many went from which status to which.
        still_unknown: Payouts that may have been sent, and whose outcome is not known yet.
        absent: Those of them that the platform did not know, as two questions after the settle window said: the same
            number may be paid again.
        missing: Payouts that the platform had accepted, and of which it now knows nothing.
        review: Payouts that wait for a person.
        overdue: Payouts that the platform has been processing for longer than a day, or what was asked for.
        passed_over: Of the payouts that were too young to be asked about, those that are not final, by status. Those
            of them that are missing, overdue or wait for a person are in those numbers too.
        unanswered: Payouts about which no usable answer came. Each stays what it was.
        elapsed: Seconds from start to end.
        ended: Whether it came to the end of the ledger. If its time was over before, the payouts that it did not get to
            are in none of the numbers, and the next run begins with them.
        reasons: Why no usable answer came, and for how many payouts; twenty of them at most.
        open: Of the payouts that were asked about, those that are not final now, by status.
        longest_open: The twenty of them that were announced first.
    """

    also_told: ClassVar[tuple[str, ...]] = ("ok",)
    checked: int
    changed: Mapping[tuple[ItemStatus, ItemStatus], int]
    still_unknown: int
    missing: int
    review: int
    overdue: int
    unanswered: int
    elapsed: float
    ended: bool = True
    absent: int = 0
    passed_over: Mapping[ItemStatus, int] = field(factory=dict)
    reasons: Mapping[str, int] = field(factory=dict)
    open: Mapping[ItemStatus, int] = field(factory=dict, eq=False)
    longest_open: tuple[OpenPayout, ...] = field(default=(), eq=False)

    @property
    def ok(self) -> bool:
        """Whether the platform has answered for every payout, and none is unknown or missing or wants a person."""
        return self.ended and not (self.still_unknown or self.missing or self.review or self.overdue or self.unanswered)

    def __str__(self) -> str:
        """One line for people."""
        told = ", ".join(f"{count:,} {name}" for name, count in self._numbers() if count) or "nothing is open"
        early = "" if self.ended else "; its time was over before the end of the ledger"
        return f"{counted(self.checked)} asked about: {told}; {self.elapsed:,.1f} s{early}"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        lines = [(name, f"{count:,}") for name, count in self._numbers()]
        changed = [(words(old), words(new), f"{count:,}") for (old, new), count in self.changed.items()]
        parts = [f"<p>{html(self)}</p>", table(["", "payouts"], lines, numbers=(1,))]
        if changed:
            parts.append(table(["was", "is", "payouts"], changed, numbers=(2,)))
        return cell(*parts)

    def _numbers(self) -> list[tuple[str, int]]:
        names = ("still_unknown", "missing", "review", "overdue", "unanswered")
        numbers = [("changed", sum(self.changed.values())), *((name, getattr(self, name)) for name in names)]
        return [(name.replace("_", " "), count) for name, count in numbers]


@define
class Counts:
    """Counts what becomes of payouts, in a space that does not grow with them.

    Args:
        overdue_after: Seconds after which a payout that is still processing wants attention.
    """

    overdue_after: float
    numbers: Counter[str] = field(factory=Counter)
    changed: Counter[tuple[ItemStatus, ItemStatus]] = field(factory=Counter)
    reasons: Counter[str] = field(factory=Counter)
    open: Counter[ItemStatus] = field(factory=Counter)
    passed_over: Counter[ItemStatus] = field(factory=Counter)
    longest_open: list[OpenPayout] = field(factory=list)

    def add(self, entry: Entry, *, first: Entry, silence: str | None) -> None:
        """Count one payout that was asked about.

        Args:
            entry: As it stands now.
            first: As it stood when the page was read.
            silence: Why no usable answer came, if none has come and nothing was learned otherwise; else None.
        """
        before, status = ItemStatus.of_entry(first), ItemStatus.of_entry(entry)
        self.numbers["checked"] += 1
        self.numbers["unanswered"] += silence is not None
        if silence and (silence in self.reasons or len(self.reasons) < _SHOWN_REASONS):
            self.reasons[silence] += 1
        self.numbers["still_unknown"] += status is ItemStatus.UNKNOWN
        believed_absent = entry.state is State.NEW and entry.reply is not Reply.FAILING
        self.numbers["absent"] += status is ItemStatus.UNKNOWN and believed_absent
        self._count_attention(entry, status)
        if status is not before:
            self.changed[before, status] += 1
        if status in _OPEN:
            self.open[status] += 1
            self.longest_open.append(OpenPayout(trade_no=entry.trade_no, status=status, age=entry.age))
            if len(self.longest_open) > 10 * _SHOWN_OPEN:
                self.longest_open = self._longest()

    def pass_over(self, entry: Entry) -> None:
        """Count one payout that is too young to be asked about; what wants attention wants it at any age."""
        status = ItemStatus.of_entry(entry)
        if status in _OPEN:
            self.passed_over[status] += 1
            self._count_attention(entry, status)

    def _count_attention(self, entry: Entry, status: ItemStatus) -> None:
        self.numbers["missing"] += status is ItemStatus.MISSING
        self.numbers["review"] += status is ItemStatus.REVIEW
        self.numbers["overdue"] += status is ItemStatus.PROCESSING and entry.age >= self.overdue_after

    def report(self, *, elapsed: float, ended: bool) -> ReconcileReport:
        """What was counted."""
        return ReconcileReport(
            checked=self.numbers["checked"],
            changed=MappingProxyType(dict(self.changed)),
            still_unknown=self.numbers["still_unknown"],
            absent=self.numbers["absent"],
            missing=self.numbers["missing"],
            review=self.numbers["review"],
            overdue=self.numbers["overdue"],
            unanswered=self.numbers["unanswered"],
            elapsed=elapsed,
            ended=ended,
            passed_over=MappingProxyType(dict(self.passed_over)),
            reasons=MappingProxyType(dict(self.reasons)),
            open=MappingProxyType(dict(self.open)),
            longest_open=tuple(self._longest()),
        )

    def _longest(self) -> list[OpenPayout]:
        return nsmallest(_SHOWN_OPEN, self.longest_open, key=lambda one: -one.age)


_OPEN = frozenset({ItemStatus.PROCESSING, ItemStatus.UNKNOWN, ItemStatus.MISSING, ItemStatus.REVIEW})


def seconds_of(name: str, span: timedelta | float) -> float:
    """A span of time in seconds.

    Raises:
        ConfigurationError: If it is none, with the setting's *name*.
    """
    seconds: object = span.total_seconds() if isinstance(span, timedelta) else span
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise ConfigurationError(f"{name} must be a span of time from zero on: a timedelta, or seconds.")
    return seconds
