"""How old an attempt is, whatever clock each process has: a time namespace moves the steady one."""

import asyncio
import json
import shutil
import subprocess
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from paypro_async.ledger.sql.identity import boot_id
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.fork_server import ROOT, ForkServer
from tests.support.intents import MERCHANT, intent

_AHEAD = ["unshare", "-T", "--boottime", "5000"]


def _may_move_time() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_AHEAD, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _may_move_time(), reason="only root may make a time namespace")


async def ahead(module: str, *arguments: str, typed: bytes = b"") -> str:
    """What a program prints whose steady clock is 5,000 seconds ahead of ours."""
    process = await asyncio.create_subprocess_exec(
        *_AHEAD, sys.executable, "-m", module, *arguments, cwd=ROOT, stdin=PIPE, stdout=PIPE
    )
    output, _ = await process.communicate(typed)
    assert process.returncode == 0
    return output.decode()


async def test_an_attempt_that_was_announced_in_another_time_namespace_is_not_old(durable: SqlLedger, path: Path):
    """Nor younger than it is: its settle window is neither skipped nor endless."""
    await ahead("tests.support.programs.claimer", f"sqlite:///{path}", "1", "falls", typed=b"\n\n")
    entry = await durable.get(MERCHANT, "T0")
    assert entry is not None
    assert -1 < entry.age < 60


async def test_a_process_in_another_time_namespace_does_not_take_ours_for_old(durable: SqlLedger, path: Path):
    """What is under way here is young there too."""
    await durable.claim(intent("T1"))
    age = float(await ahead("tests.support.programs.ages", f"sqlite:///{path}", "T1"))
    assert -1 < age < 60


@pytest.mark.parametrize("way", ["forked", "moved"])
async def test_a_clock_that_changes_under_a_process_is_noticed(fork_server: ForkServer, way: str):
    """What it had read of the machine does not outlive a fork, or its own return from a file."""
    child = fork_server.start("tests.support.programs.time_namespace", way, folder=ROOT)
    assert await child.ended() == 0, child.errors
    before, then = json.loads(child.output)
    assert before == boot_id()
    assert then not in (None, before)


async def test_the_start_of_the_machine_is_read_once(durable: SqlLedger):
    """Every row asks for it; and without a namespace it is called as it always was."""
    assert boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()  # noqa: ASYNC240
    assert boot_id() is boot_id()
