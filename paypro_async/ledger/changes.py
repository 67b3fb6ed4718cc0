"""What was learned about a payout, or decided by a person, brought together with what is stored of it meanwhile."""

from collections.abc import Awaitable, Callable

from attrs import define, field

from paypro_async._core.field_checks import TEXT
from paypro_async._core.lifecycle import USUAL_SETTLE_AFTER, Cause, Change, Entry
from paypro_async._core.models import QueryResult
from paypro_async._core.outcome import Outcome
from paypro_async._core.transitions import DECISIONS, Decision, after_decision, after_query
from paypro_async.errors import DecisionRefusedError
from paypro_async.ledger.base import Ledger, OrderNumberTakenError, Written
from paypro_async.log import logger

__all__ = ["OnWritten", "apply", "decide", "learn", "merge"]

OnWritten = Callable[[Entry, Entry, Change], object]
"""Is told what an entry was, what it is now, and the change that this call has written."""

_TOO_YOUNG = frozenset({Decision.NOT_PAID, Decision.PAY_AGAIN})
"""Decisions that are wrong if the last attempt is still on its way."""


async def decide(
    ledger: Ledger,
    merchant_no: str,
    trade_no: str,
    decision: Decision,
    *,
    by: str,
    note: str,
    settle_after: float | None = None,
    ask: Callable[[Entry], Awaitable[QueryResult | None]] | None = None,
) -> Entry:
    """Store what a person found out about a payout; nothing is sent, and the platform is not asked.

    ``paypro ledger decide`` asks it first, and refuses what it contradicts. The decision, who made it and why stay in
    the payout's history. After ``PAY_AGAIN`` the next ``payout`` with the same ``trade_no`` and content sends it.

    Args:
        ledger: An open ledger that holds the payout.
        merchant_no: Whose payout it is.
        trade_no: Its order number.
        decision: What was found out, or ``HOLD`` so that nothing more is sent until a person has looked.
        by: The name of the person.
        note: Why, in that person's words.
        settle_after: Seconds after an attempt within which it may still arrive. So long it cannot be known that a
            payout was not made. By default, and at least, as long as is stored with the attempt.
        ask: Awaited with the entry once the decision is allowed and before it is stored; it raises to refuse. What the
            platform has said to it may be returned: if the ledger has learned something else meanwhile, as from a
            callback, the decision is refused.

    Returns:
        The entry as the decision left it, or as *ask* left it if that came to the same.

    Raises:
        DecisionRefusedError: If there is no such payout, or what is known of it does not allow the decision.
        LedgerUnavailableError: If the ledger cannot be read or written.
    """
    decision = Decision(decision)
    _check_texts(trade_no, by=by, note=note)
    entry = await ledger.get(merchant_no, trade_no)
    if entry is None:
        raise DecisionRefusedError(
            f"The ledger holds no payout {trade_no} of merchant {merchant_no}. Nothing was changed and nothing was "
            "sent. Check the number; a payout that was made from another ledger is decided there.",
            trade_no=trade_no,
        )

    heard: QueryResult | None = None
    if ask is not None:
        _refuse(entry, decision, settle_after)
        heard = await ask(entry)
    target = DECISIONS.get((entry.state, decision))
    refused: DecisionRefusedError | None = None

    def decided(newest: Entry) -> Change | None:
        nonlocal refused
        refused = None
        if newest.state is target and newest.state is not entry.state:
            return None  # What was asked has said so itself.
        try:
            # Whatever another writer has made of it meanwhile, the decision must fit that.
            _refuse(newest, decision, settle_after)
            _refuse_news(newest, entry, heard)
        except DecisionRefusedError as error:
            refused = error
            return None
        return after_decision(newest, decision, by=by, note=note)

    # In one step: what is noted for the person who decides moves no state that a change could be compared with.
    written = await learn(ledger, merchant_no, trade_no, decided)
    if refused is not None:
        raise refused
    return entry if written is None else written.entry


def _check_texts(trade_no: str, **texts: str) -> None:
    for name, text in texts.items():
        if not text.strip() or TEXT.wrong(text):
            raise DecisionRefusedError(
                f"A decision needs {name}=…: one line of text, for those who ask later. Nothing was changed and "
                "nothing was sent.",
                trade_no=trade_no,
            )


def _refuse_news(entry: Entry, seen: Entry, heard: QueryResult | None) -> None:
    """Refuse what was decided about another word of the platform's than the last one."""
    if heard is None or entry.code in (seen.code, heard.code):
        return
    raise DecisionRefusedError(
        f"PayPro has said something else of payout {entry.trade_no} (code {entry.code}) while it was being decided. No "
        "decision was stored and nothing was sent. Look at it once more.",
        trade_no=entry.trade_no,
        state=entry.state.value,
    )


def _refuse(entry: Entry, decision: Decision, settle_after: float | None) -> None:
    allowed = tuple(one for state, one in DECISIONS if state is entry.state)
    if decision not in allowed:
        only = f"only {' or '.join(repr(one.value) for one in allowed)}" if allowed else "nothing"
        hold = " To decide more, decide 'hold' first." if Decision.HOLD in allowed else ""
        raise DecisionRefusedError(
            f"Payout {entry.trade_no} is {entry.state.value}, and of such a one {only} can be decided, not "
            f"{decision.value!r}.{hold} Nothing was changed and nothing was sent.",
            trade_no=entry.trade_no,
            state=entry.state.value,
            allowed=tuple(one.value for one in allowed),
        )
    given = USUAL_SETTLE_AFTER if settle_after is None and entry.settle_after is None else settle_after or 0.0
    windows = (given, entry.settle_after or 0.0)
    # Written so that what is no number refuses.
    if decision in _TOO_YOUNG and not all(entry.age >= window for window in windows):
        raise DecisionRefusedError(
            f"The last attempt of payout {entry.trade_no} is {max(0.0, entry.age):.0f} seconds old and may still "
            f"arrive: {decision.value!r} can be decided {max(windows):g} seconds after it. Nothing was changed and "
            "nothing was sent. Look it up in the dashboard once more then.",
            trade_no=entry.trade_no,
            state=entry.state.value,
            allowed=tuple(one.value for one in allowed if one not in _TOO_YOUNG),
        )
    if decision is Decision.PAY_AGAIN and not entry.content:
        raise DecisionRefusedError(
            f"The content of payout {entry.trade_no} was erased, so nothing is left to send. Nothing was changed and "
            "nothing was sent. Decide 'not-paid', and pay it under a new trade_no.",
            trade_no=entry.trade_no,
            state=entry.state.value,
            allowed=tuple(one.value for one in allowed if one is not Decision.PAY_AGAIN),
        )


async def merge(
    ledger: Ledger,
    entry: Entry,
    outcome: Outcome,
    *,
    cause: Cause,
    adopt_duplicates: bool = False,
    on_written: OnWritten | None = None,
) -> Entry:
    """Write what the platform said, decided from the newest entry: another process may write about the same payout.

    Args:
        ledger: Where to.
        entry: As last seen, before the platform was asked.
        outcome: What the platform said.
        cause: How it was learned.
        adopt_duplicates: Take an order for this payout's although its only attempt was refused as a duplicate.
        on_written: Is told what this call has written, if it has.

    Returns:
        The entry as it stands then, written by this call or by another; as it was, if what was said is about another
        payout's order.

    Raises:
        LedgerUnavailableError: If it could not be stored.
    """

    def learned(newest: Entry) -> Change | None:
        return after_query(newest, outcome, cause=cause, asked=entry, adopt_duplicates=adopt_duplicates)

    try:
        return await apply(ledger.move, entry, learned, on_written)
    except OrderNumberTakenError as error:
        logger.warning("Nothing was stored: %s", error)
        return entry


async def learn(
    ledger: Ledger,
    merchant_no: str,
    trade_no: str,
    decide: Callable[[Entry], Change | None],
    on_written: OnWritten | None = None,
) -> Written | None:
    """Write what *decide* makes of the entry that the ledger holds, whatever it is.

    Args:
        ledger: Where to. One with a ``learn`` of its own does it in one step.
        merchant_no: Whose payout it is.
        trade_no: Its order number.
        decide: What there is to change of an entry, or None. It may be called again, and must not wait.
        on_written: Is told what this call has written, if it has.

    Returns:
        The entry as it stands then, and whether this call changed it; None if there is no such payout.

    Raises:
        LedgerUnavailableError: If it could not be stored.
        OrderNumberTakenError: If the change holds the platform's number of another payout's order.
    """
    at_once = getattr(ledger, "learn", None)
    if at_once is not None:
        decided = _Last(decide)
        found: Written | None = await at_once(merchant_no, trade_no, decide if on_written is None else decided)
        if on_written is not None and found is not None and found.done and decided.kept is not None:
            before, written_change = decided.kept
            on_written(before, found.entry, written_change)
        return found
    entry = await ledger.get(merchant_no, trade_no)
    if entry is None:
        return None
    while (change := decide(entry)) is not None:
        written = await ledger.move(change)
        if written.done:
            if on_written is not None:
                on_written(entry, written.entry, change)
            return written
        entry = written.entry
    return Written(entry, done=False)


async def apply(
    move: Callable[[Change], Awaitable[Written]],
    entry: Entry,
    decide: Callable[[Entry], Change | None],
    on_written: OnWritten | None = None,
) -> Entry:
    """Write what *decide* makes of the newest entry; where another writer was faster, decide anew from what it wrote.

    Args:
        move: Writes a change if the entry is still as its writer saw it: a ledger's ``move``, or one with patience.
        entry: As last seen.
        decide: What there is to change of an entry, or None.
        on_written: Is told what this call has written, if it has.

    Returns:
        The entry as it stands then, written by this call or by another.
    """
    while (change := decide(entry)) is not None:
        written = await move(change)
        before, entry = entry, written.entry
        if written.done:
            if on_written is not None:
                on_written(before, entry, change)
            break
    return entry


@define(eq=False)
class _Last:
    """Decides, and keeps the last entry of which it was asked and what it decided: that is what was written."""

    decide: Callable[[Entry], Change | None]
    kept: tuple[Entry, Change] | None = field(default=None, init=False)

    def __call__(self, entry: Entry) -> Change | None:
        change = self.decide(entry)
        self.kept = None if change is None else (entry, change)
        return change
