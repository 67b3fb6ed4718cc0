"""The rate of payouts that everybody on one ledger keeps together.

The ledger hands out places, evenly spaced on its own clock; a process takes some ahead and uses each when it is due. A
place that was missed is dropped and never made up for, so that no burst follows a pause, a crash or a freeze.
"""

import asyncio
import math
from collections import deque

from attrs import define, field

from paypro_async.errors import ConfigurationError
from paypro_async.ledger import Ledger
from paypro_async.runtime import Runtime

__all__ = ["Rate"]

_SPARE = 1.04
"""Places are further apart than the rate asks for, by what lies between a place and the arrival of its request."""
_LATE = 0.03
"""Seconds after which a place has been missed."""
_AHEAD = 0.1
"""Seconds of the rate that a process takes at once: what a crash wastes, and how rarely the ledger is asked."""
_LONGEST_LEAD = 1.0


@define(eq=False)
class Rate:
    """The places of one batch.

    Args:
        ledger: Who hands them out.
        name: What all who keep the rate call it.
        per_second: Payouts a second at most.
        runtime: Clock and sleep.
        lead: Seconds that storing an intent has lately taken: who starts so much ahead of a place is just in time.

    Raises:
        ConfigurationError: If the rate makes no sense.
    """

    ledger: Ledger
    name: str
    per_second: float
    runtime: Runtime
    lead: float = 0.0
    _due: deque[float] = field(factory=deque, init=False)
    _count: int = field(default=1, init=False)
    _taking: asyncio.Lock = field(factory=asyncio.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        if isinstance(self.per_second, bool) or not 0 < self.per_second < math.inf:
            raise ConfigurationError("rate must be more than zero payouts a second, or None.")

    async def place(self) -> float:
        """The next place: a moment of the steady clock, at hand or to be waited for.

        Raises:
            LedgerUnavailableError: If the ledger hands out none.
        """
        async with self._taking:
            while self._due and self.missed(self._due[0]):
                self._due.popleft()
                self._count = 1  # More than is used; others may need them.
            if not self._due:
                await self._take()
            return self._due.popleft()

    def missed(self, due: float) -> bool:
        """Whether it is too late for that place."""
        return self.runtime.steady() > due + _LATE

    async def keep(self, due: float) -> None:
        """Wait for a place; for another one if it was missed."""
        while True:
            if (delay := due - self.runtime.steady()) > 0:
                await self.runtime.sleep(delay)
            if not self.missed(due):
                return
            due = await self.place()

    def stored(self, seconds: float) -> None:
        """An intent took so long to store."""
        self.lead = min(_LONGEST_LEAD, 0.8 * self.lead + 0.2 * seconds)

    async def _take(self) -> None:
        spacing = _SPARE / self.per_second
        slots = await self.ledger.reserve(self.name, spacing=spacing, count=self._count)
        first = self.runtime.steady() + slots.first
        self._due.extend(first + number * spacing for number in range(slots.count))
        self._count = max(1, min(2 * self._count, int(_AHEAD * self.per_second)))
