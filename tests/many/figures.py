"""What a trial came to."""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import psycopg
from attrs import field, frozen

from tests.soak.audit import Audit

_TAIL = 0.98


def most_in_a_second(arrivals: Iterable[float]) -> int:
    """The most arrivals in any second, wherever it begins."""
    window: deque[float] = deque()
    most = 0
    for at in sorted(arrivals):
        window.append(at)
        while window[0] <= at - 1:
            window.popleft()
        most = max(most, len(window))
    return most


def used(arrivals: Iterable[float], rate: float) -> float:
    """The share of the rate that was used while there was work: until all but the last few were sent."""
    ordered = sorted(arrivals)
    body = ordered[: max(2, int(len(ordered) * _TAIL))]
    return (len(body) - 1) / max(0.001, body[-1] - body[0]) / rate


def paid_in_ledger(url: str) -> tuple[int, Decimal]:
    """How many payouts the ledger calls paid, and their sum."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT amount FROM payout WHERE state = 'succeeded'").fetchall()
    return len(rows), sum((Decimal(amount) for (amount,) in rows), Decimal(0))


@frozen(kw_only=True)
class Outcome:
    """One run over one batch.

    Args:
        seconds: From the first worker's start until nothing was open.
        restarts: Of PostgreSQL.
        died: Workers that ended without being killed, and what they said.
        arrivals: Moments at which requests for a payout reached the platform, in seconds.
        books: How many bookings the platform has, and their sum; *ledger*, how many payouts that are paid.
    """

    engine: str
    payouts: int
    seconds: float
    kills: int
    restarts: int
    died: list[str] = field(factory=list)
    arrivals: list[float]
    questions: int
    audit: Audit
    books: tuple[int, Decimal]
    ledger: tuple[int, Decimal]
    rate: float | None
    stall: float

    @property
    def most(self) -> int:
        return most_in_a_second(self.arrivals)

    @property
    def used(self) -> float | None:
        return used(self.arrivals, self.rate) if self.rate else None

    @property
    def clean(self) -> bool:
        return self.audit.clean and self.books == self.ledger and not self.died

    def lines(self) -> list[tuple[str, Any]]:
        """For people."""
        found, share = self.audit, self.used
        limit = f" of {self.rate:g}, {share:.1%} used" if self.rate and share is not None else ""
        return [
            ("payouts", f"{self.payouts:,} by {self.engine}"),
            ("workers killed", self.kills),
            ("PostgreSQL restarted", self.restarts),
            ("seconds", f"{self.seconds:.1f} ({self.payouts / self.seconds:.0f} payouts a second)"),
            ("most requests in a second", f"{self.most}{limit}"),
            ("requests, questions", f"{len(self.arrivals):,}, {self.questions:,}"),
            ("sent more than once", found.sent_again),
            ("the platform's books", f"{self.books[0]:,} payouts, {self.books[1]:,}"),
            ("the ledger", f"{self.ledger[0]:,} payouts, {self.ledger[1]:,}"),
            ("paid twice", len(found.doubles)),
            ("lost", len(found.lost)),
            ("different", len(found.differing) + len(found.rewritten)),
            ("still open", len(found.open)),
            ("workers that gave up", len(self.died)),
            ("longest stall of the platform", f"{self.stall:.2f} s"),
        ]
