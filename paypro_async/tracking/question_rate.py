"""The rate of questions that all who reconcile with one ledger keep together."""

import math
from collections import deque
from collections.abc import Awaitable, Callable

from attrs import define, field

from paypro_async.ledger.base import Turns

__all__ = ["QuestionRate"]

_AHEAD = 0.25
"""Seconds of the rate that a run takes at once: what is wasted if it ends, and how rarely the ledger is asked."""


@define(kw_only=True, eq=False)
class QuestionRate:
    """The turns of one run: one block is used up before the next one is taken, so that none is lost.

    Args:
        per_second: Questions a second at most.
        reserve: Lets the ledger hand out turns: how many seconds apart, and how many.
        steady: The clock.
    """

    per_second: float
    reserve: Callable[[float, int], Awaitable[Turns]]
    steady: Callable[[], float]
    _turns: deque[float] = field(factory=deque, init=False)
    _free: float = field(default=-math.inf, init=False)  # when the turn comes that follows those that were taken

    async def turn(self, *, until: float) -> float | None:
        """The next turn, a moment of the steady clock; None if there is none before *until*. One call at a time."""
        if not self._turns:
            await self._take(until)
        return self._turns.popleft() if self._turns and self._turns[0] < until else None

    async def _take(self, until: float) -> None:
        left = until - max(self._free, self.steady())
        if left <= 0:
            return  # A turn that this run cannot use is another one's.
        spacing = 1 / self.per_second
        turns = await self.reserve(spacing, max(1, int(min(_AHEAD, left) * self.per_second)))
        first = self.steady() + turns.first
        self._turns.extend(first + number * spacing for number in range(turns.count))
        self._free = first + turns.count * spacing
