"""Several processes on one file, and the end of each."""

import json
from pathlib import Path

import pytest

from tests.support.intents import ACCOUNT
from tests.support.machine_faults import Make, numbers, rows
from tests.support.processes import finished, line, program, tell


async def test_two_processes_claim_each_number_once(path: Path):
    """Five hundred numbers, both at once, on a file that neither of them finds made."""
    url = f"sqlite:///{path}"
    async with program("claimer", url, 500, "falls") as one, program("claimer", url, 500, "falls") as other:
        for step in ("ready", "open"):
            assert [await line(one), await line(other)] == [step, step]
            await tell(one)
            await tell(other)
        ends = [await finished(one), await finished(other)]

    assert [(code, errors) for code, _, errors in ends] == [(0, ""), (0, "")]
    first, second = (json.loads(output) for _, output, _ in ends)
    assert sorted(first + second) == sorted(f"T{n}" for n in range(500))
    assert numbers(path) == {*first, *second}
    assert rows(path, "SELECT count(*) FROM event") == [(500,)]


@pytest.mark.parametrize(("end", "code"), [("falls", 0), ("raises", 1)])
async def test_a_process_that_never_closes_its_ledger_ends(make: Make, path: Path, end: str, code: int):
    """The writer keeps no process alive, and what was claimed is there for the next one."""
    async with program("claimer", f"sqlite:///{path}", 50, end) as process:
        for _ in ("ready", "open"):
            await line(process)
            await tell(process)
        ended, output, errors = await finished(process, within=10)

    assert (ended, "a script that failed" in errors) == (code, code == 1)
    ledger = make(f"sqlite:///{path}")
    await ledger.open(ACCOUNT)
    entries = await ledger.open_entries(ACCOUNT.merchant_no)
    await ledger.aclose()
    assert sorted(entry.trade_no for entry in entries) == sorted(json.loads(output))
    assert len(entries) == 50
