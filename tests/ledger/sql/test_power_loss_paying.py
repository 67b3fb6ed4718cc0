"""The power goes while a client is paying: what had left was on the disk, and the next run pays each once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from attrs import define, field

from paypro_async import PayProClient
from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import Change, first_entry
from paypro_async.ledger import Ledger, Written
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.support.agreement import agree
from tests.support.disk import Disk, Event, Snapshot
from tests.support.intents import FIELDS
from tests.support.machine_faults import Make, execute, pragma, rows
from tests.support.network import Cable, Watched
from tests.support.programs.payer import BATCH_SETTINGS, REMARK
from tests.support.vfs import disk_under

# No number is the beginning of another: each is looked for in what was written.
NUMBERS = [f"ORDER{n:03}" for n in range(24)]
PAYOUTS = [FIELDS | {"trade_no": one, "remark": REMARK} for one in NUMBERS]
LOST_OR_UNANSWERED = frozenset({Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.CUT_BODY, Fault.PAGE_502})


@define
class Departures:
    """Each request for a payout, and what the disk held just before its first byte."""

    disk: Disk
    pictures: list[tuple[str, int, Snapshot]] = field(factory=list)
    attempts: Counter[str] = field(factory=Counter)

    def leaving(self, trade_no: str) -> None:
        self.attempts[trade_no] += 1
        self.disk.note("leaves", trade_no)
        self.pictures.append((trade_no, self.attempts[trade_no], self.disk.snapshot()))

    def before_a_sync(self) -> list[str]:
        """The numbers of which a request left before a sync had ended of what was written of them."""
        early: list[str] = []
        written: dict[str, str] = {}
        synced: set[str] = set()
        for event in self.disk.events:
            if event.kind == "write":
                written |= {one: event.name for one in NUMBERS if one not in written and one.encode() in event.data}
            elif event.kind == "sync":
                synced |= {one for one, name in written.items() if name == event.name}
            elif event.kind == "leaves" and event.name not in synced:
                early.append(event.name)
        return early

    def unknown_after_a_power_loss(self, folder: Path) -> list[str]:
        """The numbers of which a request left that the ledger would not have known to be under way."""
        unknown: list[str] = []
        for n, (trade_no, attempt, snapshot) in enumerate(self.pictures):
            path = snapshot.restore(folder / f"after-{n}") / "ledger.db"
            there = rows(path, "SELECT name FROM sqlite_master WHERE name = 'payout'")
            query = "SELECT state, attempt FROM payout WHERE trade_no = ?"
            if not there or rows(path, query, trade_no) != [("sending", attempt)]:
                unknown.append(trade_no)
        return unknown


class Hasty(SqlLedger):
    """Its claims come back before they are durable."""

    _claims: dict[str, "asyncio.Task[Written]"]

    async def claim(self, intent: Intent) -> Written:
        self._claims = getattr(self, "_claims", {})
        self._claims[intent.trade_no] = asyncio.create_task(self._later(intent))
        return Written(first_entry(intent, datetime.now(UTC)), done=True)

    async def move(self, change: Change) -> Written:
        await self._claims[change.trade_no]
        return await super().move(change)

    async def _later(self, intent: Intent) -> Written:
        await asyncio.sleep(0.05)
        return await super().claim(intent)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """Half of the first requests end badly, and it books whatever it is sent, as often as it is sent."""
    plan = FaultPlan(rate=0.5, kinds=LOST_OR_UNANSWERED, attempts=1, seed=3)
    async with Sandbox(faults=plan, deduplicate=False) as sandbox:
        yield sandbox


@pytest.fixture
async def transport() -> AsyncIterator[Watched]:
    transport = Watched()
    yield transport
    await transport.aclose()


async def pay(url: str, ledger: Ledger, *, concurrency: int = 8, **settings: Any) -> None:
    async with PayProClient(base_url=url, ledger=ledger, **BATCH_SETTINGS | settings) as client:
        await client.batch_payout(PAYOUTS, concurrency=concurrency)


async def test_no_request_leaves_before_its_intent_is_on_the_disk(
    disk: Disk, closed: SqlLedger, sandbox: Sandbox, transport: Watched, tmp_path: Path
):
    """Neither the first attempt nor a later one, by the order of events and by what a power loss would leave."""
    departures = Departures(disk)
    transport.leaving = departures.leaving
    await pay(sandbox.base_url, closed, transport=transport)

    assert max(departures.attempts.values()) >= 2  # more where a busy machine lets a reply come too late
    assert departures.before_a_sync() == []
    assert departures.unknown_after_a_power_loss(tmp_path) == []
    await agree(sandbox, closed, NUMBERS)


async def test_a_claim_that_comes_back_too_early_is_found_out(
    disk: Disk, path: Path, sandbox: Sandbox, transport: Watched, tmp_path: Path
):
    """Both checks find a ledger that says "stored" before it is."""
    ledger = Hasty(f"sqlite:///{path}")
    departures = Departures(disk)
    transport.leaving = departures.leaving
    await pay(sandbox.base_url, ledger, transport=transport)
    await ledger.aclose()

    assert departures.before_a_sync()
    assert departures.unknown_after_a_power_loss(tmp_path)


async def pay_until_the_power_goes(sandbox: Sandbox, path: Path, target: Path, dice: Random) -> None:
    """A client pays from the ledger at *path*; what the disk holds at some instant is in *target* afterwards."""
    taken: list[Snapshot] = []
    instant = dice.choice((10, 40, 150, 300))
    count = dice.randrange(instant)

    def watch(event: Event) -> None:
        nonlocal count
        count -= 1
        if count == 0:
            cable.cut()
            taken.append(disk.snapshot())
            loop.call_soon_threadsafe(gone.set)

    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    ledger = SqlLedger(f"sqlite:///{path}")
    with disk_under(path.parent.resolve()) as disk:
        async with Cable(sandbox.base_url) as cable:
            disk.watch = watch
            paying = asyncio.create_task(pay(cable.url, ledger))
            power = asyncio.create_task(gone.wait())
            await asyncio.wait({paying, power}, return_when=asyncio.FIRST_COMPLETED)
            cable.cut()
            paying.cancel()
            power.cancel()
            await asyncio.wait({paying, power})
        disk.watch = None
        await ledger.aclose()
        (taken[0] if taken else disk.snapshot()).restore(target, keep=dice.choice((dice, None)))


async def pay_through_power_losses(sandbox: Sandbox, folder: Path, dice: Random, ledger: SqlLedger) -> None:
    """Three times the power goes in the middle; the fourth run, from *ledger* in the folder ``2``, ends it."""
    here = folder
    for reboot in range(3):
        there = folder / str(reboot)
        await pay_until_the_power_goes(sandbox, here / "ledger.db", there, dice)
        here = there
        await asyncio.sleep(0.05)  # what had left before arrives
        # The settle window passes.
        file = here / "ledger.db"
        if file.exists() and rows(file, "SELECT 1 FROM sqlite_master WHERE name = 'payout'"):
            execute(file, "UPDATE payout SET sent_at = sent_at - 120")
    await pay(sandbox.base_url, ledger)


@pytest.mark.parametrize("seed", range(5))
async def test_a_batch_survives_one_power_loss_after_another(make: Make, sandbox: Sandbox, tmp_path: Path, seed: int):
    """Whenever the power goes, each payout is made once, and the ledger says what the books say."""
    ledger = make(f"sqlite:///{tmp_path / '2' / 'ledger.db'}")
    await pay_through_power_losses(sandbox, tmp_path, Random(seed), ledger)
    await agree(sandbox, ledger, NUMBERS)


async def test_without_syncs_a_power_loss_pays_twice(make: Make, sandbox: Sandbox, tmp_path: Path):
    """The books show it: it is the sync of each commit that keeps the promise."""
    ledger = make(f"sqlite:///{tmp_path / '2' / 'ledger.db'}")
    with pragma("synchronous=OFF"):
        await pay_through_power_losses(sandbox, tmp_path, Random(11), ledger)
    assert sandbox.books.booked_once(NUMBERS).twice
