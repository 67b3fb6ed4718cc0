"""From the opening of a client to its closing: once, in one event loop of one process."""

import asyncio

from paypro_async.engine.session import Session
from paypro_async.errors import ClientStateError
from paypro_async.ledger import Ledger
from paypro_async.process import refuse_forked, this_process

__all__ = ["Lifetime"]


class Lifetime:
    """Whether a client may be used now and here."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._process = this_process()

    def refuse_again(self) -> None:
        """It is opened next.

        Raises:
            ClientStateError: If it has been opened or closed before.
        """
        if self._loop is not None or self._closed:
            raise ClientStateError("The client has been opened before. Make a new one.")

    def begin(self, session: Session) -> None:
        """It is open, in this event loop of this process."""
        self._session, self._loop, self._process = session, asyncio.get_running_loop(), this_process()

    def session(self) -> Session:
        """What its parts share, for a use that comes next.

        Raises:
            ClientStateError: If it is not open, or was opened in another event loop or process.
        """
        if self._closed:
            raise ClientStateError("The client is closed. Nothing was sent; make a new one.")
        if self._session is None:
            raise ClientStateError("The client is not open. Nothing was sent; use it inside 'async with'.")
        refuse_forked(self._process, "The client")
        if asyncio.get_running_loop() is not self._loop:
            raise ClientStateError(
                "The client was opened in another event loop. Nothing was sent; open one client per event loop."
            )
        return self._session

    async def refuse_elsewhere(self, ledger: Ledger | None) -> None:
        """It is closed next.

        Args:
            ledger: The ledger that the client opened, which is closed if the client's event loop has ended.

        Raises:
            ClientStateError: If it is open in another event loop, which alone can end what runs in it.
        """
        if self._loop is None or self._closed or asyncio.get_running_loop() is self._loop:
            return
        if not self._loop.is_closed():
            raise ClientStateError(
                "The client was opened in another event loop, which alone can close it. It is open as before. Close it "
                "there; from another thread with "
                "'asyncio.run_coroutine_threadsafe(client.aclose(), loop).result()', where loop is the one in which it "
                "was opened."
            )
        self._closed = True
        if ledger is not None:
            await ledger.aclose()  # It has a thread of its own, which outlives the loop.
        raise ClientStateError(
            "The event loop in which the client was opened has ended before the client was closed, and its connections "
            "ended with it. What was in flight then stands in the ledger as unknown; a new client asks about it. Open, "
            "use and close a client in one 'asyncio.run(main())', with 'async with'."
        )

    def end(self) -> bool:
        """It is closed; whether there is something to close."""
        was_open = self._loop is not None and not self._closed
        self._closed = True
        return was_open

    @property
    def inherited(self) -> bool:
        """Whether another process opened it, from which this one was forked."""
        return self._loop is not None and self._process != this_process()
