"""Whether a callback is believed.

A callback may be old, repeated and out of order: what it says was true once. So it is taken as a query's answer is, but
for what a query, which speaks of now, would not have said:

1. A failure is not believed while more than one attempt may be out: it may be that of the other one.
2. A failure under a code that no page lists must be said twice. A callback is one witness, however often it comes.
3. "Processing" is no news of a payout that is final.
4. What contradicts a final state is not believed.
5. What may have been cut out of another callback is not believed.

Of what is not believed the platform is asked, and what it answers is taken as a query's answer.
"""

from enum import Enum
from typing import TypeVar

from attrs import evolve

from paypro_async._core.lifecycle import FINAL, Cause, Change, Entry, Reply, State
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.transitions import after_query

__all__ = ["Doubt", "after_callback", "confirmed", "says_the_same"]

T = TypeVar("T")


class Doubt(Enum):
    """Why a callback is not believed alone."""

    AMBIGUOUS = "its signature would fit another callback too"
    UNCLEAR = "it does not say what became of the order"
    ONE_WITNESS = "a failure under a code that no page lists must be said twice"
    OTHER_ATTEMPT = "it may be about an order that another attempt made"
    CONTRADICTION = "the ledger holds the payout as final, and otherwise"


def after_callback(
    entry: Entry, outcome: Outcome, *, ambiguous: bool, adopt_duplicates: bool = False
) -> tuple[Change | None, Doubt | None]:
    """What to store after a callback said *outcome* about *entry*, and why to ask the platform, if it is to be asked.

    Args:
        entry: As the ledger holds it.
        outcome: What the callback proves, seen alone.
        ambiguous: Whether the callback may have been cut out of another one.
        adopt_duplicates: See :func:`~paypro_async._core.transitions.after_query`.
    """
    doubt = _contradicts(entry, outcome) if entry.state in FINAL else _doubt(entry, outcome)
    if doubt is None and entry.state in FINAL and outcome.verdict is Verdict.PROCESSING:
        return None, None
    change = None
    if doubt is None:
        change = after_query(entry, outcome, cause=Cause.CALLBACK, adopt_duplicates=adopt_duplicates)
    if ambiguous and (change or doubt):
        return None, Doubt.AMBIGUOUS
    return change, doubt


_FAILING = (Verdict.FAILED, Verdict.UNLISTED)
_DECIDES = frozenset({Verdict.PAID, Verdict.PROCESSING, Verdict.PARTIAL, Verdict.FOREIGN, *_FAILING})
_NO_ORDER = (Reply.REFUSED, Reply.ABSENT, Reply.DECIDED)


def _doubt(entry: Entry, outcome: Outcome) -> Doubt | None:
    if entry.state is State.REVIEW:
        return None  # It decides nothing there, and is noted for the person who does.
    if outcome.verdict not in _DECIDES:
        return Doubt.UNCLEAR
    if outcome.verdict not in _FAILING:
        return None  # That an order is there, or was paid, is true whichever attempt made it.
    # In a ledger that was restored from a backup an attempt may be forgotten: it counts from 0.
    if entry.attempt != 1 or entry.doubt or _differ(entry.platform_trade_no, outcome.platform_trade_no):
        return Doubt.OTHER_ATTEMPT
    # The reply to the payout itself was another witness than any callback; a noted one may have been this callback.
    said_twice = entry.reply is Reply.REFUSED and entry.code == outcome.code
    return Doubt.ONE_WITNESS if outcome.verdict is Verdict.UNLISTED and not said_twice else None


def confirmed(callback: Outcome, answer: Outcome) -> Outcome:
    """What the platform's *answer* proves beside the *callback* that it was asked about.

    A failure under a code that no page lists is true once it was said twice.
    """
    alike = callback.verdict is answer.verdict is Verdict.UNLISTED and callback.code == answer.code
    return evolve(answer, verdict=Verdict.FAILED) if alike else answer


def says_the_same(callback: Outcome, answer: Outcome) -> bool:
    """Whether the platform, when asked, stands by what its callback says."""
    alike = (callback.verdict, callback.says) == (answer.verdict, answer.says)
    other = _differ(callback.platform_trade_no, answer.platform_trade_no) or _differ(callback.amount, answer.amount)
    return alike and not other


def _contradicts(entry: Entry, outcome: Outcome) -> Doubt | None:
    verdict = outcome.verdict
    if verdict not in _DECIDES:
        return None
    if verdict is Verdict.PROCESSING:
        # But of what was refused, or was not paid as a person says, there should be no order at all.
        alive = entry.state is State.FAILED and entry.reply in _NO_ORDER
        return Doubt.CONTRADICTION if alive else None
    if entry.state is not State.SUCCEEDED:
        return None if verdict in _FAILING else Doubt.CONTRADICTION
    if verdict is Verdict.UNLISTED:
        return Doubt.ONE_WITNESS
    # Paid under two numbers is paid twice.
    same = verdict is Verdict.PAID and not _differ(entry.platform_trade_no, outcome.platform_trade_no)
    return None if same else Doubt.CONTRADICTION


def _differ(one: T | None, other: T | None) -> bool:
    return one is not None and other is not None and one != other
