"""The rate of payouts that all processes of one ledger keep together.

The ledger hands out turns, evenly spaced on its own clock; a process takes some ahead and uses each when it is due. A
turn that was missed is dropped and never made up for, so that no burst follows a pause, a crash or a freeze.
"""

import asyncio
import math
from collections import deque
from typing import ClassVar

from attrs import define, field

from paypro_async.errors import ConfigurationError, LedgerUnavailableError
from paypro_async.ledger import Ledger
from paypro_async.ledger.patience import answer_within
from paypro_async.runtime import Runtime

__all__ = ["NoRate", "Rate"]

_SPARE = 1.04
"""Turns are further apart than the rate asks for, by what lies between a turn and the arrival of its request."""
_LATE = 0.03
"""Seconds after which a turn has been missed."""
_AHEAD = 0.1
"""Seconds of the rate that a process takes at once: what a crash wastes, and how rarely the ledger is asked."""
_LONGEST_LEAD = 1.0


class NoRate:
    """No rate to keep: each payout's turn is now."""

    limited: ClassVar[bool] = False

    async def turn(self, *, within: float | None = None) -> float | None:  # noqa: ARG002  as a rate has it
        """None: there is nothing to wait for."""
        return None

    def missed(self, _turn: float | None, /) -> bool:
        """Never: there is no turn to miss."""
        return False

    def ahead(self, _turn: float | None, /) -> float:
        """No seconds to wait."""
        return 0.0

    async def ready(self, _deadline: float, /) -> float | None:
        """No turn, and none to wait for."""
        return None

    async def go(self, turn: float | None, /) -> None:
        """Return at once, since there is no turn to wait for."""

    def stored(self, seconds: float, /) -> None:
        """That is of no interest where no turn has to be met."""


@define(eq=False)
class Rate:
    """The turns of one batch.

    Args:
        ledger: Hands them out.
        name: What all who keep the rate call it.
        per_second: Payouts a second at most.
        runtime: Clock and sleep.
        patience: Seconds that the ledger has for handing out a turn.
        lead: Seconds that storing an intent has lately taken: one that is begun so much ahead of its turn is in time.

    Raises:
        ConfigurationError: If the rate makes no sense.
    """

    limited: ClassVar[bool] = True

    ledger: Ledger
    name: str
    per_second: float
    runtime: Runtime
    patience: float = 30.0
    lead: float = 0.0
    _due: deque[float] = field(factory=deque, init=False)
    _count: int = field(default=1, init=False)
    _taking: asyncio.Lock = field(factory=asyncio.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        if isinstance(self.per_second, bool) or not 0 < self.per_second < math.inf:
            raise ConfigurationError("rate must be more than zero payouts a second, or None.")

    async def turn(self, *, within: float | None = None) -> float:
        """The next turn: a moment of the steady clock, at hand or to be waited for.

        Args:
            within: Seconds that the ledger has for handing it out.

        Raises:
            LedgerUnavailableError: If the ledger hands out none.
        """
        patience = self.patience if within is None else min(within, self.patience)
        try:
            async with asyncio.timeout(patience), self._taking:
                while self._due and self.missed(self._due[0]):
                    self._due.popleft()
                    self._count = 1  # More than is used; other processes may need them.
                if not self._due:
                    await self._take(patience)
                return self._due.popleft()
        except TimeoutError:
            raise LedgerUnavailableError(
                f"The ledger handed out no turn of the rate within {patience:.3g} s."
            ) from None

    def missed(self, turn: float | None) -> bool:
        """Whether it is too late for that turn, or there is none."""
        return turn is None or self.runtime.steady() > turn + _LATE

    def ahead(self, turn: float | None) -> float:
        """Seconds until the intent of a payout with that turn should be stored; zero or less if that is now."""
        return 0.0 if turn is None else turn - self.lead - self.runtime.steady()

    async def ready(self, deadline: float) -> float:
        """Take a turn and wait until it is nearly due, but not beyond the *deadline*, a moment of the steady clock."""
        turn = await self.turn(within=max(0.0, deadline - self.runtime.steady()))
        if (delay := min(turn - self.lead, deadline) - self.runtime.steady()) > 0:
            await self.runtime.sleep(delay)
        return turn

    async def go(self, turn: float | None) -> None:
        """Wait for the turn; for another one if there is none, or it was missed."""
        due = await self.turn() if turn is None else turn
        while True:
            if (delay := due - self.runtime.steady()) > 0:
                await self.runtime.sleep(delay)
            if not self.missed(due):
                return
            due = await self.turn()

    def stored(self, seconds: float) -> None:
        """An intent took so long to store."""
        self.lead = min(_LONGEST_LEAD, 0.8 * self.lead + 0.2 * seconds)

    async def _take(self, patience: float) -> None:
        spacing = _SPARE / self.per_second
        taking = self.ledger.reserve(self.name, spacing=spacing, count=self._count)
        turns = await answer_within(patience, self.ledger, taking)
        first = self.runtime.steady() + turns.first
        self._due.extend(first + number * spacing for number in range(turns.count))
        self._count = max(1, min(2 * self._count, int(_AHEAD * self.per_second)))
