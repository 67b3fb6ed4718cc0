"""The journal of requests: what came of each, for as many of the latest as are kept."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from attrs import evolve, frozen

__all__ = ["Journal", "RequestRecord"]

_LONGEST = 256
_MOST_MEMBERS = 64
_MOST_TEXT = 100_000_000  # characters, of all records together; a usual one has some hundred


@frozen(kw_only=True)
class RequestRecord:
    """One request in the journal, when it was answered.

    Args:
        number: The journal counts from 1.
        at_ms: Milliseconds since the epoch.
        method: That of HTTP; *path*, that of the URL.
        trade_no: The payout's that it is about; None if it names none.
        members: Those of its body, personal ones masked; None if it was no JSON object.
        fault: What hit it, by the value of :class:`Fault`.
        http_status: Of the answer; None if nothing was sent.
        code: The outer code of the reply, as the platform decided it before the fault.
        booked: Whether this very request moved money.
    """

    number: int
    at_ms: int
    method: str
    path: str
    trade_no: str | None
    members: Mapping[str, str] | None
    fault: str | None
    http_status: int | None
    code: str | None
    booked: bool


class Journal:
    """The latest requests, and how many there were in all. Long texts are kept by their beginning.

    Args:
        keep: How many requests are kept at least; about a tenth more before the oldest are dropped. Fewer if they are
            many times as long as usual ones.
    """

    def __init__(self, *, keep: int) -> None:
        self._keep = keep
        self._records: list[RequestRecord] = []
        self._text = 0
        self._faults: Counter[str] = Counter()
        self.count: int = 0

    @property
    def records(self) -> Sequence[RequestRecord]:
        """The latest requests, oldest first."""
        return self._records

    @property
    def fault_counts(self) -> Mapping[str, int]:
        """How often each fault has hit a request, also of those that are kept no longer."""
        return MappingProxyType(self._faults)

    def add(self, record: RequestRecord) -> None:
        """Enter a request."""
        self.count += 1
        if record.fault is not None:
            self._faults[record.fault] += 1
        self._records.append(record := _shortened(record))
        self._text += _text(record)
        if len(self._records) > self._keep + self._keep // 10:
            self._drop(len(self._records) - self._keep)
        elif self._text > _MOST_TEXT:
            self._drop(len(self._records) // 10 + 1)

    def _drop(self, count: int) -> None:
        self._text -= sum(map(_text, self._records[:count]))
        del self._records[:count]


def _shortened(record: RequestRecord) -> RequestRecord:
    members = record.members
    if members is not None:
        members = {_short(name): _short(value) for name, value in list(members.items())[:_MOST_MEMBERS]}
    trade_no = None if record.trade_no is None else _short(record.trade_no)
    return evolve(record, path=_short(record.path), trade_no=trade_no, members=members)


def _text(record: RequestRecord) -> int:
    members = record.members or {}
    return len(record.path) + len(record.trade_no or "") + sum(map(len, members)) + sum(map(len, members.values()))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
