"""The rows that have failed for good, as a file that is ready to mend and to pay.

It has the columns of the input, and each row's new number: that of the failed payout and a count (``INV-7-r2``). Since
it follows from the failed number, the file may be paid as often as one likes and pays each row once.

A person mends this file, so it is replaced or taken away only as long as nobody has. Its time of change says so: the
last digits of it are those of its content's digest, which no other program leaves there. Where it was mended, a new one
is written beside it, with what it does not hold.
"""

import hashlib
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path

from attrs import frozen

from paypro_async._core.items import ItemStatus
from paypro_async._core.trade_no import retry_trade_no
from paypro_async.bulk.header.column_names import key
from paypro_async.bulk.header.columns import RETRY_COLUMNS
from paypro_async.bulk.payout_file import PayoutFile
from paypro_async.bulk.problems import PayoutFileError
from paypro_async.bulk.results import RowOutcome
from paypro_async.bulk.writers.opening import kind_named, open_table
from paypro_async.bulk.writers.result_file import kept_layout
from paypro_async.ledger import Ledger
from paypro_async.ledger.base import PAGE
from paypro_async.ledger.file import belongs_to
from paypro_async.ledger.patience import PAGE_SECONDS, answer_within
from paypro_async.report.whole_file import put_whole

__all__ = ["FailedRows", "write_failed_rows"]

_TICK = 100  # nanoseconds; no file system in use on servers keeps less of a time than that
_TICKS = 10_000_000
_OWN = frozenset(map(key, RETRY_COLUMNS))


@frozen(kw_only=True)
class FailedRows:
    """What became of the file of failed rows.

    Args:
        path: The file that holds rows to mend; None if none failed, or all that did are paid under new numbers.
        rows: How many it holds.
        kept: Files that were mended since they were written, and hold others of the rows. They were left as they are.
    """

    path: Path | None = None
    rows: int = 0
    kept: tuple[Path, ...] = ()


async def write_failed_rows(
    path: Path,
    file: PayoutFile,
    outcomes: AsyncIterator[RowOutcome],
    *,
    ledger: Ledger,
    merchant_no: str,
    defaults: Mapping[str, str],
    taken: Iterable[Path] = (),
    patience: float = PAGE_SECONDS,
) -> FailedRows:
    """Write the failed rows of a file beside it, or take away what a former run wrote there if none is left.

    Rows whose new number the ledger holds already are left out: they are in the result of the file that paid them.

    Args:
        path: Where they go. If a mended file stands there, the next free name with a number is taken.
        file: The input, whose kind it has.
        outcomes: Every row, with what became of it.
        ledger: What knows of new numbers.
        merchant_no: Whose they are.
        defaults: As the input was read with.
        taken: Files that are never written over: the input, and those of the ledger.
        patience: Seconds that the ledger has for each page.

    Raises:
        LedgerUnavailableError: If the ledger cannot be read.
        OSError: If the file cannot be written.
    """
    place, mended = _place(path, [*taken])
    held = {number for one in mended for number in _numbers(one, file, defaults)}
    rows, has_any = 0, False
    kind = kind_named(place, otherwise=file.kind)
    table = _Table(file)
    with put_whole(place, replace=True) as part:
        with open_table(part, kind, table.layout) as add:
            async for one in _to_mend(outcomes, ledger, merchant_no, patience):
                has_any = True
                if one.trade_no not in held:
                    rows += 1
                    add(table.cells(one))
        _sign(part)
    if not rows:
        place.unlink(missing_ok=True)
    return FailedRows(path=place if rows else None, rows=rows, kept=mended if has_any else ())


class _Table:
    """The columns of a file of failed rows."""

    def __init__(self, file: PayoutFile) -> None:
        columns = file.columns
        own = {at for at, name in enumerate(columns.names) if key(name) in _OWN}
        self._kept = [at for at in range(len(columns.names)) if at not in columns.results and at not in own]
        self._number = columns.fields.get("trade_no")
        added = RETRY_COLUMNS if self._number is not None else ("trade_no", *RETRY_COLUMNS)
        self.layout = kept_layout(file, self._kept, added)

    def cells(self, outcome: RowOutcome) -> list[str]:
        """A row of it."""
        number = retry_trade_no(outcome.trade_no)
        kept = [number if at == self._number else outcome.row.cells[at] for at in self._kept]
        added = [] if self._number is not None else [number]
        return [*kept, *added, outcome.trade_no, _reason(outcome)]


def _reason(outcome: RowOutcome) -> str:
    entry = outcome.entry
    said = [text for text in ((entry.code, entry.message) if entry else ()) if text]
    return ": ".join(said) or "no reason is known"


async def _to_mend(
    outcomes: AsyncIterator[RowOutcome], ledger: Ledger, merchant_no: str, patience: float
) -> AsyncIterator[RowOutcome]:
    page: list[RowOutcome] = []
    async for one in outcomes:
        if one.status is ItemStatus.FAILED:
            page.append(one)
        if len(page) == PAGE:
            for found in await _untried(page, ledger, merchant_no, patience):
                yield found
            page = []
    for found in await _untried(page, ledger, merchant_no, patience):
        yield found


async def _untried(page: list[RowOutcome], ledger: Ledger, merchant_no: str, patience: float) -> Iterable[RowOutcome]:
    if not page:
        return ()
    numbers = {retry_trade_no(one.trade_no): one for one in page}
    known = await answer_within(patience, ledger, ledger.get_many(merchant_no, [*numbers]))
    return [one for number, one in numbers.items() if number not in known]


def _place(path: Path, taken: Sequence[Path]) -> tuple[Path, tuple[Path, ...]]:
    """Where nothing stands but what is ours, and the mended files before that."""
    mended: list[Path] = []
    for number in count(1):
        place = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        if belongs_to(place, taken):
            continue
        if not os.path.lexists(place) or _is_untouched(place):
            return place, tuple(mended)
        mended.append(place)
    raise AssertionError  # names do not end


def _numbers(path: Path, file: PayoutFile, defaults: Mapping[str, str]) -> set[str]:
    """The failed numbers that a mended file holds; none if it cannot be read."""
    try:
        with path.open("rb") as data, PayoutFile(data, spec=file.spec, defaults=defaults) as mended:
            return {row.retry_of for row in mended.rows() if row.retry_of}
    except (OSError, PayoutFileError):
        return set()


def _sign(path: Path) -> None:
    seconds = path.stat().st_mtime_ns // 10**9
    stamp = seconds * 10**9 + _digest(path)
    os.utime(path, ns=(stamp, stamp))


def _is_untouched(path: Path) -> bool:
    try:
        found = path.lstat()
        return found.st_mtime_ns % 10**9 == _digest(path)
    except OSError:
        return False


def _digest(path: Path) -> int:
    with path.open("rb") as data:
        digest = hashlib.file_digest(data, "sha256").digest()
    return int.from_bytes(digest[:8]) % _TICKS * _TICK
