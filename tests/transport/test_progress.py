"""How far one request got: the rules, without a wire."""

import pytest

from paypro_async._core.wire import Phase
from paypro_async.transport.progress import Progress, TooLateError
from paypro_async.transport.route import Route
from tests.support.transports import Clock

ROUTE = Route(platform="payouts.example:443", secure=True)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_until_it_begins_nothing_was_sent(clock: Clock):
    """Whatever breaks before the first byte, the payout may be sent again."""
    progress = Progress(None, clock, has_slot=True)
    assert progress.broken("it broke").phase is Phase.NOT_SENT
    assert progress.out_of_time(2, ROUTE).phase is Phase.NOT_SENT
    progress.begin()
    assert progress.broken("it broke").phase is Phase.MAYBE_SENT
    assert progress.out_of_time(2, ROUTE).phase is Phase.MAYBE_SENT
    assert (progress.broken("it broke").cause, progress.out_of_time(2, ROUTE).cause) == (
        "it broke",
        "no whole reply came within 2 s",
    )


@pytest.mark.parametrize("has_slot", [True, False])
def test_where_no_time_was_left_nobody_blames_the_network(clock: Clock, has_slot: bool):
    """The ledger or the signer has used it up, so no connection was tried."""
    exchange = Progress(None, clock, has_slot=has_slot).out_of_time(0.0, ROUTE)
    assert (exchange.phase, exchange.late, exchange.pool_timeout) == (Phase.NOT_SENT, True, False)
    assert (exchange.cause, exchange.fault) == ("no time of the call was left to send it", None)


def test_what_is_late_does_not_begin(clock: Clock):
    """It is said to be late, which no other request without a reply is."""
    progress = Progress(clock.at + 1, clock, has_slot=True)
    clock.at += 1.001
    with pytest.raises(TooLateError):
        progress.begin()
    exchange = progress.too_late()
    assert (progress.begun, exchange.phase, exchange.late) == (False, Phase.NOT_SENT, True)
    assert not progress.broken("it broke").late


def test_in_time_it_begins(clock: Clock):
    """The deadline itself is in time."""
    progress = Progress(clock.at, clock)
    progress.begin()
    assert progress.begun


def test_late_between_two_writes_is_not_known_to_be_unsent(clock: Clock):
    """The first write may have left."""
    progress = Progress(clock.at + 1, clock, has_slot=True)
    progress.begin()
    clock.at += 2
    with pytest.raises(TooLateError):
        progress.look()
    exchange = progress.too_late()
    assert (exchange.phase, exchange.late) == (Phase.MAYBE_SENT, False)


def test_without_a_slot_every_connection_was_busy(clock: Clock):
    """That alone is a time-out of the pool."""
    assert Progress(None, clock).out_of_time(2, ROUTE).pool_timeout
    assert not Progress(None, clock, has_slot=True).out_of_time(2, ROUTE).pool_timeout
