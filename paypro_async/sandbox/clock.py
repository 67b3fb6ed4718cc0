"""The sandbox's clock: another one, as fast as wished, that can be put forward."""

import math
import time
from collections.abc import Callable

__all__ = ["Clock"]


class Clock:
    """Seconds that only go forward; settlements, late bookings and callbacks follow it.

    Args:
        base: Another clock, whose seconds it multiplies.
        speed: How many of its own seconds pass in one of the base's.

    Raises:
        ValueError: The speed is no positive number.
    """

    def __init__(self, base: Callable[[], float] = time.monotonic, *, speed: float = 1.0) -> None:
        self._base = base
        self._offset = 0.0
        self._speed = _positive(speed)

    def __call__(self) -> float:
        """Its seconds now."""
        return self._offset + self._base() * self._speed

    @property
    def speed(self) -> float:
        """How many of its seconds pass in one of the base's; no moment is skipped when it is changed."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._offset += self._base() * (self._speed - _positive(speed))
        self._speed = speed

    @property
    def is_real(self) -> bool:
        """Whether it goes by the time of this machine, so that what waits for it knows how long."""
        return self._base is time.monotonic

    def advance(self, seconds: float) -> None:
        """Put it forward.

        Raises:
            ValueError: That would not be forward, or is no number.
        """
        if not 0 <= seconds < math.inf:
            raise ValueError("A clock is put forward by seconds, 0 or more.")
        self._offset += seconds


def _positive(speed: float) -> float:
    if not 0 < speed < math.inf:
        raise ValueError("The speed of the clock is a positive number.")
    return speed
