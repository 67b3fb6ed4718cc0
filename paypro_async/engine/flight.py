"""One call's view of one payout."""

from collections.abc import Callable

from attrs import define

from paypro_async._core.lifecycle import Entry, is_another_attempt
from paypro_async._core.outcome import Outcome
from paypro_async._core.wire import Fault, Waiting
from paypro_async.engine.limits import Limits
from paypro_async.engine.readiness import Ready

__all__ = ["Flight"]


@define(kw_only=True, eq=False)
class Flight:
    """One payout on its way, as one call sees it. All moments are of the steady clock.

    Args:
        entry: The ledger's, as last seen.
        limits: How long this call may take, and how often it may send.
        began: When the call began.
        deadline: When it must end.
        seen_at: When the entry was read or written.
        announced_at: When this call announced an attempt that is not sent yet; else None.
        ready: What the attempt that was announced has ready; None if there is no rate to keep.
        admitted: Whether it is one of the payouts that may be announced at one time.
        waiting: How the next attempt may wait for a connection.
        in_vain: Whether it has waited until no reply could come in time any more.
        sends: Attempts of this call that may have left.
        held: Attempts of this call that certainly did not, for want of a connection or of time.
        questions: Queries of this call.
        asked: Queries since the last attempt.
        absences: How many of them in a row found no such order, after its settle window.
        last: What the last attempt of this call proved.
        retry_after: Seconds that the platform asked to wait when it last answered.
        refused: Whether the last query was refused because of the credentials, or for a cause that lasts until a
            setting is mended could not be asked.
        silence: Why the last query got no answer, if it got none.
        unclear: The code with which the last query was refused, if no page lists it.
        on_reply: Called when an attempt has its answer, or none, and nothing is left but to store that.
        call: What hooks are told of it by, until they are told of its end; None without hooks.
    """

    entry: Entry
    limits: Limits
    began: float
    deadline: float
    seen_at: float
    announced_at: float | None
    ready: Ready | None = None
    admitted: bool = False
    waiting: Waiting | None = None
    in_vain: bool = False
    sends: int = 0
    held: int = 0
    questions: int = 0
    asked: int = 0
    absences: int = 0
    last: Outcome | None = None
    retry_after: float | None = None
    refused: bool = False
    silence: Fault | None = None
    unclear: str | None = None
    on_reply: Callable[[], object] | None = None
    call: object = None

    @property
    def refresh(self) -> bool:
        """Whether to ask about one that an earlier call knew as processing; what this call was told is news enough."""
        return self.limits.refresh and not self.sends and not self.asked

    def see(self, entry: Entry, now: float) -> None:
        """Take over what the ledger holds now."""
        if is_another_attempt(entry, self.entry):
            self.asked = self.absences = 0
        self.entry, self.seen_at = entry, now
