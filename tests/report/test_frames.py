"""A report becomes a data frame of exact values, and the same one whatever is in it."""

import sys
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from paypro_async import BatchReport, ConfigurationError, ReportRow
from paypro_async.report.frames import COLUMNS
from tests.support.merchant import PERSONAL, fields, scripted_client
from tests.support.scripted import PAID, Scripted
from tests.support.virtual_time import virtual_time


async def paid(*rows: Any) -> BatchReport:
    async with scripted_client(Scripted(PAID)) as client:
        return await client.batch_payout(rows)


GOOD, WRONG = fields("T1", amount=Decimal(1200)), fields("T2", amount="x")


EACH = pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])


def frame_of(report: BatchReport, library: str, **how: Any) -> Any:
    pytest.importorskip(library)
    return getattr(report, {"pandas": "to_pandas", "polars": "to_polars", "pyarrow": "to_arrow"}[library])(**how)


def records(frame: Any) -> list[dict[str, Any]]:
    """The rows of any frame, with None for whatever is missing."""
    if hasattr(frame, "to_pylist"):
        return frame.to_pylist()
    if hasattr(frame, "to_dicts"):
        return frame.to_dicts()
    import pandas as pd

    return [
        {name: None if pd.isna(value) else value for name, value in one.items()} for one in frame.to_dict("records")
    ]


@EACH
@virtual_time
async def test_a_frame_has_a_line_for_each_row(library: str):
    """With every field of it: amounts exact, times aware and in UTC, what is missing missing."""
    report = await paid(GOOD, WRONG)
    found = records(frame_of(report, library, unmasked=True))
    assert [ReportRow(**one) for one in found] == [*report.items()]
    assert isinstance(found[0]["amount"], Decimal)
    assert found[0]["begun_at"].utcoffset() == timedelta(0)
    assert found[1]["amount"] is found[1]["begun_at"] is None
    assert {type(one["status"]) for one in found} == {str}


@EACH
@virtual_time
async def test_names_and_accounts_are_masked_unless_it_is_said(library: str):
    """A frame is shown in notebooks and mailed about."""
    report = await paid(GOOD, WRONG)
    assert not [value for value in PERSONAL if value in str(records(frame_of(report, library)))]
    assert fields()["name"] in str(records(frame_of(report, library, unmasked=True)))


@EACH
@virtual_time
async def test_columns_have_the_same_types_whatever_is_in_them(library: str):
    """So that the frames of two batches can be put together, also of one that paid nothing."""
    frames = [frame_of(await paid(*rows), library) for rows in ([GOOD, WRONG], [], [WRONG])]
    assert len({str(getattr(one, "schema", None) or one.dtypes.to_dict()) for one in frames}) == 1
    for one in frames:
        assert list(getattr(one, "column_names", None) or one.columns) == list(COLUMNS)


@virtual_time
async def test_sums_and_choices_of_pandas_work():
    """Also where amounts are missing."""
    pytest.importorskip("pandas")
    frame = (await paid(GOOD, WRONG, fields("T3"))).to_pandas()
    assert frame["amount"].sum() == Decimal(1500)
    assert list(frame[frame["status"] == "succeeded"]["trade_no"]) == ["T1", "T3"]
    assert list(frame.groupby("status")["row"].count()) == [1, 2]
    assert str(frame["begun_at"].dt.tz_convert("Asia/Kolkata").dtype).endswith("Asia/Kolkata]")


@virtual_time
async def test_sums_of_polars_and_arrow_are_exact():
    """In decimals of their own."""
    polars, compute = pytest.importorskip("polars"), pytest.importorskip("pyarrow.compute")
    report = await paid(GOOD, WRONG, fields("T3"))
    assert report.to_polars().select(polars.col("amount").sum()).item() == Decimal(1500)
    assert compute.sum(report.to_arrow()["amount"]).as_py() == Decimal(1500)


@EACH
@virtual_time
async def test_a_library_that_is_not_there_is_named(library: str, monkeypatch: pytest.MonkeyPatch):
    """With the command that installs it."""
    report = await paid(GOOD)
    monkeypatch.setitem(sys.modules, library, None)
    method = {"pandas": "to_pandas", "polars": "to_polars", "pyarrow": "to_arrow"}[library]
    with pytest.raises(ConfigurationError, match=f"pip install {library}"):
        getattr(report, method)()
