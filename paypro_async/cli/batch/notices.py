"""What is worth a look in a file that can be paid."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from paypro_async.bulk import Disbursement, Plan
from paypro_async.bulk.problems import grouped
from paypro_async.cli.output import note

__all__ = ["tell_of", "told_while_reading"]

_SHOWN = 10
_LONG = 2.0
"""Seconds of reading after which a person is told that it goes on."""

_TOLD = ("SAME_PAYMENT_TWICE", "TRADE_NO_ALIKE")


@contextmanager
def told_while_reading(name: str) -> Iterator[None]:
    """Say on a terminal that a file is being read, if that takes long."""
    timer = threading.Timer(_LONG, note, [f"Reading {name} …"])
    timer.daemon = True
    if sys.stderr.isatty():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def tell_of(disbursement: Disbursement, *, whole: bool) -> None:
    """Say what is worth a look in a file that can be paid."""
    plan, columns = disbursement.plan, disbursement.file.columns
    if not whole:
        for problem in disbursement.file.incomplete:
            note(f"{disbursement.name}:{problem.line}: {problem}")
    if len(disbursement.file.sheets) > 1:
        sheet, *others = disbursement.file.sheets
        shown = ", ".join(map(repr, others[:_SHOWN])) + (" and others" if len(others) > _SHOWN else "")
        note(f"The payouts are read from the sheet {sheet!r} alone, not from {shown}.")
    if columns.results:
        note(f"{disbursement.name} is a result file: its rows keep their trade numbers, so what is paid stays paid.")
    if columns.others:
        note(f"Columns that are no fields of a payout, carried through: {', '.join(map(repr, columns.others))}.")
    if plan.with_decimals:
        have = "1 row has an amount" if plan.with_decimals == 1 else f"{plan.with_decimals:,} rows have amounts"
        note(f"{have} with decimals, which the platform advises against.")
    if plan.identical:
        note(_identical(plan.identical))
    if plan.alike:
        differ = f"{_rows(plan.alike)} a trade number that differs from that of an earlier row only by case, zeros or"
        note(f"{differ} number format: {_lines(plan.alike)}. They are two payouts.")
    _tell_of_doubts(disbursement.name, plan)


def _tell_of_doubts(name: str, plan: Plan) -> None:
    # The two notes above name the lines of these.
    told = {*plan.identical, *plan.alike}
    for group in grouped([one for one in plan.doubts if not (one.code in _TOLD and one.line in told)]):
        for one in group.shown:
            note(f"{name}:{one.line}: {one}")
        if group.rest:
            note(f"… {group.rest}.")


def _identical(lines: tuple[int, ...]) -> str:
    same = "(same amount, same beneficiary)"
    if len(lines) == 1:
        return f"1 row repeats an earlier row {same}: {_lines(lines)}. Both will be paid."
    return f"{len(lines):,} rows repeat earlier rows {same}: {_lines(lines)}. All of them will be paid."


def _rows(lines: tuple[int, ...]) -> str:
    return "1 row has" if len(lines) == 1 else f"{len(lines):,} rows have each"


def _lines(lines: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, lines[:_SHOWN])) + (f" and {len(lines) - _SHOWN:,} more" if len(lines) > _SHOWN else "")
    return f"line {shown}" if len(lines) == 1 else f"lines {shown}"
