"""What became of a row, as the cells that a result file adds to it."""

from datetime import datetime

from paypro_async._core.items import ItemStatus
from paypro_async._core.regions import region_named
from paypro_async.bulk.header.columns import RESULT_COLUMNS
from paypro_async.bulk.results import RowOutcome

__all__ = ["COUNTED", "added_cells", "local_time"]

COUNTED = RESULT_COLUMNS.index("paypro_attempts")
"""The position of the one that is a number."""

_NOT_BEGUN = "Not begun: the run ended before this row; nothing was sent."
_CONFLICT = "The trade number was used before for another amount or beneficiary; nothing was sent."
_LEFT_OUT = "Nothing, if that is this payment. If it is not, run the same command with --pay-again."


def added_cells(outcome: RowOutcome) -> list[str]:
    """The cells under :data:`~paypro_async.bulk.header.columns.RESULT_COLUMNS`."""
    status, entry = outcome.status, outcome.entry
    cells = [outcome.trade_no, status, status.meaning, _what_to_do(outcome)]
    if entry is None:
        return [*cells, "", _message(outcome), "", "", "", "", ""]
    message = entry.message
    if outcome.retry is not None:
        message = "; ".join(part for part in (message, outcome.retry.told) if part)
    texts = (entry.code, message, entry.platform_trade_no, entry.utr)
    times = (local_time(entry.created_at, entry.region), local_time(entry.updated_at, entry.region))
    return [*cells, *(text or "" for text in texts), str(entry.attempt), *times]


def local_time(at: datetime, region: str) -> str:
    """A time as people of the region read it, with the zone's name, behind which no spreadsheet takes it for a date."""
    return f"{at.astimezone(region_named(region).zone):%Y-%m-%d %H:%M:%S %Z}"


def _what_to_do(outcome: RowOutcome) -> str:
    if outcome.retry is not None:
        return outcome.retry.what_to_do
    return outcome.status.what_to_do if outcome.paid_as is None else _LEFT_OUT


def _message(outcome: RowOutcome) -> str:
    if outcome.paid_as is not None:
        known = f"{outcome.paid_as} ({outcome.paid_status})"
        return f"Left out: the ledger holds the same amount to the same account as {known}."
    return _CONFLICT if outcome.status is ItemStatus.CONFLICT else _NOT_BEGUN
