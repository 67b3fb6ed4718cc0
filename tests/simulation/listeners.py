"""Those who hear of payouts: callbacks that arrive, and handlers of changes that fail, hang and die."""

import asyncio
import json
import random
from collections import defaultdict
from typing import Any

from attrs import frozen

from paypro_async import ConfigurationError, PayoutChange, PayProClient
from paypro_async._core.known import change_of
from tests.simulation.loop import Process
from tests.support.merchant import MERCHANT_NO

CONSUMER = "mails"
_LISTENING = 0.2
_TRIES = 8


@frozen
class Callback:
    """What the platform says of an order at one moment, and goes on saying."""

    trade_no: str
    status: str
    number: str
    amount: str
    at: float

    def body(self) -> bytes:
        """As it is sent; the simulated signer believes anybody."""
        members = {
            "status": self.status,
            "message": "words",
            "platFormTradeNo": self.number,
            "tradeNo": self.trade_no,
            "amount": self.amount,
            "timestamp": str(int(1_700_000_000_000 + 1000 * self.at)),
            "sign": "signed",
        }
        return json.dumps(members).encode()


class Listeners:
    """What was answered to the platform, and what was told to the handlers of all processes, of one world."""

    def __init__(self, world: Any) -> None:
        self._world = world
        # Of its own, so that what else a world draws stays what it is.
        self._dice = random.Random(world.seed * 2 + 1)
        self.listening = self._dice.random() < _LISTENING
        self.told: dict[str, list[str]] = defaultdict(list)
        if self.listening:
            world.store.ledger._outbox.register(MERCHANT_NO, CONSUMER)

    def settings(self, process: Process) -> dict[str, Any]:
        """The arguments of a client that listens, or of one that does not."""
        if not self.listening or process.name == "person":
            return {}

        async def on_change(change: PayoutChange) -> None:
            await self._handle(process, change)

        return {"on_change": on_change, "consumer": CONSUMER}

    async def _handle(self, process: Process, change: PayoutChange) -> None:
        process.doing = "in a handler"
        world, calm = self._world, self._world.platform.calm
        kind = "works" if calm else self._dice.choice(("works", "works", "works", "fails", "hangs", "is slow"))
        world.trace.met["handler " + kind] += 1
        if kind == "hangs":
            await asyncio.sleep(3600.0)
        if kind == "is slow":
            await asyncio.sleep(self._dice.random() * 40.0)
        await asyncio.sleep(0)
        if kind == "fails":
            raise RuntimeError("a handler fails")
        world.note(process.name, "is told", change.id)
        self.told[change.trade_no].append(change.id)

    def made(self) -> dict[str, list[str]]:
        """The changes that the history holds, in order, by payout."""
        made: dict[str, list[str]] = defaultdict(list)
        for number, (payout, event) in enumerate(self._world.store.ledger._outbox._steps or [], 1):
            entry = self._world.store.entry(payout[1])
            change = None if entry is None else change_of(number, event, entry)
            if change is not None:
                made[payout[1]].append(change.id)
        return made

    def all_told(self) -> bool:
        """Whether nothing is left to be told."""
        return all(set(names) <= set(self.told[number]) for number, names in self.made().items())

    def check(self) -> None:
        """Each change was told, and of each payout in order; of a ledger that was put back, what it holds now."""
        world = self._world
        for number, names in self.made().items():
            missing = [name for name in names if name not in self.told[number]]
            if missing:
                world.oracle.violate("never told", f"of {number} nobody is told {missing[0]}")
            first = list(dict.fromkeys(self.told[number]))
            if world.store.put_back_at is None and [name for name in first if name in names] != names:
                world.oracle.violate("told in another order", f"of {number} is told {first}, and {names} was made")

    async def receive(self, process: Process, client: PayProClient, callback: Callback, tries: int) -> None:
        """A callback arrives at one process; what is not answered OK comes again."""
        world = self._world
        process.doing = "receiving a callback"
        try:
            reply = await client.receive_callback(callback.body())
        except ConfigurationError:  # not open yet, or closed in another way
            answered = False
        else:
            answered = (reply.status, reply.body) == (200, b"OK")
        world.note(process.name, "answers a callback about", callback.trade_no, callback.status, answered)
        if answered:
            world.oracle.acknowledged(callback)
        elif tries < _TRIES and not world.platform.calm:
            world.loop.happen(2.0 * (tries + 1), world.receive, callback, tries + 1)
