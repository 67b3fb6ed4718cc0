"""Python without asyncio: one client for a process, in an event loop with a thread of its own.

Any thread calls it: a Django view, a Celery task, a plain script. It is opened by the first call, so a module may hold
it: processes that a server forks from the one that loaded the module open one each.
"""

import atexit
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeVar

import anyio
from anyio.from_thread import BlockingPortal

from paypro_async.client import PayProClient
from paypro_async.errors import ClientStateError
from paypro_async.process import ProcessId, refuse_forked, this_process

__all__ = ["ClientPortal"]

T = TypeVar("T")


class ClientPortal:
    """A client that threads without an event loop call.

    Keep one for a process, in a module, and use it from any number of threads::

        paypro = ClientPortal(PayProClient.from_env)
        result = paypro.call(lambda client: client.payout(payment))

    It closes itself when the interpreter ends, or at the end of ``with``.

    Args:
        make: Makes the client, as ``PayProClient.from_env`` does. It is called once, by the first call.
    """

    def __init__(self, make: Callable[[], PayProClient]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._begun_by: ProcessId | None = None
        self._open: tuple[BlockingPortal, PayProClient] | None = None
        self._ended: Future[None] = Future()
        self._closed = False

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Open the client now and not at the first call, so that a wrong setting is seen when the process starts.

        Raises:
            ConfigurationError: If a setting cannot work.
            LedgerUnavailableError: If the ledger cannot be opened. A later call tries again.
            ClientStateError: If it is closed, or this process was forked since it was opened.
        """
        self._opened()

    def call(self, ask: Callable[[PayProClient], Awaitable[T]]) -> T:
        """Call the client, and wait for what it gives or raises.

        The client's own ``timeout`` bounds the wait. ``KeyboardInterrupt`` ends the wait alone: a payout that is under
        way goes on, and the same ``trade_no`` again gives its result.

        Args:
            ask: Given the open client, what to await: ``lambda client: client.payout(payment)``. It runs in the loop's
                thread, so it must not block.

        Raises:
            ClientStateError: If it is closed, or this process was forked since it was opened. Nothing was sent.
            RuntimeError: If it is called from the loop's own thread, as by a handler of changes.
        """
        portal, client = self._opened()

        async def asked() -> T:
            return await ask(client)

        return portal.call(asked)

    def close(self) -> None:
        """Close the client, which ends what is under way, and end the thread. A second time does nothing.

        In a process that was forked since it was opened it does nothing either: what is open is the parent's.
        """
        if self._begun_by not in (None, this_process()):
            return
        with self._lock:
            self._closed = True
            opened, self._open = self._open, None
        atexit.unregister(self.close)
        if opened is not None:
            portal, _ = opened
            portal.start_task_soon(portal.stop)
            self._ended.result()

    def _opened(self) -> tuple[BlockingPortal, PayProClient]:
        # Before the lock: a child has a copy of it that may be held for ever, by a thread that it has not.
        if self._begun_by is not None:
            refuse_forked(self._begun_by, "The client")
        if (opened := self._open) is not None:
            return opened
        with self._lock:
            if self._closed:
                raise ClientStateError("The client is closed. Nothing was sent. Make a new ClientPortal to go on.")
            if self._open is None:
                self._begun_by = this_process()
                try:
                    self._open = self._begin()
                finally:
                    if self._open is None:
                        self._begun_by = None
            return self._open

    def _begin(self) -> tuple[BlockingPortal, PayProClient]:
        ready: Future[tuple[BlockingPortal, PayProClient]] = Future()
        self._ended = Future()
        # Not start_blocking_portal(): when the interpreter of a forked child ends, it waits for a thread that the child
        # has not. Of this thread nobody waits for the end but close().
        threading.Thread(target=self._run, args=(ready, self._ended), name="paypro", daemon=True).start()
        opened = ready.result()
        atexit.register(self.close)
        return opened

    def _run(self, ready: Future[tuple[BlockingPortal, PayProClient]], ended: Future[None]) -> None:
        try:
            anyio.run(self._serve, ready)
        except BaseException as error:  # noqa: BLE001  the thread that opens or closes raises it
            (ended if ready.done() else ready).set_exception(error)
        else:
            ended.set_result(None)

    async def _serve(self, ready: Future[tuple[BlockingPortal, PayProClient]]) -> None:
        failed: Exception | None = None
        async with BlockingPortal() as portal:
            try:
                async with self._make() as client:
                    ready.set_result((portal, client))
                    await portal.sleep_until_stopped()
            except Exception as error:  # noqa: BLE001  raised below, since the portal would put it into a group
                failed = error
            # The client has ended its own calls; what else a caller awaits must not keep the process from its end.
            await portal.stop(cancel_remaining=True)
        if failed is not None:
            raise failed
