"""A plan as people look at it, in 80 columns."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from paypro_async._core.items import ItemStatus
from paypro_async._core.money import amount_for_people
from paypro_async.bulk import Before, Funds, PlanFile, PlannedRow
from paypro_async.bulk.header.column_names import key
from paypro_async.bulk.header.columns import Columns
from paypro_async.cli.batch.refusal import as_data, counted
from paypro_async.cli.output import hanging, readable

__all__ = ["plan_as_data", "plan_as_text"]

_LINE, _AMOUNT = 9, 18
_PAID, _NAME, _ACCOUNT = 16, 6, 8


def plan_as_text(plan: PlanFile, funds: Funds, columns: Columns, *, new_ledger: bool) -> str:
    """What would be paid, from which account, and what is known of it."""
    return "\n".join(_lines(plan, funds, columns, new_ledger=new_ledger))


def plan_as_data(plan: PlanFile, before: Before, funds: Funds) -> dict[str, Any]:
    """The same for programs. Amounts are text, since a float would round them."""
    found: dict[str, Any] = {
        "rows": plan.rows,
        "amount": str(plan.amount),
        "currency": plan.currency,
        "in_ledger": before.known,
        "valid": True,
        "content": plan.content,
        "batch_id": plan.batch_id,
        "ledger": plan.ledger,
        "environment": plan.environment,
        "merchant_no": plan.merchant_no,
        "statuses": dict(plan.statuses),
        "doubts": dict(plan.doubts),
        "largest": str(plan.largest[0].amount) if plan.largest else None,
        "to_pay_rows": plan.to_pay_rows,
        "to_pay": str(funds.needed),
        "balance": None if funds.available is None else str(funds.available),
    }
    return found | ({"paid_before": as_data(before.repeats)} if before.repeats else {})


def _lines(plan: PlanFile, funds: Funds, columns: Columns, *, new_ledger: bool) -> Iterator[str]:
    yield f"{counted(plan.rows, 'payout')}, {_money(plan.amount, plan)} in all."
    yield ""
    yield f"File     {readable(plan.path)}"
    if plan.sheet is not None:
        yield f"Sheet    {readable(plan.sheet)}"
    if taken := _taken(columns):
        yield hanging("Columns  ", taken)
    yield f"Ledger   {readable(plan.ledger)}{' (new: the first payment makes it)' if new_ledger else ''}"
    yield f"Account  merchant {plan.merchant_no} on {readable(plan.environment)}"
    yield hanging("Balance  ", _balance(plan, funds))
    yield ""
    yield f"{'rows':>9}  {'sum':>{_AMOUNT}}  what the ledger knows of them"
    for status in ItemStatus:
        if found := plan.statuses.get(status):
            amount = amount_for_people(Decimal(found["amount"]), plan.currency)
            yield hanging(f"{int(found['rows']):>9,}  {amount:>{_AMOUNT}}  ", _known(status))
    if plan.skip_paid and (left_out := plan.rows - plan.to_pay_rows):
        yield hanging("", f"{counted(left_out, 'row')} left out: paid before under other numbers, or known already.")
        yield f"{counted(plan.to_pay_rows, 'row')} to pay, {_money(plan.to_pay, plan)}."
    yield ""
    yield from _rows("First rows", plan.first, plan)
    if plan.rows > len(plan.first):
        yield ""
        yield from _rows("Largest rows", plan.largest, plan)


def _taken(columns: Columns) -> str:
    """Which column was taken for a field, where it is called otherwise: the amount first."""
    named = [(one, columns.names[at]) for one, at in sorted(columns.fields.items(), key=lambda one: one[0] != "amount")]
    return ", ".join(f"{one}: {readable(name.strip())}" for one, name in named if key(name) != key(one))


def _known(status: ItemStatus) -> str:
    return "new: nothing was sent yet" if status is ItemStatus.NOT_SENT else f"{status}: {status.meaning}"


def _balance(plan: PlanFile, funds: Funds) -> str:
    if funds.available is None:
        return "not asked for, since nothing is left to be paid" if funds.unknown is None else "not known (see above)"
    found = "too low for" if funds.low else "enough for"
    return f"{_money(funds.available, plan)}, {found} the {_money(funds.needed, plan)} to be paid"


def _rows(title: str, rows: Iterable[PlannedRow], plan: PlanFile) -> Iterator[str]:
    shown = [(f"{one.line:,}", amount_for_people(one.amount, plan.currency), one) for one in rows]
    most = max(_AMOUNT, *(len(amount) for _, amount, _ in shown))
    # Amounts beyond all use take their room from the numbers of lines.
    lines = max(len("line"), _LINE - (most - _AMOUNT), *(len(line) for line, _, _ in shown))
    yield title
    yield f"{'line':>{lines}}  {'amount':>{most}}  {'name':<{_NAME}}  {'account':<{_ACCOUNT}}  trade number"
    for line, amount, one in shown:
        name, account = readable(one.name), readable(one.account)
        yield f"{line:>{lines}}  {amount:>{most}}  {name:<{_NAME}}  {account:<{_ACCOUNT}}  {one.trade_no}"


def _money(amount: Decimal, plan: PlanFile) -> str:
    return f"{amount_for_people(amount, plan.currency)} {plan.currency}"
