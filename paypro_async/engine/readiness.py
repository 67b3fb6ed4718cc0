"""What a payout that keeps a rate has ready before it takes its turn: a signature and a connection.

Both may take seconds. Behind the turn they would let many payouts arrive at one moment, or the turn pass unused.
"""

import math

from attrs import define, evolve

from paypro_async._core.failures import unconnected, unsigned
from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import Entry
from paypro_async._core.wire import Connection, Exchange, Waiting, WireRequest
from paypro_async.engine.limits import Limits
from paypro_async.engine.rate import Rate
from paypro_async.engine.session import Session
from paypro_async.errors import NotSentError, PayProError

__all__ = ["Ready", "get_ready", "get_ready_to_begin"]


@define(eq=False)
class Ready:
    """One payout, signed, with a connection and a turn.

    Args:
        rate: What it keeps.
        began: When it began to be got ready.
        request: Signed. It gets its send deadline when it is announced.
        waiting: How it may wait for a connection.
        turn: A moment of the steady clock; None if there was no connection to take one for.
        connection: None if the transport makes it when it sends.
    """

    rate: Rate
    began: float
    request: WireRequest
    waiting: Waiting | None
    turn: float | None = None
    connection: Connection | None = None

    async def go(self, *, send_by: float, deadline: float) -> WireRequest:
        """The request, when its turn has come. Without a turn in time it is one that no transport writes any more."""
        in_turn = await self.rate.go(self.turn, until=min(send_by, deadline))
        return evolve(self.request, send_by=send_by if in_turn else -math.inf, connection=self.connection)

    async def aclose(self) -> None:
        """Give back what was not used."""
        if self.connection is not None:
            await self.connection.aclose()


async def get_ready(session: Session, payee: Intent | Entry, limits: Limits, *, timeout: float) -> Ready | None:
    """Sign *payee*, connect, and take a turn, within *timeout* seconds; None if there is no turn in time.

    Raises:
        NotSentError: If it cannot be signed, or has waited for a connection in vain. Nothing is announced.
    """
    rate, runtime = limits.rate, session.runtime
    if not isinstance(rate, Rate):
        raise TypeError("only who keeps a rate takes a turn")
    began = runtime.steady()
    deadline = began + timeout
    waiting = session.admission.waiting(deadline, timeout) if session.admission.is_bounded else None
    patience = min(session.times.request_timeout, timeout)
    try:
        request = await session.platform.sign_payout(payee, timeout=patience, send_by=None, waiting=waiting)
    except PayProError:
        raise
    except Exception as error:
        attempts = payee.attempt if isinstance(payee, Entry) else 0
        raise unsigned(payee.trade_no, type(error).__name__, attempts=attempts) from error
    ready = Ready(rate, began, request, waiting)
    connection = await session.platform.connect(request, timeout=patience)
    now = runtime.steady()
    rate.prepared(now - began - (waiting.seconds if waiting is not None else 0.0))
    if isinstance(connection, Exchange):
        if connection.pool_timeout:
            raise unconnected(payee.trade_no, str(connection.cause), elapsed=now - began)
        return ready  # Announced and sent like any other, it says why there is none.
    ready.connection = connection
    try:
        ready.turn = await rate.take(deadline)
    finally:
        if ready.turn is None:
            await ready.aclose()
    return None if ready.turn is None else ready


async def get_ready_to_begin(session: Session, intent: Intent, limits: Limits) -> Ready:
    """Get a new payout ready, and return when it is time to announce it.

    Raises:
        NotSentError: If that cannot be done. Nothing is announced.
    """
    ready = await get_ready(session, intent, limits, timeout=limits.timeout)
    if ready is None:
        raise NotSentError(
            f"The rate had no turn for payout {intent.trade_no} within {limits.timeout:.3g} s. Nothing was sent, and "
            "no money moved. Call again with the same trade_no; raise timeout or rate.",
            trade_no=intent.trade_no,
        )
    return ready
