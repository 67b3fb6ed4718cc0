"""The commands of docs/scale.md run, and what the model says is what is measured."""

import math
import re
import sys
from pathlib import Path

import pytest

from benchmarks.scale.__main__ import COMMANDS, main
from benchmarks.scale.kills import busiest_second
from benchmarks.scale.ledgers import ledger_of, spread
from benchmarks.scale.model import Setting, carried, simulated

PAGE = Path(__file__).parent.parent / "docs" / "scale.md"
NEEDS_PROC = pytest.mark.skipif(sys.platform != "linux", reason="CPU of other processes is read from /proc")
SMALL = {
    "workers": ["--workers", "1", "2", "--seconds", "1", "--under-way", "5", "--latency", "0.05"],
    "rate": ["--rate", "60", "--workers", "2", "--seconds", "3", "--latency", "0.05"],
    "ledger": ["--payouts", "300", "--latency", "0", "--under-way", "20"],
    "growth": ["--rows", "2000"],
    "model": ["--rate", "500"],
    "partitions": ["--payouts", "300"],
    "ledgers": ["--merchants", "500"],
}


@NEEDS_PROC
@pytest.mark.trial
@pytest.mark.long
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_prints_what_it_found(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, *SMALL[command]]) == 0
    out = capsys.readouterr().out
    assert re.search(r"\| [\d.,]+ |requests, and", out)
    assert "the machine's load" in out


def test_each_table_of_the_page_has_its_command() -> None:
    named = set(re.findall(r"python -m benchmarks\.scale (\w+)", PAGE.read_text(encoding="utf-8")))
    assert named == set(COMMANDS)


@pytest.mark.parametrize("under_way", [1, 20, 100])
@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("fsync", [0.0002, 0.005])
def test_the_formula_and_the_simulation_agree(workers: int, under_way: int, fsync: float) -> None:
    """To a tenth; the simulation knows groups and the ends of shards, the formula means of these."""
    setting = Setting(workers=workers, under_way=under_way, fsync=fsync, rate=2000, cores=64)
    assert math.isclose(carried(setting).rate, simulated(setting, seconds=120.0), rel_tol=0.1)


def test_the_model_is_what_was_measured() -> None:
    """To a sixth, as long as the cores were not what ended it."""
    rows = re.findall(r"^\| (\d) \| (\d+) \| \d\.\d\d \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    measured = {int(workers): float(rate) for workers, rate in rows}
    for workers in (1, 2, 4):
        assert carried(Setting(workers=workers)).rate == pytest.approx(measured[workers], rel=1 / 6)


def test_what_ends_it_is_named() -> None:
    assert carried(Setting()).ended_by == "what workers have under way"
    assert carried(Setting(workers=32, rate=500, cores=64)).ended_by == "the account's rate"
    assert carried(Setting(workers=32, under_way=200, cores=4)).ended_by == "all cores"
    assert carried(Setting(under_way=2000, shard=10_000, cores=64, worker_cpu=0.0001)).ended_by == "a ledger's thread"
    assert carried(Setting(workers=999, cores=999, log_bytes_per_second=1e6)).ended_by == "PostgreSQL's log"


def test_the_busiest_second_begins_anywhere() -> None:
    assert busiest_second([]) == 0
    assert busiest_second([0.0, 0.9, 1.0, 1.1, 1.89, 5.0]) == 4
    assert busiest_second([0.0, 1.0, 2.0]) == 1


def test_merchants_stay_in_their_ledger_when_one_is_added() -> None:
    """Those that move all go to the new one, and about as many as it shall hold."""
    found = spread(2000, 4)
    assert found.astray == 0.0
    assert found.moved == pytest.approx(1 / 5, rel=0.15)
    assert found.fewest > 0.85
    assert found.most < 1.15


def test_which_ledger_a_merchant_has_never_changes() -> None:
    """Written down once, since another answer would pay from a ledger that knows nothing of what was paid."""
    names = ["a", "b", "c"]
    assert [ledger_of(f"{number:010d}", names) for number in range(8)] == ["c", "b", "a", "b", "c", "b", "b", "c"]
    assert ledger_of("0000000001", names[::-1]) == ledger_of("0000000001", names)
