"""A ledger is new only if nothing speaks against it: what is absent may have been left behind."""

# ruff: noqa: ASYNC240  nobody else waits in the event loop of a test

import logging
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from paypro_async import PayProWarning
from paypro_async.ledger.file import place_of
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.provenance.watermark import Watermark
from tests.support.intents import ACCOUNT, intent
from tests.support.machine_faults import Make


def as_a_kill_leaves_it(path: Path, folder: Path) -> Path:
    """A copy of the ledger's files while it is in use: what SIGKILL would leave, at whatever name."""
    folder.mkdir()
    # Not by this process: its closing of the file would take the ledger's locks away.
    subprocess.run(["cp", "-a", *path.parent.glob(f"{path.name}*"), folder], check=True)
    return folder / path.name


async def asks_first(make: Make, path: Path, words: str) -> None:
    ledger = make(f"sqlite:///{path}")
    with pytest.warns(PayProWarning, match=words):
        await ledger.open(ACCOUNT)
    assert not (await ledger.claim(intent("T0"))).done


async def is_new(make: Make, path: Path) -> None:
    ledger = make(f"sqlite:///{path}")
    await ledger.open(ACCOUNT)
    assert ledger.restored_since is None
    assert (await ledger.claim(intent("T0"))).done


@pytest.mark.parametrize("claims", [0, 1, 3])
async def test_a_file_that_was_moved_without_its_log_is_not_new(
    durable: SqlLedger, path: Path, make: Make, tmp_path: Path, claims: int
):
    """Killed in its first run and moved alone: the tables and the first claim are in the file itself."""
    for number in range(claims):
        await durable.claim(intent(f"T{number}"))
    left = as_a_kill_leaves_it(path, tmp_path / "left")
    moved = tmp_path / "moved.db"
    left.rename(moved)
    with closing(sqlite3.connect(moved)) as file:
        assert file.execute("SELECT count(*) FROM payout").fetchone()[0] >= min(1, claims)
    await asks_first(make, moved, "mark file is missing")


async def test_the_rest_of_a_file_that_was_moved_is_not_new(durable: SqlLedger, path: Path, make: Make, tmp_path: Path):
    """Its log and its mark stayed where it was, and the next run would begin there from nothing."""
    await durable.claim(intent("T0"))
    left = as_a_kill_leaves_it(path, tmp_path / "left")
    left.unlink()
    await asks_first(make, left, "mark file knows of payouts")


async def test_a_log_without_its_file_is_not_new(durable: SqlLedger, path: Path, make: Make, tmp_path: Path):
    """Also without a mark."""
    await durable.claim(intent("T0"))
    left = as_a_kill_leaves_it(path, tmp_path / "left")
    left.unlink()
    left.with_name(f"{left.name}-mark").unlink()
    await asks_first(make, left, "its log is there")


async def test_a_file_in_use_without_tables_is_not_new(path: Path, make: Make, tmp_path: Path):
    """Its tables, and whatever else there was, are in a log that is not there."""
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("PRAGMA journal_mode=WAL")
        file.execute("CREATE TABLE meta (key, value)")
        left = as_a_kill_leaves_it(path, tmp_path / "left")
    left.with_name(f"{left.name}-wal").unlink()
    await asks_first(make, left, "its log is gone")


async def test_tables_without_a_mark_are_not_new(durable: SqlLedger, path: Path, make: Make):
    """Nobody knows how far they had come."""
    await durable.aclose()
    path.with_name(f"{path.name}-mark").unlink()
    await asks_first(make, path, "mark file is missing")


async def test_a_file_that_is_new_raises_no_alarm(path: Path, make: Make):
    """One that is not there, and an empty one that somebody has made for it."""
    await is_new(make, path)
    empty = path.with_name("empty.db")
    empty.touch()
    await is_new(make, empty)


@pytest.mark.parametrize("with_head", [False, True])
async def test_what_a_kill_left_of_a_ledger_that_was_being_made_is_new(path: Path, make: Make, with_head: bool):
    """Its mark says that the file had no tables yet."""
    path.touch()
    mark = Watermark(path.with_name(f"{path.name}-mark"))
    mark.begin(place_of(path))
    mark.close()
    if with_head:
        with closing(sqlite3.connect(path)) as file:
            file.execute("PRAGMA journal_mode=WAL")
    await is_new(make, path)


async def test_a_new_ledger_is_announced_with_its_full_path(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Once, so that a log tells of a folder that was not mounted."""
    caplog.set_level(logging.INFO, "paypro_async")
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        ledger = make("sqlite:///ledger.db")
        await ledger.open(ACCOUNT)
        await ledger.aclose()
    said = [one for one in caplog.messages if "new ledger" in one]
    assert said == [f"A new ledger is made: {tmp_path / 'ledger.db'}"]
    shutil.rmtree(tmp_path)
