"""The rows of a report as CSV that a spreadsheet may open: no formula in it, and no number that it would change."""

import csv
from collections.abc import Iterable
from typing import TextIO

from paypro_async._core.money import amount_text
from paypro_async.report.formulas import defused, defused_number
from paypro_async.report.frames import COLUMNS
from paypro_async.report.rows import ReportRow

__all__ = ["write_csv"]


def write_csv(out: TextIO, rows: Iterable[ReportRow]) -> None:
    """Write a line for each row, below the names of the columns; what is missing is empty.

    Args:
        out: Where to; opened with ``newline=""``.
        rows: The rows. Their times are written in UTC, in ISO 8601.
    """
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(
            [
                row.row,
                _text(row.trade_no),
                row.status.value,
                "" if row.amount is None else defused_number(amount_text(row.amount)),
                _text(row.currency),
                _text(row.name),
                _text(row.bank_number),
                _text(row.code),
                _text(row.message),
                _text(row.platform_trade_no),
                _text(row.utr),
                row.attempts,
                "" if row.begun_at is None else row.begun_at.isoformat(),
                "" if row.changed_at is None else row.changed_at.isoformat(),
            ]
        )


def _text(text: str | None) -> str:
    return defused(text) if text else ""
