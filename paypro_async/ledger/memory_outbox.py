"""The outbox of a ledger in memory: see ``ledger/outbox.py`` for what it promises."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from attrs import define, field

from paypro_async._core.known import PayoutChange, change_of
from paypro_async._core.lifecycle import Entry, Event
from paypro_async.ledger.outbox import Cursor, Lent, Parked

__all__ = ["MemoryOutbox"]

_Payout = tuple[str, str]
_AT_ONCE = datetime.min.replace(tzinfo=UTC)


@define
class _Delivery:
    number: int
    trade_no: str
    due_at: datetime = _AT_ONCE
    tries: int = 0
    owner: str | None = None
    parked_at: datetime | None = None
    error: str | None = None


@define
class _Consumer:
    position: int
    deliveries: dict[int, _Delivery] = field(factory=dict)


class MemoryOutbox:
    """Remembers the history in one row from when somebody listens first: nobody is told of what was before.

    Args:
        now: The ledger's clock.
        entry: What the ledger holds of a payout.
    """

    def __init__(self, now: Callable[[], datetime], entry: Callable[[_Payout], Entry]) -> None:
        self._now, self._entry = now, entry
        self._steps: list[tuple[_Payout, Event]] | None = None
        self._consumers: dict[tuple[str, str], _Consumer] = {}

    def add(self, payout: _Payout, event: Event) -> None:
        """Note a step of history, if somebody listens."""
        if self._steps is not None:
            self._steps.append((payout, event))

    def register(self, merchant_no: str, name: str) -> None:
        """Let a consumer begin with what is written from now on, unless it is known."""
        self._consumers.setdefault((merchant_no, name), _Consumer(self.cursor().position))

    def take(self, merchant_no: str, name: str, *, owner: str, limit: int, seconds: float) -> list[Lent]:
        """Lend up to *limit* changes that are due."""
        consumer, now = self._consumers.get((merchant_no, name)), self._now()
        if consumer is None:
            return []
        self._advance(merchant_no, consumer)
        lent: list[Lent] = []
        for one in _firsts(consumer):
            if len(lent) == limit:
                break
            if one.parked_at is None and one.due_at <= now and (change := self._change(merchant_no, one)):
                one.owner, one.due_at = owner, now + timedelta(seconds=seconds)
                lent.append(Lent(number=one.number, change=change, tries=one.tries))
        return lent

    def told(self, merchant_no: str, name: str, numbers: Sequence[int], *, owner: str) -> None:
        """Those were handled."""
        for one in self._held(merchant_no, name, numbers, owner):
            del self._consumers[merchant_no, name].deliveries[one.number]

    def put_off(
        self, merchant_no: str, name: str, number: int, *, owner: str, seconds: float | None, error: str
    ) -> None:
        """A handler has failed: it comes again after so many seconds, or is parked with None."""
        for one in self._held(merchant_no, name, [number], owner):
            one.tries, one.owner, one.error = one.tries + 1, None, error
            if seconds is None:
                one.parked_at = self._now()
            else:
                one.due_at = self._now() + timedelta(seconds=seconds)

    def keep(self, merchant_no: str, name: str, numbers: Sequence[int], *, owner: str, seconds: float) -> None:
        """Let those be lent for so many seconds from now."""
        for one in self._held(merchant_no, name, numbers, owner):
            one.due_at = self._now() + timedelta(seconds=seconds)

    def parked(self, merchant_no: str, limit: int) -> list[Parked]:
        """Changes that are parked, oldest first."""
        found = [
            Parked(
                consumer=name,
                number=one.number,
                trade_no=one.trade_no,
                tries=one.tries,
                parked_at=one.parked_at,
                error=one.error,
                behind=sum(
                    other.trade_no == one.trade_no and other.number > one.number
                    for other in consumer.deliveries.values()
                ),
            )
            for (merchant, name), consumer in self._consumers.items()
            for one in consumer.deliveries.values()
            if merchant == merchant_no and one.parked_at is not None
        ]
        return sorted(found, key=lambda one: (one.parked_at, one.number))[:limit]

    def release(self, merchant_no: str, trade_no: str, name: str | None) -> int:
        """Let the parked change of a payout be tried again; how many there were."""
        released = 0
        for (merchant, consumer_name), consumer in self._consumers.items():
            for one in consumer.deliveries.values():
                wanted = merchant == merchant_no and one.trade_no == trade_no and name in (None, consumer_name)
                if wanted and one.parked_at is not None:
                    one.parked_at, one.tries, one.error, one.due_at = None, 0, None, _AT_ONCE
                    released += 1
        return released

    def cursor(self) -> Cursor:
        """Where the history ends now."""
        if self._steps is None:
            self._steps = []
        return Cursor(position=len(self._steps))

    def changes(self, merchant_no: str, after: Cursor, limit: int) -> tuple[Sequence[PayoutChange], Cursor]:
        """What was written behind *after*, oldest first; and how far that is."""
        steps = (self._steps or [])[after.position : after.position + limit]
        changes = [
            change_of(after.position + index, event, self._entry(payout))
            for index, (payout, event) in enumerate(steps, 1)
            if payout[0] == merchant_no
        ]
        return [one for one in changes if one is not None], Cursor(position=after.position + len(steps))

    def _advance(self, merchant_no: str, consumer: _Consumer) -> None:
        steps = self._steps or []
        for index in range(consumer.position, len(steps)):
            payout, event = steps[index]
            if payout[0] == merchant_no and change_of(index + 1, event, self._entry(payout)) is not None:
                consumer.deliveries[index + 1] = _Delivery(index + 1, payout[1])
        consumer.position = len(steps)

    def _change(self, merchant_no: str, one: _Delivery) -> PayoutChange | None:
        _, event = (self._steps or [])[one.number - 1]
        return change_of(one.number, event, self._entry((merchant_no, one.trade_no)))

    def _held(self, merchant_no: str, name: str, numbers: Sequence[int], owner: str) -> list[_Delivery]:
        consumer = self._consumers.get((merchant_no, name), _Consumer(0))
        found = [consumer.deliveries.get(number) for number in numbers]
        return [one for one in found if one is not None and one.owner == owner]


def _firsts(consumer: _Consumer) -> list[_Delivery]:
    """Of each payout the first that waits, in the order of history."""
    firsts: dict[str, _Delivery] = {}
    for _, one in sorted(consumer.deliveries.items()):
        firsts.setdefault(one.trade_no, one)
    return list(firsts.values())
