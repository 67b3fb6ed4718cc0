"""What every report can do, whether it is of a batch or of a file."""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, tzinfo
from decimal import Decimal
from io import StringIO
from itertools import chain, islice
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, TextIO

import attrs
from attrs import frozen

from paypro_async._core.items import ItemStatus
from paypro_async._core.tally import Tally
from paypro_async.errors import RowsNotKeptError
from paypro_async.report import frames
from paypro_async.report.csv import write_csv
from paypro_async.report.notebook import bar, cell, rows_table, statuses_table, words
from paypro_async.report.row_store import RowStore
from paypro_async.report.rows import ReportRow
from paypro_async.report.texts import counted, html, money
from paypro_async.report.whole_file import put_whole

__all__ = ["Origin", "Report"]

_SHOWN = 10  # rows of a report in a notebook
_SHOWN_OF_MANY = 100  # of those that were asked for
_UNKNOWN = frozenset(status for status in ItemStatus if status.uncertain)
_FAILED = frozenset(status for status in ItemStatus if not status.accepted and not status.uncertain)


@frozen(kw_only=True, eq=False)
class Origin:
    """Whose rows they are, and where they come from.

    Args:
        rows: The rows.
        title: The batch or the file, for people.
        batch_id: The batch in the ledger, if it is one.
        digest: The hash of the input's content, in hex.
        planned: How many payouts a file holds, and their sum.
        ledger: Where they are remembered.
        merchant_no: Whose payouts they are.
        environment: The platform's name.
        region: The country.
        currency: ISO 4217.
        zone: What times are shown in.
    """

    rows: RowStore
    title: str
    batch_id: str | None = None
    digest: str | None = None
    planned: tuple[int, Decimal] | None = None
    ledger: str | None = None
    merchant_no: str | None = None
    environment: str | None = None
    region: str | None = None
    currency: str
    zone: tzinfo = UTC


class Report:
    """The rows of a report, for people and for programs.

    Names and account numbers are masked in what it writes and shows, unless ``unmasked=True`` is said. The rows of
    :meth:`items` have them as they are, and show them masked.
    """

    # No field of the report: its plain data, its schema and its equality are those of what was counted.
    __slots__ = ("_origin",)
    _origin: Origin

    def of(self, origin: Origin) -> Self:
        """The report itself, which has these rows from now on."""
        object.__setattr__(self, "_origin", origin)
        return self

    @property
    def _statuses(self) -> Tally[ItemStatus]:
        """How many payouts, and how much money, by status."""
        raise NotImplementedError

    @property
    def _run(self) -> tuple[float | None, str | None]:
        """The seconds that it took, and why it ended early; None where that is not known."""
        return None, None

    def __str__(self) -> str:
        """One line for people."""
        counts, amounts, currency = self._statuses.counts, self._statuses.amounts, self._currency
        if not counts.total():
            return "no payouts"
        told = (f"{counts[one]:,} {words(one)} ({money(amounts[one], currency)})" for one in ItemStatus if counts[one])
        elapsed, stopped = self._run
        took = "" if elapsed is None else f"; {elapsed:,.1f} s"
        return f"{counted(counts.total())}: {', '.join(told)}{took}{f'; stopped early ({stopped})' if stopped else ''}"

    def _repr_pretty_(self, printer: Any, _cycle: bool, /) -> None:  # noqa: FBT001  IPython calls it so
        """What IPython shows in a terminal."""
        printer.text(str(self))

    def _repr_html_(self) -> str:
        """What a notebook shows; names and account numbers are masked."""
        counts, amounts = self._statuses.counts, self._statuses.amounts
        parts = [f"<p>{html(self)}</p>", bar(counts), statuses_table(counts, amounts, self._currency)]
        left = sum(count for status, count in counts.items() if not status.accepted)
        if left and self.origin is not None:
            parts += self._first_rows(left)
        return cell(*parts)

    def _first_rows(self, left: int) -> Iterator[str]:
        try:
            kept = self._known().rows
            # What may be paid comes first: a person must not pay it anew.
            found = islice(chain(kept.select(_UNKNOWN), kept.select(_FAILED)), _SHOWN)
            rows = [row.masked() for row in found]
        except RowsNotKeptError as error:
            yield f"<p>{html(error)}</p>"
            return
        yield rows_table(rows)
        if left > len(rows):
            where = "<code>report.failed</code> and <code>report.unknown</code>"
            yield f"<p>… and {left - len(rows):,} more: see {where}.</p>"

    @property
    def _currency(self) -> str:
        return "" if self.origin is None else self.origin.currency

    def __reduce__(self) -> tuple[Any, ...]:
        # attrs.fields() wants a class of attrs, which every report is.
        cls: Any = type(self)
        fields = {one.alias: _picklable(getattr(self, one.name)) for one in attrs.fields(cls)}
        return _restored, (cls, fields, self.origin)

    @property
    def origin(self) -> Origin | None:
        """Its rows, and whose they are; None if it was made without."""
        return getattr(self, "_origin", None)

    def items(self, *statuses: ItemStatus) -> Iterator[ReportRow]:
        """Every payout, in the order of the input; or those of the *statuses* alone.

        It needs neither the client nor the ledger, and no more memory for many rows than for few. Of a payout that the
        input gave twice there is one row. A report that was made while its batch runs has the rows that are there when
        it is asked.

        Raises:
            RowsNotKeptError: If the rows could not be kept, as on a full disk. The counts are right all the same.
        """
        return self._known().rows.select(frozenset(statuses) if statuses else None)

    @property
    def failed(self) -> list[ReportRow]:
        """The rows that are certainly not paid: failed, reversed, not sent, in conflict or not valid."""
        return self._select(_FAILED)

    @property
    def unknown(self) -> list[ReportRow]:
        """The rows whose money may have moved: unknown, missing, or waiting for a person (``ItemStatus.uncertain``)."""
        return self._select(_UNKNOWN)

    def to_pandas(self, *, unmasked: bool = False) -> Any:
        """The rows as a ``pandas.DataFrame``: amounts are ``decimal.Decimal``, times are UTC, all else is text.

        Args:
            unmasked: Names and account numbers as they are.

        Raises:
            ConfigurationError: If pandas is not installed.
            RowsNotKeptError: See :meth:`items`, here and below.
        """
        return frames.pandas_frame(self._shown(unmasked=unmasked))

    def to_polars(self, *, unmasked: bool = False) -> Any:
        """The same as a ``polars.DataFrame``, with its exact ``Decimal``."""
        return frames.polars_frame(self._shown(unmasked=unmasked))

    def to_arrow(self, *, unmasked: bool = False) -> Any:
        """The same as a ``pyarrow.Table``, with ``decimal128``."""
        return frames.arrow_table(self._shown(unmasked=unmasked))

    def to_csv(self, path: str | PathLike[str] | None = None, *, unmasked: bool = False) -> str | None:
        """The rows as CSV for a spreadsheet: what it would carry out or change has an apostrophe in front.

        Args:
            path: Where to write it, in UTF-8 with the mark that Excel needs, readable by its owner only; a file that is
                there is replaced. By default the text is returned.
            unmasked: Names and account numbers as they are.
        """
        return _written(path, "utf-8-sig", lambda out: write_csv(out, self._shown(unmasked=unmasked)))

    def to_html(self, path: str | PathLike[str] | None = None, *, unmasked: bool = False) -> str | None:
        """One page that needs nothing beside itself: totals, charts, and a table to search and to sort.

        Args:
            path: Where to write it, readable by its owner only; a file that is there is replaced. By default the text
                is returned.
            unmasked: Names and account numbers as they are, to all who have the page.
        """
        from paypro_async.report.html import About, write_report  # noqa: PLC0415  a page is made seldom

        told = {one.name: getattr(self._known(), one.name) for one in attrs.fields(Origin)}
        del told["rows"]
        rows, total = told.pop("planned") or (None, None)
        elapsed, stopped = self._run
        about = About(**told, rows=rows, total=total, elapsed=elapsed, stopped=stopped)
        return _written(path, "utf-8", lambda out: write_report(out, self.items(), about, unmasked=unmasked))

    def _select(self, statuses: Collection[ItemStatus]) -> list[ReportRow]:
        return _Rows(self._known().rows.select(statuses))

    def _shown(self, *, unmasked: bool) -> Iterator[ReportRow]:
        return self.items() if unmasked else map(ReportRow.masked, self.items())

    def _known(self) -> Origin:
        if (origin := self.origin) is None:
            raise RowsNotKeptError(
                "This report was made without its rows, as attrs.evolve() does it. No payout was touched by that. Ask "
                "the report of the batch itself, or look the payouts up in the ledger ('paypro ledger show')."
            )
        return origin


class _Rows(list[ReportRow]):
    """Rows that a notebook shows as a table."""

    def _repr_html_(self) -> str:
        parts = [rows_table(row.masked() for row in self[:_SHOWN_OF_MANY])] if self else ["<p>none</p>"]
        if (more := len(self) - _SHOWN_OF_MANY) > 0:
            parts.append(f"<p>… and {more:,} more</p>")
        return cell(*parts)


def _written(path: str | PathLike[str] | None, encoding: str, write: Callable[[TextIO], None]) -> str | None:
    if path is None:
        out = StringIO(newline="")
        write(out)
        return out.getvalue()
    with put_whole(Path(path), replace=True) as part, part.open("w", encoding=encoding, newline="") as file:
        write(file)
    return None


def _picklable(value: Any) -> Any:
    return dict(value) if isinstance(value, MappingProxyType) else value


def _restored(cls: type[Report], fields: Mapping[str, Any], origin: Origin | None) -> Report:
    report = cls(**fields)
    return report if origin is None else report.of(origin)
