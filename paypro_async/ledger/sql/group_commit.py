"""Group commit: one thread takes whatever waits, has it done in one transaction, and wakes each caller.

A transaction costs one flush of the disk however much is in it, so the ledger keeps pace with the network instead of
with the disk. The thread is a daemon: a script that fails must end, and an unfinished transaction rolls back.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from typing import Any, Generic, TypeVar

from attrs import frozen

from paypro_async.errors import PayProError
from paypro_async.ledger.base import LedgerClosedError

__all__ = ["GroupCommit", "OnGroup", "Request"]

T = TypeVar("T")

_MOST = 64
"""Requests that one commit carries at most: in larger groups payouts begin and end in waves, and the network idles."""
_LONGEST_WAIT = 0.003
"""Seconds that a group waits for company at most."""


@frozen
class Request(Generic[T]):
    """Something to do in the thread, whose answer is a *T*."""


OnGroup = Callable[[int, float, bool], object]
"""Is told how many requests a group had, the seconds that they took, and whether all have failed."""
_Job = tuple[Request[Any], "asyncio.Future[Any]"]
"""What is to be done, and who waits for it."""


class GroupCommit:
    """Carries requests from any event loop to one thread, in groups.

    Args:
        work: Called in the thread with a group of requests. It returns one result a request, in their order, once all
            are durable; a result that is an exception is raised to that caller alone. What it raises goes to all.
        name: Of the thread.
        enough: Called in the thread; how many requests a group should wait for a little, if there are fewer.
        at_end: Called in the thread when it has done everything, also where nobody waits for that any more.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Request[Any]]], Sequence[Any]],
        *,
        name: str,
        enough: Callable[[], int] = lambda: 1,
        at_end: Callable[[], object] = lambda: None,
    ) -> None:
        self._work = work
        self._enough = enough
        self._at_end = at_end
        self._failure: Exception | None = None  # of the end
        self.on_group: OnGroup | None = None
        """Called in the thread after each group, if somebody wants to know."""
        self._jobs: list[_Job] = []
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        # So many wake the thread, or that it shall end: woken by each, it would wait for Python's lock as often.
        self._awaited = 0
        self._closing = False
        self._ended = False
        self._group: Sequence[_Job] = ()  # which is being worked on
        self._closers: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, request: Request[T]) -> "asyncio.Future[T]":
        """Have *request* done, queued when this returns; its answer is awaited. Cancelling that does not take it back.

        Raises:
            LedgerClosedError: If the thread has ended.
            LedgerUnavailableError: Where the answer is awaited, if the group could not be written.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        # The lock orders a submission and the end of the queue: no caller may wait for a thread that has gone.
        with self._lock:
            if self._closing:
                raise LedgerClosedError("The ledger is closed. Nothing was sent; open it again.")
            self._jobs.append((request, future))
            if len(self._jobs) == self._awaited:
                self._changed.notify()
        return future

    async def aclose(self, *, within: float | None = None) -> bool:
        """Do what is queued, then end the thread; whether it has ended, *within* so many seconds.

        Cancelling the caller ends its wait alone.
        """
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if not self._closing:
                self._closing = True
                self._changed.notify()
            if self._ended:
                return True
            self._closers.append((loop, ended))
        try:
            await asyncio.wait([ended], timeout=within)
        finally:
            if not ended.done():
                self._give_up(loop)
        if not ended.done():
            return False
        self._thread.join()  # It is as good as gone.
        if self._failure is not None:
            raise self._failure
        return True

    def _give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        # Nobody shall wait for the rest of a deadline for a thread that is left behind.
        with self._lock:
            waiting = [future for _, future in (*self._group, *self._jobs)]
        for future in waiting:
            if future.get_loop() is loop and not future.done():
                future.set_exception(LedgerClosedError("The ledger was closed before it had answered."))

    def _run(self) -> None:
        try:
            self._take_jobs()
        finally:
            try:
                self._at_end()
            except Exception as error:  # noqa: BLE001  whatever it is, whoever closes hears of it
                self._failure = error
            with self._lock:
                self._ended = True
            for loop, ended in self._closers:
                _call_soon(loop, _end, ended)

    def _take_jobs(self) -> None:
        while group := self._gather():
            on_group, failed = self.on_group, False
            began = time.monotonic() if on_group is not None else 0.0
            try:
                results = self._work([request for request, _ in group])
            except Exception as error:  # noqa: BLE001  whatever it is, each caller must hear of it and the thread go on
                # Ours can be copied, and a traceback belongs to one task.
                results = [copy(error) if isinstance(error, PayProError) else error for _ in group]
                failed = True
            _wake(group, results)
            self._group = ()
            if on_group is not None:
                on_group(len(group), time.monotonic() - began, failed)

    def _gather(self) -> list[_Job]:
        """What waits, as soon as that is enough; nothing once all is done and there will be no more."""
        with self._lock:
            self._wait_for(1, timeout=None)
            self._wait_for(min(self._enough(), _MOST), timeout=_LONGEST_WAIT)
            group = self._group = self._jobs[:_MOST]
            del self._jobs[:_MOST]
        return group

    def _wait_for(self, count: int, *, timeout: float | None) -> None:
        self._awaited = count
        self._changed.wait_for(lambda: len(self._jobs) >= count or self._closing, timeout)
        self._awaited = 0


def _wake(group: Sequence[_Job], results: Sequence[Any]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for (_, future), result in zip(group, results, strict=True):
        by_loop.setdefault(future.get_loop(), []).append((future, result))
    for loop, pairs in by_loop.items():
        _call_soon(loop, _resolve, pairs)


def _call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[[T], object], argument: T) -> None:
    with suppress(RuntimeError):  # That event loop has ended, and every caller in it too; what they asked is durable.
        loop.call_soon_threadsafe(callback, argument)


def _end(ended: "asyncio.Future[None]") -> None:
    if not ended.done():
        ended.set_result(None)


def _resolve(pairs: Sequence[tuple["asyncio.Future[Any]", Any]]) -> None:
    for future, result in pairs:
        if future.done():
            continue  # The caller was cancelled.
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
