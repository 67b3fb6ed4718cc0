"""How often everything may be tried again, as arithmetic on a clock that the caller reads."""

__all__ = ["RetryBudget"]


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
