"""Where results go, and what they never replace."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from paypro_async.bulk.file_plan import Plan
from paypro_async.bulk.header.columns import Columns
from paypro_async.cli.app import run
from paypro_async.cli.batch.result_file import ResultPlace, result_beside, results_before
from tests.support.payout_files import csv_text, open_file, plan_of, row, trade_nos
from tests.support.terminal import Terminal, payout, read_file, write_file

HEADER = "paypro_trade_no,paypro_status\n"


def test_no_two_files_share_a_result():
    """Whatever they are called; a file of the usual kind keeps the usual name."""
    names = ["a.csv", "a.txt", "a.CSV", "a", "a.csv.gz", "a.tsv", "a.txt.csv", "a.result.csv", "a.b.csv", "b.csv"]
    names += ["a.xlsx", "a.jsonl", "a.XLSX", "a.ndjson"]
    results = [result_beside(Path(name)).name for name in names]
    assert len(set(results)) == len(names)
    assert results[:2] == ["a.result.csv", "a.txt-result.csv"]
    assert results[-4:] == ["a.result.xlsx", "a.result.jsonl", "a.result.XLSX", "a.ndjson-result.csv"]


def test_the_result_of_the_release_before_is_found(tmp_path: Path):
    """It gave a.txt the name that a.csv has; where there is such a file, that result is the other one's."""
    assert results_before(tmp_path / "a.txt") == [tmp_path / "a.txt-result.csv", tmp_path / "a.result.csv"]
    (tmp_path / "a.csv").touch()
    assert results_before(tmp_path / "a.txt") == [tmp_path / "a.txt-result.csv"]


async def test_two_files_of_one_stem_have_two_results(terminal: Terminal):
    """Each with its own rows."""
    for number, name in enumerate(("a.csv", "a.txt")):
        write_file(terminal.folder / name, [payout(number)])
        assert (await terminal.run("batch", name)).code == 0
    for number, name in enumerate(("a.result.csv", "a.txt-result.csv")):
        assert read_file(terminal.folder / name)[0]["bank_number"] == payout(number)["bank_number"]


@pytest.fixture
def plan() -> Iterator[Plan]:
    with open_file(csv_text(row("300"))) as file:
        yield plan_of(file)


@pytest.fixture
def columns() -> Columns:
    with open_file(csv_text(row("300"))) as file:
        return file.columns


@pytest.fixture
def numbers() -> list[str]:
    with open_file(csv_text(row("300"))) as file:
        return trade_nos(file)


FOREIGN = ["notes", "a,b\n1,2\n", "\0\xff\n", f"{HEADER}T-other,succeeded\n", '"' * 9, "x" * 2_000_000]


@pytest.mark.parametrize("content", FOREIGN, ids=range(len(FOREIGN)))
def test_only_the_result_of_the_same_file_is_replaced(
    plan: Plan, columns: Columns, numbers: list[str], tmp_path: Path, content: str
):
    """And an empty one. In its own place, by its name, a result of what the file was before is one of its own too."""
    out, source = tmp_path / "out.csv", tmp_path / "p.csv"
    for mine in (
        None,
        "",
        f"{HEADER}{numbers[0]},failed\n",
        f"name;{HEADER.replace(',', ';')}A;'-1;\nB;{numbers[0]};x\n",
    ):
        if mine is not None:
            out.write_text(mine)
        place = ResultPlace.look(out, source, plan, columns)
        place.refuse_foreign(ask=False)
        out.write_text(content, encoding="latin-1")
        assert place.taken_meanwhile()
    with pytest.raises(Exception, match=r"is there, and is .* Nothing was sent\. .*--replace-result") as refused:
        ResultPlace.look(out, source, plan, columns).refuse_foreign(ask=False)
    assert ("is no result file" in str(refused.value)) is not content.startswith(HEADER)
    out.rename(beside := result_beside(source))
    if content.startswith(HEADER):
        ResultPlace.look(beside, source, plan, columns).refuse_foreign(ask=False)


async def test_a_foreign_file_is_replaced_when_that_is_said(terminal: Terminal):
    """Else nothing is sent; the second run replaces its own result without being told."""
    terminal.file(1)
    (terminal.folder / "out.csv").write_text("notes")
    command = ("batch", "payouts.csv", "--result", "out.csv")
    done = await terminal.run(*command)
    assert (done.code, "Nothing was sent" in done.err) == (2, True)
    assert (terminal.folder / "out.csv").read_text() == "notes"
    assert (await terminal.run(*command, "--replace-result")).code == 0
    assert (await terminal.run(*command)).code == 0
    assert len(terminal.result("out.csv")) == 1


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal", "-mark"])
def test_no_file_of_the_ledger_is_replaced(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """By its name, by a link to it, or in another case; not even when a foreign file would be. Nor is a device."""
    monkeypatch.chdir(tmp_path)
    write_file(tmp_path / "p.csv", [payout(1)])
    (tmp_path / f"payouts.db{suffix}").touch()
    (tmp_path / "soft").symlink_to(f"payouts.db{suffix}")
    (tmp_path / "hard").hardlink_to(tmp_path / f"payouts.db{suffix}")
    (tmp_path / "device").symlink_to("/dev/null")
    for name in (f"payouts.db{suffix}", f"PAYOUTS.DB{suffix.upper()}", "soft", "hard", "device", "."):
        assert run(["batch", "p.csv", "--yes", "--ledger", "payouts.db", "--result", name, "--replace-result"]) == 2
        said = capsys.readouterr().err
        assert ("belongs to the ledger; nothing was written" in said) is (name not in {"device", "."})
