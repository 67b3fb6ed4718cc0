import csv
import stat
from pathlib import Path

import pytest

from paypro_async import ConfigurationError
from paypro_async._core.lifecycle import State
from paypro_async.bulk import Disbursement
from paypro_async.bulk.payout_file import PayoutFile
from paypro_async.bulk.results import FileReport, row_outcomes
from paypro_async.bulk.writers.result_file import write_results
from paypro_async.ledger import MemoryLedger
from tests.support.ledgers import learn
from tests.support.merchant import scripted_client
from tests.support.payout_files import HEADER, MERCHANT_NO, SHARED, csv_text, open_file, row, rows_of
from tests.support.scripted import Scripted

FIVE = csv_text(*[row(str(amount)) for amount in range(1, 6)])


async def write(path: Path, file: PayoutFile, ledger: MemoryLedger) -> tuple[list[dict[str, str]], FileReport]:
    report = FileReport()
    with write_results(path, file) as result:
        async for outcome in row_outcomes(rows_of(file), ledger, MERCHANT_NO):
            result.write(outcome)
            report.add(outcome)
    return read_rows(path, file.delimiter), report


def read_rows(path: Path, delimiter: str) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text, delimiter=delimiter))


async def test_each_row_has_its_outcome_in_words(tmp_path) -> None:
    """In the order of the file; what is being sent may well be paid, so it is unknown."""
    ledger = MemoryLedger()
    states = {1: State.SENDING, 2: State.NEW, 3: State.REVIEW, 4: State.SUCCEEDED}
    with open_file(FIVE) as file:
        await learn(ledger, file, states, code="0000", utr="u1")
        found, report = await write(tmp_path / "r.csv", file, ledger)

    assert [one["paypro_status"] for one in found] == ["unknown", "not_sent", "review", "succeeded", "not_sent"]
    assert [one["amount"] for one in found] == ["1", "2", "3", "4", "5"]
    assert found[3]["paypro_utr"] == "u1"
    assert found[3]["paypro_platform_trade_no"] == "p4"
    assert found[3]["paypro_attempts"] == "1"
    assert found[4]["paypro_attempts"] == ""
    assert report.tally.counts["not_sent"] == 2
    assert report.tally.amounts["not_sent"] == 7


async def test_what_belongs_to_another_payout_is_a_conflict(tmp_path) -> None:
    """The other one's outcome is not told of this row."""
    ledger = MemoryLedger()
    header = f"{HEADER},trade_no"
    with open_file(csv_text(f"{row('1')},T1", header=header)) as other:
        await learn(ledger, other, {1: State.SUCCEEDED}, utr="u1")
    with open_file(csv_text(f"{row('2')},T1", header=header)) as file:
        (found,), report = await write(tmp_path / "r.csv", file, ledger)

    assert (found["trade_no"], found["paypro_trade_no"], found["paypro_status"]) == ("T1", "T1", "conflict")
    assert found["paypro_utr"] == ""
    assert report.tally.counts == {"conflict": 1}


@pytest.mark.parametrize("message", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\tx", "\rx"])
async def test_words_of_the_platform_are_no_formulas(tmp_path, message: str) -> None:
    """A spreadsheet would carry them out."""
    ledger = MemoryLedger()
    with open_file(FIVE) as file:
        await learn(ledger, file, {1: State.FAILED}, message=message, code="=1")
        found, report = await write(tmp_path / "r.csv", file, ledger)

    assert found[0]["paypro_message"] == f"'{message}"
    assert found[0]["paypro_code"] == "'=1"
    assert report.codes == {"=1": 1}


async def test_a_result_file_keeps_the_columns_and_the_separator_as_they_were(tmp_path) -> None:
    """Unknown columns, blanks and line breaks included; an older result's columns are written anew."""
    header = f"{HEADER},paypro_status,Department,paypro_trade_no".replace(",", ";")
    data = f'{header}\n300;Asha Rao ;8234567890;asha@example.com;0012;IDFB0043121;stale;"Ops;\nDelhi";OLD-1\n'
    with open_file(data) as file:
        (found,), _ = await write(tmp_path / "r.csv", file, MemoryLedger())

    assert found["name"] == "Asha Rao "
    assert found["Department"] == "Ops;\nDelhi"
    assert found["paypro_trade_no"] == "OLD-1"
    assert found["paypro_status"] == "not_sent"
    assert (tmp_path / "r.csv").read_text().splitlines()[0].count("paypro_trade_no") == 1


async def test_a_result_file_is_its_owners_and_there_whole_or_not_at_all(tmp_path) -> None:
    """It holds names and account numbers. A failure half-way leaves what stood there before, and no litter."""
    path = tmp_path / "r.csv"
    path.write_text("before")
    with open_file(FIVE) as file:
        with pytest.raises(RuntimeError), write_results(path, file):
            raise RuntimeError
        assert path.read_text() == "before"
        await write(path, file, MemoryLedger())

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["r.csv"]


async def test_long_files_are_told_in_pages(tmp_path) -> None:
    """More rows than one page holds, each once and in order."""
    lines = [row(str(amount)) for amount in range(1, 602)]
    ledger = MemoryLedger()
    with open_file(csv_text(*lines)) as file:
        await learn(ledger, file, {1: State.SUCCEEDED, 501: State.SUCCEEDED, 601: State.SUCCEEDED})
        found, _ = await write(tmp_path / "r.csv", file, ledger)

    assert [one["amount"] for one in found] == [str(amount) for amount in range(1, 602)]
    assert [one["amount"] for one in found if one["paypro_status"] == "succeeded"] == ["1", "501", "601"]


@pytest.mark.parametrize("taken", ["p.csv", "linked.csv", "payouts.db", "payouts.db-mark", "PAYOUTS.DB-wal"])
async def test_neither_the_input_nor_the_ledger_is_written_over(tmp_path, taken: str) -> None:
    """Also when a program names them, under whatever name."""
    path = tmp_path / "p.csv"
    path.write_text(FIVE)
    (tmp_path / "linked.csv").hardlink_to(path)
    async with scripted_client(Scripted(), ledger=f"sqlite:///{tmp_path}/payouts.db", **SHARED) as client:
        with Disbursement(client, path) as disbursement:
            with pytest.raises(ConfigurationError, match="Name another file"):
                await disbursement.report(tmp_path / taken)
            assert (await disbursement.report(tmp_path / "r.csv")).tally.counts == {"not_sent": 5}
    assert path.read_text() == FIVE
