"""Rows of a data frame are payouts; what a frame's types have lost is refused before anything is sent."""

import subprocess
import sys
import warnings
from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from paypro_async import (
    BatchProgress,
    ConfigurationError,
    InvalidFrameError,
    InvalidPayoutError,
    ItemStatus,
    PayProWarning,
)
from tests.support.merchant import PERSONAL, fields, scripted_client
from tests.support.scripted import PAID, Scripted
from tests.support.virtual_time import virtual_time

numpy = pytest.importorskip("numpy")
pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
arrow = pytest.importorskip("pyarrow")

ROWS = [fields(f"T{number}", amount=str(100 + number)) for number in range(5)]
SUM = Decimal(510)

KINDS: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "pandas": pandas.DataFrame,
    "pandas, texts of its own": lambda rows: pandas.DataFrame(rows).convert_dtypes(),
    "pandas on Arrow": lambda rows: pandas.DataFrame(rows).convert_dtypes(dtype_backend="pyarrow"),
    "pandas, categories": lambda rows: pandas.DataFrame(rows).astype("category"),
    "pandas, any index": lambda rows: pandas.DataFrame(rows, index=[7] * len(rows)),
    "polars": polars.DataFrame,
    "polars, categories": lambda rows: polars.DataFrame(rows).with_columns(polars.all().cast(polars.Categorical)),
    "pyarrow table": arrow.Table.from_pylist,
    "pyarrow batch": arrow.RecordBatch.from_pylist,
    "pyarrow batches": lambda rows: arrow.RecordBatchReader.from_batches(
        (table := arrow.Table.from_pylist(rows)).schema, table.to_batches()
    ),
    "any columns as Arrow gives them": lambda rows: Columns(arrow.Table.from_pylist(rows)),
}


class Columns:
    """A frame of a library that nobody here knows."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


async def paid(source: Any, **settings: Any) -> tuple[Any, Scripted]:
    transport = Scripted(PAID)
    async with scripted_client(transport) as client:
        return await client.batch_payout(source, **settings), transport


async def refused(source: Any) -> InvalidFrameError:
    """Why nothing of it is paid."""
    transport = Scripted(PAID)
    async with scripted_client(transport) as client:
        with pytest.raises(InvalidFrameError, match="nothing was sent") as caught:
            await client.batch_payout(source)
    assert not transport.payouts
    assert not [value for value in PERSONAL if value in str(caught.value)]
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
@virtual_time
async def test_each_row_is_a_payout(kind: str):
    """Of every library, and its length is known to the progress."""
    told: list[BatchProgress] = []
    report, transport = await paid(KINDS[kind](ROWS), on_progress=told.append)
    assert report.amounts == {ItemStatus.SUCCEEDED: SUM}
    assert [one.trade_no for one in report.items()] == [f"T{number}" for number in range(5)]
    assert len(transport.payouts) == 5
    assert {one.total for one in told} == {5}


@pytest.mark.parametrize("kind", KINDS)
@virtual_time
async def test_a_cell_that_is_empty_is_absent(kind: str):
    """An optional field is left out; one that must be there is told with its row."""
    rows = [{**one, "remark": "rent" if one["trade_no"] == "T1" else None} for one in ROWS]
    report, _ = await paid(KINDS[kind](rows))
    assert report.ok
    wrong = await refused(KINDS[kind]([*rows[:2], {**rows[2], "bank_code": None}]))
    assert [(one.field, one.code) for one in wrong.problems] == [("bank_code", "REQUIRED")]
    assert "(row 3)" in str(wrong)


@pytest.mark.parametrize("empty", [None, float("nan"), numpy.nan, pandas.NA, pandas.NaT, numpy.float32("nan")])
@virtual_time
async def test_whatever_pandas_takes_for_empty_is_absent(empty: Any):
    """In one column all of them may stand."""
    report, _ = await paid(pandas.DataFrame([{**ROWS[0], "remark": empty}, {**ROWS[1], "remark": "rent"}]))
    assert report.ok


@pytest.mark.parametrize(
    "amounts",
    [
        pandas.Series([100, 200], dtype="int64"),
        pandas.Series([100, 200], dtype="uint8"),
        pandas.Series([100, 200], dtype="Int64"),
        pandas.Series([numpy.int32(100), "200"], dtype=object),
        pandas.Series([Decimal(100), Decimal("200.00")]),
        pandas.Series([Decimal(100), Decimal(200)], dtype=pandas.ArrowDtype(arrow.decimal128(12, 2))),
    ],
    ids=lambda one: str(one.dtype),
)
@virtual_time
async def test_integers_and_decimals_are_exact_amounts(amounts: Any):
    """Also those of numpy and of Arrow."""
    report, transport = await paid(pandas.DataFrame(ROWS[:2]).assign(amount=amounts))
    assert report.amounts == {ItemStatus.SUCCEEDED: Decimal(300)}
    assert [one.fields["amount"] for one in transport.payouts] == ["100", "200"]


@virtual_time
async def test_decimals_of_polars_and_arrow_are_exact_amounts():
    """To the paisa."""
    amounts = [Decimal("100.00"), Decimal("200.00")]
    rows = [{**row, "amount": amount} for row, amount in zip(ROWS, amounts, strict=False)]
    for frame in (polars.DataFrame(rows), arrow.Table.from_pylist(rows)):
        report, _ = await paid(frame)
        assert report.amounts == {ItemStatus.SUCCEEDED: Decimal(300)}


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow table"])
@pytest.mark.parametrize("amount", [100.0, 100.5])
@virtual_time
async def test_a_float_is_refused_with_the_row_and_the_mend(kind: str, amount: float):
    """Also one that is whole, since nobody knows what it was; and the mend works as it is written."""
    frame = KINDS[kind]([{**one, "amount": amount} for one in ROWS])
    wrong = await refused(frame)
    assert [(one.field, one.code) for one in wrong.problems] == [("amount", "TYPE")]
    assert "is a float, which cannot hold money exactly" in str(wrong)
    assert "(rows 1, 2, 3, 4 and 5)" in str(wrong)
    if kind != "pyarrow table":
        mend = str(wrong).partition("make it text: ")[2].partition(" (rows")[0]
        mended: dict[str, Any] = {"df": frame, "pl": polars}
        exec(mend, mended)  # noqa: S102  as a person would paste it
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PayProWarning)  # an amount has decimals
            report, _ = await paid(mended["df"])
        assert report.ok


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow table"])
@virtual_time
async def test_a_number_where_text_belongs_is_refused(kind: str):
    """It has lost the zeros in front of an account. All columns are told at once, and many rows are one line."""
    frame = KINDS[kind]([{**one, "bank_number": 123456789012, "mobile": 9876543210.0} for one in ROWS * 4_000])
    wrong = await refused(frame)
    assert sorted((one.field, one.code) for one in wrong.problems) == [("bank_number", "TYPE"), ("mobile", "TYPE")]
    assert "has lost zeros in front" in str(wrong)
    assert "rows 1, 2, 3, 4, 5 and 19,995 more" in str(wrong)


@pytest.mark.parametrize(
    ("value", "said"), [(True, "bool"), (pandas.Timestamp(2026, 1, 1), "Timestamp"), (b"x", "bytes"), ([], "list")]
)
@virtual_time
async def test_what_is_no_text_is_refused(value: Any, said: str):
    """In any field, the amount too."""
    for name in ("remark", "amount"):
        frame = pandas.DataFrame([{**ROWS[0], name: value}, ROWS[1]]).astype({name: object})
        assert f"{name}: is a {said} and not text" in str(await refused(frame))


@virtual_time
async def test_every_wrong_field_of_every_row_is_told_before_anything_is_sent():
    """A person mends them at one time; equal ones are one line."""
    rows = [*ROWS, fields("T7", amount="1,5"), fields("T8", bank_code="IDFB"), fields("T9", amount="1,5")]
    wrong = await refused(pandas.DataFrame(rows))
    assert [(one.field, one.code) for one in wrong.problems] == [
        ("amount", "AMOUNT_FORMAT"),
        ("bank_code", "IFSC_FORMAT"),
    ]
    assert "(rows 6 and 8)" in str(wrong)
    assert "(row 7)" in str(wrong)


@virtual_time
async def test_columns_that_are_no_fields_are_told_before_a_batch_is_made():
    """All of them at once, with what a payout has; one that was a payout is not shown."""
    async with scripted_client(Scripted(PAID)) as client:
        with pytest.raises(InvalidFrameError, match=r"(?s)1: is no.*team: is no.*<10 char.*a payout has amount, name"):
            client.batch_payout(
                pandas.DataFrame(ROWS).assign(team="x", **{"9876543210": 1}).rename(columns={"name": 1})
            )
        with pytest.raises(InvalidFrameError, match="remark: stands twice"):
            client.batch_payout(pandas.DataFrame([[1, 2]], columns=["remark", "remark"]))


@virtual_time
async def test_what_is_not_a_frame_yet_says_so():
    """One column, or a query that is not computed."""
    async with scripted_client(Scripted(PAID)) as client:
        for one in (pandas.Series(["a"]), polars.Series(["a"]), arrow.array(["a"]), arrow.chunked_array([["a"]])):
            with pytest.raises(ConfigurationError, match="is one column"):
                client.batch_payout(one)
        with pytest.raises(ConfigurationError, match=r"pay its \.collect\(\)"):
            client.batch_payout(polars.LazyFrame(ROWS))


@pytest.mark.parametrize("text", ["nan", "NaN", "None", "<NA>", "NaT"])
@virtual_time
async def test_what_a_program_makes_of_an_empty_cell_is_refused(text: str):
    """A payout to the account "nan" would be sent as it is; a name that only holds such a word is one."""
    wrong = await refused(pandas.DataFrame([ROWS[0], {**ROWS[1], "name": text, "bank_number": text}]))
    assert [(one.field, one.code) for one in wrong.problems] == [
        ("name", "EMPTY_AS_TEXT"),
        ("bank_number", "EMPTY_AS_TEXT"),
    ]
    assert f"is the text {text}, which stands for an empty cell" in str(wrong)
    report, _ = await paid(pandas.DataFrame([{**ROWS[0], "name": "Nan Rao"}]))
    assert report.ok


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow table"])
@virtual_time
async def test_one_number_for_two_payouts_is_refused(kind: str):
    """Else the first alone would be paid; a row that stands twice as it is, is one payout."""
    wrong = await refused(KINDS[kind]([*ROWS, {**ROWS[1], "amount": "7"}, {**ROWS[1], "amount": "8"}]))
    assert [(one.field, one.code) for one in wrong.problems] == [("trade_no", "TRADE_NO_TWICE")]
    assert "(rows 2, 6 and 7)" in str(wrong)
    report, _ = await paid(KINDS[kind]([*ROWS, ROWS[1]]))
    assert report.amounts == {ItemStatus.SUCCEEDED: SUM}


@pytest.mark.parametrize("kind", ["pandas", "polars"])
@virtual_time
async def test_the_mend_of_whole_floats_makes_no_fractions(kind: str):
    """Of a column with an empty cell pandas makes floats; what was an account nobody can tell from a float."""
    frame = KINDS[kind]([{**ROWS[0], "mobile": 9876543210.0, "bank_number": 50100000000000.0}])
    told = {one.field: one.message for one in (await refused(frame)).problems}
    assert "if none was lost" not in told["bank_number"]
    mend = told["mobile"].partition("if none was lost: ")[2].partition(" (row")[0]
    mended: dict[str, Any] = {"df": frame, "pl": polars}
    exec(mend, mended)  # noqa: S102  as a person would paste it
    assert mended["df"]["mobile"].to_list() == ["9876543210"]


@virtual_time
async def test_what_is_no_source_of_payouts_says_what_to_give():
    """The letters of a name of a file, and the fields of one payout, are no payouts."""
    frame = pandas.DataFrame(ROWS)
    async with scripted_client(Scripted(PAID)) as client:
        for wrong, mend in (
            ("salaries.csv", "bulk.pay"),
            (Path("salaries.csv"), "bulk.pay"),
            (StringIO("trade_no"), "bulk.pay"),
            (ROWS[0], "a list of it"),
            (frame.groupby("amount"), "the data frame itself"),
            (frame.to_numpy(), "give a data frame"),
            (frame.to_records(), "give a data frame"),
        ):
            with pytest.raises(ConfigurationError, match=mend):
                client.batch_payout(wrong)
        for rows in (frame.iterrows(), frame.itertuples()):
            report = await client.batch_payout(rows)
            assert report.counts == {ItemStatus.INVALID: 5}
            assert all("give the frame itself" in str(one.message) for one in report.failed)


@virtual_time
async def test_a_frame_without_numbers_warns():
    """Since the same cell of a notebook is run again, and would pay again."""
    async with scripted_client(Scripted(PAID)) as client:
        with pytest.warns(PayProWarning, match="no column trade_no.*pays all of them once more") as told:
            batch = client.batch_payout(pandas.DataFrame(ROWS).drop(columns="trade_no"))
        assert (await batch).total == 5
    assert told[0].filename == __file__


@virtual_time
async def test_an_empty_frame_is_an_empty_batch():
    """With or without columns."""
    for frame in (pandas.DataFrame(), pandas.DataFrame(ROWS).iloc[:0], polars.DataFrame(), arrow.table({})):
        report, _ = await paid(frame)
        assert (report.total, report.ok) == (0, True)


@virtual_time
async def test_what_is_paid_is_what_was_checked():
    """A frame that is changed while its batch runs changes no payout."""
    frame = pandas.DataFrame(ROWS)
    transport = Scripted(PAID)
    async with scripted_client(transport) as client:
        batch = client.batch_payout(frame, concurrency=1)
        async for _ in batch:
            frame["amount"] = "999999"
            frame["bank_code"] = None
    assert batch.report.amounts == {ItemStatus.SUCCEEDED: SUM}


@virtual_time
async def test_a_list_of_mappings_may_have_integers_of_numpy():
    """A float is refused there too, whatever its size, as an item that is not valid, and the mend is told."""
    rows = [fields("T1", amount=numpy.int64(100)), fields("T2", amount=numpy.float32(1)), fields("T3", amount=1.0)]
    report, _ = await paid(rows)
    assert report.counts == {ItemStatus.SUCCEEDED: 1, ItemStatus.INVALID: 2}
    assert all("give text such as '300.50'" in one.message for one in report.failed)
    assert isinstance(report.failures[0].error, InvalidPayoutError)


def test_no_frame_is_imported_for_a_batch_without_one():
    """They are large."""
    code = (
        "import sys, paypro_async.client; from paypro_async.batch.frames import items_of; items_of([], None); "
        "print(*{'pandas', 'polars', 'pyarrow', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
