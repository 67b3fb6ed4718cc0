"""What is wrong with a row before its fields are looked at: cells that are missing, lines that are no payouts."""

import math
from collections.abc import Collection, Mapping, Sequence

from paypro_async._core.trade_no import retry_trade_no
from paypro_async.bulk.cells.formulas import unmeant
from paypro_async.bulk.cells.invisible import find_invisible
from paypro_async.bulk.cells.payout_signs import ROWS_IN_CELL, holds_rows
from paypro_async.bulk.cells.sample import is_sample
from paypro_async.bulk.header.column_names import key
from paypro_async.bulk.header.columns import Columns
from paypro_async.bulk.problems import FileProblem

__all__ = ["TOTALS_ROW", "RowChecks", "is_totals"]

_BLANKS = " \t\r\n\v\f"
_PROSE = frozenset({"name", "remark"})
_TOTALS = frozenset(
    {
        "total",
        "totals",
        "totalamount",
        "grandtotal",
        "subtotal",
        "nettotal",
        "sum",
        "sumtotal",
        "totalpayout",
        "totalpayouts",
        "totalinr",
        "totalrs",
        "कुल",
        "योग",
    }
)


class RowChecks:
    """The rows of one file.

    Args:
        columns: Its header, understood.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        moved = [at for name, at in columns.fields.items() if name != "remark"]
        own = [*columns.results, *(at for at in (columns.numbered, columns.retried) if at is not None)]
        last = max([*moved, *own])
        told = {columns.fields.get(name) for name in ("bank_code", "email")}
        self._anchor: float = last if last in told else math.inf
        self._header = {name: key(columns.names[at]) for name, at in columns.fields.items()}

    def look(
        self, cells: Sequence[str], *, known: Collection[str | None] = ()
    ) -> tuple[dict[str, str], list[FileProblem]]:
        """The values of a row, and what is wrong with it; the line is not known here.

        Args:
            cells: Of the row.
            known: The fields of which it is known already that they are wrong.
        """
        columns, width = self._columns, len(self._columns.names)
        if len(cells) != width:
            if _names_totals(cells):
                return {}, [TOTALS_ROW]
            message = (
                f"has {len(cells)} cells and the header has {width}; a separator is missing, or a quote around one"
            )
            return {}, [_problem("CELL_COUNT", message)]
        values = {name: text for name, at in columns.fields.items() if (text := cells[at].strip(_BLANKS))}
        numbered = cells[columns.numbered].strip(_BLANKS) if columns.numbered is not None else ""
        if numbered and values.setdefault("trade_no", numbered) != numbered:
            return {}, [_TRADE_NO_TWICE]
        if "trade_no" not in values and any(cells[at].strip(_BLANKS) for at in columns.results):
            return {}, [_TRADE_NO_LOST]
        retried = self.retried(cells) if values else None
        if retried and values.setdefault("trade_no", due := retry_trade_no(retried)) != due:
            return {}, [_problem("RETRY_NUMBER", _RETRY_NUMBER.format(due))]
        if wrong := (None if known else self._no_payout(cells, values)) or self._beside(cells):
            return {}, [wrong]
        text = "".join(values.values())
        unseen = [] if text.isascii() and text.isprintable() else _unseen(values)
        # What this package has written was accepted before.
        written = bool(columns.results) or columns.retried is not None
        return values, unseen or ([] if written else unmeant(values))

    def fitted(self, cells: tuple[str, ...]) -> tuple[str, ...]:
        """The cells, as many as the header has, if all that is too much or missing is empty and nothing has moved.

        An IFSC or an e-mail address behind all other fields would not be right in a row whose cells had moved.
        """
        width = len(self._columns.names)
        if len(cells) == width or len(cells) <= self._anchor or any(map(str.strip, cells[width:])):
            return cells
        return (*cells[:width], *[""] * (width - len(cells)))

    def retried(self, cells: Sequence[str]) -> str | None:
        """The number of the failed payout that a row makes good, or None."""
        at = self._columns.retried
        return None if at is None else cells[at].strip(_BLANKS) or None

    def _no_payout(self, cells: Sequence[str], values: Mapping[str, str]) -> FileProblem | None:
        """A line that is no payout, and gets one message for all that it lacks."""
        if is_sample(values):
            return _SAMPLE_ROW
        if "bank_number" in values:
            names = ("amount", "bank_number")
            again = all(key(values.get(name, "")) == self._header[name] for name in names)
            return _HEADER_AGAIN if again else None
        number = any(map(str.isdigit, values.get("amount", "")))
        if _names_totals(cells) or (number and values.keys() == {"amount"}):
            return TOTALS_ROW
        payout = "bank_code" in values or ("amount" in values and len(values) > 1)
        return None if payout else _NOTE_ROW

    def _beside(self, cells: Sequence[str]) -> FileProblem | None:
        """What a column that is no field says against the payout."""
        if any(map(holds_rows, cells)):
            return _ROWS_IN_CELL
        currency = self._columns.currency
        if currency is None or not currency.is_other(cells[currency.at]):
            return None
        return _problem("CURRENCY_OTHER", _CURRENCY_OTHER.format(currency.code))


def is_totals(cells: Sequence[str], columns: Columns) -> bool:
    """Whether a row without an account looks like a line of totals."""
    return not cells[columns.fields["bank_number"]].strip() and (
        _names_totals(cells) or not any(cells[at].strip() for name, at in columns.fields.items() if name != "amount")
    )


def _names_totals(cells: Sequence[str]) -> bool:
    return any(key(cell) in _TOTALS for cell in cells if cell and len(cell) < 40)


def _unseen(values: Mapping[str, str]) -> list[FileProblem]:
    problems = []
    for name, text in values.items():
        if found := find_invisible(text, prose=name in _PROSE):
            message = (
                f"holds a character that is not seen ({found.name}) at position {found.position} of its text; type the "
                "value anew"
            )
            problems.append(FileProblem(line=0, field=name, code="INVISIBLE_CHARACTER", message=message))
    return problems


def _problem(code: str, message: str) -> FileProblem:
    return FileProblem(line=0, code=code, message=message)


_RETRY_NUMBER = (
    "makes good the failed payout in retry_of, so its trade_no must be {}; put that back, or empty retry_of if it is "
    "another payment"
)
_CURRENCY_OTHER = (
    "is in another currency, as its column of currencies says, and payouts here are in {0}; take it out, or write its "
    "amount and its currency in {0}"
)
_ROWS_IN_CELL = _problem("ROWS_IN_CELL", ROWS_IN_CELL)
_TRADE_NO_LOST = _problem(
    "TRADE_NO_LOST",
    "is a row of a result file that has lost its trade number; put it back, or it would be paid anew",
)
_TRADE_NO_TWICE = _problem(
    "TRADE_NO_TWICE",
    "has two different trade numbers, in trade_no and in paypro_trade_no; keep one of them",
)
TOTALS_ROW = _problem(
    "TOTALS_ROW", "looks like a line of totals, not like a payout: it has no account; take it out of the file"
)
_SAMPLE_ROW = _problem(
    "SAMPLE_ROW", "is the template's sample row, which pays nobody; write your own payout over it, every cell of it"
)
_HEADER_AGAIN = _problem(
    "HEADER_AGAIN", "has the names of the columns once more, as where pages or files were joined; take the line out"
)
_NOTE_ROW = _problem(
    "NOTE_ROW", "looks like a note, not like a payout: it has no amount and no account; take it out of the file"
)
