"""Result files that a spreadsheet has opened and saved: every number is as it was, and nobody is paid twice."""

import asyncio
import os
import shutil
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Sequence
from pathlib import Path

import pytest
from attrs import frozen

from paypro_async._core.regions import region_named
from paypro_async.bulk.payout_file import PayoutFile
from paypro_async.sandbox import Sandbox
from tests.support.terminal import Terminal, payout, write_file

SOFFICE = shutil.which("soffice")
pytestmark = pytest.mark.skipif(SOFFICE is None, reason="LibreOffice (soffice) is not installed")

NUMBERS = ["50100000000017", "0015", "1E5", "000123", "20261126180000123456789012345678", "1-2", "TRUE", "-7", "DEC1"]
REMARKS = ["+1+1", "+91 98765", "-SUM(1)", "2026-11-01", "10:30", "1/2", "50%", "TRUE", "'0015", "rent;=1", "-5", "1,5"]
KEPT = ("trade_no", "bank_number", "bank_code", "mobile", "remark", "name", "amount")


def payouts() -> list[dict[str, str]]:
    """Some of each: paid, failed, with numbers of their own or not."""
    made = [payout(at, trade_no=number, remark=REMARKS[at]) for at, number in enumerate(NUMBERS)]
    made += [payout(20 + at, trade_no=f"R{at}", remark=remark) for at, remark in enumerate(REMARKS)]
    made[0] |= {"bank_number": "50100000000017"}
    made[1] |= {"bank_number": "00100940382920001", "remark": "sandbox:fail:00029"}
    return [one | {"email": "asha@example.com"} for one in made]


@frozen
class Office:
    """LibreOffice with a home that the tests of one process share: to make one takes it seconds."""

    home: Path

    async def convert(self, file: Path, kind: str, folder: Path) -> Path:
        """The file as it saves it in another kind."""
        folder.mkdir(exist_ok=True)  # noqa: ASYNC240  nobody else waits in the event loop of a test
        home = f"-env:UserInstallation=file://{self.home}"
        command = [str(SOFFICE), home, "--headless", "--convert-to", kind, "--outdir", str(folder), str(file)]
        environment = os.environ | {"HOME": str(self.home)}
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT, env=environment)
        said, _ = await asyncio.wait_for(process.communicate(), 120)
        made = folder / f"{file.stem}.{kind}"
        assert made.exists(), said.decode()
        return made


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office(tmp_path_factory.mktemp("office"))


def values(path: Path) -> list[dict[str, str]]:
    defaults = {"ip_address": "", "notify_url": ""}
    with path.open("rb") as data, PayoutFile(data, spec=region_named("india"), defaults=defaults) as file:
        rows = list(file.rows())
    assert [one.problems for one in rows if one.problems] == []
    return [{name: row.values.get(name, "") for name in KEPT} for row in rows]


TRIPS = {
    "CSV to XLSX": ("csv", ["xlsx"]),
    "CSV to XLSX and back": ("csv", ["xlsx", "csv"]),
    "CSV to ODS and back": ("csv", ["ods", "csv"]),
    "CSV saved as CSV, twice": ("csv", ["csv", "csv"]),
    "XLSX saved as XLSX": ("xlsx", ["xlsx"]),
    "XLSX to CSV": ("xlsx", ["csv"]),
    "XLSX to ODS and back": ("xlsx", ["ods", "xlsx"]),
}


@pytest.mark.parametrize(("kind", "trip"), TRIPS.values(), ids=TRIPS)
async def test_what_comes_back_is_what_was_written(
    office: Office, terminal: Terminal, sandbox: Sandbox, kind: str, trip: Sequence[str]
):
    """Every trade number, account, code and remark; and nothing of it is paid twice."""
    write_file(terminal.folder / "payouts.csv", payouts())
    first = await terminal.run("batch", "payouts.csv", "--yes", "--result", f"payouts.result.{kind}")
    assert first.code == 4, first.err
    before = values(terminal.folder / f"payouts.result.{kind}")
    booked = len(sandbox.books.bookings)
    file = terminal.folder / f"payouts.result.{kind}"
    for step, to in enumerate(trip):
        file = await office.convert(file, to, terminal.folder / f"step{step}")
    assert values(file) == before
    again = await terminal.run("batch", str(file), "--yes", "--file-complete")
    assert again.code == 4, again.err
    assert len(sandbox.books.bookings) == booked


async def test_what_a_spreadsheet_has_damaged_is_refused(office: Office, terminal: Terminal, sandbox: Sandbox):
    """A workbook saved as CSV says of no cell that it is text, so opened once more its numbers lose their zeros."""
    write_file(terminal.folder / "payouts.csv", payouts())
    await terminal.run("batch", "payouts.csv", "--yes", "--result", "payouts.result.xlsx")
    booked = len(sandbox.books.bookings)
    file = await office.convert(terminal.folder / "payouts.result.xlsx", "csv", terminal.folder / "first")
    file = await office.convert(file, "xlsx", terminal.folder / "second")
    done = await terminal.run("batch", str(file), "--yes")
    assert (done.code, "is a number, not text" in done.err, "Nothing was sent" in done.err) == (3, True, True)
    assert len(sandbox.books.bookings) == booked
