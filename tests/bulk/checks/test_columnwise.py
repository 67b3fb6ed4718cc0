"""Rows checked a column at a time: the same answers as one by one, or none."""

import io
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async._core.field_checks import TEXT, TRADE_NO, amount_problem, certain_amount
from paypro_async._core.regions import Field
from paypro_async.bulk.checks.columnwise import Columnwise
from paypro_async.bulk.checks.duplicates import Again, Seen
from paypro_async.bulk.file_plan import Plan, make_plan
from paypro_async.bulk.payout_file import PayoutFile
from tests.support.payout_files import HEADER, INDIA, SHARED, csv_text, intake, open_file, row

WITH_A_PATTERN = [one for one in INDIA.fields if one.check.certain]


@pytest.mark.parametrize("one", WITH_A_PATTERN, ids=lambda one: one.name)
@given(data=st.data())
def test_what_is_certain_passes_its_check(one: Field, data: st.DataObject) -> None:
    """And it stands in JSON as it is, without blanks around it."""
    text = data.draw(st.from_regex(re.compile(one.check.certain or ""), fullmatch=True))
    assert (TEXT.wrong(text) or one.check.wrong(text)) is None
    assert text == text.strip()
    assert not re.search(r'["\\\x00-\x1f\x7f-\x9f\u2028\u2029]', text)


@given(st.from_regex(re.compile(certain_amount(2)), fullmatch=True))
def test_a_certain_amount_is_one(text: str) -> None:
    """Whole or with up to two decimals."""
    assert amount_problem(Decimal(text), max_decimals=2) is None


@given(st.from_regex(re.compile(TRADE_NO.certain or ""), fullmatch=True))
def test_a_certain_trade_number_is_one(text: str) -> None:
    """Whatever the pattern matches."""
    assert TRADE_NO.wrong(text) is None


class RowByRow(Columnwise):
    """Is never certain."""

    def certain(self, records: object) -> None:
        return None


CELLS = {
    "amount": ["100", "2500", "300.50", "300.00", "0.50", "007", "0", "1,000", "", "1e5", "1234567890123456"],
    "name": ["Asha Rao", "आशा राव", "José", 'A "B" C', "A\\B", "A\nB", " Asha", "", "\u3000", "A\tB"],
    "mobile": ["9876543210", "5876543210", "+919876543210", " 9876543210", ""],
    "email": ["asha@gmail.com", "a.b-c@x-y.co.in", "a..b@x.in", "nobody", ""],
    "bank_number": ["10094038292", "00012", "1.2E+10", "AB12", ""],
    "bank_code": ["IDFB0043121", "idfb0043121", "IDFB1043121", ""],
    "remark": ["", "salary", "\u00a0", "it's fine", "50%"],
    "trade_no": ["", "T1", "T2", "T 3", "paid-1", "t1", "T01"],
    "department": ["", "ops"],
}
# Mostly right, so that whole stretches are.
ROWS = st.fixed_dictionaries({name: st.sampled_from([*[cells[0]] * 12, *cells[1:]]) for name, cells in CELLS.items()})


def planned(
    text: str, defaults: dict[str, str], kind: type[Columnwise], monkeypatch: pytest.MonkeyPatch
) -> list[object]:
    with monkeypatch.context() as patched, open_file(text, defaults=defaults) as file:
        patched.setattr("paypro_async.bulk.file_plan.Columnwise", kind)
        patched.setattr("paypro_async.bulk.readers.csv.STRETCH", 4)
        found: Plan = make_plan(file, intake(defaults).intent_of)
        problems = sorted(found.problems, key=lambda one: (one.line, one.field or "", one.code))
        twice = [found.identical, found.alike, found.twins]
        return [found.rows, found.total, found.digest, found.with_decimals, twice, found.doubts, found.median, problems]


def quoted(cells: dict[str, str]) -> str:
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells.values())


@given(rows=st.lists(ROWS, min_size=1, max_size=14), bad_default=st.booleans())
def test_a_plan_is_the_same_as_row_by_row(rows: list[dict[str, str]], bad_default: bool) -> None:
    """Sums, digest, numbers, problems: nobody can tell how it was checked."""
    text = "\n".join([",".join(CELLS), *map(quoted, rows), ""])
    defaults = {**SHARED, "ip_address": "nowhere"} if bad_default else dict(SHARED)
    with pytest.MonkeyPatch.context() as patch:
        assert planned(text, defaults, Columnwise, patch) == planned(text, defaults, RowByRow, patch)


def test_most_rows_are_checked_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first stretch goes row by row, since it shows that the client's values for all payouts are right."""
    calls = 0

    def counting(*given: object) -> object:
        nonlocal calls
        calls += 1
        return check(*given)  # type: ignore[arg-type]

    check = intake().intent_of
    text = csv_text(*(row(str(100 + number)) for number in range(5_000)))
    with PayoutFile(io.BytesIO(text.encode()), spec=INDIA, defaults=SHARED) as file:
        found = make_plan(file, counting)  # type: ignore[arg-type]
    assert (found.rows, found.problems) == (5_000, ())
    assert 0 < calls <= 1_000


def test_a_result_file_and_a_ragged_one_are_read_row_by_row() -> None:
    """Two trade numbers to compare, or a number of cells to complain about."""
    with open_file(csv_text(f"{row()},x", header=f"{HEADER},paypro_trade_no")) as file:
        columns = Columnwise(INDIA, file.columns)
        assert columns.certain([stretch.records[0] for stretch in file.stretches()]) is None
    with open_file(csv_text(row())) as file:
        columns = Columnwise(INDIA, file.columns)
        cells = row().split(",")
        assert columns.certain([cells, cells[:-1]]) is None
        assert columns.certain([cells, cells]) is not None


def test_keys_that_come_again_are_found_in_order() -> None:
    """Each with the first row that has it; two payments under two numbers are meant."""
    with Seen() as seen:
        seen.add([(1, 2, "a", b"1", 100), (2, 3, None, b"2", 100), (4, 6, "b", None, 100)])
        seen.add(
            [
                (5, 7, "a", b"2", 100),
                (6, 8, "b", b"1", 100),
                (7, 9, "a", b"3", 100),
                (8, 10, None, b"1", 100),
                (9, 11, "A", b"1", 100),
            ]
        )
        assert seen.numbers_again() == [Again(5, 7, 1), Again(6, 8, 4), Again(7, 9, 1)]
        # The last one has a number as the first one has, but that before it has none.
        assert seen.payments_again() == [Again(5, 7, 2), Again(8, 10, 1), Again(9, 11, 1)]
        assert seen.numbers_alike() == [(Again(9, 11, 1), True)]
        assert ["a" in seen, b"a" in seen, "c" in seen] == [True, False, False]
