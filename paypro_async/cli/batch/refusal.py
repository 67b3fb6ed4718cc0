"""Why a file is not paid: for people on standard error, and with ``--json`` for programs on standard output."""

import json
from collections.abc import Sequence

import click
from attrs import asdict

from paypro_async.bulk import Before, FileProblem
from paypro_async.cli.exits import Exit
from paypro_async.cli.output import note

__all__ = ["counted", "refuse", "refuse_before"]

_SHOWN = 20


def refuse(name: str, problems: Sequence[FileProblem], *, as_json: bool, limit: int | None = None) -> Exit:
    """List what is wrong with the file, at most *limit* of it for people."""
    for problem in problems[:limit]:
        note(f"{name}:{problem.line}: {problem}")
    shown = len(problems[:limit])
    if shown < len(problems):
        note(f"… and {len(problems) - shown:,} more.")
    rows = len({problem.row for problem in problems if problem.row is not None})
    within = f" in {counted(rows, 'row')}" if rows else ""
    note(f"{counted(len(problems), 'problem')}{within}. Nothing was sent.")
    if as_json:
        click.echo(json.dumps({"valid": False, "problems": [asdict(problem) for problem in problems]}))
    return Exit.NOT_VALID


def refuse_before(name: str, before: Before, *, pay_again: bool, as_json: bool) -> Exit | None:
    """Refuse what the ledger speaks against, and say what to do; None if there is nothing of it."""
    found = before.problems(pay_again=pay_again)
    if not found:
        return None
    code = refuse(name, found, as_json=as_json, limit=_SHOWN)
    if before.repeats and not pay_again:
        note(
            "If these rows are meant to be paid again, say --pay-again. If the file was only edited after a part of it "
            "was paid, put the trade numbers of its result file, or those above, into a trade_no column."
        )
    return code


def counted(number: int, what: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
