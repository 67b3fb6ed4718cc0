"""The rows of a report are kept in a space that does not grow, and never stand in the way of a payment."""

import copy
import gc
import pickle
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async import ItemStatus, RowsNotKeptError
from paypro_async.report.row_store import RowStore
from paypro_async.report.rows import ReportRow

TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TIMES = st.none() | st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001  hypothesis adds the zone
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
ROWS = st.builds(
    ReportRow,
    row=st.integers(1, 2_000),
    trade_no=TEXTS,
    status=st.sampled_from(ItemStatus),
    amount=st.none() | st.decimals(0, 10**12, places=2),
    currency=st.just("INR"),
    name=TEXTS,
    bank_number=TEXTS,
    code=TEXTS,
    message=TEXTS,
    platform_trade_no=TEXTS,
    utr=TEXTS,
    attempts=st.integers(0, 9),
    begun_at=TIMES,
    changed_at=TIMES,
)


def row(number: int, status: ItemStatus = ItemStatus.SUCCEEDED, **changes: Any) -> ReportRow:
    return ReportRow(
        **{"row": number, "trade_no": f"T{number}", "status": status, "amount": Decimal(3)} | changes, currency="INR"
    )


def store_of(*rows: ReportRow) -> RowStore:
    return RowStore(one.kept() for one in rows)


def pickled(store: RowStore) -> RowStore:
    return pickle.loads(pickle.dumps(store))  # noqa: S301  its own


@given(st.lists(ROWS, max_size=20, unique_by=lambda one: one.row))
def test_what_is_kept_comes_back_as_it_was_and_in_the_order_of_the_input(rows: list[ReportRow]):
    """Whatever the order in which the payouts ended, and however often it is asked."""
    store = store_of(*rows)
    for _ in range(2):
        assert list(store) == sorted(rows, key=lambda one: one.row)
    assert list(pickled(store)) == list(store)


def test_rows_come_back_page_by_page_and_by_status():
    """More rows than one page holds, while new ones come in."""
    store, found = RowStore(), []
    for number in range(3_000, 0, -1):
        store.add(row(number, ItemStatus.FAILED if number % 7 == 0 else ItemStatus.SUCCEEDED).kept())
    for one in store:
        found.append(one.row)
        if one.row == 700:
            store.add(row(3_001).kept())
    assert found == [*range(1, 3_002)]
    assert [one.row for one in store.select([ItemStatus.FAILED])] == [*range(7, 3_001, 7)]
    assert list(store.select([])) == []


def test_a_row_that_comes_again_tells_its_end():
    """Who is paid how much, when it began, and a number that is not told again stay as they were."""
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    first = row(1, ItemStatus.PROCESSING, name="A", platform_trade_no="P", begun_at=begun, changed_at=begun, attempts=1)
    ended = row(1, utr="U", amount=None, attempts=2, changed_at=begun + timedelta(hours=1))
    [found] = store_of(first, ended)
    assert (found.status, found.utr, found.attempts) == (ItemStatus.SUCCEEDED, "U", 2)
    assert (found.name, found.amount, found.platform_trade_no) == ("A", Decimal(3), "P")
    assert (found.begun_at, found.changed_at) == (begun, begun + timedelta(hours=1))


def test_a_full_disk_is_told_by_who_reads_and_by_nobody_else(caplog: pytest.LogCaptureFixture):
    """Adding never fails; the warning comes once; the error says what is certain and where to look."""
    store = store_of(row(1))
    list(store)
    store._database.execute("PRAGMA max_page_count = 10")
    for number in range(2, 5_000):
        store.add(row(number).kept())
    for _ in range(2):
        with pytest.raises(RowsNotKeptError, match=r"full.*No payout was touched.*counts and sums.*right.*ledger"):
            next(iter(store))
    [told] = [one.getMessage() for one in caplog.records if "not kept any more" in one.getMessage()]
    assert told.endswith("(database or disk is full). No payout is touched by that; the counts stay right.")
    with pytest.raises(RowsNotKeptError):
        list(pickled(store))


def test_a_text_that_no_database_takes_touches_nothing():
    """Half a character, as a caller's own text may have one: the rows are lost, and no more."""
    store = store_of(row(1, message="\ud800"))
    with pytest.raises(RowsNotKeptError, match="UnicodeEncodeError"):
        list(store)


def test_any_thread_may_read_and_add():
    """As a web service does that runs its batches in a thread of their own."""
    store, wrong = RowStore(), []

    def add(first: int) -> None:
        for number in range(first, 4_001, 4):
            store.add(row(number).kept())

    def read() -> None:
        for _ in range(5):
            numbers = [one.row for one in store]
            wrong.extend([numbers] if numbers != sorted(set(numbers)) else [])

    threads = [*(threading.Thread(target=add, args=(one,)) for one in range(1, 5)), threading.Thread(target=read)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not wrong
    assert [one.row for one in store] == [*range(1, 4_001)]


def test_a_copy_is_the_same_store_and_the_last_one_closes_it():
    """None is closed while another reads, and none is left to a warning."""
    store = store_of(*map(row, range(1, 400)))
    rows = iter(store)
    next(rows)
    other = copy.deepcopy(copy.copy(store))
    del store
    gc.collect()
    assert len(list(other)) == 399
    assert len(list(rows)) == 398
