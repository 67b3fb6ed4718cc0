"""One call's view of one payout."""

from collections.abc import Callable

from attrs import define

from paypro_async._core.lifecycle import Entry
from paypro_async._core.outcome import Outcome
from paypro_async.engine.limits import Limits

__all__ = ["Flight"]


@define(kw_only=True, eq=False)
class Flight:
    """One payout on its way, as one call sees it.

    Args:
        entry: The ledger's, as last seen.
        seen_at: When that was, on the steady clock.
        announced_at: When this call announced an attempt that is not sent yet; else None.
        place: The place in the rate of the attempt that was announced, if there is a rate to keep.
        last: What the last attempt of this call proved.
        retry_after: Seconds that the platform asked to wait when it last answered.
        refused: Whether the last question was refused because of the credentials.
        on_reply: Called when an attempt has its answer, or none, and nothing is left but to store that.
    """

    entry: Entry
    limits: Limits
    began: float
    seen_at: float
    announced_at: float | None
    place: float | None = None
    sends: int = 0
    held: int = 0
    asked: int = 0
    absences: int = 0
    last: Outcome | None = None
    retry_after: float | None = None
    refused: bool = False
    on_reply: Callable[[], object] | None = None

    @property
    def deadline(self) -> float:
        """The moment of the steady clock at which the call must end."""
        return self.began + self.limits.timeout

    @property
    def wants_news(self) -> bool:
        """Whether to ask about one that an earlier call knew as processing; what this call was told is news enough."""
        return self.limits.ask_anyway and not self.sends and not self.asked

    def see(self, entry: Entry, now: float) -> None:
        """Take over what the ledger holds now."""
        if entry.attempt != self.entry.attempt:
            self.asked = self.absences = 0
        self.entry, self.seen_at = entry, now
