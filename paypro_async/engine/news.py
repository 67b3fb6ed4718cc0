"""News within one process: what one part of a client has written about a payout, the others need not look up."""

from collections.abc import Callable
from typing import Protocol

from attrs import define, field

from paypro_async._core.lifecycle import Change, Entry
from paypro_async._core.plain_data import PlainData
from paypro_async.ledger.changes import OnWritten

__all__ = ["News", "Watcher"]

Listener = Callable[[Entry], object]


class Watcher(Protocol):
    """Whom a client tells what happens in it, if it has hooks. No method waits or raises."""

    def written(self, before: Entry | None, after: Entry, change: Change | None) -> None:
        """This client has written *after*; *before* is None for a payout that is new."""
        ...

    def batch_started(self, batch_id: str, total: int | None) -> int:
        """A batch begins in this task and in those that are made of it; the number of this run."""
        ...

    def batch_ended(self, batch: int, batch_id: str, report: PlainData) -> None:
        """The batch of that number has ended."""
        ...

    def callback_answered(self, status: int, callback: PlainData | None, duration: float) -> None:
        """A callback was answered with an HTTP *status*; *callback* is None for one that is not genuine."""
        ...

    def reconciled(self, report: PlainData) -> None:
        """A reconciliation has ended."""
        ...


@define(kw_only=True, eq=False)
class News:
    """Those who want to hear at once of what is written here. Other processes' writing they have to look up.

    Args:
        watcher: Of the client's hooks; None for a client without.
        on_written: Who is told what this client writes; None if nobody is.
    """

    watcher: Watcher | None = None
    on_written: OnWritten | None = field(init=False)
    _listeners: dict[Listener, None] = field(factory=dict, init=False)

    @on_written.default
    def _(self) -> OnWritten | None:
        return self.watcher.written if self.watcher is not None else None

    def tell(self, entry: Entry) -> None:
        """The *entry* was written, or was found as another has written it."""
        for listener in tuple(self._listeners):
            listener(entry)

    def listen(self, listener: Listener) -> None:
        """Call *listener* with each entry from now on. It must not wait and not raise."""
        self._listeners[listener] = None

    def leave(self, listener: Listener) -> None:
        """Call it no more."""
        self._listeners.pop(listener, None)
