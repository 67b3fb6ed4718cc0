"""The ledger that all processes share: the product's own logic, behind a clock and a connection of its own."""

from datetime import datetime, timedelta
from typing import Any

from paypro_async import Entry, MemoryLedger
from tests.simulation.processes import EPOCH
from tests.support.merchant import MERCHANT_NO

_PAGE = 3  # small, so that small worlds have several


class _Clock:
    """The store's; it may be put back a little."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.offset = 0.0

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._world.loop.now + self.offset)


class Store:
    """Carries out one operation after the other and shows each to the oracle."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.clock = _Clock(world)
        self.ledger = MemoryLedger(runtime=self.clock)

    def entry(self, trade_no: str) -> Entry | None:
        """What is stored now."""
        record = self.ledger._entries.get((MERCHANT_NO, trade_no))
        return record.entry if record else None

    def carry_out(self, who: str, name: str, about: tuple[Any, ...]) -> Any:
        """One operation, whole."""
        if name in ("open_entries", "recent_refusals"):
            return _at_once(getattr(self.ledger, name)(about[0], after=about[1], limit=min(_PAGE, about[2])))
        if name == "reserve":
            return _at_once(self.ledger.reserve(about[0], spacing=about[1], count=about[2]))
        if name not in ("claim", "move"):
            return _at_once(getattr(self.ledger, name)(*about))
        wish = about[0]
        before = self.entry(wish.trade_no)
        moved = _at_once(getattr(self.ledger, name)(wish))
        now = moved.entry
        self._world.note(who, name, wish.trade_no, "done:" if moved.done else "not:", f"{now.state} #{now.attempt}")
        if moved.done:
            self._world.oracle.stored(who, before, now, wish)
        return moved


def _at_once(operation: Any) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        operation.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("the ledger in memory waits for something")
