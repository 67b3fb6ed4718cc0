"""The sandbox: the platform on a loopback port."""

import asyncio
import errno
import socket
import time
from collections.abc import Callable
from decimal import Decimal
from types import TracebackType
from typing import Self, Unpack

import anyio
import anyio.abc
from attrs import evolve

from paypro_async.log import logger
from paypro_async.sandbox.books import Books
from paypro_async.sandbox.capacity import OpenConnections, Place
from paypro_async.sandbox.faults import FaultPlan
from paypro_async.sandbox.http11 import Connection, Wire
from paypro_async.sandbox.platform import Platform, RuleChanges, Rules, UnknownOrder
from paypro_async.sandbox.replies import Echo, OrderNumberName
from paypro_async.sandbox.signature import SecretPosition

__all__ = ["Sandbox"]

_HOST = "127.0.0.1"  # never another: the sandbox has no defences
_BACKLOG = 1024
_IDLE_SECONDS = 60.0
_PAUSE = 0.05
_NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})


class Sandbox:
    """A stateful local PayPro (region India) over real HTTP/1.1 on 127.0.0.1.

    Use it around what it is to serve::

        async with Sandbox(faults=FaultPlan(rate=0.15, seed=7)) as sandbox:
            ...  # pay through sandbox.base_url
        assert sandbox.books.booked_once(trade_nos).exact

    A remark works magic, as ``sandbox:KIND``, ``sandbox:KIND:CODE`` or ``sandbox:KIND:CODE:MESSAGE``:

    - ``sandbox:paid`` books and answers ``0000`` at once
    - ``sandbox:fail:CODE`` books and answers ``data.status`` CODE at once (the balance is debited and refunded)
    - ``sandbox:refuse:CODE`` books nothing and answers with the outer ``code`` CODE
    - ``sandbox:reply:CODE`` books as usual and answers with the outer ``code`` CODE all the same
    - ``sandbox:status:CODE`` books as usual and answers ``data.status`` CODE all the same
    - ``sandbox:vanish`` books, accepts, and from then on knows no such order

    ``GET /sandbox/books`` and ``GET /sandbox/requests`` show the books and the journal as JSON, and
    ``POST /sandbox/orders/<tradeNo>`` with ``{"status": "00029", "message": "..."}`` gives an order another status, and
    with ``{"delete": true}`` lets it vanish.

    Args:
        secret: The merchant's secret, that requests must be signed with.
        merchant_no: The only merchant there is.
        port: The port to listen on; a free one when 0.
        faults: Which requests are hit by which fault; none when not given.
        balance: The money to start with.
        paid_after: Seconds after which a processing order is paid; never when not given.
        secret_position: Where the secret stands in the signed text.
        order_number_name: What the platform's order number is called in a payout reply: the pages disagree.
        echo: What stands in a payout reply where the request's remark is to be given back: that remark (``given``),
            nothing (``absent``, ``empty``), or another text (``wrong``).
        unknown_order: What a query for an unknown order is answered with: ``data`` null, ``data`` empty, an outer
            ``code`` of its own with a message (``code``), an outer ``code`` that payouts are refused with too
            (``refusal``), or the outer ``code`` that is given as CODE or CODE:MESSAGE.
        refuse_payouts: The outer ``code``, as CODE or CODE:MESSAGE, that each payout is refused with while queries
            are answered, as when an address is not in the platform's list.
        refuse_all: The same for each signed request of any kind, as when the account is closed.
        deduplicate: Whether a repeated ``tradeNo`` is refused; ``False`` books it again, to show what a client sends
            twice.
        booking_lag: Seconds between a request and its late booking.
        drip_interval: Seconds between two bytes of a dripped reply.
        copy_delay: Seconds between a doubled reply and its copy.
        refuse_seconds: For how long new connections are refused after ``Fault.REFUSE``.
        idle_timeout: Seconds within which a connection must bring a whole request and take a whole reply, or is closed.
            By default 60; without limit with a *clock* of one's own, by which no connection is timed.
        max_connections: How many are held at one time. For one more, that which has waited longest for a request goes.
        prefix: The path before ``/v1``; any is accepted when empty.
        clock: Seconds that only go forward; settlements and late bookings follow it.
    """

    environment = "sandbox"
    """To give to a client as its ``environment``: without a name, all that listens on this machine has the same one."""

    def __init__(  # noqa: PLR0913  each is a setting of its own, and all have a default
        self,
        *,
        secret: str = "sandbox-secret",  # noqa: S107  opens nothing but this sandbox
        merchant_no: str = "0000000001",
        port: int = 0,
        faults: FaultPlan | None = None,
        balance: Decimal | str = "1000000000",
        paid_after: float | None = None,
        secret_position: SecretPosition = "suffix",  # noqa: S107  not a secret itself
        order_number_name: OrderNumberName = "platFormTradeNo",
        echo: Echo = "given",
        unknown_order: UnknownOrder | str = "null",
        refuse_payouts: str | None = None,
        refuse_all: str | None = None,
        deduplicate: bool = True,
        booking_lag: float = 0.3,
        drip_interval: float = 1.0,
        copy_delay: float = 0.005,
        refuse_seconds: float = 0.1,
        idle_timeout: float | None = None,
        max_connections: int = 1000,
        prefix: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.books: Books = Books(balance=Decimal(balance), paid_after=paid_after, deduplicate=deduplicate, clock=clock)
        rules = Rules(
            secret=secret,
            merchant_no=merchant_no,
            secret_position=secret_position,
            order_number_name=order_number_name,
            echo=echo,
            unknown_order=unknown_order,
            refuse_payouts=refuse_payouts,
            refuse_all=refuse_all,
            booking_lag=booking_lag,
            prefix=prefix,
        )
        self._platform = Platform(rules=rules, books=self.books, faults=faults or FaultPlan.none())
        self._port = port
        self._drip_interval = drip_interval
        self._copy_delay = copy_delay
        self._refuse_seconds = refuse_seconds
        self._patience = _IDLE_SECONDS if idle_timeout is None and clock is time.monotonic else idle_timeout
        self._max_connections = max_connections
        self._connections = OpenConnections(limit=max_connections)
        self._address = (_HOST, port)
        self._accepting = anyio.CancelScope()
        self._listener: socket.socket | None = None
        self._serving: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        where = "closed" if self._listener is None else self.base_url
        return f"<Sandbox {where} merchant_no={self.rules.merchant_no} {self.books!r}>"

    @property
    def rules(self) -> Rules:
        """How it behaves where the documentation leaves it open."""
        return self._platform.rules

    def change(self, **rules: Unpack[RuleChanges]) -> None:
        """Let the next request be answered by other rules: ``sandbox.change(refuse_payouts="1010")``.

        Args:
            rules: Arguments of the sandbox of the same names; those that are not given stay as they are.
        """
        self._platform.rules = evolve(self._platform.rules, **rules)

    @property
    def base_url(self) -> str:
        """The URL to give to a client.

        Raises:
            RuntimeError: The sandbox is not open.
        """
        if self._listener is None:
            raise RuntimeError("The sandbox is not open: use `async with Sandbox(...) as sandbox`.")
        return f"http://{_HOST}:{self._address[1]}{self.rules.prefix}"

    async def __aenter__(self) -> Self:
        if self._listener is not None:
            raise RuntimeError("The sandbox is open already.")
        self._listener = await _listen(self._port)
        self._address = self._listener.getsockname()
        self._connections = OpenConnections(limit=self._max_connections)
        # A task of its own, because fixtures of pytest may open the sandbox in one task and close it in another.
        self._serving = asyncio.create_task(self._serve(self._listener))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop listening and drop all connections; the books can still be read."""
        serving, listener = self._serving, self._listener
        self._serving = self._listener = None
        if serving is None or listener is None:
            return
        serving.cancel()
        try:
            await asyncio.wait({serving})
        finally:
            listener.close()  # a task that was cancelled before its first step has not done it
        if not serving.cancelled():
            serving.result()  # a failure of the server itself

    async def serve_forever(self) -> None:
        """Serve until cancelled, opening the sandbox if it is not open yet."""
        if (serving := self._serving) is None:
            async with self:
                await self.serve_forever()
            return
        await asyncio.wait({serving})
        if not serving.cancelled():
            serving.result()  # a failure of the server itself

    async def _serve(self, listener: socket.socket) -> None:
        failure: OSError | None = None
        async with anyio.create_task_group() as connections:
            failure = await self._accept_until_it_fails(listener, connections)
            connections.cancel_scope.cancel()
        if failure is not None:
            raise failure  # outside of the group, which would wrap it

    async def _accept_until_it_fails(self, listener: socket.socket, connections: anyio.abc.TaskGroup) -> OSError:
        while True:
            with listener, anyio.CancelScope() as self._accepting:
                while True:
                    await anyio.wait_readable(listener)
                    await self._accept(listener, connections)
            # A fault wants connections to be refused: nothing listens for a moment, then the same port again.
            try:
                listener = self._listener = await _listen(self._address[1], after=self._refuse_seconds)
            except OSError as error:
                return error

    async def _accept(self, listener: socket.socket, connections: anyio.abc.TaskGroup) -> None:
        """Accept all clients that wait."""
        try:
            while self._connections.make_room():
                client, _ = listener.accept()
                connections.start_soon(self._serve_client, client, self._connections.enter())
            await anyio.sleep(_PAUSE)
        except BlockingIOError:
            return
        except OSError as error:
            # Out of file descriptors, or the client has gone: those that wait are taken a little later.
            if error.errno in _NO_DESCRIPTORS:
                self._connections.close_longest()
            await anyio.sleep(_PAUSE)

    def _stop_accepting(self) -> None:
        self._accepting.cancel()

    async def _serve_client(self, client: socket.socket, place: Place) -> None:
        with client, place:
            connection = Connection(
                wire=Wire(client),
                answer=self._platform.answer,
                drip_interval=self._drip_interval,
                copy_delay=self._copy_delay,
                refuse=self._stop_accepting,
                waiting=place.waiting,
                patience=self._patience,
            )
            try:
                client.settimeout(0)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await connection.serve()
            except OSError:
                return  # the client has gone; what was booked stays booked
            except Exception:
                # One connection must not end the service to all others.
                logger.exception("A connection to the sandbox failed")


async def _listen(port: int, *, after: float = 0) -> socket.socket:
    """Listen on *port* after so many seconds, in which connections are refused."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.settimeout(0)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_HOST, port))  # before the wait, in which another program might take the port
        if after:
            await anyio.sleep(after)
        listener.listen(_BACKLOG)
    except BaseException as error:
        listener.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise OSError(error.errno, f"Port {port} is taken") from None
        raise
    return listener
