"""News within one process: what one part of a client has written about a payout, the others need not look up."""

from collections.abc import Callable

from attrs import define, field

from paypro_async._core.lifecycle import Entry

__all__ = ["News"]

Listener = Callable[[Entry], object]


@define(kw_only=True, eq=False)
class News:
    """Those who want to hear at once of what is written here. Other processes' writing they have to look up."""

    _listeners: dict[Listener, None] = field(factory=dict, init=False)

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
