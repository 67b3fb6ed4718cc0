"""A plan on the disk: what was reviewed, so that nothing else is paid. It is readable, and holds no secret.

The payouts themselves stay in their own file. The plan holds the digest of its content, from which the trade numbers of
rows without one follow, so a file that was edited since is refused.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from attrs import asdict, field, fields, frozen

from paypro_async._core.money import amount_for_people
from paypro_async.bulk.problems import FileProblem, PayoutFileError
from paypro_async.report.whole_file import put_whole

__all__ = ["FORMAT", "PlanFile", "PlannedRow", "looks_like_a_plan", "plan_at"]

FORMAT = 1
_MOST_BYTES = 1_000_000
_SEAL = "seal"
_PLAN_AGAIN = "make a new plan with 'paypro plan', and look at it"


@frozen(kw_only=True)
class PlannedRow:
    """One row of a plan, with its personal values masked."""

    row: int
    line: int
    trade_no: str
    amount: Decimal
    name: str
    account: str


def _rows(found: Any) -> tuple[PlannedRow, ...]:
    return tuple(
        one if isinstance(one, PlannedRow) else PlannedRow(**{**one, "amount": Decimal(one["amount"])}) for one in found
    )


@frozen(kw_only=True)
class PlanFile:
    """What was planned.

    Args:
        made_at: When, with a zone; *made_by*, by whom.
        path: The file of payouts, as an absolute path, and *kind*, what it is: ``csv``, ``xlsx`` or ``jsonl``.
        content: The digest of its content, in hexadecimal.
        name: What the ledger calls the file.
        run, columns, sheet, complete: As :class:`~paypro_async.bulk.Disbursement` took them.
        pay_again, skip_paid: As :meth:`~paypro_async.bulk.Disbursement.pay` takes them.
        merchant_no, region, environment: Whose payouts, and on which platform.
        ledger: Its name: the path of a file, or the address of a server, without a password.
        rows: How many payouts; *amount*, their sum in major units of *currency*.
        to_pay_rows, to_pay: The same of those that were still to be sent.
        statuses: Rows and money by what the ledger knew of them.
        balance: The balance, or None if it could not be had.
        first_trade_no, last_trade_no: The numbers of the first and of the last row.
        first, largest: Rows to look at.
        doubts: How often each code of what is seldom meant was found.
    """

    made_at: datetime
    made_by: str
    path: Path
    kind: str
    content: str
    name: str
    run: str | None = None
    columns: Mapping[str, str] = field(factory=dict)
    sheet: str | None = None
    complete: bool = False
    pay_again: bool = False
    skip_paid: bool = False
    merchant_no: str
    region: str
    environment: str
    ledger: str
    rows: int
    amount: Decimal
    currency: str
    to_pay_rows: int
    to_pay: Decimal
    statuses: Mapping[str, Mapping[str, str]] = field(factory=dict)
    balance: Decimal | None = None
    first_trade_no: str
    last_trade_no: str
    first: tuple[PlannedRow, ...] = field(default=(), converter=_rows)
    largest: tuple[PlannedRow, ...] = field(default=(), converter=_rows)
    doubts: Mapping[str, int] = field(factory=dict)

    @property
    def fingerprint(self) -> str:
        """A digest of all of it, in hexadecimal: what an approval approves."""
        return _digest(self._as_data())

    @property
    def batch_id(self) -> str:
        """The batch as the ledger knows it."""
        return f"file-{self.content[:32]}"

    def save(self, path: str | os.PathLike[str], *, replace: bool = False) -> None:
        """Write it, readable by its owner only; it is there whole or not at all.

        Raises:
            FileExistsError: If a file is there, and *replace* is not set.
            OSError: If it cannot be written.
        """
        found = {"paypro_plan": FORMAT} | self._as_data() | {_SEAL: self.fingerprint}
        with put_whole(Path(path), replace=replace) as part:
            text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
            # A path that is not UTF-8, as any may be, has characters that JSON writes in ASCII.
            part.write_bytes(text.encode("utf-8", "backslashreplace"))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read one.

        Raises:
            PayoutFileError: If it is no plan, was edited, or is of a release that wrote them otherwise.
            OSError: If it cannot be read.
        """
        with Path(path).open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        try:
            text = data.decode("utf-8-sig") if len(data) <= _MOST_BYTES else "null"
            found = json.loads(text, object_pairs_hook=_once)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or "paypro_plan" not in found:
            raise _refused(
                "NOT_A_PLAN", "is no plan. Payouts are paid with 'paypro batch', or planned with 'paypro plan'"
            )
        if json.dumps(found.pop("paypro_plan")) != str(FORMAT):
            raise _refused("PLAN_RELEASE", f"was written by another release; {_PLAN_AGAIN}")
        seal = found.pop(_SEAL, None)
        plan = cls._of(found)
        # What is read and what stands there: a member in another spelling would be read as the same.
        if plan is None or not seal == plan.fingerprint == _digest(found):
            message = f"was edited since it was made, so nobody knows what was reviewed; {_PLAN_AGAIN}"
            raise _refused("PLAN_EDITED", message)
        return plan

    @classmethod
    def _of(cls, found: Mapping[str, Any]) -> Self | None:
        try:
            texts = {name: read(found[name]) for name, read in _READ.items() if found.get(name) is not None}
            return cls(**{**found, **texts})
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
            return None

    def differences(self, now: Self) -> tuple[FileProblem, ...]:
        """What is otherwise in a plan that is made *now*; the ledger's news are none of it."""
        found: list[FileProblem] = []
        if (self.content, self.rows, self.amount) != (now.content, now.rows, now.amount):
            message = (
                f"holds {now.rows:,} payouts over {_money(now)}, and {self.rows:,} over {_money(self)} were planned; "
                f"it was changed since. Put it back, or {_PLAN_AGAIN}"
            )
            if (self.rows, self.amount) == (now.rows, now.amount):
                message = f"has another content than what was planned, though its sum is the same; {_PLAN_AGAIN}"
            found.append(FileProblem(line=1, code="FILE_NOT_AS_PLANNED", message=message))
        for name, what in _PLACES.items():
            planned, here = getattr(self, name), getattr(now, name)
            if planned != here:
                message = f"was planned for the {what} {planned}, and this is {here}; use that one, or {_PLAN_AGAIN}"
                found.append(FileProblem(line=1, code="ELSEWHERE_THAN_PLANNED", message=message))
        return tuple(found)

    def _as_data(self) -> dict[str, Any]:
        found = asdict(self, recurse=True)
        return {one.name: _plain(found[one.name]) for one in fields(type(self))}


def looks_like_a_plan(path: Path) -> bool:
    """Whether a file begins as a plan does, be it whole or not."""
    with path.open("rb") as file:
        return b'"paypro_plan"' in file.read(4096)


def plan_at(path: Path) -> PlanFile | None:
    """The plan that a file is; None if it is something else, such as payouts.

    Raises:
        PayoutFileError: If it is a plan that was edited, or is damaged.
        OSError: If it cannot be read.
    """
    return PlanFile.load(path) if looks_like_a_plan(path) else None


_READ: Mapping[str, Callable[[str], Any]] = {
    "made_at": datetime.fromisoformat,
    "path": Path,
    "amount": Decimal,
    "to_pay": Decimal,
    "balance": Decimal,
}
_PLACES = {"merchant_no": "merchant", "region": "region", "environment": "environment", "ledger": "ledger"}


def _money(plan: PlanFile) -> str:
    return f"{amount_for_people(plan.amount, plan.currency)} {plan.currency}"


def _digest(found: Mapping[str, Any]) -> str:
    text = json.dumps(found, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of a member that stands there twice, a person may read the one and a program the other.
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("a member stands there twice")
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _refused(code: str, message: str) -> PayoutFileError:
    return PayoutFileError([FileProblem(line=1, code=code, message=message)])
