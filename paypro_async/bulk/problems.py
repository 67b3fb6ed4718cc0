"""What is wrong with a file of payouts, and where. Never the value itself, which may be an account number."""

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

from attrs import define, evolve, frozen
from attrs import field as attrs_field

from paypro_async.errors import PayProError

__all__ = ["BalanceTooLowError", "FileProblem", "PayoutFileError", "ProblemGroup", "Problems", "counted", "grouped"]

_KEPT = 1_000
_LISTED = 5
_GROUPS = 10


@frozen(kw_only=True)
class FileProblem:
    """One thing that is wrong.

    Args:
        line: The line of the file, from 1, as an editor counts.
        row: The payout, from 1, without the header and empty rows; None for the header or the file itself.
        field: The field's name in the model, or None for the row as a whole.
        cell: What a spreadsheet calls the cell, as ``B7``; None if the file is none, or more than a cell is meant.
        code: Stable, for programs.
        message: How to mend it.
        more: How many others of the kind lie before this one, which are not kept.
    """

    line: int
    row: int | None = None
    field: str | None = None
    cell: str | None = None
    code: str
    message: str
    more: int = 0

    def __str__(self) -> str:
        where = f"row {self.row}" if self.row else "header" if self.field and not self.cell else ""
        about = ", ".join(part for part in (where, self.field, self.cell) if part)
        return f"{about}: {self.message} [{self.code}]" if about else f"{self.message} [{self.code}]"


@define
class Problems:
    """Collects problems, at most a thousand of each kind: a file may be wrong from end to end."""

    _kept: list[FileProblem] = attrs_field(factory=list)
    _counts: Counter[tuple[str, str | None]] = attrs_field(factory=Counter)
    _last: dict[tuple[str, str | None], FileProblem] = attrs_field(factory=dict)

    def add(self, *problems: FileProblem) -> None:
        """Take more."""
        for one in problems:
            kind = one.code, one.field
            self._counts[kind] += 1
            if self._counts[kind] <= _KEPT:
                self._kept.append(one)
            else:
                self._last[kind] = one

    def sorted(self) -> tuple[FileProblem, ...]:
        """In the order of the file. Of a kind with more than are kept, the last one follows, with their number."""
        found = sorted(self._kept, key=lambda one: one.line)
        found += [evolve(last, more=self._counts[kind] - _KEPT - 1) for kind, last in self._last.items()]
        return tuple(found)


@frozen
class ProblemGroup:
    """Problems that are equal but for their places.

    Args:
        shown: The first of them.
        more: How many others there are.
        last: The last of all.
    """

    shown: tuple[FileProblem, ...]
    more: int
    last: FileProblem

    @property
    def rest(self) -> str:
        """The others in words; empty if there are none."""
        if not self.more:
            return ""
        first = self.shown[0]
        about = f" ({first.field})" if first.field else ""
        return f"and {counted(self.more, 'more row')} with {first.code}{about}, the last in line {self.last.line:,}"


def grouped(problems: Iterable[FileProblem], *, listed: int = _LISTED) -> list[ProblemGroup]:
    """Problems for people: of those that are equal but for their places, the first *listed* and how many more.

    The groups stand in the order of the first of each.
    """
    groups: dict[tuple[str, str | None, str], list[FileProblem]] = {}
    for one in problems:
        groups.setdefault((one.code, one.field, one.message if one.row is None else ""), []).append(one)
    return [
        ProblemGroup(tuple(found[:listed]), max(0, len(found) - listed) + sum(one.more for one in found), found[-1])
        for found in groups.values()
    ]


def counted(number: int, what: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


class PayoutFileError(PayProError, ValueError):
    """The file cannot be paid as it is. Nothing was sent; mend every one of *problems* and begin again.

    Attributes:
        problems: Everything that is wrong, each a :class:`FileProblem`; of more than a thousand of a kind, the first
            thousand, and the last with the number of the others.
    """

    def __init__(self, problems: Sequence[FileProblem]) -> None:
        self.problems: tuple[FileProblem, ...] = tuple(problems)
        groups = grouped(self.problems)
        parts = [part for group in groups[:_GROUPS] for part in (*map(_with_line, group.shown), group.rest) if part]
        if len(groups) > _GROUPS:
            parts.append(f"and {counted(len(groups) - _GROUPS, 'more kind')} of problems")
        super().__init__(f"The file cannot be paid and nothing was sent: {'; '.join(parts)}.")


def _with_line(problem: FileProblem) -> str:
    return f"line {problem.line}: {problem}"


class BalanceTooLowError(PayProError):
    """The balance is lower than the sum that is still to be paid. Nothing was sent; fill the account, and pay again.

    Attributes:
        needed: The sum, in major units.
        available: The balance.
        currency: ISO 4217, of both.
    """

    def __init__(self, message: str, *, needed: Decimal, available: Decimal, currency: str) -> None:
        super().__init__(message)
        self.needed: Decimal = needed
        self.available: Decimal = available
        self.currency: str = currency
