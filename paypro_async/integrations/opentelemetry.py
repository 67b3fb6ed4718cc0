"""Traces and metrics of a client, for OpenTelemetry (extra ``opentelemetry``, which is the API alone).

::

    hook = OpenTelemetryHook()  # to the providers that the program, or opentelemetry-instrument, has set
    async with PayProClient.from_env(hooks=[hook]) as client:
        await client.payout(payout)

Without OpenTelemetry's SDK this does nothing. What is told stands in ``integrations/telemetry.py`` as tables. No payout
waits for any of it, and no request to the platform carries anything of it.
"""

import threading
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

from attrs import define, field

from paypro_async._core.events import (
    BatchEnded,
    BatchStarted,
    CallbackAnswered,
    ClientEvent,
    ClientMeasured,
    LedgerCommitted,
    PayoutEnded,
    PayoutStarted,
    Reconciled,
    RequestEnded,
    RequestKind,
    RequestStarted,
    StatusChanged,
)
from paypro_async._core.items import ItemStatus
from paypro_async._core.states import FINAL, Cause
from paypro_async.integrations.telemetry import ASKED_FOR, METRICS, SCHEMA_URL, Kind, Metric
from paypro_async.integrations.telemetry_values import (
    OTHER,
    Attributes,
    as_word,
    checked_attributes,
    checked_labels,
    known,
    nanoseconds,
    request_error,
    short_code,
    target_of,
)

try:
    from opentelemetry.context import Context
    from opentelemetry.metrics import Meter, MeterProvider, get_meter, get_meter_provider
    from opentelemetry.trace import (
        Link,
        Span,
        SpanKind,
        Status,
        StatusCode,
        TracerProvider,
        get_tracer,
        get_tracer_provider,
        set_span_in_context,
    )
except ImportError as _error:
    raise ImportError("OpenTelemetry is not installed: pip install 'paypro-async[opentelemetry]'") from _error

__all__ = ["OpenTelemetryHook"]

_SCOPE = "paypro_async"
_MOST_OPEN = 20_000
"""Of calls, and of requests: no process has more under way, so the oldest of more have lost their end."""
_LONGEST_OPEN = timedelta(hours=24)
_FINDINGS = ("still_unknown", "missing", "review", "overdue", "unanswered")
_NOT_FINAL = tuple(one for one in ItemStatus if one.state is not None and one.state not in FINAL)


@define(kw_only=True, eq=False)
class _Work:
    """A call, a request or a batch that has begun.

    Args:
        span: Not ended.
        began: On the wall clock.
        in_flight: The metric that counts it until it ends, if one does.
        target: Of a request, where it went to.
    """

    span: Span
    began: datetime
    in_flight: str | None = None
    target: Attributes = field(factory=dict)


class OpenTelemetryHook:
    """Makes spans and metrics of a client's events: ``PayProClient(…, hooks=[OpenTelemetryHook()])``.

    A span for each payout, with a child for each request; one for each batch, callback and reconciliation; and the
    metrics of ``docs/telemetry.md``. By itself nothing of it holds a trade number, an amount or a batch's name, and
    nothing can hold a personal field, since events have none. Give each client a hook of its own.

    Args:
        tracer_provider: Whose spans they are; by default the program's (``opentelemetry.trace.set_tracer_provider``).
        meter_provider: Whose metrics they are; by default the program's.
        attributes: What else spans shall hold: any of ``trade_no``, ``amount``, ``batch_id``. Never on metrics, where
            each value would be a time series of its own.
        labels: Put on every span and metric, to tell one client of a process from the others: a few fixed values, such
            as ``{"merchant": "north"}``.

    Raises:
        ConfigurationError: For an attribute that cannot be asked for, or a label that is none.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        attributes: Collection[str] = (),
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self._asked, self._labels = checked_attributes(attributes), checked_labels(labels or {})
        self._providers, release = (tracer_provider, meter_provider), version("paypro-async")
        self._tracer = get_tracer(_SCOPE, release, tracer_provider, SCHEMA_URL)
        meter = get_meter(_SCOPE, release, meter_provider, SCHEMA_URL)
        self._instruments: dict[str, Any] = {one.name: _MAKERS[one.kind](meter, one) for one in METRICS}
        # A hook that is given to two clients all the same is called in two threads.
        self._lock = threading.Lock()
        self._calls: dict[int, _Work] = {}
        self._requests: dict[int, _Work] = {}
        self._batches: dict[int, _Work] = {}
        self._connections = self._dropped = 0
        self._handlers: Mapping[type[ClientEvent], Callable[[Any], None]] = {
            PayoutStarted: self._payout_started,
            PayoutEnded: self._payout_ended,
            RequestStarted: self._request_started,
            RequestEnded: self._request_ended,
            StatusChanged: self._status_changed,
            BatchStarted: self._batch_started,
            BatchEnded: self._batch_ended,
            LedgerCommitted: self._ledger_committed,
            CallbackAnswered: self._callback_answered,
            Reconciled: self._reconciled,
            ClientMeasured: self._measured,
        }

    def __call__(self, event: ClientEvent, /) -> None:
        """Make of *event* what there is to make; an event of a newer kind is passed over."""
        handle = self._handlers.get(type(event))
        if handle is not None:
            handle(event)

    def is_heard(self) -> bool:
        """Whether an SDK is set up by now. Until it is, nothing of what this tells goes anywhere."""
        providers = (self._providers[0] or get_tracer_provider(), self._providers[1] or get_meter_provider())
        # Both stand in for what is set later; the one of metrics has no public name.
        return not all(type(one).__name__.strip("_").startswith(("Proxy", "NoOp")) for one in providers)

    # --- payouts and their requests

    def _payout_started(self, event: PayoutStarted) -> None:
        batch = self._batches.get(event.batch) if event.batch is not None else None
        span = self._tracer.start_span(
            "paypro.payout",
            # A trace of a hundred thousand payouts could be neither sampled nor shown, so each item has its own.
            context=Context() if event.batch is not None else None,
            links=[Link(batch.span.get_span_context())] if batch is not None else None,
            start_time=nanoseconds(event.at),
            attributes=self._on_span(
                {"paypro.region": event.region, "paypro.currency": event.currency},
                trade_no=event.trade_no,
                amount=f"{event.amount:f}",
                batch_id=event.batch_id,
            ),
        )
        self._begin(self._calls, event.call, _Work(span=span, began=event.at, in_flight="paypro.payouts.in_flight"))

    def _payout_ended(self, event: PayoutEnded) -> None:
        error = event.error or (event.status.value if event.status.uncertain else None)
        began = event.at - timedelta(seconds=event.duration)
        if (work := self._end(self._calls, event.call)) is None:  # Its start was dropped, and this says as much.
            asked = self._on_span({}, trade_no=event.trade_no)
            span = self._tracer.start_span("paypro.payout", start_time=nanoseconds(began), attributes=asked)
            work = _Work(span=span, began=began)
        told: Attributes = {"paypro.status": event.status.value, "error.type": error}
        self._record("paypro.payout.duration", event.duration, told, within=work.span)
        told |= {
            "paypro.attempts": event.attempts,
            "paypro.queries": event.queries,
            "paypro.code": short_code(event.code),
        }
        _finish(work, event.duration, told, failed=error is not None)

    def _request_started(self, event: RequestStarted) -> None:
        call = self._calls.get(event.call) if event.call is not None else None
        target, url, path = target_of(event.url)
        # Only what pays is sent again; a query asks for news.
        resends = event.resends if event.kind is RequestKind.PAYOUT else 0
        span = self._tracer.start_span(
            f"POST {path}",
            context=set_span_in_context(call.span) if call is not None else None,
            kind=SpanKind.CLIENT,
            start_time=nanoseconds(event.at),
            attributes=self._on_span(
                {
                    **target,
                    "url.full": url,
                    "url.template": path,
                    "http.request.resend_count": resends or None,
                    "paypro.request.kind": event.kind.value,
                    "paypro.attempt": event.attempt,
                },
                trade_no=event.trade_no,
            ),
        )
        self._begin(self._requests, event.request, _Work(span=span, began=event.at, target=target))

    def _request_ended(self, event: RequestEnded) -> None:
        if (work := self._end(self._requests, event.request)) is None:
            return  # Where it went to was dropped, without which neither a span nor a number says anything.
        error = request_error(event)
        told: Attributes = {"http.response.status_code": event.http_status, "error.type": error}
        apart = {**work.target, **told, "paypro.request.kind": event.kind.value}
        self._record("http.client.request.duration", event.duration, apart, within=work.span)
        told |= {"paypro.phase": as_word(event.phase), "paypro.verdict": as_word(event.verdict)}
        told["paypro.code"] = short_code(event.code)
        _finish(work, event.duration, told, failed=error is not None)

    def _status_changed(self, event: StatusChanged) -> None:
        if event.status is ItemStatus.UNKNOWN and event.cause in (None, Cause.ATTEMPT):
            # Not lost, only on its way: what is announced is unknown until its answer comes.
            self._add("paypro.payouts.announced", 1)
            return
        cause = event.cause.value if event.cause is not None else None
        self._add("paypro.payouts", 1, {"paypro.status": event.status.value, "paypro.cause": cause})

    # --- batches, callbacks, reconciliations

    def _batch_started(self, event: BatchStarted) -> None:
        span = self._tracer.start_span(
            "paypro.batch",
            start_time=nanoseconds(event.at),
            attributes=self._on_span({"paypro.batch.total": event.total}, batch_id=event.batch_id),
        )
        self._begin(self._batches, event.batch, _Work(span=span, began=event.at, in_flight="paypro.batches.in_flight"))

    def _batch_ended(self, event: BatchEnded) -> None:
        self._record("paypro.batch.duration", event.duration, {"paypro.batch.stopped": event.stopped or "no"})
        for status, count in event.counts.items():
            self._add("paypro.batch.payouts", count, {"paypro.status": status.value})
        if (work := self._end(self._batches, event.batch)) is None:
            return
        told: Attributes = {f"paypro.batch.counts.{status.value}": count for status, count in event.counts.items()}
        told |= {"paypro.batch.sent": event.sent, "paypro.batch.stopped": event.stopped, "error.type": event.stopped}
        _finish(work, event.duration, told, failed=event.stopped is not None)

    def _callback_answered(self, event: CallbackAnswered) -> None:
        answer: Attributes = {"http.response.status_code": event.http_status}
        self._add("paypro.callbacks", 1, answer)
        self._record("paypro.callback.duration", event.duration, answer)
        if event.lag is not None:
            self._record("paypro.callback.lag", max(0.0, event.lag))
        # As of a server: what the platform did wrong is no failure of ours.
        failed = event.http_status >= 500
        told = {**answer, "error.type": str(event.http_status) if failed else None}
        self._span_of_the_past("paypro.callback", event, told, failed=failed, trade_no=event.trade_no)

    def _reconciled(self, event: Reconciled) -> None:
        complete: Attributes = {"paypro.reconcile.complete": event.ended}
        self._record("paypro.reconcile.duration", event.duration, complete)
        self._add("paypro.reconcile.checked", event.checked)
        for finding in _FINDINGS:
            self._add("paypro.reconcile.findings", getattr(event, finding), {"paypro.finding": finding})
        told = {**complete, "paypro.reconcile.checked": event.checked}
        self._span_of_the_past("paypro.reconcile", event, told, failed=False)

    # --- the rest

    def _ledger_committed(self, event: LedgerCommitted) -> None:
        told: Attributes = {"error.type": OTHER if event.failed else None}
        self._record("paypro.ledger.commit.duration", event.duration, told)
        self._add("paypro.ledger.requests", event.requests, told)

    def _measured(self, event: ClientMeasured) -> None:
        if event.connections is not None:
            # Added and taken away, so that the clients of a process add up.
            self._add("paypro.connections.in_use", event.connections - self._connections)
            self._connections = event.connections
        if event.max_connections is not None:
            self._set("paypro.connections.limit", event.max_connections)
        if event.open_payouts is not None:
            for status in _NOT_FINAL:
                self._set("paypro.payouts.open", event.open_payouts.get(status, 0), {"paypro.status": status.value})
        # A client that is opened anew counts from 0.
        self._add("paypro.events.dropped", event.dropped - (self._dropped if event.dropped >= self._dropped else 0))
        self._dropped = event.dropped
        for works in (self._calls, self._requests, self._batches):
            while (oldest := self._oldest(works, until=event.at - _LONGEST_OPEN)) is not None:
                self._give_up(oldest)

    # --- spans: begun, ended, given up

    def _begin(self, works: dict[int, _Work], number: int, work: _Work) -> None:
        with self._lock:
            works[number] = work
        if work.in_flight is not None:
            self._add(work.in_flight, 1)
        if len(works) > _MOST_OPEN and (oldest := self._oldest(works)) is not None:
            self._give_up(oldest)

    def _end(self, works: dict[int, _Work], number: int) -> _Work | None:
        with self._lock:
            work = works.pop(number, None)
        if work is not None and work.in_flight is not None:
            self._add(work.in_flight, -1)
        return work

    def _oldest(self, works: dict[int, _Work], *, until: datetime | None = None) -> _Work | None:
        """Take the oldest out; None if it began after *until*."""
        with self._lock:
            number = next(iter(works), None)
            if number is None or (until is not None and works[number].began > until):
                return None
            return works.pop(number)

    def _give_up(self, work: _Work) -> None:
        if work.in_flight is not None:
            self._add(work.in_flight, -1)
        work.span.set_attributes({"paypro.incomplete": True})
        work.span.end()

    def _span_of_the_past(
        self, name: str, event: Any, attributes: Attributes, *, failed: bool, trade_no: str | None = None
    ) -> None:
        """A span of what is told when it is over."""
        began = event.at - timedelta(seconds=event.duration)
        asked = self._on_span({}, trade_no=trade_no)
        span = self._tracer.start_span(name, start_time=nanoseconds(began), attributes=asked)
        _finish(_Work(span=span, began=began), event.duration, attributes, failed=failed)

    def _on_span(self, attributes: Attributes, **asked: str | None) -> Attributes:
        for name, value in asked.items():
            if name in self._asked:
                attributes[ASKED_FOR[name]] = value
        return known({**self._labels, **attributes})

    # --- metrics

    def _add(self, name: str, number: int, attributes: Attributes | None = None) -> None:
        # Nought too: a series that begins at its first count looks as if it had not changed.
        self._instruments[name].add(number, known({**self._labels, **(attributes or {})}))

    def _set(self, name: str, number: int, attributes: Attributes | None = None) -> None:
        self._instruments[name].set(number, known({**self._labels, **(attributes or {})}))

    def _record(
        self, name: str, seconds: float, attributes: Attributes | None = None, *, within: Span | None = None
    ) -> None:
        # The context lets a number point at the trace that it is of.
        context = set_span_in_context(within) if within is not None else None
        self._instruments[name].record(seconds, known({**self._labels, **(attributes or {})}), context)


def _finish(work: _Work, duration: float, attributes: Attributes, *, failed: bool) -> None:
    """End a span. Its duration is that of the steady clock, which nobody sets back."""
    span = work.span
    if span.is_recording():
        span.set_attributes(known(attributes))
        if failed:
            span.set_status(Status(StatusCode.ERROR))
    span.end(nanoseconds(work.began + timedelta(seconds=duration)))


def _histogram(meter: Meter, one: Metric) -> Any:
    return meter.create_histogram(
        one.name, one.unit, one.description, explicit_bucket_boundaries_advisory=one.buckets or None
    )


_MAKERS: Mapping[Kind, Callable[[Meter, Metric], Any]] = MappingProxyType(
    {
        Kind.COUNTER: lambda meter, one: meter.create_counter(one.name, one.unit, one.description),
        Kind.UP_DOWN_COUNTER: lambda meter, one: meter.create_up_down_counter(one.name, one.unit, one.description),
        Kind.GAUGE: lambda meter, one: meter.create_gauge(one.name, one.unit, one.description),
        Kind.HISTOGRAM: _histogram,
    }
)
