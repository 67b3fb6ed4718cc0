"""Makes events of what happens in one client, and has its hooks called with them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from attrs import frozen

from paypro_async._core.events import (
    BatchEnded,
    BatchStarted,
    CallbackAnswered,
    ClientEvent,
    LedgerCommitted,
    PayoutEnded,
    PayoutStarted,
    Reconciled,
    RequestEnded,
    RequestKind,
    RequestStarted,
    StatusChanged,
)
from paypro_async._core.intent import Intent
from paypro_async._core.items import BatchItem, ItemStatus
from paypro_async._core.lifecycle import Change, Entry
from paypro_async._core.models import PayoutResult
from paypro_async._core.outcome import Outcome
from paypro_async._core.wire import Phase
from paypro_async.errors import PayProError
from paypro_async.hooks.calls import Call, batch_at_work, call_at_work, new_number
from paypro_async.runtime import Runtime

__all__ = ["ClientWatcher", "Request"]

_MILLISECONDS = 1000


@frozen(kw_only=True, eq=False)
class Request:
    """A request that is under way.

    Args:
        watcher: Tells of its end.
        number: Its own; *call* is that of its payout, if it is of one.
        kind: What it is.
        began: On the steady clock.
    """

    watcher: "ClientWatcher"
    number: int
    kind: RequestKind
    call: int | None
    began: float

    def ended(self, outcome: Outcome, *, phase: Phase | None, status: int | None) -> None:
        """It has come to *outcome*."""
        self._tell(
            phase=phase.value if phase is not None else None,
            http_status=status,
            verdict=outcome.verdict.value,
            code=outcome.code,
        )

    def broke_off(self, error: BaseException) -> None:
        """It was ended by *error*."""
        self._tell(error=type(error).__name__)

    def _tell(self, **found: Any) -> None:
        watcher = self.watcher
        duration = watcher.runtime.steady() - self.began
        watcher.tell(
            RequestEnded(
                at=watcher.now(), request=self.number, kind=self.kind, call=self.call, duration=duration, **found
            )
        )


@frozen(kw_only=True, eq=False)
class ClientWatcher:
    """Implements the engine's ``Watcher``. No method waits or raises.

    Args:
        tell: Has the hooks called with an event, without waiting for them.
        runtime: The client's clocks.
    """

    tell: Callable[[ClientEvent], object]
    runtime: Runtime

    def now(self) -> datetime:
        """The wall clock, UTC."""
        return self.runtime.now()

    def payout_started(self, intent: Intent, *, began: float) -> Call:
        """A call begins to work on *intent*."""
        call = Call(number=new_number(), began=began)
        self.tell(
            PayoutStarted(
                at=self.now(),
                call=call.number,
                trade_no=intent.trade_no,
                amount=intent.amount,
                currency=intent.currency,
                region=intent.region,
                batch_id=intent.batch_id,
                batch=batch_at_work.get() if intent.batch_id is not None else None,
            )
        )
        return call

    def payout_ended(
        self, call: Call, trade_no: str, found: PayoutResult | BaseException, *, known: Entry | None
    ) -> None:
        """The call has ended with what it *found*; *known* is what the ledger holds, if the call has seen that."""
        if call.ended:
            return
        call.ended = True
        result = found if isinstance(found, PayoutResult) else None
        error = found if isinstance(found, BaseException) else None
        code = result.code if result is not None else getattr(error, "platform_code", None)
        self.tell(
            PayoutEnded(
                at=self.now(),
                call=call.number,
                trade_no=trade_no,
                status=_status(result, error, known),
                error=type(error).__name__ if error is not None else None,
                code=code,
                attempts=call.sends,
                queries=call.queries,
                duration=self.runtime.steady() - call.began,
            )
        )

    def request_started(
        self, kind: RequestKind, url: str, *, trade_no: str | None = None, attempt: int | None = None
    ) -> Request:
        """A request is given to the transport, by the call that this task is at."""
        call, resends = call_at_work.get(), 0
        if call is not None and kind is RequestKind.PAYOUT:
            resends, call.sends = call.sends, call.sends + 1
        elif call is not None:
            resends, call.queries = call.queries, call.queries + 1
        number = call.number if call is not None else None
        request = Request(watcher=self, number=new_number(), kind=kind, call=number, began=self.runtime.steady())
        self.tell(
            RequestStarted(
                at=self.now(),
                request=request.number,
                kind=kind,
                call=number,
                trade_no=trade_no,
                attempt=attempt,
                resends=resends,
                url=url,
            )
        )
        return request

    def written(self, before: Entry | None, after: Entry, change: Change | None) -> None:
        """This client has written *after* to the ledger."""
        status = ItemStatus.of_entry(after)
        was = ItemStatus.of_entry(before) if before is not None else None
        if was is not status:
            cause = change.cause if change is not None else None
            self.tell(StatusChanged(at=self.now(), trade_no=after.trade_no, before=was, status=status, cause=cause))

    def batch_started(self, batch_id: str, total: int | None) -> int:
        """A batch begins in this task and in those that are made of it."""
        number = new_number()
        batch_at_work.set(number)
        self.tell(BatchStarted(at=self.now(), batch=number, batch_id=batch_id, total=total))
        return number

    def batch_ended(self, batch: int, batch_id: str, report: Any) -> None:
        """The batch of that number has ended."""
        self.tell(
            BatchEnded(
                at=self.now(),
                batch=batch,
                batch_id=batch_id,
                counts=dict(report.counts),
                sent=report.sent,
                stopped=report.stopped,
                duration=report.elapsed,
            )
        )

    def callback_answered(self, status: int, callback: Any, duration: float) -> None:
        """A callback was answered."""
        now = self.now()
        signed_at = _time_of(callback.timestamp) if callback is not None else None
        self.tell(
            CallbackAnswered(
                at=now,
                http_status=status,
                trade_no=callback.trade_no if callback is not None else None,
                # The answer took a while, and came after the callback.
                lag=(now - signed_at).total_seconds() - duration if signed_at is not None else None,
                duration=duration,
            )
        )

    def reconciled(self, report: Any) -> None:
        """A reconciliation has ended."""
        names = ("checked", "still_unknown", "missing", "review", "overdue", "unanswered", "ended")
        found = {name: getattr(report, name) for name in names}
        self.tell(Reconciled(at=self.now(), duration=report.elapsed, **found))

    def committed(self, requests: int, seconds: float, failed: bool) -> None:  # noqa: FBT001  as the ledger calls it
        """The ledger's thread has done a group."""
        self.tell(LedgerCommitted(at=self.now(), requests=requests, failed=failed, duration=seconds))


def _status(result: PayoutResult | None, error: BaseException | None, known: Entry | None) -> ItemStatus:
    if result is None and known is not None:
        return ItemStatus.of_entry(known)
    if error is not None and not isinstance(error, PayProError):
        return ItemStatus.UNKNOWN  # It was cancelled, or broke, while its intent was written.
    return BatchItem(position=0, trade_no=None, payout=None, result=result, error=error).status


def _time_of(timestamp: str) -> datetime | None:
    """When a callback says that it was signed; None if that is no time."""
    try:
        return datetime.fromtimestamp(int(timestamp) / _MILLISECONDS, UTC)
    except (ValueError, OverflowError, OSError):
        return None
