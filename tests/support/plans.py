"""Plans for tests that want one and do not look at how it is made."""

from pathlib import Path

from attrs import evolve

from paypro_async.bulk import PlanFile
from tests.support.terminal import Terminal

_MADE: dict[bytes, PlanFile] = {}


async def planned(terminal: Terminal, name: str = "payouts.csv") -> Path:
    """Plan a file for a ledger that is not there yet: by the command, or as it planned the same rows before."""
    file = terminal.folder / name
    plan = file.with_name(f"{name}.plan.json")
    content = file.read_bytes()
    if content in _MADE:
        ledger = file.with_name(terminal.environment["PAYPRO_LEDGER"])
        evolve(_MADE[content], path=file, ledger=str(ledger)).save(plan)
    else:
        done = await terminal.run("plan", name)
        assert done.code == 0, done.err
        _MADE[content] = PlanFile.load(plan)
    return plan
