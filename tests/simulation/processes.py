"""What a process has of its own: clocks and dice, and its connection to the store."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from paypro_async import LedgerUnavailableError
from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import Change, Entry, Event
from paypro_async.ledger import Account, BatchRecord, Payment, Turns, Written
from paypro_async.ledger.base import ControlAnswer, OrderNumberTakenError
from paypro_async.ledger.outbox import Cursor, Lent, Parked
from tests.simulation.loop import Process

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)


class Clocks:
    """The runtime of one process: a steady clock of its own, a wall clock that jumps, and the world's dice."""

    def __init__(self, world: Any, process: Process) -> None:
        self._world, self._process = world, process

    def steady(self) -> float:
        return self._world.loop.now + self._process.steady_offset

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._world.loop.now + self._process.wall_offset)

    async def sleep(self, seconds: float) -> None:
        self._process.doing = "waiting"
        await asyncio.sleep(seconds)

    def chance(self) -> float:
        return self._world.dice.random()

    def random_bits(self, count: int) -> int:
        return self._world.dice.getrandbits(count)


class Connection:
    """A ledger as one process sees it: slow, refusing, or silent about whether it has written."""

    ends_when_cancelled = True

    def __init__(self, world: Any, process: Process) -> None:
        self._world, self._process = world, process

    async def _do(self, name: str, *about: Any) -> Any:
        world, process = self._world, self._process
        if world.over:
            raise LedgerUnavailableError("The world is over.")
        process.doing = "before " + name
        weather, dice, calm = world.weather, world.dice, world.platform.calm
        if not calm and weather.deaf and dice.random() < weather.deaf:
            return await self._never(name, *about)
        if not calm and weather.slow_ledger and dice.random() < weather.slow_ledger:
            return await self._slowly(name, *about)
        await asyncio.sleep(0)
        fault = None if calm or dice.random() >= weather.ledger else dice.choice(("refuses", "is in doubt"))
        if fault is not None:
            world.note(process.name, f"ledger {fault}:", name)
            world.trace.met["fault: ledger " + fault] += 1
        if fault == "refuses":
            raise LedgerUnavailableError("The store refuses.")
        result = world.store.carry_out(process, name, about)
        process.doing = "after " + name
        await asyncio.sleep(0)
        if fault is not None:
            raise LedgerUnavailableError("The store does not answer.")
        return result

    async def _slowly(self, name: str, *about: Any) -> Any:
        """The effect comes some time later and the reply later still, whether or not anybody waits by then."""
        world = self._world
        world.trace.met["fault: ledger is slow"] += 1
        waiter = world.loop.create_future()
        longest = world.dice.choice((0.1, 1.0, 1.2 * world.weather.send_within, world.weather.settle_after))
        before, after = world.dice.random() * longest, world.dice.random() * longest

        def happens() -> None:
            try:
                result, error = world.store.carry_out(self._process, name, about), None
            except (KeyError, OrderNumberTakenError) as refusal:
                result, error = None, refusal
            world.loop.happen(after, _answer, waiter, result, error)

        world.loop.happen(before, happens)
        return await waiter

    async def _never(self, name: str, *about: Any) -> Any:
        """No answer ever comes, whether it was done or not."""
        world = self._world
        world.note(self._process.name, "ledger never answers:", name)
        world.trace.met["fault: ledger never answers"] += 1
        if world.dice.random() < 0.5:
            with suppress(KeyError, OrderNumberTakenError):
                world.store.carry_out(self._process, name, about)
        return await world.loop.create_future()

    async def open(self, account: Account) -> None:
        """It is open."""

    async def claim(self, intent: Intent) -> Written:
        return await self._do("claim", intent)

    async def move(self, change: Change) -> Written:
        return await self._do("move", change)

    async def get(self, merchant_no: str, trade_no: str) -> Entry | None:
        return await self._do("get", merchant_no, trade_no)

    async def get_many(self, merchant_no: str, trade_nos: Sequence[str]) -> dict[str, Entry]:
        return await self._do("get_many", merchant_no, trade_nos)

    async def open_entries(self, merchant_no: str, *, after: str = "", limit: int = 500) -> list[Entry]:
        return await self._do("open_entries", merchant_no, after, limit)

    async def same_payments(self, merchant_no: str, keys: Sequence[str]) -> dict[str, list[Payment]]:
        return await self._do("same_payments", merchant_no, keys)

    async def batches(self, merchant_no: str, batch_ids: Sequence[str]) -> dict[str, BatchRecord]:
        return await self._do("batches", merchant_no, batch_ids)

    async def recent_refusals(self, merchant_no: str, *, after: str = "", limit: int = 500) -> list[Entry]:
        return await self._do("recent_refusals", merchant_no, after, limit)

    async def control_answer(self, merchant_no: str) -> ControlAnswer | None:
        return await self._do("control_answer", merchant_no)

    async def record_control(self, merchant_no: str, code: str) -> None:
        await self._do("record_control", merchant_no, code)

    async def history(self, merchant_no: str, trade_no: str) -> list[Event]:
        return await self._do("history", merchant_no, trade_no)

    async def reserve(self, pace: str, *, spacing: float, count: int) -> Turns:
        return await self._do("reserve", pace, spacing, count)

    async def record_batch(self, batch: BatchRecord) -> None:
        await self._do("record_batch", batch)

    async def learn(self, merchant_no: str, trade_no: str, decide: Any) -> Written | None:
        return await self._do("learn", merchant_no, trade_no, decide)

    async def keep_callback(self, merchant_no: str, trade_no: str, **told: Any) -> None:
        await self._do("keep_callback", merchant_no, trade_no, told)

    async def register(self, merchant_no: str, consumer: str) -> None:
        """It is known from the beginning."""

    async def take(self, merchant_no: str, consumer: str, **how: Any) -> list[Lent]:
        return await self._do("take", merchant_no, consumer, how)

    async def told(self, merchant_no: str, consumer: str, numbers: Sequence[int], **how: Any) -> None:
        await self._do("told", merchant_no, consumer, numbers, how)

    async def put_off(self, merchant_no: str, consumer: str, number: int, **how: Any) -> None:
        await self._do("put_off", merchant_no, consumer, number, how)

    async def keep(self, merchant_no: str, consumer: str, numbers: Sequence[int], **how: Any) -> None:
        await self._do("keep", merchant_no, consumer, numbers, how)

    async def parked(self, merchant_no: str, *, limit: int = 100) -> list[Parked]:
        raise NotImplementedError

    async def release(self, merchant_no: str, trade_no: str, *, consumer: str | None = None) -> int:
        raise NotImplementedError

    async def cursor(self, merchant_no: str) -> Cursor:
        raise NotImplementedError

    async def changes(self, merchant_no: str, after: Cursor, *, limit: int) -> Any:
        raise NotImplementedError

    async def aclose(self) -> None:
        """Nothing to close."""


def _answer(waiter: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    if waiter.done():
        return
    if error is None:
        waiter.set_result(result)
    else:
        waiter.set_exception(error)
