"""Which request is hit by which fault: a pure function of the seed, the trade number, and how often it was tried.

A test may decide over single payouts instead, which goes before any plan.
"""

import enum
import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from attrs import define, field, frozen

from paypro_async.sandbox.remarks import Wishes

__all__ = ["BEFORE_BOOKING", "USUAL_FAULTS", "Decision", "Decisions", "Fault", "FaultPlan"]


class Fault(enum.StrEnum):
    """What can go wrong with a request; the names say whether the platform had acted on it by then."""

    REFUSE = "refuse"  # nothing is booked, the connection is reset, and for a moment new ones are refused
    RESET_BEFORE = "reset_before"  # the request is read, nothing is booked, the connection is reset
    SILENCE_BEFORE = "silence_before"  # nothing is booked, and no answer ever comes
    BUSY_429 = "busy_429"  # HTTP 429 with Retry-After, nothing is booked
    PAGE_502 = "page_502"  # a gateway's HTML page, nothing is booked
    RESET_AFTER = "reset_after"  # booked, then the connection is reset
    SILENCE = "silence"  # booked, and no answer ever comes
    CUT_BODY = "cut_body"  # booked, the reply stops half-way
    BROKEN_JSON = "broken_json"  # booked, a complete HTTP reply whose JSON stops half-way
    PAGE_500 = "page_500"  # booked, then an HTML error page
    DRIP = "drip"  # booked, the reply comes byte by byte
    LATE_BOOKING = "late_booking"  # the connection is reset at once, and booked a little later
    # Those below are drawn only where they are asked for by name.
    BUSY_429_AFTER = "busy_429_after"  # booked, then HTTP 429 with Retry-After
    BUSY_CODE = "busy_code"  # booked, then an envelope that refuses with a code of no list, "System busy"
    GATEWAY_JSON = "gateway_json"  # booked, then HTTP 200 with JSON that is a gateway's and not the platform's
    GATEWAY_JSON_BEFORE = "gateway_json_before"  # the same, and nothing is booked
    DOUBLE_REPLY = "double_reply"  # booked, and the reply's copy comes on the same connection a little later


USUAL_FAULTS = frozenset(tuple(Fault)[: tuple(Fault).index(Fault.LATE_BOOKING) + 1])
"""What is drawn from when no kinds are named."""

BEFORE_BOOKING = frozenset(
    {
        Fault.REFUSE,
        Fault.RESET_BEFORE,
        Fault.SILENCE_BEFORE,
        Fault.BUSY_429,
        Fault.PAGE_502,
        Fault.GATEWAY_JSON_BEFORE,
    }
)
# A query books nothing, so for it a late booking would be one more reset.
QUERY_FAULTS = frozenset(Fault) - {Fault.LATE_BOOKING}


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError("A rate of faults is a share between 0 and 1.")
    return value


def _in_order(kinds: AbstractSet[Fault] | None) -> tuple[Fault, ...]:
    """The kinds in the order of their definition: a set has none, and the draw must repeat."""
    return tuple(fault for fault in Fault if fault in (USUAL_FAULTS if kinds is None else kinds))


@frozen(kw_only=True)
class FaultPlan:
    """Decides which payout requests (and queries, if asked to) are hit, whatever the order they arrive in.

    Args:
        rate: Share of the payout requests that are hit, 0 to 1.
        query_rate: Share of the status queries that are hit, 0 to 1.
        seed: Equal seeds give equal plans.
        kinds: The faults to draw from; the usual ones when not given, which are those up to ``LATE_BOOKING``.
        scripted: For a trade number, the fault of its first, second, ... payout request (``None`` is a good reply);
            requests beyond the end of a script, and trade numbers without one, are drawn.
        attempts: Only the first so many payout requests of a trade number are drawn; unlimited when not given.
    """

    rate: float = field(default=0.0, converter=_share)
    query_rate: float = field(default=0.0, converter=_share)
    seed: int = 0
    kinds: tuple[Fault, ...] = field(default=None, converter=_in_order)
    scripted: Mapping[str, Sequence[Fault | None]] = field(factory=dict)
    attempts: int | None = None

    @classmethod
    def none(cls) -> "FaultPlan":
        """A plan without faults."""
        return cls()

    @classmethod
    def every(cls, fault: Fault, *, attempts: int | None = None) -> "FaultPlan":
        """The same fault for every payout request, or for the first *attempts* of each trade number."""
        return cls(rate=1.0, kinds=frozenset({fault}), attempts=attempts)

    @classmethod
    def script(cls, faults: Mapping[str, Sequence[Fault | None]]) -> "FaultPlan":
        """Exactly these faults: for a trade number, that of its first payout request, its second, and so on."""
        return cls(scripted={trade_no: tuple(sequence) for trade_no, sequence in faults.items()})

    def payout_fault(self, trade_no: str, attempt: int) -> Fault | None:
        """The fault of the *attempt*-th payout request (from 1) of a trade number."""
        script = self.scripted.get(trade_no, ())
        if attempt <= len(script):
            return script[attempt - 1]
        if self.attempts is not None and attempt > self.attempts:
            return None
        return self._draw("payout", trade_no, attempt, self.rate, self.kinds)

    def query_fault(self, trade_no: str, attempt: int) -> Fault | None:
        """The fault of the *attempt*-th status query (from 1) about a trade number."""
        kinds = tuple(fault for fault in self.kinds if fault in QUERY_FAULTS)
        return self._draw("query", trade_no, attempt, self.query_rate, kinds)

    def _draw(self, operation: str, trade_no: str, attempt: int, rate: float, kinds: tuple[Fault, ...]) -> Fault | None:
        if not rate or not kinds:
            return None
        key = f"{self.seed}/{operation}/{attempt}/{trade_no}".encode("utf-8", "replace")
        digest = hashlib.blake2b(key, digest_size=16).digest()
        # The first half decides whether, the second which: two independent draws from one digest.
        if int.from_bytes(digest[:8]) >= rate * 2**64:
            return None
        return kinds[int.from_bytes(digest[8:]) % len(kinds)]


@define(kw_only=True)
class Decision:
    """What was decided for one payout.

    Args:
        wishes: In the stead of those of its remark and its amount.
        faults: The fault of its next payout request, of the one behind that, and so on; None is a good reply.
        unanswered: Whether the reply to each question about it is lost.
    """

    wishes: Wishes
    faults: "deque[Fault | None]"
    unanswered: bool = False


class Decisions:
    """What was decided for single payouts; for all others, a plan holds.

    Args:
        plan: Of the faults of all others.
    """

    def __init__(self, plan: FaultPlan) -> None:
        self._plan = plan
        self._made: dict[str, Decision] = {}
        self._next: deque[Decision] = deque()

    def make(self, trade_no: str | None, decision: Decision) -> None:
        """Decide for a payout; without a number, for the next one for which nothing was decided."""
        if trade_no is None:
            self._next.append(decision)
        else:
            self._made[trade_no] = decision

    def wishes_of(self, trade_no: str) -> Wishes | None:
        """What was wished for a payout; None if nothing was decided for it."""
        decision = self._made.get(trade_no)
        return None if decision is None else decision.wishes

    def answer(self, trade_no: str) -> None:
        """Let questions about a payout be answered from now on."""
        if (decision := self._made.get(trade_no)) is not None:
            decision.unanswered = False

    def payout_fault(self, trade_no: str, attempt: int) -> Fault | None:
        """The fault of the *attempt*-th payout request (from 1) of a trade number, as in a plan."""
        if trade_no not in self._made and self._next:
            self._made[trade_no] = self._next.popleft()
        decision = self._made.get(trade_no)
        if decision is None:
            return self._plan.payout_fault(trade_no, attempt)
        return decision.faults.popleft() if decision.faults else None

    def query_fault(self, trade_no: str, attempt: int) -> Fault | None:
        """The fault of the *attempt*-th status query (from 1) about a trade number, as in a plan."""
        decision = self._made.get(trade_no)
        if decision is None:
            return self._plan.query_fault(trade_no, attempt)
        return Fault.RESET_AFTER if decision.unanswered else None
