"""One payout while a reconciliation works on it."""

from attrs import define

from paypro_async._core.lifecycle import Entry, State, is_another_attempt
from paypro_async.errors import LedgerUnavailableError

__all__ = ["Case", "first_of", "is_younger"]


@define(kw_only=True, eq=False)
class Case:
    """One payout of the page that is worked on.

    Args:
        entry: As it was read last; *first* is how the page held it, *seen_at* when it was read, on the steady clock.
        due: When it may be asked about.
        absences: How many questions in a row have found nothing after its settle window.
        tries: How many in a row had no usable answer.
        give_up: The moment by which one question, with its repetitions, must have an answer.
        silence: Why the last question got no usable answer.
        pending: Whether it was asked about and is to be asked about once more.
        witnessed: Whether one reply has said that its order failed, and another was asked for.
    """

    entry: Entry
    first: Entry
    seen_at: float
    due: float
    absences: int = 0
    tries: int = 0
    give_up: float | None = None
    answered: bool = False
    silence: str | None = None
    pending: bool = False
    witnessed: bool = False

    @property
    def before(self) -> State:
        """Its state when the page was read."""
        return self.first.state

    @property
    def was_asked(self) -> bool:
        """Whether the platform was asked about it, with or without success."""
        return self.answered or self.silence is not None

    @property
    def is_open(self) -> bool:
        """Whether it is as it was, or one question has found nothing of what had been accepted."""
        return self.entry.state is self.before or self.entry.state is State.MISSING

    def see(self, entry: Entry, now: float) -> None:
        """Go on with what the ledger holds *now*."""
        if is_another_attempt(entry, self.entry):
            self.absences = 0
        self.entry, self.seen_at = entry, now


def is_younger(entry: Entry, seconds: float) -> bool:
    """Whether the last attempt of *entry* was announced less than so many seconds ago; never if that is none."""
    # A ledger's clock that was set back makes a negative age of it.
    return max(0.0, entry.age) < seconds


def first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended a reconciliation: callers catch the ledger's error and no group."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, LedgerUnavailableError):
        return LedgerUnavailableError(
            f"{error} The reconciliation ended there. It sends nothing, and what it had learned until then is stored; "
            "mend the ledger and run it again."
        )
    return error
