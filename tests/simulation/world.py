"""One seed: a world of its own, brought to its end, with every rule looked at on the way."""

import asyncio
import random
from typing import Any
from unittest import mock

from paypro_async import PayProClient, State, StopRules
from paypro_async.tracking import delivery
from tests.simulation import calls
from tests.simulation.listeners import Callback, Listeners
from tests.simulation.loop import Process, SimulatedLoop, Stuck
from tests.simulation.merchant import Merchant
from tests.simulation.oracle import Oracle
from tests.simulation.persons import Persons
from tests.simulation.platform import Platform
from tests.simulation.processes import Clocks, Connection
from tests.simulation.store import Store
from tests.simulation.themes import forecast
from tests.simulation.trace import Trace, Violation
from tests.simulation.wire import SimulatedTransport
from tests.support.merchant import MERCHANT_NO

_ROUNDS = 8
_MOST_LIVES = 6
_MOST_MINUTES = 60  # until a handler that failed before the end is tried again


class _Signer:
    """The simulated platform believes anybody, so signing may be cheap."""

    def sign(self, fields: Any) -> str:
        return "signed"


_SIGNER = _Signer()


class World:
    """Everything there is."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.dice = random.Random(seed)
        self.weather = forecast(self.dice)
        self.loop = SimulatedLoop()
        self.trace = Trace()
        self.oracle = Oracle(self)
        self.store = Store(self)
        self.platform = Platform(self)
        self.merchant = Merchant(self)
        self.persons = Persons(self)
        self.listeners = Listeners(self)
        self.over = False
        self.processes: list[Process] = []
        self.clients: dict[Process, tuple[PayProClient, Connection]] = {}
        self.open_jobs = 0
        if self.weather.foreign:
            self.platform.foreign.add("T0")

    def note(self, who: str, what: str, *about: Any) -> None:
        self.trace.add(self.loop.now, who, what, *about)

    def run(self) -> None:
        """From the first call to the last check."""
        self.note("world", "has", self.weather)
        try:
            with mock.patch.multiple(delivery, _LOOK_SECONDS=5.0, _LONGEST_LOOK=10.0):  # or it would do little else
                self._chaos()
                self._rest()
        except Stuck as stuck:
            self.oracle.violate("stuck", str(stuck))
            assert self.loop.broken is not None
            raise self.loop.broken from None
        except Violation:
            raise
        except Exception as error:
            # The simulation itself, or the product where nobody catches: a finding all the same.
            self.loop.broken = None
            self.oracle.violate("unexpected error", repr(error))
            raise self.loop.broken from error
        finally:
            self.over = True
            self.loop.bury(self.processes)

    def _chaos(self) -> None:
        for number in range(self.weather.processes):
            self.open_jobs += 1
            delay = self.dice.choice((0.0, self.dice.random() * self.weather.settle_after * 1.5))
            first = self.weather.early and number == 0
            self.loop.happen(0.0 if first else delay, self.start, f"p{number}")
        if self.weather.clocks and self.dice.random() < self.weather.clocks:
            self.loop.happen(self.dice.random() * self.weather.settle_after, self._put_clocks)
        if self.weather.restores:
            first, later = self.dice.random() * self.weather.settle_after, self.dice.random() * 2
            self.loop.happen(first, self.store.back_up, later * self.weather.settle_after)
        if self.weather.persons and self.dice.random() < self.weather.persons:
            self._send_persons()
        horizon = self.loop.now + 12 * self.weather.settle_after + 200
        self.loop.call_at(horizon + 1, lambda: None)  # it comes even if a ledger never answers anybody
        self.loop.drive(lambda: self.open_jobs <= 0 or self.loop.now > horizon)

    def _rest(self) -> None:
        """No more faults; one clean process after, or beside, those that are left."""
        self.note("world", "calms down")
        self.platform.calm = True
        leave = self.open_jobs <= 0 and self.dice.random() < 0.5
        for process in self.processes:
            process.plan = {}
            if not leave:
                process.alive = False
        process = self._born("clean")
        task = self.loop.spawn(process, self._clean(process))
        self.loop.drive(task.done)
        task.result()
        for row in self.merchant.rows:
            self.oracle.ends(row[0].trade_no)
            entry = self.store.entry(row[0].trade_no)
            self.trace.met[f"end: {entry.state if entry else None}"] += 1
        if self.listeners.listening:
            self.listeners.check()
        if self.loop.broken is not None:
            raise self.loop.broken

    async def _clean(self, process: Process) -> None:
        client, _ = self.clients[process]
        await client.open()
        for _ in range(_ROUNDS):
            found = await client.reconcile(wait=True, concurrency=self.dice.choice((1, 3)))
            calls.check_reconciliation(self, found)
            rows = [self._as_stored(variants) for variants in self.merchant.rows]
            call = calls.Call(process, "batch", rows)
            await calls.batch(self, call, client, refresh=True, stop=StopRules.off(), check_states=True)
            if all(self._explained(row.trade_no) for row, _ in self.merchant.rows):
                break
            await asyncio.sleep(self.weather.settle_after)
        if self.listeners.listening:
            for _ in range(_MOST_MINUTES):
                if self.listeners.all_told():
                    return
                await asyncio.sleep(60.0)

    def _explained(self, trade_no: str) -> bool:
        entry = self.store.entry(trade_no)
        if entry is None:
            return False
        still_open = entry.state in (State.NEW, State.SENDING, State.PROCESSING, State.MISSING)
        return not still_open or self.oracle.cannot_be_known(entry)

    def knows_as_accepted(self, trade_no: str) -> bool:
        """Whether the merchant's ledger holds that the platform works on it."""
        entry = self.store.entry(trade_no)
        return entry is not None and entry.state is State.PROCESSING

    def _as_stored(self, variants: Any) -> Any:
        entry = self.store.entry(variants[0].trade_no)
        return next((one for one in variants if entry and str(one.amount) == entry.content["amount"]), variants[0])

    def _put_clocks(self) -> None:
        # Only ever back: a store whose clock runs ahead makes attempts look older than they are.
        back = self.dice.random() * self.weather.settle_after * 0.5
        self.store.clock.offset -= back
        for process in self.processes:
            process.wall_offset = self.dice.choice((-86400.0, 86400.0)) * self.dice.random()
        self.note("world", "puts the clocks", f"store back by {back:.3f} s")
        self.trace.met["fault: clocks jump"] += 1

    def _send_persons(self) -> None:
        """Some look now and then, from a machine of their own."""
        process = self._born("person")
        for _ in range(self.dice.choice((2, 5, 10, 20))):
            delay = self.dice.random() * self.dice.choice((2, 6)) * self.weather.settle_after
            self.open_jobs += 1
            self.loop.happen(delay, lambda: self.loop.spawn(process, self._look(process)))

    async def _look(self, process: Process) -> None:
        client, _ = self.clients[process]
        if client._engine is None:
            await client.open()
        try:
            if not self.platform.calm:
                await self.persons.work(process)
        except Exception as error:  # noqa: BLE001  whatever it is, a person would see it
            self.oracle.violate("unexpected error", f"a person gets {error!r}")
        finally:
            self.open_jobs -= 1

    def start(self, name: str) -> None:
        """A process begins its life."""
        process = self._born(name)
        weather, dice = self.weather, self.dice
        if dice.random() < weather.kills and len(self.processes) < _MOST_LIVES:
            process.plan[self._some_step()] = self._kill
        if dice.random() < weather.freezes and not weather.early:
            process.plan.setdefault(self._some_step(), self.freeze)
        for _ in range(dice.choice((1, 2))):
            if dice.random() < weather.cancels:
                process.plan.setdefault(self._some_step(), self._cancel)
        if dice.random() < weather.cancels * 0.2:
            process.plan.setdefault(self._some_step(), self._close)
        self.loop.spawn(process, self._live(process))

    def _born(self, name: str) -> Process:
        weather = self.weather
        differs = weather.operator is not None and self.dice.random() < 0.5
        process = Process(name, {}, weather.operator if differs and weather.operator else weather.usual)
        process.steady_offset = self.dice.random() * 1e5
        if self.weather.clocks:
            process.wall_offset = self.dice.choice((-86400.0, 0.0, 86400.0)) * self.dice.random()
        self.processes.append(process)
        connection = Connection(self, process)
        client = PayProClient(
            base_url="https://paypro.example/in",
            merchant_no=MERCHANT_NO,
            signer=_SIGNER,
            transport=SimulatedTransport(self, process),
            ledger=connection,
            runtime=Clocks(self, process),
            # Another machine for each process: what was stored first is sent, whoever sends it again.
            ip_address=f"203.0.113.{len(self.processes)}",
            **weather.arguments(process.settings),
            **self.listeners.settings(process),
        )
        self.clients[process] = client, connection
        self.note(name, "starts", process.settings if differs else "")
        return process

    def _some_step(self) -> int:
        return self.dice.randint(3, self.dice.choice((12, 30, 80, 250)))

    async def _live(self, process: Process) -> None:
        client, _ = self.clients[process]
        await client.open()
        jobs = calls.draw(self, process, client)
        process.calls = [asyncio.create_task(job()) for job in jobs]
        await asyncio.wait(process.calls)
        self.open_jobs -= 1
        for task in process.calls:
            if not task.cancelled() and task.exception() is not None:
                raise task.exception()  # type: ignore[misc]  # it is not None

    def _kill(self, process: Process) -> None:
        process.alive = False
        self.note(process.name, "is killed", process.doing)
        self.trace.met["killed while " + process.doing] += 1
        # Somebody starts it again.
        name = process.name + "'"
        self.loop.happen(self.dice.random() * 1.5 * self.weather.settle_after, self.start, name)

    def freeze(self, process: Process) -> None:
        """SIGSTOP, and some time later SIGCONT."""
        process.frozen = True
        share = self.dice.random() * self.dice.choice((0.5, 1.5, 4))
        if self.weather.early:
            share = 1 + 0.7 * self.dice.random()  # it goes on while somebody else sends
        seconds = share * self.weather.settle_after
        self.note(process.name, "is stopped for", f"{seconds:.3f} s", process.doing)
        self.trace.met["stopped while " + process.doing] += 1
        self.loop.happen(seconds, self._go_on, process)

    def _go_on(self, process: Process) -> None:
        self.note(process.name, "goes on")
        self.loop.thaw(process)

    def _cancel(self, process: Process) -> None:
        left = [task for task in process.calls if not task.done()]
        if left:
            self.note(process.name, "cancels a call", process.doing)
            self.trace.met["cancelled while " + process.doing] += 1
            self.dice.choice(left).cancel()

    def _close(self, process: Process) -> None:
        """A program that is told to end, and ends in order."""
        client, _ = self.clients[process]
        if len(client._batches) > 1 or client._engine is None:
            return  # They are closed in the order of a set.
        process.closing = True
        self.note(process.name, "closes its client", process.doing)
        self.trace.met["closed while " + process.doing] += 1
        self.loop.spawn(process, client.aclose())

    def receive(self, callback: Callback, tries: int = 0) -> None:
        """A callback arrives at one of those that live, if anybody does."""
        alive = [process for process in self.processes if process.alive]
        if alive and not self.over:
            process = self.dice.choice(alive)
            self.trace.met["callback"] += 1
            client, _ = self.clients[process]
            self.loop.spawn(process, self.listeners.receive(process, client, callback, tries))
