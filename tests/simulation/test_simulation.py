"""Thousands of small worlds in virtual time: no schedule of faults pays twice, lies to a caller, or loses a payout."""

import asyncio
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.__main__ import main
from tests.simulation.defects import MUTATIONS
from tests.simulation.loop import Process, SimulatedLoop, Stuck
from tests.simulation.runner import replay, run_range
from tests.simulation.seeds import FOUND_AT

ROOT = Path(__file__).parents[2]
SEEDS = 600
SEARCHED = 3000
QUICK = 250
_PARTS = 4


def test_the_worlds_break_no_rule_and_are_bad_enough():
    """Each kind of fault, crash and end comes up, and processes are killed where something is at stake."""
    summary = run_range(0, QUICK, stop=True)
    assert not summary.found, str(summary.found[0])
    assert summary.worlds == QUICK
    met = summary.met
    for needed in (
        "killed while awaiting the reply to a payout",
        "killed while after claim",
        "killed while before move",
        "stopped while connecting",
        "cancelled while awaiting the reply to a payout",
        "fault: ledger is in doubt",
        "fault: ledger refuses",
        "fault: ledger is slow",
        "fault: send deadline passed",
        "fault: lost before booking",
        "fault: reply: late",
        "fault: arrives twice",
        "fault: not found for a moment",
        "fault: clocks jump",
        "fault: reversed later",
        "callback",
        "end: succeeded",
        "end: failed",
        "end: review",
        "end: reversed",
        "error: IdempotencyConflictError",
        "error: ReplyLostError",
    ):
        assert met[needed], f"never: {needed}"
    assert len([name for name in met if name.startswith("fault: booked: ")]) > 10
    assert len([name for name in met if name.startswith("fault: not booked: ")]) > 8


@pytest.mark.trial
@pytest.mark.parametrize("part", range(_PARTS))
def test_no_world_breaks_a_rule(part: int):
    """A finding prints its seed, what happened in its world, and how to see it again."""
    count = SEEDS // _PARTS
    summary = run_range(part * count, count, stop=True)
    assert not summary.found, str(summary.found[0])
    assert summary.worlds == count


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_defect_is_found(name: str):
    """A defect of the product that would cost money is found where it was found before, or else by a search."""
    recorded = FOUND_AT.get(name, 0)
    with MUTATIONS[name].planted():
        found = run_range(recorded, 1).found or run_range(0, SEARCHED, stop=True).found
        assert found, f"not found in {SEARCHED} worlds: {name}"
        _, again = replay(found[0].seed)
    assert found[0].kind in MUTATIONS[name].finds, str(found[0])
    assert str(again) == str(found[0])
    assert replay(found[0].seed)[1] is None  # without the defect


@pytest.mark.trial
@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in MUTATIONS if FOUND_AT.get(name, 0) < 100])
def test_each_defect_is_found_by_a_search(name: str):
    """The first finding of a search that knows nothing is one of those that the defect leads to. The searches for the
    others take up to a minute each; that their worlds find them is tested above.
    """
    with MUTATIONS[name].planted():
        found = run_range(0, SEARCHED, stop=True).found
    assert found, f"not found in {SEARCHED} worlds: {name}"
    assert found[0].kind in MUTATIONS[name].finds, str(found[0])


def test_every_record_names_a_defect():
    assert set(FOUND_AT) <= set(MUTATIONS)


def digest(first: int, count: int) -> str:
    stories = "\n".join(replay(seed)[0] for seed in range(first, first + count))
    return hashlib.sha256(stories.encode()).hexdigest()


def test_a_seed_is_one_world_to_the_letter():
    """The same trace again, in another process, and with other hashes: nothing depends on memory, sets or the time."""
    here = digest(300, 20)
    assert digest(300, 20) == here
    program = "from tests.simulation.test_simulation import digest; print(digest(300, 20))"
    for hashes in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hashes}
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == here


def test_the_command_says_what_it_met_and_how_to_replay(capsys: pytest.CaptureFixture[str]):
    """Zero if all is well; else the seed, the story, and the command that tells it again."""
    assert main(["--seeds", "20"]) == 0
    assert "schedules a second" in capsys.readouterr().out
    defect = "maybe sent is not sent"
    assert main(["--seeds", "20", "--mutation", defect]) == 1
    told = capsys.readouterr().out
    assert "called unsent" in told
    seed = told.partition("--replay ")[2].split()[0]
    assert main(["--replay", seed, "--mutation", defect]) == 1
    assert "writes payout" in capsys.readouterr().out
    assert main(["--replay", seed]) == 0


def test_who_is_killed_does_nothing_more_and_who_is_stopped_goes_on():
    """After a kill not even ``finally`` runs; what came while a process was stopped is there when it goes on."""
    loop, done = SimulatedLoop(), []
    killed, stopped = Process("killed", {}), Process("stopped", {})

    async def work(name: str) -> None:
        try:
            await asyncio.sleep(1)
            done.append((name, loop.now))
        finally:
            done.append(f"{name} cleans up")

    loop.spawn(killed, work("killed"))
    loop.spawn(stopped, work("stopped"))
    loop.happen(0.5, setattr, killed, "alive", False)
    loop.happen(0.5, setattr, stopped, "frozen", True)
    loop.happen(5, loop.thaw, stopped)
    loop.drive(lambda: loop.now >= 1010 or len(done) == 2)
    assert done == [("stopped", 1005.0), "stopped cleans up"]
    with pytest.raises(Stuck):
        loop.drive(lambda: False)
    loop.bury([killed, stopped])
