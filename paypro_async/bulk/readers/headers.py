"""Where the header stands: below a title, notes or blank lines, as people lay out their sheets."""

from collections.abc import Sequence
from typing import NoReturn

from paypro_async.bulk.header.columns import Columns, is_no_header, listed
from paypro_async.bulk.problems import FileProblem, PayoutFileError
from paypro_async.bulk.readers.base import Header, Score

__all__ = ["LOOKED_AT", "best_header", "refuse_empty", "refuse_headless", "refuse_payouts_above"]

_FEWEST_DIGITS = 4

LOOKED_AT = 20
"""Rows that are not empty, in which the header is looked for."""


def best_header(rows: Sequence[tuple[int, Sequence[str]]], score: Score) -> tuple[Header, int]:
    """The row that names most fields, the first of them if there are several; and how many it names."""
    scores = [score(cells) for _, cells in rows]
    best = max(scores)
    at = scores.index(best)
    return Header(*rows[at], rows[:at]), best


def refuse_payouts_above(header: Header, columns: Columns) -> None:
    """Refuse a file with a payout above its header, where nobody would miss it before its beneficiary does.

    Raises:
        PayoutFileError: If there is one.
    """
    amount, account = columns.fields["amount"], columns.fields["bank_number"]
    problems = []
    for line, cells in header.above:
        texts = [cells[at].strip() if at < len(cells) else "" for at in (amount, account)]
        if any(map(str.isdigit, texts[0])) and sum(map(str.isdigit, texts[1])) >= _FEWEST_DIGITS:
            message = "looks like a payout, and stands above the names of the columns; move it below them"
            problems.append(FileProblem(line=line, code="ROW_ABOVE_HEADER", message=message))
    if problems:
        raise PayoutFileError(problems)


def refuse_headless(first: Header, best: int) -> None:
    """Refuse a file in whose first rows no header was found.

    Raises:
        PayoutFileError: If *best*, the most fields that a row names, are too few.
    """
    if not is_no_header(best) or best:
        return
    message = (
        "no row with the names of the columns was found at the top: add one above the first payout, such as amount, "
        'name, mobile, email, bank_number, bank_code (`paypro template` writes one), or say --map "COLUMN=FIELD" '
        "for columns that are called otherwise"
    )
    # What stands there may be a payout.
    if not any(one.isdecimal() or one == "@" for name in first.names for one in name):
        message += f" ({listed(first.names, 'cells of the first row')})"
    raise PayoutFileError([FileProblem(line=first.line, code="NO_HEADER", message=message)])


def refuse_empty() -> NoReturn:
    """Refuse a file without a row."""
    raise PayoutFileError([FileProblem(line=1, code="EMPTY_FILE", message="is empty: no payouts in it")])
