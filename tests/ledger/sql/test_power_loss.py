"""The power goes at any moment: what a caller was told is on the disk, and nothing that is not there was sent.

A disk of our own stands under SQLite; it knows what it would still hold. See ``tests.support.disk``.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from random import Random

import pytest
from attrs import define, field

from paypro_async import LedgerUnavailableError
from paypro_async._core.lifecycle import State
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.disk import Disk, Event, Snapshot
from tests.support.intents import ACCOUNT, MERCHANT, change, intent
from tests.support.machine_faults import Make, pragma, rows

STEPS = (State.SENDING, State.PROCESSING, State.SUCCEEDED)


@define
class Callers:
    """They pay in groups, and remember what they were told: of each number, how far it is."""

    disk: Disk
    ledger: SqlLedger
    dice: Random
    told: dict[str, int] = field(factory=dict)
    moments: list[tuple[Mapping[str, int], Snapshot]] = field(factory=list)

    async def run(self, *, lives: int = 3, count: int = 36) -> None:
        """So many times: open, pay so many, close; pictures of the disk are taken all the time."""
        self.disk.watch = self._watch
        for life in range(lives):
            await self._insist(lambda: self.ledger.open(ACCOUNT))
            numbers = iter([f"T{life}-{n}" for n in range(count)])
            await asyncio.gather(*(self._pay_all(numbers) for _ in range(self.dice.choice((1, 4, 12)))))
            await self.ledger.aclose()
        self._take()
        self.disk.watch = None

    def some(self, count: int) -> list[tuple[Mapping[str, int], Snapshot]]:
        return self.moments[:: len(self.moments) // count + 1]

    async def _pay_all(self, numbers: Iterator[str]) -> None:
        for number in numbers:
            await self._insist(partial(self.ledger.claim, intent(number)))
            self._tell(number, 0)
            await self._insist(partial(self.ledger.move, change(State.PROCESSING, number)))
            self._tell(number, 1)
            await self._insist(partial(self.ledger.move, change(State.SUCCEEDED, number, state=State.PROCESSING)))
            self._tell(number, 2)

    async def _insist(self, ask: Callable[[], Awaitable[object]]) -> None:
        while True:
            try:
                await ask()
            except LedgerUnavailableError:
                continue
            return

    def _tell(self, number: str, step: int) -> None:
        self.told[number] = step
        if self.dice.random() < 0.03:
            self._take()

    def _watch(self, event: Event) -> None:
        if self.dice.random() < (0.1 if event.kind == "sync" else 0.005):
            self._take()

    def _take(self) -> None:
        # In this order: what is told while the picture is taken need not be on it.
        self.moments.append((self.told.copy(), self.disk.snapshot()))


async def forgotten(told: Mapping[str, int], snapshot: Snapshot, folder: Path, *, keep: Random | None) -> set[str]:
    """The numbers of which the ledger knows less, after the power is back, than a caller had been told."""
    path = snapshot.restore(folder, keep=keep) / "ledger.db"
    ledger = SqlLedger(f"sqlite:///{path}")
    await ledger.open(ACCOUNT)
    entries = await ledger.get_many(MERCHANT, list(told))
    await ledger.aclose()
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    return {one for one, step in told.items() if one not in entries or STEPS.index(entries[one].state) < step}


@pytest.mark.parametrize("seed", range(3))
async def test_what_a_caller_was_told_survives(disk: Disk, closed: SqlLedger, tmp_path: Path, seed: int):
    """At any moment, whatever of the rest is kept: claims and moves, also while the log is merged into the file."""
    callers = Callers(disk, closed, Random(seed))
    with pragma(f"wal_autocheckpoint={1000 if seed % 2 else 8}"):
        await callers.run()
    assert len(callers.moments) >= 10
    for n, (told, snapshot) in enumerate(callers.some(20)):
        keep = Random(n) if n % 3 else None
        assert await forgotten(told, snapshot, tmp_path / f"after-{n}", keep=keep) == set()


@pytest.mark.parametrize("seed", range(3))
async def test_what_a_caller_was_told_survives_syncs_that_failed(
    disk: Disk, closed: SqlLedger, tmp_path: Path, seed: int
):
    """What a failed sync left half-written is never built upon."""
    dice = Random(seed)
    callers = Callers(disk, closed, dice)
    with pragma(f"wal_autocheckpoint={1000 if seed % 2 else 8}"):
        await closed.open(ACCOUNT)
        for _ in range(3):
            passes = dice.randrange(60)
            disk.fail("sync", sqlite3.SQLITE_IOERR_FSYNC, passes=passes, times=dice.choice((1, 2, 3, 5, 8)))
        await callers.run()
    for n, (told, snapshot) in enumerate(callers.some(20)):
        keep = Random(n) if n % 3 else None
        assert await forgotten(told, snapshot, tmp_path / f"after-{n}", keep=keep) == set()


# That it has forgotten something the ledger notices by itself; here it is about that there is something to notice.
@pytest.mark.filterwarnings("ignore:The ledger")
@pytest.mark.parametrize("setting", ["synchronous=OFF", "synchronous=NORMAL"])
async def test_a_ledger_that_does_not_sync_is_found_out(disk: Disk, closed: SqlLedger, tmp_path: Path, setting: str):
    """The same check finds what a weaker setting would forget."""
    callers = Callers(disk, closed, Random(1))
    with pragma(setting):
        await callers.run(lives=1, count=96)
    lost = [
        await forgotten(told, snapshot, tmp_path / f"after-{n}", keep=None)
        for n, (told, snapshot) in enumerate(callers.moments)
    ]
    assert sum(map(len, lost)) > 0


async def test_what_a_failed_sync_left_in_the_log_is_not_taken_over(disk: Disk, durable: SqlLedger, path: Path):
    """The claim that failed is not there, and what is stored after it does not depend on it."""
    disk.fail("sync", sqlite3.SQLITE_IOERR_FSYNC)
    for _ in range(2):
        with pytest.raises(LedgerUnavailableError, match="failed to read or write"):
            await durable.claim(intent("T1"))
    disk.mend()

    assert await durable.get(MERCHANT, "T1") is None
    assert (await durable.claim(intent("T2"))).done
    assert await forgotten({"T2": 0}, disk.snapshot(), path.parent / "after", keep=None) == set()


async def test_a_log_that_was_left_by_a_failed_sync_is_not_built_upon(disk: Disk, make: Make, path: Path):
    """A process ends after a sync that failed; what the next one stores behind its remains is safe all the same."""
    first, second = make(f"sqlite:///{path}"), make(f"sqlite:///{path}")
    await first.open(ACCOUNT)
    disk.fail("sync", sqlite3.SQLITE_IOERR_FSYNC)
    with pytest.raises(LedgerUnavailableError, match="failed to read or write"):
        await first.claim(intent("T1"))
    await first.aclose()
    disk.mend()

    await second.open(ACCOUNT)
    assert (await second.claim(intent("T2"))).done

    assert await forgotten({"T2": 0}, disk.snapshot(), path.parent / "after", keep=None) == set()
