"""Rows that the ledger speaks against: paid before under other trade numbers, or with a number of another payout.

Derived trade numbers follow from the file's content, so a file that was edited after a part of it was paid has new ones
for all its rows. The ledger knows what was paid to whom, and so the second payment is found before it is made.
"""

from collections.abc import Sequence

from attrs import frozen

from paypro_async._core.lifecycle import State
from paypro_async.bulk.plan import Plan, Prepare, numbered, pages
from paypro_async.bulk.readers.csv import PayoutFile, Row
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


async def look_back(file: PayoutFile, plan: Plan, prepare_row: Prepare, ledger: Ledger, merchant_no: str) -> Before:
    """Look every row up in the ledger.

    Raises:
        LedgerUnavailableError: If it cannot be read.
    """
    known = 0
    repeats: list[Repeat] = []
    conflicts: list[Conflict] = []
    for page in pages(numbered(file, plan)):
        own = await ledger.get_many(merchant_no, [trade_no for _, trade_no in page])
        new: list[tuple[Row, str]] = []
        for row, trade_no in page:
            entry, fingerprint = own.get(trade_no), prepare_row(row.values, trade_no).fingerprint
            if entry is not None and entry.fingerprint != fingerprint:
                conflicts.append(Conflict(line=row.line, row=row.number))
            elif entry is not None:
                known += 1
            elif "trade_no" not in row.values:
                # Who gives a number himself says which payout it is; only numbers that we made can be wrong about it.
                new.append((row, fingerprint))
        repeats += await _repeats(new, plan, ledger, merchant_no)
    return Before(known=known, repeats=tuple(repeats), conflicts=tuple(conflicts))


async def _repeats(rows: Sequence[tuple[Row, str]], plan: Plan, ledger: Ledger, merchant_no: str) -> list[Repeat]:
    if not rows:
        return []
    found = await ledger.same_content(merchant_no, sorted({fingerprint for _, fingerprint in rows}))
    others = [trade_no for numbers in found.values() for trade_no in numbers if not plan.owns(trade_no)]
    paid: dict[str, State] = {}
    for page in pages(iter(others)):
        entries = await ledger.get_many(merchant_no, page)
        paid |= {number: entry.state for number, entry in entries.items() if entry.state not in _PAID_NOTHING}
    repeats: list[Repeat] = []
    for row, fingerprint in rows:
        before = sorted(number for number in found.get(fingerprint, ()) if number in paid)
        if before:
            first, more = before[0], len(before) - 1
            repeats.append(Repeat(line=row.line, row=row.number, trade_no=first, state=paid[first], more=more))
    return repeats
