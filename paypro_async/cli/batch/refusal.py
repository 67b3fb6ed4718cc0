"""Why a file is not paid, or may not be: on standard error for people, and with ``--json`` on standard output too."""

from collections.abc import Sequence
from typing import Any

from attrs import asdict

from paypro_async._core.items import ItemStatus
from paypro_async.bulk import Alike, Before, FileProblem, Repeat
from paypro_async.bulk.problems import counted, grouped
from paypro_async.cli.exits import Exit
from paypro_async.cli.output import note, print_json

__all__ = ["as_data", "counted", "refuse", "refuse_before", "show_alike", "show_repeats"]

_SHOWN = 20
_ADVICE = (
    "If the file was only edited after a part of it was paid, --skip-paid leaves these rows out and pays the others; "
    "the file as it was goes on where it stopped. If these rows are meant to be paid a second time, say --pay-again."
)


def refuse(
    name: str,
    problems: Sequence[FileProblem],
    *,
    as_json: bool,
    limit: int = _SHOWN,
    repeats: Sequence[Repeat] = (),
) -> Exit:
    """List what is wrong with the file, at most *limit* of each kind for people; the *repeats* with their details."""
    by_row = {one.row: one for one in repeats}
    for group in grouped(problems, listed=limit):
        for problem in group.shown:
            repeat = by_row.get(problem.row or 0) if problem.code == "PAID_BEFORE" else None
            note(f"{name}:{problem.line}: {problem}{_remark(repeat)}")
        if group.rest:
            note(f"… {group.rest}.")
    count = len(problems) + sum(problem.more for problem in problems)
    rows = len({problem.row for problem in problems if problem.row is not None})
    within = f" in {counted(rows, 'row')}" if rows and count == len(problems) else ""
    note(f"{counted(count, 'problem')}{within}. Nothing was sent.")
    if as_json:
        found: dict[str, Any] = {"valid": False, "problems": [_problem_as_data(problem) for problem in problems]}
        if repeats:
            found["paid_before"] = as_data(repeats)
        print_json(found)
    return Exit.NOT_VALID


def refuse_before(name: str, before: Before, *, pay_again: bool, skip_paid: bool, as_json: bool) -> Exit | None:
    """Refuse what the ledger speaks against, and say what to do; None if there is nothing of it."""
    found = before.problems(pay_again=pay_again, skip_paid=skip_paid)
    if not found:
        return None
    code = refuse(name, found, as_json=as_json, repeats=before.repeats)
    if any(problem.code == "PAID_BEFORE" for problem in found):
        note(_ADVICE)
    elif any(problem.code == "TRADE_NO_TWIN" for problem in found):
        note("If both of such rows are meant to be paid, say --pay-again.")
    return code


def show_repeats(name: str, repeats: Sequence[Repeat]) -> None:
    """List rows that were paid before by others, for people."""
    for one in repeats[:_SHOWN]:
        note(f"{name}:{one.line}: {one.problem}{_remark(one)}")
    if len(repeats) > _SHOWN:
        note(f"… and {len(repeats) - _SHOWN:,} more.")


def show_alike(alike: Sequence[Alike]) -> None:
    """Name rows whose numbers look like known ones of other payments."""
    shown = ", ".join(f"line {one.line} ({one.trade_no})" for one in alike[:_SHOWN])
    more = f" and {len(alike) - _SHOWN:,} more" if len(alike) > _SHOWN else ""
    note(
        f"{counted(len(alike), 'row')} with a trade number that differs from that of another payment in the ledger "
        f"only by case, zeros or number format: {shown}{more}. They are paid as payouts of their own."
    )


def as_data(repeats: Sequence[Repeat]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {
            "line": one.line,
            "row": one.row,
            "trade_no": one.trade_no,
            "status": ItemStatus.of(one.state),
            "stored": one.at.isoformat(timespec="seconds"),
            "file": one.source,
            "remark": one.remark,
            "evidence": one.evidence.name.lower(),
        }
        for one in repeats
    ]


def _remark(repeat: Repeat | None) -> str:
    return f"; its remark: {repeat.remark_shown!r}" if repeat and repeat.remark else ""


def _problem_as_data(problem: FileProblem) -> dict[str, Any]:
    # Only a workbook has cells, and only a file with thousands of problems more of them than are listed.
    return {name: value for name, value in asdict(problem).items() if value or name not in {"cell", "more"}}
