"""The ledger that all processes share: the product's own logic, behind a clock and a connection of its own."""

from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from paypro_async import Entry, MemoryLedger, State
from paypro_async._core import lifecycle
from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import Cause, Change, Reply
from paypro_async.ledger import Written
from paypro_async.ledger.memory import _Record
from tests.simulation.loop import Process
from tests.simulation.processes import EPOCH
from tests.support.merchant import MERCHANT_NO

_PAGE = 3  # small, so that small worlds have several
_Key = tuple[str, str]


class _Clock:
    """The store's; it may be put back a little."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.offset = 0.0

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._world.loop.now + self.offset)


class _RestorableLedger(MemoryLedger):
    """One that can be put back to an earlier copy, and then treats what it does not know as the SQL ledger does.

    Args:
        restored_since: Since when it is an earlier copy; None if it is not.
    """

    restored_since: datetime | None = None

    async def claim(self, intent: Intent) -> Written:
        key = intent.merchant_no, intent.trade_no
        if self.restored_since is None or key in self._entries:
            return await super().claim(intent)
        entry = lifecycle.first_entry(intent, self._runtime.now(), restored_since=self.restored_since)
        self._entries[key] = _Record(entry, [lifecycle.claim_of(entry)])
        self._outbox.add(key, self._entries[key].history[-1])
        return Written(entry, done=entry.attempt > 0)

    def copy(self) -> Any:
        """What it holds now."""
        entries = {key: _Record(record.entry, list(record.history)) for key, record in self._entries.items()}
        outbox = self._outbox
        listeners = None if outbox._steps is None else list(outbox._steps), deepcopy(outbox._consumers)
        return entries, dict(self._orders), listeners

    def put_back(self, copy: Any) -> None:
        """Forget what came after the copy, and know that: what is open may have been sent since."""
        self._entries, self._orders, (self._outbox._steps, self._outbox._consumers) = copy
        self.restored_since = self._runtime.now()
        for key, record in self._entries.items():
            if record.entry.state in (State.NEW, State.SENDING):
                seen = {"state": record.entry.state, "attempt": record.entry.attempt}
                change = Change(
                    merchant_no=key[0], trade_no=key[1], to=State.SENDING, cause=Cause.RESTORE, doubt=True, **seen
                )
                _at_once(self.move(change))


class Store:
    """Carries out one operation after the other and shows each to the oracle.

    Args:
        put_back_at: When the ledger was put back to an earlier copy; None if it was not.
    """

    def __init__(self, world: Any) -> None:
        self._world = world
        self.clock = _Clock(world)
        self.ledger = _RestorableLedger(runtime=self.clock)
        self.put_back_at: float | None = None

    def entry(self, trade_no: str) -> Entry | None:
        """What is stored now."""
        record = self.ledger._entries.get((MERCHANT_NO, trade_no))
        return record.entry if record else None

    def back_up(self, seconds: float) -> None:
        """Copy it, and put the copy back some seconds later."""
        self._world.note("world", "copies the ledger")
        self._world.loop.happen(seconds, self._put_back, self.ledger.copy())

    def _put_back(self, copy: Any) -> None:
        if self._world.platform.calm:
            return
        self._world.note("world", "puts the ledger back")
        self._world.trace.met["fault: ledger is put back"] += 1
        self.put_back_at = self._world.loop.now
        self.ledger.put_back(copy)

    def _learn(self, process: Process, merchant_no: str, trade_no: str, decide: Any) -> Written | None:
        """A change that is decided from what is stored is shown to the oracle as any other."""
        entry = _at_once(self.ledger.get(merchant_no, trade_no))
        if entry is None:
            return None
        change = decide(entry)
        return Written(entry, done=False) if change is None else self.carry_out(process, "move", (change,))

    def carry_out(self, process: Process, name: str, about: tuple[Any, ...]) -> Any:
        """One operation, whole."""
        if name in ("open_entries", "recent_refusals"):
            return _at_once(getattr(self.ledger, name)(about[0], after=about[1], limit=min(_PAGE, about[2])))
        if name == "reserve":
            return _at_once(self.ledger.reserve(about[0], spacing=about[1], count=about[2]))
        if name in ("take", "told", "put_off", "keep", "keep_callback"):
            *given, named = about
            return _at_once(getattr(self.ledger, name)(*given, **named))
        if name == "learn":
            return self._learn(process, *about)
        if name not in ("claim", "move"):
            return _at_once(getattr(self.ledger, name)(*about))
        wish = about[0]
        before = self.entry(wish.trade_no)
        moved = _at_once(getattr(self.ledger, name)(wish))
        now = moved.entry
        told = "done:" if moved.done else "not:"
        self._world.note(process.name, name, wish.trade_no, told, f"{now.state} #{now.attempt}")
        if moved.done or before is None:
            self._world.oracle.stored(process, before, now, wish)
            if before is not None and now.state is State.FAILED is not before.state and now.reply is Reply.REFUSED:
                self._world.platform.think_again(wish.trade_no)
        return moved


def _at_once(operation: Any) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        operation.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("the ledger in memory waits for something")
