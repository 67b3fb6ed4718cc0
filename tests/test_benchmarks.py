"""What the benchmarks need of the client's inside, so that a change there does not break them unnoticed."""

import re
import time
from pathlib import Path

import pytest

from benchmarks.__main__ import SUBJECTS
from benchmarks.large_file import make_large
from benchmarks.ledger import open_ledger, write_groups
from benchmarks.report import PAGE, Report, as_json, as_text, with_figures
from benchmarks.subject import Found, Setting, Subject
from paypro_async.ledger.admin.check import findings
from paypro_async.ledger.sql.ledger import SqlLedger


def setting(folder: Path) -> Setting:
    return Setting(url="-", late_url="-", postgres="-", folder=folder, seconds=0.1, quick=False)


@pytest.mark.skipif(
    not hasattr(time, "pthread_getcpuclockid"), reason="the system does not tell a thread's CPU seconds"
)
async def test_a_group_of_claims_and_what_became_of_them_are_measured_on_both_threads(tmp_path: Path):
    ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    figures = await write_groups(ledger, ["one", "two", "three"], group=2)
    await ledger.aclose()

    assert {"wall", "whole", "loop", "ledger", "claim_wall", "claim_ledger"} <= figures.keys()
    assert figures["claim_ledger"] <= figures["ledger"] <= figures["whole"]


async def test_a_ledger_that_was_copied_from_itself_is_as_sound_as_one_that_was_paid_from(tmp_path: Path):
    path = tmp_path / "large.db"
    await make_large(path, 60, people=6)

    ledger = SqlLedger(f"sqlite:///{path}")
    await ledger.open_to_read()
    found = [one async for one in findings(ledger)]
    payouts = await ledger.read(lambda connection: connection.exec_driver_sql("SELECT count(*) FROM payout").scalar())
    await ledger.aclose()

    assert found == []
    assert payouts == 60


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
def test_each_subject_makes_its_tables_and_its_place_on_the_page(subject: Subject, tmp_path: Path):
    one = {
        name: [1.0, 2.0] for name in ("rate", "cpu_us", "p50", "p99", "wall", "ledger", "open", "peak", "efficiency")
    }
    rounds = [dict(zip(one, values, strict=True)) for values in zip(*one.values(), strict=True)]
    found = Found({each.cell: rounds for each in subject.measurements(setting(tmp_path))})
    section = subject.section(found)
    section.noisy = found.noisy
    report = Report(about={"command": "-"}, sections=[section], others=[0.5])

    assert section.tables or subject.name == "cpu"  # whose figures have names of their own
    assert "others used up to 50%" in as_text(report)
    assert '"warnings": [' in as_json(report)
    assert "busy machine" in with_figures(PAGE.read_text(encoding="utf-8"), report)


def test_the_short_table_of_the_page_says_what_was_measured() -> None:
    """Each figure and each goal of it stands in one row of a measurement's ratios, with the same verdict."""
    text = PAGE.read_text(encoding="utf-8")
    short = re.findall(r"^\| [^|]+ \| ([\d.e+]+)[^|]* \| ([<>]= [\d.]+) \| (met|missed) \|$", text, re.MULTILINE)
    assert len(short) == 10
    for figure, goal, verdict in short:
        word = "ok" if verdict == "met" else "MISSED"
        row = rf"^\| [^|]+ \| {re.escape(figure)} \| [^|]+ \| {re.escape(goal)} \| {word} \|$"
        assert re.search(row, text, re.MULTILINE), (figure, goal, verdict)
