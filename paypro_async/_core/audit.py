"""Whether what a ledger holds of a payout can be true: its columns, its content and its history fit together.

It goes by raw values, as a database gives them: what is audited may have been written by any program.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from paypro_async._core.intent import fingerprint_of
from paypro_async._core.lifecycle import FINAL, LEGAL, Cause, Reply, State
from paypro_async._core.money import parse_amount
from paypro_async._core.regions import REGIONS
from paypro_async._core.wire import Phase

__all__ = ["audit"]

Found = tuple[str, str]
"""A stable code, and a message that says what is wrong. It never holds a personal value."""

_STATES = frozenset(state.value for state in State)
_FINAL = frozenset(state.value for state in FINAL)
_SENDING = State.SENDING.value
_KNOWN: Mapping[str, frozenset[str]] = {
    "phase": frozenset(one.value for one in Phase),
    "reply": frozenset(one.value for one in Reply),
    "cause": frozenset(one.value for one in Cause),
}
_FIRST_MOMENT = 1_577_836_800.0  # 2020: before this package was written
_ADVANCE = 86_400.0  # seconds; what a wrong clock or time zone may have done


def audit(
    payout: Mapping[str, Any], steps: Sequence[Mapping[str, Any]], *, now: float, readable: bool = True
) -> Iterator[Found]:
    """Everything that is wrong with one payout.

    Args:
        payout: Its row, by the names of the columns.
        steps: The rows of its history, in the order in which they were written.
        now: Seconds since 1970 on the ledger's clock.
        readable: Whether its content can be read: that of an encrypted ledger only by who has the key.
    """
    if payout["state"] not in _STATES:
        yield "STATE", f"unknown state {payout['state']!r}"
    for name in ("phase", "reply"):
        if payout[name] is not None and payout[name] not in _KNOWN[name]:
            yield name.upper(), f"unknown {name} {payout[name]!r}"
    for name in ("created_at", "sent_at", "updated_at"):
        if not _sane(payout[name], now):
            yield "TIME", f"its {name} is not a time between 2020 and tomorrow"
    yield from _content(payout, readable=readable)
    yield from _history(payout, steps, now)


def _content(payout: Mapping[str, Any], *, readable: bool) -> Iterator[Found]:
    amount = parse_amount(payout["amount"]) if isinstance(payout["amount"], str) else None
    if amount is None or amount <= 0:
        yield "AMOUNT", "its amount is not a positive number"
    spec = REGIONS.get(payout["region"])
    if spec is None:
        yield "REGION", "its region is not known to this release, so its content was not checked"
        return
    if payout["currency"] != spec.currency:
        yield "CURRENCY", f"its currency is not {spec.currency}, that of its region"
    content = _parsed(payout["content"])
    if not readable:
        return
    if content is None:
        yield "CONTENT", "its content cannot be read"
    elif not content:
        if payout["state"] not in _FINAL:
            yield "ERASED", "its content was erased although it is not final; it cannot be sent again"
    else:
        if amount != parse_amount(content.get("amount", "")) or content.get("tradeNo") != payout["trade_no"]:
            yield "CONTENT", "its content is that of another amount or another trade number"
        if fingerprint_of(spec, content) != payout["fingerprint"]:
            yield "FINGERPRINT", "its fingerprint does not follow from its content: one of them was changed"


def _parsed(text: Any) -> dict[str, str] | None:
    try:
        content = json.loads(text, parse_float=Decimal)
    except (TypeError, ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        return None
    return content


def _history(payout: Mapping[str, Any], steps: Sequence[Mapping[str, Any]], now: float) -> Iterator[Found]:
    if not steps:
        yield "NO_HISTORY", "it has no history"
        return
    at: Any = None
    attempt: Any = steps[0]["attempt"]
    for number, step in enumerate(steps, 1):
        if not _sane(step["at"], now):
            yield "TIME", f"the time of step {number} of its history is not between 2020 and tomorrow"
        if step["phase"] is not None and step["phase"] not in _KNOWN["phase"]:
            yield "PHASE", f"step {number} of its history has the unknown phase {step['phase']!r}"
        wrong = _claim(step) if number == 1 else _step(step, at, attempt)
        if wrong:
            yield "HISTORY", f"step {number} of its history {wrong}"
        at, attempt = step["to_state"], step["attempt"]
    if at != payout["state"]:
        yield "STATE_DIFFERS", f"its history ends in {at!r}, and its state is {payout['state']!r}"
    if attempt != payout["attempt"]:
        yield "ATTEMPT_DIFFERS", f"its history announced {attempt} attempts, and it counts {payout['attempt']}"


def _claim(step: Mapping[str, Any]) -> str | None:
    begins = (step["from_state"], step["to_state"], step["cause"]) == (None, _SENDING, Cause.ATTEMPT.value)
    # 0 in a ledger that was restored from a backup: nothing was announced.
    return None if begins and step["attempt"] in (0, 1) else "is not a claim, with which every history begins"


def _step(step: Mapping[str, Any], at: Any, attempt: Any) -> str | None:
    before, to, cause = step["from_state"], step["to_state"], step["cause"]
    if cause not in _KNOWN["cause"]:
        return f"has the unknown cause {cause!r}"
    if before != at:
        return f"begins in {before!r}, and the step before it ended in {at!r}"
    if before not in _STATES or to not in _STATES or Cause(cause) not in LEGAL.get((State(before), State(to)), ()):
        return f"goes from {before!r} to {to!r} by {cause!r}; there is no such transition"
    announces = to == _SENDING and cause == Cause.ATTEMPT.value
    # From "sending" to "sending" it may also be the end of an attempt that is noted.
    counts = (1,) if announces and before != _SENDING else (0, 1) if announces else (0,)
    if not isinstance(attempt, int) or not isinstance(step["attempt"], int) or step["attempt"] - attempt not in counts:
        return f"goes from attempt {attempt!r} to attempt {step['attempt']!r}, which is not the next one"
    return None


def _sane(seconds: Any, now: float) -> bool:
    known = isinstance(seconds, int | float) and math.isfinite(seconds)
    return known and _FIRST_MOMENT < seconds < now + _ADVANCE
