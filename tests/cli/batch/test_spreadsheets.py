"""Result files that a spreadsheet has opened and saved: every number is as it was, and nobody is paid twice."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from attrs import frozen

from paypro_async._core.regions import region_named
from paypro_async.bulk.payout_file import PayoutFile
from paypro_async.sandbox import Sandbox
from tests.support.fork_server import ForkServer
from tests.support.terminal import SECRET, Terminal, payout, write_file

SOFFICE = shutil.which("soffice")
pytestmark = [
    pytest.mark.skipif(SOFFICE is None, reason="LibreOffice (soffice) is not installed"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.trial,
    pytest.mark.long,
]

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


TRIPS = {
    "CSV to XLSX": ("csv", ["xlsx"]),
    "CSV to XLSX and back": ("csv", ["xlsx", "csv"]),
    "CSV to ODS and back": ("csv", ["ods", "csv"]),
    "CSV saved as CSV, twice": ("csv", ["csv", "csv"]),
    "XLSX saved as XLSX": ("xlsx", ["xlsx"]),
    "XLSX to CSV": ("xlsx", ["csv"]),
    "XLSX to ODS and back": ("xlsx", ["ods", "xlsx"]),
}
# A workbook saved as CSV says of no cell that it is text, so opened once more its numbers lose their zeros.
DAMAGED = ("xlsx", ["csv", "xlsx"])


@frozen
class Paid:
    """A file that was paid, and its result as LibreOffice has saved it.

    Args:
        result: As it was written.
        saved: What it was in the end, by the kinds that it was saved as.
    """

    sandbox: Sandbox
    terminal: Terminal
    result: Path
    saved: dict[tuple[str, ...], Path]


def convert(files: Sequence[Path], kind: str, folder: Path, home: Path) -> list[Path]:
    """The files as LibreOffice saves them in another kind: to start it takes much longer than to save one."""
    command = [str(SOFFICE), f"-env:UserInstallation=file://{home}", "--headless", "--convert-to", kind]
    done = subprocess.run(
        [*command, "--outdir", str(folder), *map(str, files)],
        capture_output=True,
        check=False,
        env=os.environ | {"HOME": str(home)},
        timeout=120,
    )
    made = [folder / f"{file.stem}.{kind}" for file in files]
    assert all(one.exists() for one in made), done.stdout + done.stderr
    return made


def save_again(results: dict[str, Path], folder: Path) -> dict[tuple[str, ...], Path]:
    """Save the result of each kind as the trips have it, all that become one kind at once."""
    trips = [(kind, *steps) for kind, steps in (*TRIPS.values(), DAMAGED)]
    now = {}
    for number, trip in enumerate(trips):
        now[trip] = Path(shutil.copy(results[trip[0]], folder / f"{number}.{trip[0]}"))
    for step in (1, 2):
        for kind in ("csv", "ods", "xlsx"):
            those = [trip for trip in trips if trip[step : step + 1] == (kind,)]
            if those:
                to = folder / f"{step}-{kind}"
                now.update(zip(those, convert([now[one] for one in those], kind, to, folder / "home"), strict=True))
    return now


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def paid(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer) -> AsyncIterator[dict[str, Paid]]:
    """The file once with a result in each kind, each time with a ledger and a platform of its own."""
    async with AsyncExitStack() as stack:
        done: dict[str, tuple[Sandbox, Terminal, Path]] = {}
        for kind in ("csv", "xlsx"):
            sandbox = await stack.enter_async_context(Sandbox(secret=SECRET))
            terminal = Terminal(tmp_path_factory.mktemp(kind), sandbox.base_url, fork_server)
            write_file(terminal.folder / "payouts.csv", payouts())
            first = await terminal.run("batch", "payouts.csv", "--yes", "--result", f"payouts.result.{kind}")
            assert first.code == 4, first.err
            done[kind] = sandbox, terminal, terminal.folder / f"payouts.result.{kind}"
        saved = save_again({kind: one[2] for kind, one in done.items()}, tmp_path_factory.mktemp("office"))
        yield {kind: Paid(*one, saved) for kind, one in done.items()}


def values(path: Path) -> list[dict[str, str]]:
    defaults = {"ip_address": "", "notify_url": ""}
    with path.open("rb") as data, PayoutFile(data, spec=region_named("india"), defaults=defaults) as file:
        rows = list(file.rows())
    assert [one.problems for one in rows if one.problems] == []
    return [{name: row.values.get(name, "") for name in KEPT} for row in rows]


@pytest.mark.parametrize(("kind", "trip"), TRIPS.values(), ids=TRIPS)
async def test_what_comes_back_is_what_was_written(paid: dict[str, Paid], kind: str, trip: Sequence[str]):
    """Every trade number, account, code and remark; and nothing of it is paid twice."""
    one = paid[kind]
    file = one.saved[kind, *trip]
    booked = len(one.sandbox.books.bookings)
    assert values(file) == values(one.result)
    again = await one.terminal.run("batch", str(file), "--yes", "--file-complete")
    assert again.code == 4, again.err
    assert len(one.sandbox.books.bookings) == booked


async def test_what_a_spreadsheet_has_damaged_is_refused(paid: dict[str, Paid]):
    """It says which cells are numbers, and sends nothing."""
    kind, steps = DAMAGED
    one = paid[kind]
    booked = len(one.sandbox.books.bookings)
    done = await one.terminal.run("batch", str(one.saved[kind, *steps]), "--yes")
    assert (done.code, "is a number, not text" in done.err, "Nothing was sent" in done.err) == (3, True, True)
    assert len(one.sandbox.books.bookings) == booked
