"""What to do next with one payout: a pure function of where it stands.

::

    NEW ──────── send (after a back-off, if it was tried before); but ask first if it may be out after all
    SENDING ──── ask; and once "no such order" is believed: send again, or end it
    MISSING ──── ask; and once "no such order" is believed: a person decides
    otherwise ── finish

"No such order" is believed only after the attempt's settle window has passed and two questions, some time apart, have
both found nothing: a booking may lag behind its request. After a refusal there is no such window, since the platform
has spoken twice.
"""

from enum import Enum

from attrs import Attribute, field, frozen

from paypro_async._core.errors import ConfigurationError
from paypro_async._core.lifecycle import USUAL_SETTLE_AFTER, Entry, Reply, State
from paypro_async._core.outcome import Verdict

__all__ = ["BELIEVED_ABSENCES", "Action", "RetryBudget", "RetryPolicy", "Situation", "Step", "is_over", "next_step"]

_ROUNDING = 1e-6
_LOOKS_AGAIN = 5.0
"""Seconds at most between two looks of one who finds that too many tokens of the budget are owed."""

BELIEVED_ABSENCES = 2
"""How many questions after the settle window must find nothing."""


def _not_negative(_: object, attribute: "Attribute[float]", value: float) -> None:
    if not value >= 0:
        raise ConfigurationError(f"{attribute.name} must be zero or more seconds.")


@frozen(kw_only=True, eq=False)
class RetryPolicy:
    """How patient and how eager the client is. All times are in seconds.

    Args:
        settle_after: How long after an attempt "no such order" proves nothing.
        ask_spacing: Between the two questions that must both find nothing.
        resend: Whether a payout that never arrived may be sent again by itself.
        adopt_duplicates: Whether an order that was there before our only attempt is taken for ours.
        backoff_first: The ceiling of the first delay. The delay before try n + 1 is drawn evenly from zero to
            ``min(backoff_max, backoff_first * 2 ** n)`` (full jitter).
        retry_after_max: A ``Retry-After`` beyond this is taken as this.
    """

    settle_after: float = field(default=USUAL_SETTLE_AFTER, validator=_not_negative)
    ask_spacing: float = field(default=2.0, validator=_not_negative)
    resend: bool = True
    adopt_duplicates: bool = False
    backoff_first: float = field(default=0.5, validator=_not_negative)
    backoff_max: float = field(default=8.0, validator=_not_negative)
    retry_after_max: float = field(default=60.0, validator=_not_negative)

    def window(self, entry: Entry) -> float:
        """Seconds after the last attempt of *entry* within which "no such order" proves nothing.

        Whoever announced it may have been more patient, so the longer of what is stored with it and one's own counts.
        """
        if entry.state is State.SENDING and entry.reply is Reply.REFUSED and not entry.doubt:
            return 0.0  # The platform has refused the only attempt there was: nothing of it is on its way.
        stored = USUAL_SETTLE_AFTER if entry.settle_after is None else entry.settle_after
        return max(self.settle_after, stored)

    def settled(self, age: float, window: float) -> bool:
        """Whether "no such order" means something of an attempt that is *age* seconds old."""
        return age >= window - _ROUNDING

    def backoff(self, tries: int, chance: float) -> float:
        """The delay before try number *tries* + 1; *chance* is drawn evenly from 0 to 1."""
        return chance * min(self.backoff_max, self.backoff_first * 2.0 ** min(tries, 30))


@frozen(kw_only=True, eq=False)
class Situation:
    """Where one call stands with one payout.

    Args:
        state: The ledger's.
        sends: How often this call has sent it, or tried to.
        held: How often it never got as far as the network: every connection was busy, or the send deadline passed.
            That is no try; the call's deadline bounds it.
        max_attempts: How often this call may send it.
        age: Seconds since the last attempt was announced.
        window: Seconds after it within which "no such order" proves nothing.
        asks_first: Whether it may be out although it is new.
        failing: Whether one witness has said that it failed, and another must say so too.
        asked: Questions since the last attempt.
        absences: How many of them found nothing after the settle window, without anything else in between.
        last: What the last exchange of this call proved, if there was one.
        retry_after: Seconds that the platform asked to wait.
        lasting: What kept the last attempt from being sent lasts until somebody has mended a setting.
        refused: The last question was refused because of who asked, or could not be asked for a cause that lasts.
        refresh: The caller wants fresh news of a payout that is processing.
    """

    state: State
    sends: int = 0
    held: int = 0
    max_attempts: int = 1
    age: float = 0.0
    window: float = 0.0
    asks_first: bool = False
    failing: bool = False
    asked: int = 0
    absences: int = 0
    last: Verdict | None = None
    retry_after: float | None = None
    lasting: bool = False
    refused: bool = False
    refresh: bool = False


class Action(Enum):
    """What the caller shall do."""

    SEND = "send"
    ASK = "ask"
    BELIEVE = "believe that there is no such order"
    WAIT = "look again later what to do"
    FINISH = "finish"


@frozen
class Step:
    """An action and the seconds to wait before it."""

    action: Action
    delay: float = 0.0


_OPEN = (State.NEW, State.SENDING, State.MISSING)
_ANSWERED = (Verdict.DUPLICATE, Verdict.REFUSED, Verdict.FAILED, Verdict.UNLISTED)


def is_over(state: State, *, refresh: bool) -> bool:
    """Whether nothing is to be done about a payout in that state."""
    return state not in _OPEN and not (refresh and state is State.PROCESSING)


def next_step(at: Situation, policy: RetryPolicy, chance: float) -> Step:
    """What to do now about a payout: send it, ask about it, wait, or finish; and after how many seconds.

    Args:
        at: Where the payout stands.
        policy: The rules.
        chance: Drawn evenly from 0 to 1, for the jitter.
    """
    if is_over(at.state, refresh=at.refresh):
        return Step(Action.FINISH)
    if at.state is State.NEW:
        return _ask_first(at, policy, chance) if at.asks_first else _send(at, policy, chance)
    if at.state is State.PROCESSING:
        return Step(Action.ASK)
    if at.absences >= BELIEVED_ABSENCES:
        return Step(Action.BELIEVE)
    return _ask(at, policy, chance) if at.state is State.SENDING else _look_again(at, policy)


def _ask_first(at: Situation, policy: RetryPolicy, chance: float) -> Step:
    """It was believed not to be out, by two questions some time ago, by a person, or since the platform was busy."""
    if at.refused:
        return Step(Action.FINISH)
    tries = at.sends + at.held
    if at.failing and at.asked:
        # An order was shown: it is never sent, and if there is none after all, a person decides.
        found_nothing = at.absences >= BELIEVED_ABSENCES
        return Step(Action.BELIEVE) if found_nothing else Step(Action.ASK, max(policy.ask_spacing, _hint(at, policy)))
    if at.absences == 0:
        at_once = tries == 0 and at.asked == 0
        return Step(Action.ASK, 0.0 if at_once else policy.backoff(tries + at.asked - 1, chance) + _hint(at, policy))
    # It has waited for the question.
    return Step(Action.FINISH if at.failing or at.sends >= at.max_attempts else Action.SEND)


def _look_again(at: Situation, policy: RetryPolicy) -> Step:
    """The platform had accepted it and then knew no such order: two questions past the window make that a person's."""
    if at.asked == 0:
        return Step(Action.ASK)
    return Step(Action.ASK, max(policy.ask_spacing, _hint(at, policy))) if at.absences else Step(Action.FINISH)


def _send(at: Situation, policy: RetryPolicy, chance: float) -> Step:
    if at.sends + at.held == 0:
        return Step(Action.SEND)
    if at.last is Verdict.BAD_CREDENTIALS or at.lasting or at.sends >= at.max_attempts:
        return Step(Action.FINISH)
    return Step(Action.SEND, policy.backoff(at.sends + at.held - 1, chance) + _hint(at, policy))


def _hint(at: Situation, policy: RetryPolicy) -> float:
    """The server's hint sets the pace within bounds, never the permission; the jitter on top keeps callers apart."""
    return min(at.retry_after or 0.0, policy.retry_after_max)


def _ask(at: Situation, policy: RetryPolicy, chance: float) -> Step:
    if at.refused:
        return Step(Action.FINISH)
    if at.absences:
        return Step(Action.ASK, max(policy.ask_spacing, _hint(at, policy)))
    if at.asked == 0 and (at.sends == 0 or at.last in _ANSWERED):
        # Left by an earlier call or process, or answered: there is nothing to wait for.
        return Step(Action.ASK)
    delay = policy.backoff(at.asked, chance) + _hint(at, policy)
    if at.failing:
        return Step(Action.ASK, max(policy.ask_spacing, delay))  # Two replies of one moment are one witness.
    until_settled = at.window - at.age
    # The first question after the window counts, so it comes just then and not a back-off later.
    return Step(Action.ASK, delay if policy.settled(at.age, at.window) else min(delay, until_settled))


class RetryBudget:
    """A token bucket over every question and every repeated attempt of one client.

    In an outage each call would try again and again, and all of them together would keep the platform down. A call
    that finds the bucket empty waits for its token. The first question of a call takes none: whoever calls hears at
    least once what the platform says.

    Args:
        burst: How many tries are free.
        per_second: How many tokens come back by themselves.
        per_answer: How many tokens a readable answer gives back: as long as the platform answers, nothing waits.
        most_owed: How many tokens may be promised before they are there. Without a bound, calls with much time would
            be promised those of the next minutes, and calls with little time would give up unasked meanwhile.
    """

    def __init__(
        self, *, burst: float = 100.0, per_second: float = 10.0, per_answer: float = 2.0, most_owed: float = 100.0
    ) -> None:
        self._burst = burst
        self._per_second = per_second
        self._per_answer = per_answer
        self._most_owed = most_owed
        self._tokens = burst
        self._filled_at: float | None = None

    def take(self, now: float) -> float | None:
        """Take one token; the seconds until it is there, or None if so many are owed that none was taken."""
        if self._filled_at is not None:
            self._tokens = min(self._burst, self._tokens + max(0.0, now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._tokens - 1 < -self._most_owed:
            return None
        self._tokens -= 1
        return max(0.0, -self._tokens / self._per_second)

    def pause(self, chance: float) -> float:
        """Seconds until one that could take no token looks again; *chance*, from 0 to 1, keeps them apart."""
        return _LOOKS_AGAIN * (0.2 + 0.8 * chance)

    def give_back(self) -> None:
        """The token was not used after all."""
        self._tokens = min(self._burst, self._tokens + 1)

    def answered(self) -> None:
        """The platform gave an answer that could be read."""
        self._tokens = min(self._burst, self._tokens + self._per_answer)
