"""Times and counts: a client's, put together so that they cannot contradict each other, and those of one call."""

from attrs import evolve, field, frozen

from paypro_async._core.retry import RetryPolicy
from paypro_async.engine.rate import NoRate, Rate
from paypro_async.errors import ConfigurationError

__all__ = ["RECORDING_SECONDS", "Limits", "Timing", "check_count", "check_seconds"]

RECORDING_SECONDS = 5.0
"""How long a call goes on trying to store what it has learned, at least: its deadline is for what it has not."""

_ENDING_SECONDS = 0.3
"""Who has used up all of that comes to the end: cut off just then, it would try once more to store what it learned."""

_BATCH_ATTEMPTS = 10
_NO_RATE = NoRate()


@frozen(kw_only=True, eq=False)
class Limits:
    """The bounds of one call.

    Args:
        timeout: Seconds for everything: attempts, back-off, questions.
        max_attempts: How often it may be sent by this call.
        refresh: Whether to ask for news of a payout that the ledger knows as processing.
        rate: The rate that the payouts of a batch keep, together with all other processes on the ledger.
    """

    timeout: float
    max_attempts: int
    refresh: bool = True
    rate: Rate | NoRate = _NO_RATE

    def within(self, timeout: float) -> "Limits":
        """The same, but for the time."""
        return self if timeout == self.timeout else evolve(self, timeout=timeout)


@frozen(kw_only=True, eq=False)
class Timing:
    """All in seconds.

    Args:
        settle_after: See ``PayProClient``.
        request_timeout: For one exchange.
        send_within: From the announcement of an attempt to its first byte.
        timeout: For one call.
        max_attempts: For one call.
    """

    settle_after: float
    request_timeout: float
    send_within: float
    timeout: float
    max_attempts: int
    _usual: Limits = field(init=False)

    @property
    def drain(self) -> float:
        """Seconds that what is under way has when its client is closed: for one exchange, and for recording it."""
        return self.drain_of(self.timeout)

    def drain_of(self, timeout: float) -> float:
        """The same for calls that take so many seconds."""
        return min(self.request_timeout, self.timeout, timeout) + RECORDING_SECONDS + _ENDING_SECONDS

    @_usual.default
    def _(self) -> Limits:
        return Limits(timeout=self.timeout, max_attempts=self.max_attempts)

    @classmethod
    def of(
        cls,
        *,
        settle_after: float,
        request_timeout: float | None,
        send_within: float | None,
        timeout: float,
        max_attempts: int,
    ) -> "Timing":
        """Fill in what is not given.

        Raises:
            ConfigurationError: If a time makes no sense, or the settle window is shorter than what must fit into it.
        """
        given = {"settle_after": settle_after, "timeout": timeout}
        given |= {"request_timeout": request_timeout} if request_timeout is not None else {}
        given |= {"send_within": send_within} if send_within is not None else {}
        for name, seconds in given.items():
            check_seconds(name, seconds)
        check_count("max_attempts", max_attempts)
        # What is not given is made to fit beside what is, with room for the platform's lag.
        request = request_timeout or min(20.0, settle_after / 3, (settle_after - (send_within or 0)) / 2)
        send = send_within or min(10.0, settle_after / 6, (settle_after - request) / 2)
        if not (request > 0 and send > 0 and request + send < settle_after):
            others = [f"{name} ({given[name]:g} s)" for name in ("request_timeout", "send_within") if name in given]
            together = " together" if len(others) > 1 else ""
            raise ConfigurationError(
                f"settle_after ({settle_after:g} s) must be longer than {' and '.join(others)}{together}: a payout "
                "that is still under way would be believed lost and sent again. Nothing was sent. Raise settle_after, "
                "or lower what it has to be longer than."
            )
        return cls(
            settle_after=settle_after,
            request_timeout=request,
            send_within=send,
            timeout=timeout,
            max_attempts=max_attempts,
        )

    def policy(self, *, resend: str, adopt_duplicates: bool) -> RetryPolicy:
        """When to ask, and when to send again what never arrived, if it may be sent again at all.

        Raises:
            ConfigurationError: If *resend* is neither ``"after_settle"`` nor ``"never"``.
        """
        if resend not in ("after_settle", "never"):
            raise ConfigurationError("resend is neither 'after_settle' nor 'never'.")
        # Between the two queries that must both find nothing.
        ask_spacing = min(3.0, self.settle_after / 10)
        return RetryPolicy(
            settle_after=self.settle_after,
            ask_spacing=ask_spacing,
            resend=resend == "after_settle",
            adopt_duplicates=adopt_duplicates,
        )

    def limits(self, *, timeout: float | None, max_attempts: int | None) -> Limits:
        """The bounds of one call."""
        if timeout is None and max_attempts is None:
            return self._usual
        return self._limits(timeout or self.timeout, max_attempts or self.max_attempts, given=(timeout, max_attempts))

    def batch_limits(
        self, *, timeout: float | None, max_attempts: int | None, refresh: bool, rate: Rate | NoRate
    ) -> Limits:
        """The bounds of one payout of a batch: long enough to wait out a settle window or two."""
        patient = max(self.timeout, 3 * self.settle_after + 60)
        limits = self._limits(timeout or patient, max_attempts or _BATCH_ATTEMPTS, given=(timeout, max_attempts))
        return Limits(timeout=limits.timeout, max_attempts=limits.max_attempts, refresh=refresh, rate=rate)

    def _limits(self, timeout: float, max_attempts: int, *, given: tuple[float | None, int | None]) -> Limits:
        if given[0] is not None:
            check_seconds("timeout", given[0])
        check_count("max_attempts", max_attempts if given[1] is None else given[1])
        return Limits(timeout=timeout, max_attempts=max_attempts)


def check_seconds(name: str, seconds: object) -> None:
    """Refuse what is no positive number of seconds.

    Raises:
        ConfigurationError: With the setting's name.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
        raise ConfigurationError(f"{name} must be a positive number of seconds.")


def check_count(name: str, count: object) -> None:
    """Refuse what is no whole number from 1 on.

    Raises:
        ConfigurationError: With the setting's name.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ConfigurationError(f"{name} must be a whole number from 1 on.")
