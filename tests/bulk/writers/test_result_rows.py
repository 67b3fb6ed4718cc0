"""Result files: of the input's kind, safe in a spreadsheet, and read as what they were written from."""
# ruff: noqa: ASYNC240  nobody else waits in the event loop of a test

import csv
import io
import json
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from paypro_async._core.lifecycle import State
from paypro_async.bulk.header.columns import RESULT_COLUMNS
from paypro_async.bulk.payout_file import PayoutFile
from paypro_async.bulk.results import row_outcomes
from paypro_async.bulk.writers.opening import open_table
from paypro_async.bulk.writers.result_file import write_results
from paypro_async.bulk.writers.table import Layout
from paypro_async.ledger import MemoryLedger
from tests.support.ledgers import learn
from tests.support.payout_files import HEADER, MERCHANT_NO, csv_text, open_file, row, rows_of

CODES = ["0015", "50100000000017", "1E5", "000123", "2026-11-01", "1-2", "TRUE", "=1+1", "'0015", "'=1", "Asha"]
OLD = "paypro_trade_no,paypro_status,paypro_code,paypro_message,paypro_platform_trade_no,paypro_utr,paypro_attempts"


def hostile() -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*HEADER.split(","), "trade_no", *(f"note {number}" for number in range(len(CODES)))])
    writer.writerow([*row("300.50").split(","), "0015", *CODES])
    return text.getvalue()


async def write(path: Path, file: PayoutFile, ledger: MemoryLedger | None = None) -> bytes:
    with write_results(path, file) as result:
        async for outcome in row_outcomes(rows_of(file), ledger or MemoryLedger(), MERCHANT_NO):
            result.write(outcome)
    return path.read_bytes()


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
async def test_csv_keeps_the_separator_the_line_ends_and_the_mark(tmp_path, separator: str, end: str, mark: str):
    """As the input has them; a line break within a cell is as it was, too."""
    lines = [f"{HEADER},note", f'{row("300")},"a\rb\nc"', f"{row('301', '7')},"]
    data = mark + end.join(line.replace(",", separator) for line in lines) + end
    with open_file(data) as file:
        written = await write(tmp_path / "r.csv", file)
    text = written.decode()
    assert text.startswith(mark + f"amount{separator}")
    assert text.endswith(end)
    (_, first, _) = csv.reader(io.StringIO(text.removeprefix(mark), newline=""), delimiter=separator)
    assert first[6] == "a\rb\nc"
    assert text.replace("a\rb\nc", "").replace(end, "").count("\n") == 0


@pytest.mark.parametrize("kind", ["csv", "xlsx", "jsonl"])
async def test_every_code_is_read_back_to_the_letter(tmp_path, kind: str):
    """From each kind of file, as what is in its cells says."""
    with open_file(hostile()) as file:
        (first,) = file.rows()
        path = tmp_path / f"r.{kind}"
        await write(path, file)
        names = file.columns.names
    if kind == "csv":
        with open_file(path.read_bytes()) as again:
            (found,) = again.rows()
            assert (found.cells[: len(names)], found.values) == (first.cells, first.values)
            assert await write(path, again) == path.read_bytes()
        raw = path.read_text(encoding="utf-8").splitlines()[1].split(",")
        assert raw[0] == "300.50"
        assert all(cell.startswith("'") for cell in raw[6 : 7 + len(CODES) - 1])
    elif kind == "xlsx":
        header, cells = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
        assert header == [*names, *RESULT_COLUMNS]
        assert all(isinstance(cell, str) for cell in cells)
        assert cells[7:14] == CODES[:7]
    else:
        (line,) = path.read_text(encoding="utf-8").splitlines()
        assert [json.loads(line)[name] for name in names] == list(first.cells)


async def test_each_row_says_what_it_means_and_what_to_do(tmp_path):
    """In words, with the times of the region, which no spreadsheet takes for dates."""
    ledger = MemoryLedger()
    with open_file(csv_text(row("1"), row("2", "2"), row("3", "3"))) as file:
        await learn(ledger, file, {1: State.SUCCEEDED, 2: State.FAILED}, code="0015")
        await write(tmp_path / "r.csv", file, ledger)
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as text:
        paid, failed, unsent = csv.DictReader(text)
    assert (paid["paypro_meaning"], paid["paypro_what_to_do"]) == ("paid", "Nothing: it is paid.")
    assert (failed["paypro_meaning"], failed["paypro_code"]) == ("not paid; no money moved", "'0015")
    assert "under a new number" in failed["paypro_what_to_do"]
    assert paid["paypro_begun_at"].endswith(" IST")
    assert paid["paypro_changed_at"][:2] == "20"
    assert (unsent["paypro_begun_at"], unsent["paypro_attempts"]) == ("", "")


async def test_a_result_of_an_earlier_release_means_what_it_meant(tmp_path):
    """It has fewer columns, and nothing but formulas was defused in it."""
    data = f"{HEADER},remark,{OLD}\n{row('300')},'0015,T-1,succeeded,0000,,P1,U1,1\n{row('1')},'=1,T-2,failed,,,,,\n"
    with open_file(data) as file:
        assert [one.values["remark"] for one in file.rows()] == ["'0015", "=1"]
        assert [one.values["trade_no"] for one in file.rows()] == ["T-1", "T-2"]
        written = (await write(tmp_path / "r.csv", file)).decode()
    assert written.splitlines()[0] == ",".join([HEADER, "remark", *RESULT_COLUMNS])
    with open_file(written) as file:
        assert [one.values["remark"] for one in file.rows()] == ["'0015", "=1"]


async def test_a_result_without_the_columns_that_someone_deleted(tmp_path):
    """The numbers alone are enough, and codes are read as they were."""
    with open_file(f"{HEADER},paypro_trade_no\n{row('300', chr(39) + '0012')},'0015\n") as file:
        (one,) = file.rows()
    assert (one.values["bank_number"], one.values["trade_no"]) == ("0012", "0015")


@pytest.mark.parametrize("kind", ["csv", "xlsx", "jsonl"])
def test_half_a_character_is_written_as_a_question_mark(tmp_path, kind: str):
    """A platform's text may hold one. The payouts are sent by then, so their result is written whatever it says."""
    path = tmp_path / f"result.{kind}"
    with open_table(path, kind, Layout(names=["trade_no", "message"])) as add:
        add(["0015", "refused \ud800"])
    found = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python() if kind == "xlsx" else path.read_text()
    assert "refused ?" in str(found)
