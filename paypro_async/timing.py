"""The times of a client, put together so that they cannot contradict each other."""

from attrs import frozen

from paypro_async._core.pacing import Pace
from paypro_async.engine import Limits
from paypro_async.errors import ConfigurationError

__all__ = ["Timing"]

# Below these a local sandbox cannot answer; settle windows so short are for tests.
_SHORTEST_REQUEST = 0.25
_SHORTEST_SEND = 0.1
_BATCH_ATTEMPTS = 10


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
            if not 0 <= seconds < float("inf") or (name != "settle_after" and seconds == 0):
                raise ConfigurationError(f"{name} must be a positive number of seconds.")
        _check_attempts(max_attempts)
        if (request_timeout or 0) + (send_within or 0) >= settle_after and len(given) > 2:
            raise ConfigurationError(
                "settle_after must be longer than send_within and request_timeout together: a payout that is still "
                "under way would be believed lost and sent again. Raise settle_after or shorten the others."
            )
        return cls(
            settle_after=settle_after,
            request_timeout=request_timeout or max(_SHORTEST_REQUEST, min(20.0, settle_after / 3)),
            send_within=send_within or max(_SHORTEST_SEND, min(10.0, settle_after / 6)),
            timeout=timeout,
            max_attempts=max_attempts,
        )

    @property
    def ask_spacing(self) -> float:
        """Between the two questions that must both find nothing."""
        return min(3.0, self.settle_after / 10)

    def limits(self, *, timeout: float | None, max_attempts: int | None) -> Limits:
        """The bounds of one call."""
        return self._limits(timeout or self.timeout, max_attempts or self.max_attempts, given=(timeout, max_attempts))

    def batch_limits(
        self, *, timeout: float | None, max_attempts: int | None, ask_anyway: bool, pace: Pace | None
    ) -> Limits:
        """The bounds of one payout of a batch: long enough to wait out a settle window or two."""
        patient = max(self.timeout, 3 * self.settle_after + 60)
        limits = self._limits(timeout or patient, max_attempts or _BATCH_ATTEMPTS, given=(timeout, max_attempts))
        return Limits(timeout=limits.timeout, max_attempts=limits.max_attempts, ask_anyway=ask_anyway, pace=pace)

    def _limits(self, timeout: float, max_attempts: int, *, given: tuple[float | None, int | None]) -> Limits:
        if given[0] is not None and not given[0] > 0:
            raise ConfigurationError("timeout must be a positive number of seconds.")
        _check_attempts(max_attempts if given[1] is None else given[1])
        return Limits(timeout=timeout, max_attempts=max_attempts)


def _check_attempts(max_attempts: int) -> None:
    if max_attempts < 1:
        raise ConfigurationError("max_attempts must be 1 or more.")
