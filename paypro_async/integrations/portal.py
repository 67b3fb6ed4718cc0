"""Python without asyncio: one client for a process, in an event loop with a thread of its own.

Any thread calls it: a Django view, a Celery task, a plain script. It is opened by the first call, so a module may hold
it: processes that a server forks from the one that loaded the module open one each.
"""

import atexit
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from types import TracebackType
from typing import Self, TypeVar

import anyio
from anyio.from_thread import BlockingPortal
from attrs import frozen

from paypro_async.client import PayProClient
from paypro_async.errors import ClientStateError
from paypro_async.process import ProcessId, refuse_forked, this_process

__all__ = ["ClientPortal"]

T = TypeVar("T")


@frozen
class _Raised:
    """What was raised in the loop, for the thread that waits."""

    error: BaseException


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
        self._state = threading.Condition()  # held while one of the following is looked at, and while it is opened
        self._begun_by: ProcessId | None = None
        self._open: tuple[BlockingPortal, PayProClient] | None = None
        self._closed = False
        self._entering = 0  # calls that were let in and are not in the loop yet
        self._thread: threading.Thread | None = None
        self._ended: Future[None] = Future()

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
        self._look()
        with self._state:
            self._opened()

    def call(self, ask: Callable[[PayProClient], Awaitable[T]]) -> T:
        """Call the client, and wait for what it gives or raises.

        The client's own ``timeout`` bounds the wait. ``KeyboardInterrupt`` ends the wait alone: a payout that is under
        way goes on, and the same ``trade_no`` again gives its result.

        Args:
            ask: Given the open client, what to await: ``lambda client: client.payout(payment)``. It runs in the loop's
                thread, so it must not block.

        Raises:
            ClientStateError: If it is closed, or this process was forked since it was opened. Nothing was sent. Also if
                it is closed while something other than the client's own calls is awaited.
            RuntimeError: If it is called from the loop's own thread, as by a handler of changes.
        """
        self._look()

        async def asked() -> T | _Raised:
            try:
                return await ask(client)
            except (Exception, anyio.get_cancelled_exc_class()):
                raise
            except BaseException as error:  # noqa: BLE001  in the loop it would end everybody's calls, and the client
                return _Raised(error)

        with self._state:
            portal, client = self._opened()
            self._entering += 1
        try:
            # What is in the loop before it is told to stop gets an answer, and what came later would get none.
            future = portal.start_task_soon(asked)
        finally:
            with self._state:
                self._entering -= 1
                self._state.notify_all()
        try:
            answer = future.result()
        except CancelledError:
            if not self._closed:
                raise
            raise ClientStateError(
                "The client was closed before this call had ended. A payout that it had begun is in the ledger: pay it "
                "again under the same trade_no with a new ClientPortal, which gives its result."
            ) from None
        if isinstance(answer, _Raised):
            raise answer.error
        return answer

    def close(self) -> None:
        """Close the client, which ends what is under way, and end the thread. A second time does nothing.

        In a process that was forked since it was opened it does nothing either: what is open is the parent's.

        Raises:
            RuntimeError: If it is called from the loop's own thread. It stays open.
        """
        if self._begun_by not in (None, this_process()):
            return
        self._refuse_own_thread()
        with self._state:
            self._closed = True
            self._state.wait_for(lambda: not self._entering)
            opened, self._open = self._open, None
        atexit.unregister(self.close)
        if opened is not None and not self._ended.done():
            portal, _ = opened
            portal.start_task_soon(portal.stop)
            self._ended.result()

    def _look(self) -> None:
        # Before the lock: a child has a copy of it that may be held for ever, by a thread that it has not.
        if self._begun_by is not None:
            refuse_forked(self._begun_by, "The client")
        self._refuse_own_thread()

    def _refuse_own_thread(self) -> None:
        if threading.current_thread() is self._thread:
            raise RuntimeError(
                "A ClientPortal was used in its own event loop thread, which would wait for itself. Nothing was done: "
                "await the client there, and leave blocking work to asyncio.to_thread."
            )

    def _opened(self) -> tuple[BlockingPortal, PayProClient]:
        if self._closed:
            raise ClientStateError("The client is closed. Nothing was sent. Make a new ClientPortal to go on.")
        if self._open is not None and not self._ended.done():  # The loop has ended if a task in it raised SystemExit.
            return self._open
        self._open, self._begun_by = None, this_process()
        try:
            return self._begin()
        finally:
            if self._open is None:
                self._begun_by = None

    def _begin(self) -> tuple[BlockingPortal, PayProClient]:
        ready: Future[tuple[BlockingPortal, PayProClient]] = Future()
        self._ended = Future()
        # Not start_blocking_portal(): when the interpreter of a forked child ends, it waits for a thread that the child
        # has not. Of this thread nobody waits for the end but close().
        self._thread = threading.Thread(target=self._run, args=(ready, self._ended), name="paypro", daemon=True)
        try:
            self._thread.start()
            atexit.register(self.close)
            self._open = ready.result()
        except BaseException:
            # Ctrl-C while it is opened: nobody is to use it, so it is closed as soon as it is open.
            if not ready.cancel() and ready.exception() is None:
                portal, _ = ready.result()
                portal.start_task_soon(portal.stop)
            self._open = None
            atexit.unregister(self.close)
            raise
        return self._open

    def _run(self, ready: Future[tuple[BlockingPortal, PayProClient]], ended: Future[None]) -> None:
        try:
            anyio.run(self._serve, ready)
        except BaseException as error:  # noqa: BLE001  the thread that opens or closes raises it
            is_awaited = not ready.done() and ready.set_running_or_notify_cancel()
            (ready if is_awaited else ended).set_exception(error)
        else:
            ended.set_result(None)

    async def _serve(self, ready: Future[tuple[BlockingPortal, PayProClient]]) -> None:
        failed: BaseException | None = None
        async with BlockingPortal() as portal:
            try:
                async with self._make() as client:
                    if not ready.set_running_or_notify_cancel():
                        return
                    ready.set_result((portal, client))
                    await portal.sleep_until_stopped()
            except BaseException as error:  # noqa: BLE001  raised below, since the portal would put it into a group
                failed = error
            # The client has ended its own calls; what else a caller awaits must not keep the process from its end.
            await portal.stop(cancel_remaining=True)
        if failed is not None:
            raise failed
