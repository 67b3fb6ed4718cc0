"""The network between a process and the platform: kept connections, and whose reply is read on them."""

import asyncio
import json
from collections import deque
from contextvars import ContextVar
from typing import Any

from attrs import evolve

from paypro_async._core.wire import Exchange, Phase, WireRequest
from tests.simulation import replies
from tests.simulation.loop import Process

CALL: ContextVar[Any] = ContextVar("CALL", default=None)
_AT_ONCE = 0.002


class _Connection:
    """One that is kept; what is read on it is whatever came first."""

    def __init__(self) -> None:
        self.open = True
        self.unread: deque[Exchange] = deque()

    def discard(self) -> None:
        self.open = False

    def comes_late(self, own: "asyncio.Future[Exchange]") -> None:
        """The reply to a request that has read another one."""
        if not own.cancelled() and own.result().phase is Phase.ANSWERED:
            self.unread.append(own.result())


class SimulatedTransport:
    """Says how far a request got, and checks the send deadline where the first byte is written, as is asked of it."""

    keeps_time = True

    def __init__(self, world: Any, process: Process) -> None:
        self._world, self._process = world, process
        self._idle: list[_Connection] = []

    async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
        world, process = self._world, self._process
        fields = json.loads(request.body)
        pays = request.url.endswith("/payout")
        process.doing, call = "connecting", CALL.get()
        if world.over:
            return replies.REFUSED_CONNECTION
        if pays and world.weather.early and process is world.processes[0] and not world.trace.met["stopped early"]:
            world.trace.met["stopped early"] += 1
            world.freeze(process)
        gives_up = world.loop.now + timeout
        unsent = await self._connect(timeout, pays)
        if unsent is not None:
            return unsent
        about = fields.get("tradeNo", "the balance")
        if request.send_by is not None and process.steady_offset + world.loop.now >= request.send_by:
            world.note(process.name, "is late for", about)
            world.trace.met["fault: send deadline passed"] += 1
            call.begins_anew()
            return replies.LATE
        waiter = world.loop.create_future()
        world.loop.call_at(gives_up, _give_up, waiter)
        world.note(process.name, "writes", "payout" if pays else "question", about)
        process.doing = "awaiting the reply to a payout" if pays else "awaiting the reply to a question"
        if pays:
            world.oracle.written(fields, process, call)
            world.platform.pay(fields, waiter, process, call)
        elif "tradeNo" in fields:
            world.platform.ask(about, waiter)
        else:
            world.platform.balance(waiter)
        exchange = await self._read(waiter)
        process.doing = "reading a reply"
        if pays and exchange.phase is not Phase.ANSWERED:
            call.begins_anew()
        world.note(process.name, "reads", about, exchange.phase.name, exchange.status or "")
        return exchange

    async def _read(self, waiter: "asyncio.Future[Exchange]") -> Exchange:
        """What comes first on the connection, which is kept if that was a whole reply."""
        world = self._world
        self._idle = [one for one in self._idle if one.open]
        connection = self._idle.pop() if self._idle else _Connection()
        if connection.unread:
            world.trace.met["fault: reply to another request"] += 1
            waiter.add_done_callback(connection.comes_late)
            await asyncio.sleep(_AT_ONCE)
            exchange = connection.unread.popleft()
        else:
            exchange = await waiter
        if exchange.phase is not Phase.ANSWERED:
            return exchange
        if world.weather.doubled and not world.platform.calm and world.dice.random() < world.weather.doubled:
            world.trace.met["fault: reply doubled"] += 1
            connection.unread.append(exchange)
        self._idle.append(connection)
        return evolve(exchange, discard=connection.discard)

    async def _connect(self, timeout: float, pays: bool) -> Exchange | None:
        world = self._world
        calm = world.platform.calm
        if not calm and pays and world.dice.random() < world.weather.unsent:
            unsent = world.dice.choice((replies.REFUSED_CONNECTION, replies.POOL))
            world.trace.met["fault: " + str(unsent.cause)] += 1
            await asyncio.sleep(world.dice.random() * 0.1)
            return unsent
        takes = 0.0 if calm else world.dice.choice((0.0, 0.0, 0.01, world.dice.random() * timeout * 0.5))
        await asyncio.sleep(min(takes, timeout))
        return None

    async def aclose(self) -> None:
        """Nothing to close."""


def _give_up(waiter: "asyncio.Future[Exchange]") -> None:
    if not waiter.done():
        waiter.set_result(replies.SILENT)
