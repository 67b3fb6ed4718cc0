"""A client without hooks."""

from typing import Any

from paypro_async.engine.news import Watcher
from paypro_async.engine.payout import Engine
from paypro_async.engine.platform import Platform
from paypro_async.engine.recording import Recording
from paypro_async.engine.session import Session

__all__ = ["NoHooks"]


class NoHooks:
    """The hooks of a client that has none: its engine and its platform tell nobody.

    Attributes:
        watcher: Whom the other parts of the client tell.
    """

    watcher: Watcher | None = None

    def engine(self, session: Session, recording: Recording) -> Engine:
        """What pays."""
        return Engine(session=session, recording=recording)

    def platform(self, **parts: Any) -> Platform:
        """PayPro, of the parts of a :class:`Platform`."""
        return Platform(**parts)

    def begin(self, session: Session) -> None:
        """The client is open."""

    async def end(self) -> None:
        """The client is closed next, and all is still there."""

    async def aclose(self) -> None:
        """Everything else is closed."""
