"""The sandbox's clock: faster than another one, put forward, never back."""

import math

import pytest

from paypro_async.sandbox.clock import Clock
from tests.sandbox.merchant import Clock as Base


def test_it_is_another_clock_until_it_is_put_forward():
    """To the last digit, so that what is due at a moment is due then."""
    base = Base()
    clock = Clock(base)
    assert clock() == base() == 1000.0
    clock.advance(3600)
    base.now += 0.5
    assert clock() == 4600.5


def test_another_speed_skips_nothing():
    """From the moment of the change on."""
    base = Base()
    clock = Clock(base, speed=100)
    began = clock()
    base.now += 1
    clock.speed = 2
    assert clock() - began == 100
    base.now += 1
    assert clock() - began == 102
    assert not clock.is_real
    assert Clock().is_real


@pytest.mark.parametrize("wrong", [-1, math.nan, math.inf])
def test_what_is_no_way_forward_is_refused(wrong: float):
    """Nothing else is changed by it."""
    clock = Clock(Base())
    with pytest.raises(ValueError, match="forward"):
        clock.advance(wrong)
    with pytest.raises(ValueError, match="positive"):
        clock.speed = wrong
    with pytest.raises(ValueError, match="positive"):
        Clock(speed=wrong)
    assert (clock(), clock.speed) == (1000.0, 1.0)
