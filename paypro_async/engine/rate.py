"""The rate of payouts that all processes of one ledger keep together.

The ledger hands out turns, evenly spaced on its own clock; a process takes some ahead and uses each when it is due. A
turn that was missed is dropped and never made up for, so that no burst follows a pause, a crash or a freeze.

A turn belongs to no payout until one is ready for it: the next turns say when to get one ready, and the first that is
signed and has its connection takes the next turn that it can meet. What takes longer than usual wastes no turn then.
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

__all__ = ["NoRate", "Rate", "check_rate"]

_SPARE = 1.04
"""Turns are further apart than the rate asks for, by what lies between a turn and the arrival of its request."""
_LATE = 0.03
"""Seconds after which a turn has been missed; where there is less than one a second, that part of their distance."""
_AHEAD = 0.1
"""Seconds of the rate that a process takes at once: what a crash wastes, and how rarely the ledger is asked."""
_AHEAD_OF_SOME = 0.04
"""The same where others use most of the rate: of their turns a crash here must not waste more than of one's own."""
_MOST_OF_IT = 0.75
"""The part of the rate from which on a process counts as the only one."""
_COUNTED_SECONDS = 0.5
_GROWTH, _FEWEST = 1.5, 4
"""A process gets ready for so many times what it has lately used, and for one part in so many of the rate at least."""
_LONGEST_LEAD = 5.0
_SEEKERS = 4
_FORGOTTEN = 0.05
"""The part of what has lately taken long that each one which was quicker takes off."""
_SLOWEST, _FASTEST = 1e-6, 1e5
"""A second. What is taken ahead stays small, and the distance of two turns a span of time that clocks know."""


def check_rate(rate: object) -> None:
    """Refuse what is no rate: so many a second.

    Raises:
        ConfigurationError: With what a rate may be.
    """
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not _SLOWEST <= rate <= _FASTEST:
        raise ConfigurationError(
            f"rate must be a number from {_SLOWEST:f} to {_FASTEST:,.0f} a second; leave it out for no limit. Nothing "
            "was sent."
        )


class NoRate:
    """No rate to keep: each payout's turn is now."""

    limited: ClassVar[bool] = False
    seekers: ClassVar[float] = math.inf

    async def turn(self, *, within: float | None = None) -> float | None:  # noqa: ARG002  as a rate has it
        """None: there is nothing to wait for."""
        return None

    def missed(self, _turn: float | None, /) -> bool:
        """Never: there is no turn to miss."""
        return False

    def ahead(self, _turn: float | None, /) -> float:
        """No seconds to wait."""
        return 0.0

    async def ready(self, _deadline: float, /) -> None:
        """Return at once, since there is no turn to get ready for."""

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
        spare: Turns are so many times further apart than the rate asks for.
        late: Seconds after which a turn has been missed. In the busiest second are at most
            ``per_second / spare * (1 + late)`` payouts.

    Raises:
        ConfigurationError: If the rate makes no sense.
    """

    limited: ClassVar[bool] = True

    ledger: Ledger
    name: str
    per_second: float
    runtime: Runtime
    patience: float = 30.0
    spare: float = _SPARE
    late: float = _LATE
    _due: deque[float] = field(factory=deque, init=False)
    _awaited: int = field(default=0, init=False)  # for how many of them some payout is got ready
    _count: int = field(default=1, init=False)
    _taking: asyncio.Lock = field(factory=asyncio.Lock, init=False)
    _late: float = field(default=0.0, init=False)
    _used: int = field(default=0, init=False)  # turns since then:
    _counted_from: float = field(default=0.0, init=False)
    _own: float | None = field(default=None, init=False)  # turns a second that this process has lately used
    _in_time: bool = field(default=False, init=False)  # whether the first of the last ones could be met
    _preparing: float = field(default=0.0, init=False)  # seconds that it has lately taken to sign and connect,
    _storing: float | None = field(default=None, init=False)  # to store an announcement,
    _asking: float = field(default=0.0, init=False)  # and to be given turns by the ledger

    def __attrs_post_init__(self) -> None:
        check_rate(self.per_second)
        self._late = self.late * max(1.0, 1 / self.per_second)

    @property
    def lead(self) -> float:
        """How many seconds before a turn a payout has to be got ready for it."""
        return min(_LONGEST_LEAD, self._preparing + (self._storing or 0.0) + self._asking)

    @property
    def seekers(self) -> int:
        """How many payouts may look for their turn at one time: where the ledger is slow, few would not fill a rate."""
        return max(_SEEKERS, 1 + int(self._share * self.lead))

    async def turn(self, *, within: float | None = None) -> float:
        """The next turn for which no payout is got ready yet: a moment of the steady clock.

        Args:
            within: Seconds that the ledger has for handing it out.

        Raises:
            LedgerUnavailableError: If the ledger hands out none.
        """
        patience = self.patience if within is None else min(within, self.patience)
        give_up = self.runtime.steady() + patience
        while True:
            self._drop_missed()
            if len(self._due) > self._awaited:
                self._awaited += 1
                return self._due[self._awaited - 1]
            await self._take(give_up)

    def missed(self, turn: float | None) -> bool:
        """Whether it is too late for that turn, or there is none."""
        return turn is None or self.runtime.steady() > turn + self._late

    def ahead(self, turn: float | None) -> float:
        """Seconds until a payout should be got ready for that turn; zero or less if that is now."""
        return 0.0 if turn is None else turn - self.lead - self.runtime.steady()

    async def ready(self, deadline: float) -> None:
        """Return when one more payout should be got ready, or at the *deadline*, a moment of the steady clock."""
        turn = await self.turn(within=max(0.0, deadline - self.runtime.steady()))
        if (delay := min(turn - self.lead, deadline) - self.runtime.steady()) > 0:
            await self.runtime.sleep(delay)

    async def take(self, deadline: float) -> float | None:
        """The next turn for a payout that is ready, when it is time to announce it; None if that is past *deadline*."""
        turn = await self._next(after=self._storing or 0.0, until=deadline)
        if turn is not None and (delay := turn - (self._storing or 0.0) - self.runtime.steady()) > 0:
            await self.runtime.sleep(delay)
        return turn

    async def go(self, turn: float | None, *, until: float) -> bool:
        """Wait for the *turn*, or for another one if it was missed; False if there is none *until* then."""
        due = turn if turn is not None else await self._another(until)
        while due is not None:
            if (delay := due - self.runtime.steady()) > 0:
                await self.runtime.sleep(delay)
            if not self.missed(due):
                return True
            due = await self._another(until)
        return False

    def prepared(self, seconds: float) -> None:
        """It took so long to sign a payout and to connect."""
        self._preparing = _recent(self._preparing, seconds)

    def stored(self, seconds: float) -> None:
        """It took so long to store an announcement."""
        self._storing = _recent(self._storing or 0.0, seconds)

    async def _another(self, until: float) -> float | None:
        try:
            return await self._next(after=0.0, until=until)
        except LedgerUnavailableError:
            # What waits is announced, so this must not end as an error: it is not sent, which is certain, and stored.
            return None

    async def _next(self, *, after: float, until: float) -> float | None:
        """The first turn that can be met *after* so many seconds; no other payout has it then."""
        while True:
            self._drop_missed()
            now = self.runtime.steady()
            for index, turn in enumerate(self._due):
                if turn > until:
                    return None
                if turn + self._late >= now + after:
                    del self._due[index]
                    self._used += 1
                    self._awaited -= index < self._awaited
                    return turn
            if now >= until:
                return None
            await self._take(min(until, now + self.patience))

    def _drop_missed(self) -> None:
        while self._due and self.missed(self._due[0]):
            self._due.popleft()
            self._awaited = max(0, self._awaited - 1)
            self._count = 1  # More than is used; other processes may need them.

    async def _take(self, give_up: float) -> None:
        """Be given more turns, by the moment *give_up*."""
        last = self._due[-1] if self._due else None
        patience = give_up - self.runtime.steady()
        try:
            async with asyncio.timeout(max(0.0, patience)), self._taking:
                if self._due and self._due[-1] != last:
                    return  # Another payout has waited for the same.
                await self._reserve(give_up - self.runtime.steady())
        except TimeoutError:
            raise LedgerUnavailableError(
                f"The ledger handed out no turn of the rate within {patience:.3g} s."
            ) from None

    @property
    def _share(self) -> float:
        """Turns a second that this process may soon use, of those that all processes have."""
        own = self._own
        return self.per_second if own is None else min(self.per_second, max(_GROWTH * own, self.per_second / _FEWEST))

    def _most(self, now: float) -> int:
        """How many turns to take at once: what a crash wastes is in proportion to what is used here of the rate."""
        if now - self._counted_from >= _COUNTED_SECONDS:
            if self._counted_from > 0:
                self._own = self._used / (now - self._counted_from)
            self._counted_from, self._used = now, 0
        if self._share >= _MOST_OF_IT * self.per_second:
            return int((_AHEAD + 2 * self.lead) * self.per_second)
        return 1 + int((_AHEAD_OF_SOME + self.lead) * self._share)

    async def _reserve(self, patience: float) -> None:
        spacing, began = self.spare / self.per_second, self.runtime.steady()
        # Those that come soonest are missed before this process hears of them and has announced a payout; not where
        # others have taken turns as far ahead.
        delay = self._asking + (self._storing or 0.0)
        least = 1 if self._in_time else 1 + int(delay / spacing)
        most = max(least, self._most(began))
        count = max(least, min(self._count, most))
        turns = await answer_within(patience, self.ledger, self.ledger.reserve(self.name, spacing=spacing, count=count))
        now = self.runtime.steady()
        self._asking = _recent(self._asking, now - began)
        if self._storing is None:
            self._storing = 2 * (now - began)  # A commit that is under way ends first.
        self._in_time = turns.first >= self._asking + self._storing
        self._due.extend(now + turns.first + number * spacing for number in range(turns.count))
        self._count = min(2 * count, most)


def _recent(known: float, seconds: float) -> float:
    """The longest that something has lately taken."""
    return seconds if seconds > known else known + _FORGOTTEN * (seconds - known)
