"""What must be agreed to before a file is paid: its sum, what is seldom meant, and a second person's approval."""

import os
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import click
from attrs import field, frozen

from paypro_async._core.money import amount_for_people, parse_amount
from paypro_async._core.regions import region_named
from paypro_async._core.secret import Secret
from paypro_async.bulk import Approval, Before, Funds, PaymentLimits, Plan, PlanFile, read_approvers
from paypro_async.bulk.approval import ApprovalMissingError, approvals_kept, approved, is_signed
from paypro_async.cli.batch.questions import asked
from paypro_async.cli.batch.refusal import counted
from paypro_async.cli.output import note, readable
from paypro_async.errors import ConfigurationError
from paypro_async.ledger import Ledger
from paypro_async.ledger.sql.ledger import SqlLedger

__all__ = ["Approvals", "Confirmation", "KeptApproval"]

# As Indians write them; what is longer stands before what it begins with.
_RUPEES = ("rs.", "rs", "₹")
_GROUPED = re.compile(r"(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,2}(?:,[0-9]{2})*,[0-9]{3})(?:\.[0-9]+)?")
_APPROVERS = "PAYPRO_APPROVERS_FILE"


@frozen(kw_only=True)
class Approvals:
    """Where the approvals of a plan are looked for: in files, and in the ledger.

    Args:
        planned: What is to be paid.
        found: Those that were read from files.
    """

    planned: PlanFile
    found: Sequence[Approval] = ()

    @classmethod
    def beside(cls, planned: PlanFile, plan: Path, given: Sequence[Path]) -> "Approvals":
        """Those in the *given* files, and in files beside the plan that are named after it."""
        beside = sorted(plan.absolute().parent.glob(f"{_escaped(plan.stem)}.approval*.json"))
        return cls(planned=planned, found=[Approval.load(path) for path in [*given, *beside]])

    async def check(self, ledger: Ledger | None, merchant_no: str) -> None:
        """See that a second person has approved the plan, and keep that in the ledger.

        Raises:
            ApprovalMissingError: If nobody has.
            ConfigurationError: If it is not known who may.
            LedgerUnavailableError: If the ledger cannot be read or written.
        """
        plan, sql = self.planned, _keeping(ledger)
        valid = await approved(plan, self.found, _approvers(), sql, merchant_no)
        zone = region_named(plan.region).zone
        note(f"Approved by {readable(valid.by)} on {valid.at.astimezone(zone):%Y-%m-%d %H:%M %Z}.")


@frozen(kw_only=True)
class KeptApproval:
    """The approval of a batch that was begun: the ledger has kept it when its plan was applied.

    Args:
        batch_id: Its name.
    """

    batch_id: str

    async def check(self, ledger: Ledger | None, merchant_no: str) -> None:
        """See that the ledger holds a valid approval.

        Raises:
            ApprovalMissingError: If it holds none.
            ConfigurationError: If it is not known who may approve.
            LedgerUnavailableError: If the ledger cannot be read.
        """
        known = await approvals_kept(_keeping(ledger), merchant_no, self.batch_id)
        approvers = _approvers()
        if not any(is_signed(one, approvers) for one in known):
            raise ApprovalMissingError(
                "This run was begun without the approval of a second person, which is required here, so nothing was "
                "sent now. What was sent is in the ledger: 'paypro reconcile' brings it to its end. To pay the rest, "
                "plan it, have the plan approved, and apply it."
            )


def _keeping(ledger: Ledger | None) -> SqlLedger:
    if not isinstance(ledger, SqlLedger):
        raise ConfigurationError("This ledger keeps no approvals, and one is required. Nothing was sent.")
    return ledger


def _approvers() -> dict[str, Secret[str]]:
    path = os.environ.get(_APPROVERS)
    if not path:
        raise ConfigurationError(
            f"An approval is required, and {_APPROVERS} does not say who may approve. Nothing was sent. Set it to "
            "the path of a file of lines NAME: SECRET that only those who pay can read."
        )
    return read_approvers(Path(path))


@frozen(kw_only=True)
class Confirmation:
    """Who says yes, and to what.

    Args:
        yes: Whether everything was agreed to on the command line.
        begun: The batch that was agreed to when its run began, which this one continues; None if it continues none.
        ask: Whether there is a person who can be asked.
        limits: What the file must not exceed, and what it must come to.
        approvals: Where an approval is looked for, if one is required.
    """

    yes: bool = False
    begun: str | None = None
    ask: bool
    limits: PaymentLimits
    approvals: Approvals | KeptApproval | None = field(default=None, repr=False)

    def refuse_unasked(self, plan: Plan) -> None:
        """Refuse what nobody has agreed to, where nobody can be asked; and what is not what was begun.

        Raises:
            click.UsageError: Then.
        """
        if self.begun not in (None, plan.batch_id):
            raise click.UsageError(
                "The file is not what it was when its run began, or is read otherwise (--run, --map, --sheet)."
                " Nothing was sent now. What was sent is in the ledger: 'paypro status' shows it, 'paypro reconcile'"
                " brings it to its end. The file as it is now is paid with 'paypro batch', which looks up first what "
                "was paid before."
            )
        if self.yes or self.begun or self.ask:
            return
        rows, total = counted(plan.rows, "payout"), amount_for_people(plan.total, plan.currency)
        if not self.limits.expects:
            raise click.UsageError(
                f"{'Is' if plan.rows == 1 else 'Are'} {rows} over {total} {plan.currency} meant? Nobody can be asked "
                "here, and nothing was sent. Say --yes, or what is expected: "
                f"--expect-total {plan.total:f} --expect-rows {plan.rows}."
            )
        if plan.doubts:  # An expected sum says nothing of them.
            raise click.UsageError(
                "Something in the file is seldom meant, as listed above, and nobody can be asked here. Nothing was "
                "sent. Mend it, or say --yes too."
            )

    @property
    def asks(self) -> bool:
        """Whether a person is asked, unless nothing is left to be paid."""
        return self.ask and not self.yes and not self.begun

    def agreed(self, before: Before, funds: Funds | None, *, plan: Plan, skip_paid: bool) -> bool:
        """Whether a person agrees to what is still to be paid, by typing its sum; nothing to pay needs no yes."""
        rows, needed = before.to_pay(skip_paid=skip_paid)
        if not rows or not self.asks:
            return True
        currency = plan.currency
        # Of the rows that are left out one may be the largest.
        largest = "" if skip_paid and before.repeats else f", largest {amount_for_people(before.largest, currency)}"
        balance = (
            "not known" if funds is None or funds.available is None else amount_for_people(funds.available, currency)
        )
        sum_ = amount_for_people(needed, currency)
        if plan.doubts:
            note("Something in the file is seldom meant, as listed above. Look at it before you answer.")
        note(f"Pay {counted(rows, 'row')}, {sum_} {currency}{largest}, balance {balance}?")
        typed = asked("Type the sum")
        if _typed_sum(typed, currency) == needed:
            return True
        note("That is not the sum. Nothing was sent." if typed.strip() else "Nothing was sent.")
        return False


def _typed_sum(typed: str, currency: str) -> Decimal | None:
    """The sum as people write it: with the currency before or behind it, and with commas."""
    names = [currency.casefold(), *(_RUPEES if currency == "INR" else ())]
    text = typed.casefold().strip()
    for name in names:
        text = text.removeprefix(name).removesuffix(name).strip()
    text = text.removesuffix("/-").strip()
    # In threes, or in twos as in India. Elsewhere a comma stands before the cents, and would make the sum another one.
    return parse_amount(text.replace(",", "")) if _GROUPED.fullmatch(text) else None


def _escaped(name: str) -> str:
    return "".join(f"[{one}]" if one in "*?[" else one for one in name)
