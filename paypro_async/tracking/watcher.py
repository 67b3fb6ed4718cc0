"""Changes as an iteration: each watcher sees all of them, from when it began."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from typing import Self, TypeVar

from paypro_async._core.known import PayoutChange
from paypro_async._core.lifecycle import Entry
from paypro_async.engine.session import Session
from paypro_async.errors import LedgerUnavailableError
from paypro_async.ledger import Ledger
from paypro_async.ledger.base import PAGE
from paypro_async.ledger.outbox import Cursor
from paypro_async.log import logger
from paypro_async.tracking.delivery import check_outbox, outbox_answer

__all__ = ["Watch"]

T = TypeVar("T")

_LOOK_SECONDS = 0.5
"""How often it looks for what other processes have written."""


class Watch(AsyncIterator[PayoutChange]):
    """The changes of one merchant's payouts, read from the ledger page by page, so that a slow reader needs no memory.

    It holds nothing while it is not awaited, and ends when its client is closed.

    Args:
        ledger: With an outbox.
        session: What the client's parts share.
        trade_no: Of this payout alone; of all if it is None.
    """

    def __init__(self, ledger: Ledger, session: Session, *, trade_no: str | None = None) -> None:
        outbox = check_outbox(ledger)
        self._ledger, self._outbox, self._session, self._trade_no = ledger, outbox, session, trade_no
        self._page: deque[PayoutChange] = deque()
        self._reading = asyncio.Lock()
        self._beginning: asyncio.Future[Cursor] | None = self._look_where_it_ends()
        self._cursor = Cursor(position=0)
        self._complained = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> PayoutChange:
        async with self._reading:
            if not self._page:
                await self._read()
            if not self._page:
                raise StopAsyncIteration
            return self._page.popleft()

    async def _read(self) -> None:
        """Fill the page; it stays empty once the client is being closed."""
        written = asyncio.Event()

        def hear(_: Entry) -> None:
            written.set()

        closing, news = self._session.closing, self._session.news
        news.listen(hear)
        try:
            while not (closing.begun or self._page):
                written.clear()
                try:
                    ended = await self._next_page()
                except LedgerUnavailableError as error:
                    self._complain(error)
                    ended = True
                if ended and not self._page:
                    with closing.interrupts(after=_LOOK_SECONDS):
                        await written.wait()
        finally:
            news.leave(hear)

    def _complain(self, error: LedgerUnavailableError) -> None:
        if not self._complained:
            self._complained = True
            logger.warning("Changes are watched again once the ledger answers: %s", error)

    def _look_where_it_ends(self) -> "asyncio.Future[Cursor]":
        """Ask the ledger now, not when it is awaited: what this client writes next is to be seen."""
        answer = self._answer(self._outbox.cursor(self._session.platform.merchant_no))
        beginning = asyncio.ensure_future(answer)
        beginning.add_done_callback(_heard)
        return beginning

    async def _answer(self, answer: Awaitable[T]) -> T:
        return await outbox_answer(self._session.times.timeout, self._ledger, answer)

    async def _next_page(self) -> bool:
        """Read on; whether that was the end of what is there."""
        if self._beginning is not None:
            self._cursor = await self._begun(self._beginning)
            self._beginning = None
        before = self._cursor.position
        reading = self._outbox.changes(self._session.platform.merchant_no, self._cursor, limit=PAGE)
        changes, self._cursor = await self._answer(reading)
        self._complained = False
        self._page.extend(one for one in changes if self._trade_no in (None, one.trade_no))
        return self._cursor.position - before < PAGE

    async def _begun(self, beginning: "asyncio.Future[Cursor]") -> Cursor:
        try:
            return await asyncio.shield(beginning)
        except LedgerUnavailableError:
            # It watches from when the ledger answers: what was written before nobody can tell from what is older.
            self._beginning = self._look_where_it_ends()
            raise


def _heard(beginning: "asyncio.Future[Cursor]") -> None:
    # Who iterates is told; who never does leaves nothing in the log.
    if not beginning.cancelled():
        beginning.exception()
