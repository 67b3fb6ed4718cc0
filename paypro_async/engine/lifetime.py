"""From the opening of a client to its closing: once, in one event loop of one process."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import anyio

from paypro_async.engine.closing import Closing
from paypro_async.engine.limits import Timing
from paypro_async.engine.session import Session
from paypro_async.errors import ClientStateError
from paypro_async.ledger import Ledger
from paypro_async.log import logger
from paypro_async.process import refuse_forked, this_process
from paypro_async.runtime import NoAnswerError, Runtime, answer_of

__all__ = ["Lifetime"]

_CLOSING_SECONDS = 0.4
_UNOPENED_SECONDS = 0.1
"""Where opening has failed, there is nothing to finish."""

Closer = Callable[[], Awaitable[None]]


class Lifetime:
    """Whether a client may be used now and here."""

    def __init__(self, runtime: Runtime, times: Timing) -> None:
        self._runtime, self._times = runtime, times
        self._close_by = 0.0
        self.closing: Closing = Closing(runtime=runtime)
        """What the calls under way are told."""
        self._ended: asyncio.Event = asyncio.Event()
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
        self._close_by = self._runtime.steady() + self._times.timeout

    def begin(self, session: Session) -> None:
        """It is open, in this event loop of this process."""
        self._session, self._loop, self._process = session, asyncio.get_running_loop(), this_process()

    def session(self) -> Session:
        """What its parts share, for a use that comes next.

        Raises:
            ClientStateError: If it is not open, or was opened in another event loop or process.
        """
        if self._closed or self.closing.begun:
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
            # It has a thread of its own, which outlives the loop.
            self._close_by = self._runtime.steady() + self._times.timeout
            await self.close_part("The ledger", ledger.aclose)
        raise ClientStateError(
            "The event loop in which the client was opened has ended before the client was closed, and its connections "
            "ended with it. What was in flight then stands in the ledger as unknown; a new client asks about it. Open, "
            "use and close a client in one 'asyncio.run(main())', with 'async with'."
        )

    def end(self) -> None:
        """It is closed, or its parts are not this process's to close."""
        self._closed = True

    async def close(self, batches: Callable[[], Iterable[Awaitable[None]]], close_parts: Closer) -> None:
        """Let what is under way come to its end, in a time that has a bound, then close the client's parts.

        Args:
            batches: Ends those that run.
            close_parts: The connections and the ledger, as far as they are the client's own.
        """
        if self._loop is None or self._closed:
            self._closed = True
            return
        if self.closing.begun:
            await self._ended.wait()  # Another task closes it.
            return
        with anyio.CancelScope(shield=True):  # It has a bound, and half closed is worse than late.
            await self._close(batches, close_parts)

    async def _close(self, batches: Callable[[], Iterable[Awaitable[None]]], close_parts: Closer) -> None:
        self.closing.begin()
        self._close_by = self._runtime.steady() + self._times.drain
        try:
            await self._drain([asyncio.ensure_future(one) for one in (*batches(), self.closing.all_left())])
        finally:
            self._closed = self.closing.ended = True
            try:
                await close_parts()
            finally:
                self._ended.set()

    async def close_part(self, who: str, close: Closer) -> None:
        """Close a part of the client in what is left of its time, or leave it behind with a line in the log."""
        least = _CLOSING_SECONDS if self._session else _UNOPENED_SECONDS
        left = max(least, min(self._times.timeout, self._close_by - self._runtime.steady()))
        try:
            await answer_of(close(), within=left, who=who)
        except NoAnswerError as error:
            logger.warning("%s when it was closed, and is left as it is until this process ends.", error)

    async def _drain(self, endings: "list[asyncio.Future[None]]") -> None:
        _, left = await asyncio.wait(endings, timeout=self._times.drain)
        for one in left:
            one.cancel()
        if self.closing.calls:
            logger.warning(
                "The client was closed while %d call(s) were under way that did not end within %.3g s. What they sent "
                "stands in the ledger; a new client asks about it.",
                self.closing.calls,
                self._times.drain,
            )

    @property
    def inherited(self) -> bool:
        """Whether another process opened it, from which this one was forked."""
        return self._loop is not None and self._process != this_process()
