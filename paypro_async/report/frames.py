"""The rows of a report as a data frame of pandas, polars or pyarrow, none of which is imported before it is asked for.

The columns are the fields of :class:`~paypro_async.ReportRow`, of the same types for every report, an empty one too:
amounts are exact decimals, times are UTC with their zone, and whatever has digits but is no number stays text.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from typing import Any

import attrs

from paypro_async._core.money import written_decimals
from paypro_async.errors import ConfigurationError
from paypro_async.report.rows import ReportRow

__all__ = ["COLUMNS", "arrow_table", "pandas_frame", "polars_frame"]

COLUMNS: Sequence[str] = tuple(one.name for one in attrs.fields(ReportRow))
"""The columns, in their order."""

_NUMBERS = ("row", "attempts")
_TIMES = ("begun_at", "changed_at")
_DIGITS = 38  # as many as decimals of Arrow have
_USUAL_DECIMALS = 2


def pandas_frame(rows: Iterable[ReportRow]) -> Any:
    """A ``pandas.DataFrame``."""
    pandas = _library("pandas")
    # Of one type whichever release of pandas it is; what is missing is pandas.NA, NaT, and None among the amounts.
    kinds = dict.fromkeys(_NUMBERS, "int64") | dict.fromkeys(_TIMES, "datetime64[us, UTC]") | {"amount": "object"}
    return pandas.DataFrame(
        {name: pandas.Series(values, dtype=kinds.get(name, "string")) for name, values in _columns(rows).items()}
    )


def polars_frame(rows: Iterable[ReportRow]) -> Any:
    """A ``polars.DataFrame``."""
    polars = _library("polars")
    columns = _columns(rows)
    kinds = dict.fromkeys(_NUMBERS, polars.Int64) | dict.fromkeys(_TIMES, polars.Datetime("us", "UTC"))
    kinds["amount"] = polars.Decimal(_DIGITS, _decimals(columns["amount"]))
    return polars.DataFrame(columns, schema={name: kinds.get(name, polars.String) for name in COLUMNS})


def arrow_table(rows: Iterable[ReportRow]) -> Any:
    """A ``pyarrow.Table``."""
    arrow = _library("pyarrow")
    columns = _columns(rows)
    kinds = dict.fromkeys(_NUMBERS, arrow.int64()) | dict.fromkeys(_TIMES, arrow.timestamp("us", "UTC"))
    kinds["amount"] = arrow.decimal128(_DIGITS, _decimals(columns["amount"]))
    return arrow.table({name: arrow.array(values, kinds.get(name, arrow.string())) for name, values in columns.items()})


def _columns(rows: Iterable[ReportRow]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for row in rows:
        for name, values in columns.items():
            values.append(getattr(row, name))
    columns["status"] = [status.value for status in columns["status"]]
    for name in _TIMES:
        columns[name] = [_in_utc(moment) for moment in columns[name]]
    return columns


def _in_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)


def _decimals(amounts: Iterable[Decimal | None]) -> int:
    return max((written_decimals(one) for one in amounts if one is not None), default=0) or _USUAL_DECIMALS


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"This needs {name}, which is not installed: pip install {name}. It does not come with paypro-async, since "
            "it is large. The report is there as before."
        ) from error
