"""What a client with hooks has beside the others: their thread, and a look at what is under way now and then."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from paypro_async._core.events import ClientMeasured, Hook
from paypro_async._core.items import ItemStatus
from paypro_async.engine.payout import Engine
from paypro_async.engine.platform import Platform
from paypro_async.engine.recording import Recording
from paypro_async.engine.session import Session
from paypro_async.hooks.dispatcher import Dispatcher
from paypro_async.hooks.engine import WatchedEngine, WatchedPlatform
from paypro_async.hooks.no_hooks import NoHooks
from paypro_async.hooks.watcher import ClientWatcher
from paypro_async.ledger.patience import answer_within
from paypro_async.log import logger
from paypro_async.runtime import Runtime, end_task

__all__ = ["MEASURED_EVERY", "Watching"]

MEASURED_EVERY = 10.0
"""Seconds."""
_FIRST_AFTER = 1.0
_LAST_WITHIN = 2.0


class Watching(NoHooks):
    """The hooks of one open client that has some.

    Args:
        hooks: Called with each event.
        runtime: The client's clocks.
    """

    def __init__(self, hooks: Sequence[Hook], runtime: Runtime) -> None:
        self._dispatcher = Dispatcher(hooks)
        self._runtime = runtime
        self.watcher: ClientWatcher = ClientWatcher(tell=self._dispatcher.tell, runtime=runtime)
        self._session: Session | None = None
        self._measuring: asyncio.Task[None] | None = None

    def engine(self, session: Session, recording: Recording) -> Engine:
        """What pays, and tells of it."""
        return WatchedEngine(session=session, recording=recording, watcher=self.watcher)

    def platform(self, **parts: Any) -> Platform:
        """PayPro, with each exchange told."""
        return WatchedPlatform(**parts, watcher=self.watcher)

    def begin(self, session: Session) -> None:
        """Tell of the ledger's groups from now on, and measure now and then."""
        self._session = session
        self._watch_commits(self.watcher.committed)
        self._measuring = asyncio.create_task(self._measure(), name="paypro-measure")

    async def end(self) -> None:
        """Measure for the last time, while the ledger and the connections are still there."""
        if self._measuring is None:
            return
        await end_task(self._measuring, who="The measuring of a client")
        await self._measured(within=_LAST_WITHIN)
        self._watch_commits(None)

    async def aclose(self) -> None:
        """Let the hooks hear what is left."""
        await self._dispatcher.aclose()

    def _watch_commits(self, told: Any) -> None:
        watch = getattr(self._session and self._session.ledger, "watch_commits", None)
        if watch is not None:
            watch(told)

    async def _measure(self) -> None:
        delay = _FIRST_AFTER
        while True:
            await self._runtime.sleep(delay)
            await self._measured(within=MEASURED_EVERY)
            delay = MEASURED_EVERY

    async def _measured(self, *, within: float) -> None:
        session = self._session
        if session is None:
            return
        transport = session.platform.transport
        self.watcher.tell(
            ClientMeasured(
                at=self.watcher.now(),
                connections=getattr(transport, "connections_in_use", None),
                max_connections=getattr(transport, "max_connections", None),
                open_payouts=await self._open_payouts(session, within),
                dropped=self._dispatcher.dropped,
            )
        )

    async def _open_payouts(self, session: Session, within: float) -> Mapping[ItemStatus, int] | None:
        count = getattr(session.ledger, "count_open", None)
        if count is None or session.ledger is None:
            return None
        try:
            found: Mapping[ItemStatus, int] = await answer_within(
                within, session.ledger, count(session.platform.merchant_no)
            )
        except Exception as error:  # noqa: BLE001  whatever an own ledger raises, it is only a number
            logger.info("The open payouts were not counted for hooks (%s).", type(error).__name__)
            # Not "none are open", which would end an alert about those whose outcome nobody knows.
            return None
        return found
