"""What a ledger says against paying a row: that the same was paid before, and how surely it is the same payment.

Two payments of one amount to one account may both be meant, as wages of two weeks are. So what was found is weighed::

    the number of the other one differs only by case, zeros or number format    ┐
    the other one is of a run that did not come to its end                      │
    it is from a file of the same name                                          ├ strong: refused
    it was stored within the last day                                           │
    it is from a file most of whose rows are the same                           ┘
    it is of another, finished run, or of payout()                                weak: shown, and paid unless a person
                                                                                  says no
"""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import IntEnum
from pathlib import PurePath
from types import MappingProxyType

from attrs import field, frozen

from paypro_async._core.intent import Intent
from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import State
from paypro_async._core.masking import mask_text
from paypro_async._core.money import total
from paypro_async._core.tally import Tally
from paypro_async.bulk.file_plan import Plan
from paypro_async.bulk.problems import FileProblem

__all__ = ["AcceptedRows", "Alike", "Before", "Conflict", "Evidence", "NotFailed", "Repeat", "moment"]

_LONGEST_REMARK = 60
_ENDED = (ItemStatus.SUCCEEDED, ItemStatus.FAILED, ItemStatus.REVERSED)
_SHOWN_FILES = 3


class Evidence(IntEnum):
    """Why a payment in the ledger may be the one that a row asks for, the surest first."""

    NUMBER = 1
    UNFINISHED = 2
    FILE_NAME = 3
    LAST_DAY = 4
    ROWS = 5
    EARLIER = 6

    @property
    def strong(self) -> bool:
        """Whether the row is refused for it."""
        return self is not Evidence.EARLIER

    @property
    def meaning(self) -> str:
        """The same for people."""
        return _MEANINGS[self]


_MEANINGS: Mapping[Evidence, str] = MappingProxyType(
    {
        Evidence.NUMBER: "its number differs from that one only by case, zeros or number format",
        Evidence.UNFINISHED: "that run did not come to its end",
        Evidence.FILE_NAME: "that file has the same name",
        Evidence.LAST_DAY: "that was within the last day",
        Evidence.ROWS: "most rows of that file are the same",
        Evidence.EARLIER: "that was another run",
    }
)


@frozen(kw_only=True)
class Repeat:
    """A row whose amount the ledger holds for the same account under another trade number.

    Args:
        line: The row's line in the file.
        row: Its number.
        amount: In major units.
        trade_no: The other trade number, or one of them.
        state: What the ledger knows of that.
        evidence: Why it may be the same payment.
        at: When it was stored, on the ledger's clock.
        source: The file that it came from, if from one.
        remark: What it was paid for, if it says so and that was not erased.
        more: How many more there are.
        zone: The time that people in its region go by.
        pending: The intent of the other one, if nobody knows yet what becomes of it.
    """

    line: int
    row: int
    amount: Decimal
    trade_no: str
    state: State
    evidence: Evidence
    at: datetime
    source: str | None = None
    remark: str | None = field(default=None, repr=mask_text)
    more: int = 0
    zone: tzinfo = UTC
    pending: Intent | None = field(default=None, repr=False)

    @property
    def problem(self) -> FileProblem:
        """The same as a problem of the file. It does not quote the remark, which may hold a name."""
        status = ItemStatus.of(self.state)
        origin = f" from {self.source}" if self.source else ""
        more = f", and {self.more:,} more" if self.more else ""
        message = (
            f"the same amount to the same account is in the ledger as {self.trade_no} ({status}{more}), "
            f"stored {moment(self.at, self.zone)}{origin}; {self.evidence.meaning}"
        )
        return FileProblem(line=self.line, row=self.row, code="PAID_BEFORE", message=message)

    @property
    def remark_shown(self) -> str:
        """The remark for a terminal: at most 60 characters that do not steer it; empty if there is none."""
        text = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in self.remark or "")
        return text if len(text) <= _LONGEST_REMARK else f"{text[:_LONGEST_REMARK]}…"


@frozen(kw_only=True)
class Conflict:
    """A row whose trade number belongs to another payout in the ledger."""

    line: int
    row: int

    @property
    def problem(self) -> FileProblem:
        """The same as a problem of the file."""
        message = "belongs to another payout in the ledger; give a new trade_no, or the first content"
        return FileProblem(line=self.line, row=self.row, field="trade_no", code="TRADE_NO_CONFLICT", message=message)


@frozen(kw_only=True)
class NotFailed:
    """A row that is to make good a failed payout which, as the ledger has it, has not failed for good.

    Args:
        line: The row's line in the file.
        row: Its number.
        trade_no: The number that it says has failed.
        status: What is known of that; None if the ledger holds no such payout of this merchant.
    """

    line: int
    row: int
    trade_no: str
    status: ItemStatus | None

    @property
    def problem(self) -> FileProblem:
        """The same as a problem of the file."""
        known = f"is {self.status} in the ledger ({self.status.meaning})" if self.status else "is not in the ledger"
        message = (
            f"names {self.trade_no}, which {known}; only a payout that has failed for good is paid under a new number. "
            "Take the row out, or empty retry_of and trade_no if it is another payment"
        )
        return FileProblem(line=self.line, row=self.row, field="retry_of", code="RETRY_NOT_FAILED", message=message)


@frozen(kw_only=True)
class Alike:
    """A row whose trade number differs from that of another payment in the ledger only by case, zeros or format.

    Args:
        line: The row's line in the file.
        row: Its number.
        trade_no: The number in the ledger.
    """

    line: int
    row: int
    trade_no: str


@frozen(kw_only=True)
class AcceptedRows:
    """The rows of a file that were paid or processing before this run, under their own trade numbers.

    One of them that was processing may have failed since.

    Args:
        count: How many.
        first: When the first of them was stored, and *last*, the last one; None if there is none.
        sources: The files that they came from.
        zone: The time that people in their region go by.
    """

    count: int = 0
    first: datetime | None = None
    last: datetime | None = None
    sources: tuple[str, ...] = ()
    zone: tzinfo = UTC

    @property
    def when(self) -> str:
        """When that was and from which file, for people."""
        if self.first is None or self.last is None:
            return ""
        days = dict.fromkeys(f"{at.astimezone(self.zone):%d %b %Y}".lstrip("0") for at in (self.first, self.last))
        shown = ", ".join(self.sources[:_SHOWN_FILES]) + (" and others" if len(self.sources) > _SHOWN_FILES else "")
        return f"on {' to '.join(days)}" + (f", as {shown}" if shown else "")


@frozen(kw_only=True)
class Before:
    """What the ledger knew of a file before it is paid.

    Args:
        known: Rows that are in the ledger under their own trade number.
        accepted: Those of them that the platform has accepted.
        repeats: Rows that are not, but whose payment is, under another number.
        conflicts: Rows whose trade number is, with another content.
        not_failed: Rows that are to make good what has not failed.
        alike: Rows whose trade number looks like that of a payment of something else. They are paid.
        twins: Rows that pay the same as a row before them, under a number that looks like that one's.
        unpaid: The sum of the rows that are still to be sent, in major units; *to_send*, how many these are, and
            *largest*, the largest amount among them.
        tally: All rows of the file and their money, by what was known of each: ``not_sent`` for what is new.
        others: How many payments of other runs there are, by payment key, where there are any.
    """

    known: int = 0
    accepted: AcceptedRows = AcceptedRows()
    repeats: tuple[Repeat, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    not_failed: tuple[NotFailed, ...] = ()
    alike: tuple[Alike, ...] = ()
    twins: tuple[FileProblem, ...] = ()
    unpaid: Decimal = Decimal(0)
    to_send: int = 0
    largest: Decimal = Decimal(0)
    tally: Tally[ItemStatus] = field(factory=Tally, repr=False)
    others: Mapping[str, int] = field(factory=dict, repr=False)

    @classmethod
    def of_nothing_known(cls, plan: Plan) -> "Before":
        """Where there is no ledger yet."""
        tally: Tally[ItemStatus] = Tally()
        tally.counts[ItemStatus.NOT_SENT], tally.amounts[ItemStatus.NOT_SENT] = plan.rows, plan.total
        largest = plan.largest[0].amount if plan.largest else Decimal(0)
        return cls(twins=plan.twins, unpaid=plan.total, to_send=plan.rows, largest=largest, tally=tally)

    def is_done_elsewhere(self, name: str) -> bool:
        """Whether all rows have ended, as rows of files that are not called *name*."""
        ended = all(status in _ENDED for status in self.tally.counts)
        names = {PurePath(one).name for one in self.accepted.sources}
        return bool(names) and ended and PurePath(name).name not in names

    @property
    def weak(self) -> tuple[Repeat, ...]:
        """The repeats that are shown, and paid unless a person says no."""
        return tuple(one for one in self.repeats if not one.evidence.strong)

    def to_pay(self, *, skip_paid: bool = False) -> tuple[int, Decimal]:
        """How many rows are still to be sent, and their sum.

        Args:
            skip_paid: Whether rows that were paid before under other numbers are left out.
        """
        left_out = [one for one in self.repeats if one.state is not State.NEW] if skip_paid else []
        return self.to_send - len(left_out), total([self.unpaid, *(-one.amount for one in left_out)])

    def problems(self, *, pay_again: bool = False, skip_paid: bool = False) -> tuple[FileProblem, ...]:
        """What speaks against paying the file: rows with the number of another payout, and rows that were paid before.

        Args:
            pay_again: Leave out those that were paid before, since they are meant to be paid again.
            skip_paid: Leave them out since they will not be paid.
        """
        found = [*(one.problem for one in self.conflicts), *(one.problem for one in self.not_failed)]
        if not pay_again:
            found += self.twins
        if not pay_again and not skip_paid:
            found += [one.problem for one in self.repeats if one.evidence.strong]
        return tuple(sorted(found, key=lambda problem: problem.line))


def moment(at: datetime, zone: tzinfo) -> str:
    """A time for people."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M %Z}"
