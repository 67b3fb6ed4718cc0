"""How fast: the retry budget and the rate, as arithmetic on a clock that the caller reads."""

import math
from collections import deque

__all__ = ["Pace", "Pacer", "RetryBudget"]

_SECOND = 1.02
_SLACK = 0.1


class Pacer:
    """Lets at most *rate* starts through in any second.

    Starts are spaced evenly. One that comes a little late does not delay those behind it, and the window over the last
    starts, as they really were, still holds every second to the rate.

    Args:
        rate: Starts per second. Two per cent stay unused, for the jitter between start and arrival.
    """

    def __init__(self, rate: float) -> None:
        self._spacing = _SECOND / rate
        self._next: float | None = None
        self._starts: deque[float] = deque(maxlen=math.ceil(rate))

    def take(self, now: float) -> float:
        """Zero if it may start now, and then it has; else the seconds after which to ask again."""
        full = len(self._starts) == self._starts.maxlen
        free = max(self._next or now, self._starts[0] + _SECOND if full else now)
        if now < free:
            return free - now
        punctual = self._next is not None and now - self._next <= _SLACK
        self._next = (self._next if punctual and self._next is not None else now) + self._spacing
        self._starts.append(now)
        return 0.0


class Pace:
    """The rate of one batch, kept twice.

    A payout passes ``launch`` before its intent is stored, so that it does not wait with its send deadline running;
    and ``send`` just before it goes out, since the ledger wakes those that it stored together at the same moment.

    Args:
        rate: Payouts per second.
    """

    def __init__(self, rate: float) -> None:
        self.launch: Pacer = Pacer(rate)
        self.send: Pacer = Pacer(rate)


class RetryBudget:
    """A token bucket over every question and every repeated attempt of one client.

    In an outage each call would try again and again, and all of them together would keep the platform down. A call
    that finds the bucket empty waits for its token.

    Args:
        burst: How many tries are free.
        per_second: How many tokens come back by themselves.
        per_answer: How many tokens a readable answer gives back: as long as the platform answers, nothing waits.
    """

    def __init__(self, *, burst: float = 100.0, per_second: float = 10.0, per_answer: float = 2.0) -> None:
        self._burst = burst
        self._per_second = per_second
        self._per_answer = per_answer
        self._tokens = burst
        self._filled_at: float | None = None

    def take(self, now: float) -> float:
        """Take one token; the seconds until it is there."""
        if self._filled_at is not None:
            self._tokens = min(self._burst, self._tokens + max(0.0, now - self._filled_at) * self._per_second)
        self._filled_at = now
        self._tokens -= 1
        return max(0.0, -self._tokens / self._per_second)

    def give_back(self) -> None:
        """The token was not used after all."""
        self._tokens = min(self._burst, self._tokens + 1)

    def answered(self) -> None:
        """The platform gave an answer that could be read."""
        self._tokens = min(self._burst, self._tokens + self._per_answer)
