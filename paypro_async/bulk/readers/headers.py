"""Where the header stands: below a title, notes or blank lines, as people lay out their sheets."""

from collections.abc import Sequence
from typing import NoReturn

from paypro_async.bulk.cells.payout_signs import ROWS_IN_CELL, holds_rows, looks_like_payout, signs_of_payout
from paypro_async.bulk.header.columns import Columns, is_no_header, listed
from paypro_async.bulk.problems import FileProblem, PayoutFileError
from paypro_async.bulk.readers.base import Header, Score

__all__ = ["LOOKED_AT", "best_header", "refuse_empty", "refuse_headless", "refuse_payouts_above"]

_FEWEST_DIGITS = 4
_TITLE = 1
_MOST_BY_CHANCE = 2

LOOKED_AT = 20
"""Rows that are not empty, in which the header is looked for."""


def best_header(rows: Sequence[tuple[int, Sequence[str]]], score: Score) -> tuple[Header, int]:
    """The row that names most fields, the first of them if there are several; and how many it names."""
    scores = [score(cells) for _, cells in rows]
    best = max(scores)
    at = scores.index(best)
    tables = tuple(line for (line, _), found in zip(rows[:at], scores, strict=False) if not is_no_header(found))
    return Header(*rows[at], rows[:at], tables), best


def refuse_payouts_above(header: Header, columns: Columns) -> None:
    """Refuse a file with a payout above its header, where nobody would miss it before its beneficiary does.

    So it is where two tables were joined, or where a quote that nobody closed took rows into a cell.

    Raises:
        PayoutFileError: If there is one.
    """
    problems = [
        FileProblem(line=line, code="ROW_ABOVE_HEADER", message=_ABOVE)
        for line, cells in header.above
        if _is_payout(cells, columns)
    ]
    if not problems and header.tables:
        first = min(header.tables)
        # Names in two lines one below the other, with no row between them, hide nothing.
        if any(
            line > first and line not in header.tables and sum(map(bool, cells)) > _TITLE
            for line, cells in header.above
        ):
            message = _TWO_TABLES.format(header.line)
            problems.append(FileProblem(line=first, code="ROW_ABOVE_HEADER", message=message))
    if any(map(holds_rows, header.names)):
        problems.append(FileProblem(line=header.line, code="ROWS_IN_CELL", message=ROWS_IN_CELL))
    if problems:
        raise PayoutFileError(problems)


def _is_payout(cells: Sequence[str], columns: Columns) -> bool:
    places = columns.fields["amount"], columns.fields["bank_number"]
    amount, account = (cells[at].strip() if at < len(cells) else "" for at in places)
    placed = any(map(str.isdigit, amount)) and sum(map(str.isdigit, account)) >= _FEWEST_DIGITS
    return placed or looks_like_payout(cells) or any(map(holds_rows, cells))


def refuse_headless(first: Header, best: int) -> None:
    """Refuse a file in whose first rows no header was found.

    Raises:
        PayoutFileError: If *best*, the most fields that a row names, are too few.
    """
    values = signs_of_payout(first.names) or any(name.strip().isdecimal() for name in first.names)
    # A payout whose remark is "Salary" names a field too.
    if best and not (best <= _MOST_BY_CHANCE and values):
        return
    message = (
        "no row with the names of the columns was found at the top: add one above the first payout, such as amount, "
        'name, mobile, email, bank_number, bank_code (`paypro template` writes one), or say --map "COLUMN=FIELD" '
        '(in a program: columns={"COLUMN": "FIELD"}) for columns that are called otherwise'
    )
    # What stands there may be a payout.
    if not values and not any(one.isdecimal() or one == "@" for name in first.names for one in name):
        message += f" ({listed(first.names, 'cells of the first row')})"
    raise PayoutFileError([FileProblem(line=first.line, code="NO_HEADER", message=message)])


def refuse_empty() -> NoReturn:
    """Refuse a file without a row."""
    raise PayoutFileError([FileProblem(line=1, code="EMPTY_FILE", message="is empty: no payouts in it")])


_ABOVE = "looks like a payout, and stands above the names of the columns; move it below them"
_TWO_TABLES = (
    "names columns, and so does line {}: the file holds two tables, of which one would be lost; make a file of each"
)
