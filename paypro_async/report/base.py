"""What every report can do, whether it is of a batch or of a file."""

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Self

import attrs

from paypro_async._core.items import ItemStatus
from paypro_async.errors import RowsNotKeptError
from paypro_async.report.row_store import RowStore
from paypro_async.report.rows import ReportRow

__all__ = ["Report"]

_UNKNOWN = frozenset(status for status in ItemStatus if status.uncertain)
_FAILED = frozenset(status for status in ItemStatus if not status.accepted and not status.uncertain)


class Report:
    """The rows of a report, for people and for programs."""

    # No field of the report: its plain data, its schema and its equality are those of what was counted.
    __slots__ = ("_rows",)
    _rows: RowStore

    def _with_rows(self, rows: RowStore) -> Self:
        """The report itself, which has its rows from now on."""
        object.__setattr__(self, "_rows", rows)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # attrs.fields() wants a class of attrs, which every report is.
        cls: Any = type(self)
        fields = {one.alias: _picklable(getattr(self, one.name)) for one in attrs.fields(cls)}
        return _restored, (cls, fields, getattr(self, "_rows", None))

    def items(self, *statuses: ItemStatus) -> Iterator[ReportRow]:
        """Every payout, in the order of the input; or those of the *statuses* alone.

        It needs neither the client nor the ledger, and no more memory for many rows than for few. Of a payout that the
        input gave twice there is one row. A report that was made while its batch runs has the rows that are there when
        it is asked.

        Raises:
            RowsNotKeptError: If the rows could not be kept, as on a full disk. The counts are right all the same.
        """
        return self._kept().select(frozenset(statuses) if statuses else None)

    @property
    def failed(self) -> list[ReportRow]:
        """The rows that are certainly not paid: failed, reversed, not sent, in conflict or not valid."""
        return self._of(_FAILED)

    @property
    def unknown(self) -> list[ReportRow]:
        """The rows whose money may have moved: unknown, missing, or waiting for a person (``ItemStatus.uncertain``)."""
        return self._of(_UNKNOWN)

    def _of(self, statuses: Collection[ItemStatus]) -> list[ReportRow]:
        return list(self._kept().select(statuses))

    def _kept(self) -> RowStore:
        rows: RowStore | None = getattr(self, "_rows", None)
        if rows is None:
            raise RowsNotKeptError(
                "This report was made without its rows, as attrs.evolve() does it. No payout was touched by that. Ask "
                "the report of the batch itself, or look the payouts up in the ledger ('paypro ledger show')."
            )
        return rows


def _picklable(value: Any) -> Any:
    return dict(value) if isinstance(value, MappingProxyType) else value


def _restored(cls: type[Report], fields: Mapping[str, Any], rows: RowStore | None) -> Report:
    report = cls(**fields)
    return report if rows is None else report._with_rows(rows)
