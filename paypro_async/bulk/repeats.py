"""Rows that the ledger speaks against: paid before under other trade numbers, or with a number of another payout.

Derived trade numbers follow from the file's content, so a file that was edited after a part of it was paid has new ones
for all its rows. The ledger knows what was paid to whom, and so the second payment is found before it is made.
"""

from collections.abc import Iterator, Sequence

from attrs import frozen

from paypro_async._core.lifecycle import State
from paypro_async._core.report import ItemStatus
from paypro_async.bulk.plan import Plan, Planned, pages
from paypro_async.bulk.problems import FileProblem
from paypro_async.ledger import Ledger

__all__ = ["Before", "Conflict", "Repeat", "look_back"]

# Of these no money is out, so paying the same again is no second payment.
_PAID_NOTHING = frozenset({State.FAILED, State.REVERSED})


@frozen(kw_only=True)
class Repeat:
    """A row that the ledger holds under another trade number.

    Args:
        line: The row's line in the file.
        row: Its number.
        trade_no: The other trade number, or one of them.
        state: What the ledger knows of that.
        more: How many more there are.
    """

    line: int
    row: int
    trade_no: str
    state: State
    more: int = 0


@frozen(kw_only=True)
class Conflict:
    """A row whose trade number belongs to another payout in the ledger."""

    line: int
    row: int


@frozen(kw_only=True)
class Before:
    """What the ledger knew of a file before it is paid.

    Args:
        known: Rows that are in the ledger under their own trade number.
        repeats: Rows that are not, but whose content is, under another number.
        conflicts: Rows whose trade number is, with another content.
    """

    known: int = 0
    repeats: tuple[Repeat, ...] = ()
    conflicts: tuple[Conflict, ...] = ()

    def problems(self, *, pay_again: bool = False) -> tuple[FileProblem, ...]:
        """What speaks against paying the file: rows with the number of another payout, and rows that were paid before.

        Args:
            pay_again: Leave out those that were paid before, since they are meant to be paid again.
        """
        repeats = () if pay_again else self.repeats
        return (*map(_conflict_problem, self.conflicts), *map(_repeat_problem, repeats))


def _conflict_problem(one: Conflict) -> FileProblem:
    return FileProblem(
        line=one.line,
        row=one.row,
        field="trade_no",
        code="TRADE_NO_CONFLICT",
        message="belongs to another payout in the ledger; give a new trade_no, or the first content",
    )


def _repeat_problem(one: Repeat) -> FileProblem:
    more = f" and {one.more:,} more" if one.more else ""
    held = f"is in the ledger as {one.trade_no} ({ItemStatus.of(one.state)}){more}"
    message = f"the same amount to the same beneficiary {held}"
    return FileProblem(line=one.line, row=one.row, code="PAID_BEFORE", message=message)


async def look_back(rows: Iterator[Planned], plan: Plan, ledger: Ledger, merchant_no: str) -> Before:
    """Look every row up in the ledger.

    Raises:
        LedgerUnavailableError: If it cannot be read.
    """
    known = 0
    repeats: list[Repeat] = []
    conflicts: list[Conflict] = []
    for page in pages(rows):
        own = await ledger.get_many(merchant_no, [intent.trade_no for _, intent in page])
        new: list[Planned] = []
        for row, intent in page:
            entry = own.get(intent.trade_no)
            if entry is not None and entry.fingerprint != intent.fingerprint:
                conflicts.append(Conflict(line=row.line, row=row.number))
            elif entry is not None:
                known += 1
            elif "trade_no" not in row.values:
                # A number in the file says which payout is meant; only one that we made can be wrong about it.
                new.append((row, intent))
        repeats += await _repeats(new, plan, ledger, merchant_no)
    return Before(known=known, repeats=tuple(repeats), conflicts=tuple(conflicts))


async def _repeats(rows: Sequence[Planned], plan: Plan, ledger: Ledger, merchant_no: str) -> list[Repeat]:
    if not rows:
        return []
    found = await ledger.same_content(merchant_no, sorted({intent.fingerprint for _, intent in rows}))
    others = [trade_no for numbers in found.values() for trade_no in numbers if not plan.owns(trade_no)]
    paid: dict[str, State] = {}
    for page in pages(iter(others)):
        entries = await ledger.get_many(merchant_no, page)
        paid |= {number: entry.state for number, entry in entries.items() if entry.state not in _PAID_NOTHING}
    repeats: list[Repeat] = []
    for row, intent in rows:
        before = sorted(number for number in found.get(intent.fingerprint, ()) if number in paid)
        if before:
            first, more = before[0], len(before) - 1
            repeats.append(Repeat(line=row.line, row=row.number, trade_no=first, state=paid[first], more=more))
    return repeats
