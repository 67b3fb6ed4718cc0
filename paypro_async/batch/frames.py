"""Rows of a data frame as payouts: of pandas, polars, pyarrow, and of whatever gives its columns as Arrow does.

A frame is whole before anything is paid, so it is checked whole: one error tells of every wrong column and cell, and
nothing is sent. What a frame's types have lost is refused and not repaired: a float does not hold money exactly, and a
number has lost the zeros in front of an account. None of these libraries is imported here but for a frame of its kind.
"""

import asyncio
import sys
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from importlib import import_module
from itertools import chain
from numbers import Integral, Real
from os import PathLike
from typing import Any, cast

from attrs import define, field, frozen

from paypro_async._core.masking import mask_text
from paypro_async.batch.source import Items, Source
from paypro_async.engine.intake import Intake
from paypro_async.errors import ConfigurationError, InvalidFrameError, PayProWarning, Problem

__all__ = ["FrameRows", "items_of"]

_AT_ONCE = 1_000
_SHOWN_ROWS = 5
_SHOWN_COLUMNS = 20
_FEWEST_DIGITS = 6  # of what may be an account or a mobile
_ABSENT = frozenset({"NAType", "NaTType"})  # of pandas; neither can be compared
_ABSENT_AS_TEXT = frozenset({"nan", "NaN", "None", "<NA>", "NaT"})  # what str() makes of an empty cell


@frozen(kw_only=True)
class _Frame:
    """What the libraries have in common.

    Args:
        names: Of the columns, as they are.
        length: How many rows.
        rows: Makes an iterator over the rows, each a sequence of Python's own values as far as there are any.
        as_text: How a program of this library makes text of a column that is put in for ``{}``.
        whole_as_text: The same for floats that are whole, whose text else ends in ``.0``.
        read_as_text: How it reads a file without guessing types.
    """

    names: Sequence[Any]
    length: int
    rows: Callable[[], Iterator[Sequence[Any]]]
    as_text: str
    whole_as_text: str
    read_as_text: str


@define(eq=False)
class _Found:
    """Equal problems of many rows, told once."""

    rows: dict[Problem, list[int]] = field(factory=dict)
    counts: Counter[Problem] = field(factory=Counter)

    def add(self, problem: Problem, row: int) -> None:
        """Remember a problem of a row, counted from 1."""
        self.counts[problem] += 1
        if len(rows := self.rows.setdefault(problem, [])) < _SHOWN_ROWS:
            rows.append(row)

    def problems(self) -> list[Problem]:
        """One for each kind, with the rows where it was found."""
        return [
            Problem(one.field, one.code, f"{one.message} ({_listed(rows, self.counts[one])})")
            for one, rows in self.rows.items()
        ]


class FrameRows:
    """The rows of a frame as a source of payouts, which has a length.

    Args:
        frame: The frame; a cell that is empty, NaN, NaT or NA is absent.
        check: Every wrong field of one payout.
    """

    def __init__(self, frame: _Frame, check: Callable[[Mapping[str, Any]], Sequence[Problem]]) -> None:
        self._frame = frame
        self._check_row = check

    def __len__(self) -> int:
        return self._frame.length

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        # All of it, before the first payout is given; in a thread, since a frame may be long.
        await asyncio.to_thread(self._check)
        for row in self._frame.rows():
            yield self._payout(row)

    def _payout(self, row: Sequence[Any]) -> dict[str, Any]:
        cells = zip(self._frame.names, map(_plain, row), strict=True)
        return {name: value for name, value in cells if value is not None}

    def _check(self) -> None:
        found, numbers = _Found(), _Numbers()
        for number, row in enumerate(self._frame.rows(), start=1):
            payout = self._payout(row)
            numbers.add(payout, number, found)
            wrong = [problem for name, value in payout.items() if (problem := self._wrong_type(name, value))]
            for problem in wrong or self._check_row(payout):
                found.add(problem, number)
        if found.counts:
            raise InvalidFrameError(found.problems())

    def _wrong_type(self, name: str, value: Any) -> Problem | None:
        kind = type(value)
        if kind is str:
            return _wrong_text(name, value)
        if name == "amount" and kind in (int, Decimal):
            return None
        if isinstance(value, Real | Decimal) and kind is not bool:
            return Problem(name, "TYPE", self._wrong_number(name, value))
        return Problem(name, "TYPE", f"is a {kind.__name__} and not text. {self._read_or_make(name)}")

    def _wrong_number(self, name: str, value: Any) -> str:
        frame, read = self._frame, f"Read the file as text ({self._frame.read_as_text})"
        if name == "amount":
            return f"is a float, which cannot hold money exactly. {self._read_or_make(name)}"
        if isinstance(value, Integral):
            return f"is a number, which has lost zeros in front. {read}; if none was lost: {frame.as_text.format(name)}"
        lost = f"is a number, which has lost zeros in front, and of a float the last digits too. {read}"
        # Nobody can tell whether an account is still what it was.
        if name == "bank_number" or not isinstance(value, Real) or value % 1 != 0:
            return lost
        return f"{lost}; if none was lost: {frame.whole_as_text.format(name)}"

    def _read_or_make(self, name: str) -> str:
        frame = self._frame
        return f"Read the file as text ({frame.read_as_text}), or make it text: {frame.as_text.format(name)}"


@define(eq=False)
class _Numbers:
    """The trade numbers of a frame: one that stands for two payouts would pay the first of them alone."""

    first: dict[str, tuple[int, int]] = field(factory=dict)
    """The row where a number stands first, and the hash of what that row pays."""

    def add(self, payout: Mapping[str, Any], row: int, found: _Found) -> None:
        """Remember the number of a payout; two rows that are alike are one payout."""
        trade_no = payout.get("trade_no")
        if type(trade_no) is not str:
            return
        paid = hash(tuple(map(str, chain.from_iterable(payout.items()))))
        before, paid_before = self.first.setdefault(trade_no, (row, paid))
        if paid == paid_before:
            return
        if before:
            found.add(_TWICE, before)
            self.first[trade_no] = (0, paid_before)  # told
        found.add(_TWICE, row)


_TWICE = Problem("trade_no", "TRADE_NO_TWICE", "is that of two different payouts; give each a number of its own")


def _wrong_text(name: str, text: str) -> Problem | None:
    if text not in _ABSENT_AS_TEXT:
        return None
    mend = 'Leave it empty, as astype("string") does; astype(str) makes text of it'
    return Problem(name, "EMPTY_AS_TEXT", f"is the text {text}, which stands for an empty cell. {mend}")


def items_of(source: Source, intake: Intake) -> Items:
    """*source*, or the rows of it if it is a data frame.

    Args:
        source: What the caller of a batch gave.
        intake: What its client takes.

    Raises:
        InvalidFrameError: If it has a column that is no field of a payout, or one twice.
        ConfigurationError: If it is one column only, or is not computed yet; or if it is no payouts at all, as the
            name of a file or one payout alone.
    """
    frame = _frame_of(source)
    if frame is None:
        _refuse_no_payouts(source)
        return cast("Items", source)
    fields = intake.spec.unset
    wrong = [
        Problem(_shown(one), "DUPLICATE_COLUMN", "stands twice") for one, n in Counter(frame.names).items() if n > 1
    ]
    unknown = [one for one in frame.names if one not in fields]
    wrong += [Problem(_shown(one), "UNKNOWN_FIELD", "is no field of a payout") for one in unknown[:_SHOWN_COLUMNS]]
    if wrong:
        raise InvalidFrameError(
            wrong, advice=f"Rename the columns or leave them out; a payout has {', '.join(fields)}."
        )
    if "trade_no" not in frame.names and frame.length:
        warnings.warn(
            "The data frame has no column trade_no, so each of its rows gets a new number whenever it is paid: the "
            "same cell or script once more pays all of them once more. Give every row its own number.",
            PayProWarning,
            stacklevel=3,
        )
    return FrameRows(frame, intake.problems)


_NO_PAYOUTS: Mapping[str, str] = {
    "one": "one payout, and a batch has many: pay it with client.payout(…), or give a list of it",
    "file": "no payouts. If it names a file, or is one, pay that with bulk.pay(client, path)",
    "parts": "the parts of a data frame: give the data frame itself",
    "array": "an array: give a data frame, whose columns are named as the fields of a payout",
}


def _refuse_no_payouts(source: Any) -> None:
    kind = type(source)
    if isinstance(source, str | bytes | bytearray | PathLike) or hasattr(source, "read"):
        what = "file"
    elif isinstance(source, Mapping) or (hasattr(source, "trade_no") and not isinstance(source, Iterable)):
        what = "one"
    elif kind.__name__.endswith("GroupBy"):
        what = "parts"
    elif kind.__module__.startswith("numpy") and kind.__name__.endswith("array"):
        what = "array"
    else:
        return
    raise ConfigurationError(f"What was given ({kind.__name__}) is {_NO_PAYOUTS[what]}. Nothing was sent.")


def _frame_of(source: Any) -> _Frame | None:
    if isinstance(source, Sequence | Mapping):
        return None
    # Whoever has a frame of a library has imported that library.
    for name, make in (("pandas", _of_pandas), ("polars", _of_polars), ("pyarrow", _of_arrow)):
        library: Any = sys.modules.get(name)
        if library is not None and (frame := make(library, source)) is not None:
            return frame
    if hasattr(source, "__arrow_c_stream__"):
        try:
            arrow = import_module("pyarrow")
        except ImportError as error:
            raise ConfigurationError(
                f"The rows of a {type(source).__name__} are read by pyarrow, which is not installed: pip install "
                "pyarrow. Nothing was sent."
            ) from error
        return _of_arrow(arrow, arrow.table(source))
    return None


def _of_pandas(pandas: Any, source: Any) -> _Frame | None:
    _not_one_column(source, pandas.Series)
    if not isinstance(source, pandas.DataFrame):
        return None
    # What is paid is what was checked, whatever becomes of the caller's frame meanwhile.
    frame = source.copy()

    def rows() -> Iterator[Sequence[Any]]:
        for first in range(0, len(frame), _AT_ONCE):
            part = frame.iloc[first : first + _AT_ONCE]
            yield from zip(*(part.iloc[:, column].tolist() for column in range(part.shape[1])), strict=True)

    return _Frame(
        names=list(frame.columns),
        length=len(frame),
        rows=rows,
        as_text='df = df.astype({{"{}": "string"}})',
        whole_as_text='df = df.astype({{"{0}": "Int64"}}).astype({{"{0}": "string"}})',
        read_as_text="pandas.read_csv(…, dtype=str)",
    )


def _of_polars(polars: Any, source: Any) -> _Frame | None:
    _not_one_column(source, polars.Series)
    if isinstance(source, polars.LazyFrame):
        raise ConfigurationError("The LazyFrame is not computed yet: pay its .collect(). Nothing was sent.")
    if not isinstance(source, polars.DataFrame):
        return None
    frame = source.clone()
    return _Frame(
        names=frame.columns,
        length=len(frame),
        rows=frame.iter_rows,
        as_text='df = df.with_columns(pl.col("{}").cast(pl.String))',
        whole_as_text='df = df.with_columns(pl.col("{}").cast(pl.Int64).cast(pl.String))',
        read_as_text="polars.read_csv(…, infer_schema=False)",
    )


def _of_arrow(arrow: Any, source: Any) -> _Frame | None:
    _not_one_column(source, (arrow.Array, arrow.ChunkedArray))
    if isinstance(source, arrow.RecordBatch):
        source = arrow.Table.from_batches([source])
    elif isinstance(source, arrow.RecordBatchReader):
        source = source.read_all()
    if not isinstance(source, arrow.Table):
        return None

    def rows() -> Iterator[Sequence[Any]]:
        for part in source.to_batches(max_chunksize=_AT_ONCE):
            yield from zip(*(column.to_pylist() for column in part.columns), strict=True)

    return _Frame(
        names=source.column_names,
        length=source.num_rows,
        rows=rows,
        as_text='cast the column "{}" to pyarrow.string()',
        whole_as_text='cast the column "{}" to pyarrow.int64(), and that to pyarrow.string()',
        read_as_text="pyarrow.csv.ConvertOptions(column_types={name: pyarrow.string()})",
    )


def _not_one_column(source: Any, kinds: Any) -> None:
    if isinstance(source, kinds):
        raise ConfigurationError(
            f"A {type(source).__name__} is one column, and a payout has several: give the whole data frame. Nothing "
            "was sent."
        )


def _plain(value: Any) -> Any:
    """A cell as Python's own value, exactly; None if it is absent."""
    kind = type(value)
    if kind is str or value is None or kind is int:
        return value
    if kind.__name__ in _ABSENT:
        return None
    if isinstance(value, float | Decimal | Real):
        if value != value:  # noqa: PLR0124  NaN is not itself, of whatever library
            return None
        # numpy's booleans are no numbers, and its integers are no int.
        return int(value) if isinstance(value, Integral) and kind is not bool else value
    return str(value) if isinstance(value, str) else value


def _listed(rows: Sequence[int], count: int) -> str:
    if count == 1:
        return f"row {rows[0]}"
    if count <= len(rows):
        return f"rows {', '.join(map(str, rows[:-1]))} and {rows[-1]}"
    return f"rows {', '.join(map(str, rows))} and {count - len(rows):,} more"


def _shown(name: Any) -> str:
    """The name of a column, unless the first payout stands where the names should."""
    text = str(name)[:60]
    return mask_text(name) if "@" in text or sum(map(str.isdigit, text)) >= _FEWEST_DIGITS else text
