"""The OpenTelemetry hook with events that come late, twice, in the wrong order, or never."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from attrs import frozen
from opentelemetry.trace import StatusCode

from paypro_async import ConfigurationError, ItemStatus
from paypro_async.events import (
    BatchEnded,
    BatchStarted,
    CallbackAnswered,
    ClientEvent,
    ClientMeasured,
    LedgerCommitted,
    PayoutEnded,
    PayoutStarted,
    RequestEnded,
    RequestKind,
    RequestStarted,
)
from paypro_async.integrations import opentelemetry
from tests.support.telemetry import Telemetry

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
URL = "https://paypro.example/in/v1/paypro/payout"


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


def began(call: int, *, at: datetime = NOW, **more) -> PayoutStarted:
    return PayoutStarted(
        at=at, call=call, trade_no=f"T{call}", amount=Decimal(300), currency="INR", region="india", **more
    )


def ended(call: int, *, at: datetime = NOW, status: ItemStatus = ItemStatus.PROCESSING, **more) -> PayoutEnded:
    return PayoutEnded(at=at, call=call, trade_no=f"T{call}", status=status, **{"duration": 1.0, **more})


def asked(request: int, **more) -> RequestStarted:
    return RequestStarted(at=NOW, request=request, kind=RequestKind.PAYOUT, url=URL, **more)


def answered(request: int, **more) -> RequestEnded:
    return RequestEnded(at=NOW, request=request, kind=RequestKind.PAYOUT, **{"duration": 0.1, **more})


def measured(*, at: datetime = NOW, **more) -> ClientMeasured:
    return ClientMeasured(at=at, **more)


def test_ends_that_never_come_leave_nothing_behind(telemetry, monkeypatch):
    """A hook that was too slow misses events. What it waits for in vain is bounded, ended and marked."""
    monkeypatch.setattr(opentelemetry, "_MOST_OPEN", 10)
    hook = telemetry.hook()
    for number in range(25):
        hook(began(number))
        hook(asked(number, call=number))
        hook(BatchStarted(at=NOW, batch=number, batch_id="july"))
    assert telemetry.sum("paypro.payouts.in_flight") == telemetry.sum("paypro.batches.in_flight") == 10
    for name in ("paypro.payout", "POST ", "paypro.batch"):
        given_up = telemetry.named(name)
        assert len(given_up) == 15
        assert {one.attributes["paypro.incomplete"] for one in given_up} == {True}
    hook(ended(3))  # a late end, of one that was given up: it is told, and counted out only once
    assert telemetry.sum("paypro.payouts.in_flight") == 10
    assert telemetry.sum("paypro.payout.duration") == 1


def test_what_has_begun_a_day_ago_has_lost_its_end(telemetry):
    hook = telemetry.hook()
    hook(began(1))
    hook(began(2, at=NOW + timedelta(hours=2)))
    hook(measured(at=NOW + timedelta(hours=23)))
    assert telemetry.sum("paypro.payouts.in_flight") == 2
    hook(measured(at=NOW + timedelta(hours=25)))
    assert telemetry.sum("paypro.payouts.in_flight") == 1
    assert [one.attributes["paypro.region"] for one in telemetry.named("paypro.payout")] == ["india"]


def test_an_end_without_a_start_is_told_as_far_as_it_is_known(telemetry):
    hook = telemetry.hook()
    hook(ended(1, at=NOW, duration=2.5))
    hook(answered(9, http_status=200))
    (whole,) = telemetry.spans
    assert whole.name == "paypro.payout"
    assert (whole.end_time - whole.start_time) / 1e9 == 2.5
    assert whole.end_time == NOW.timestamp() * 1e9
    assert telemetry.sum("paypro.payout.duration") == 1
    assert telemetry.sum("paypro.payouts.in_flight") == 0


def test_an_item_whose_batch_is_not_known_is_still_a_trace_of_its_own(telemetry):
    hook = telemetry.hook()
    with telemetry.tracers.get_tracer("tests").start_as_current_span("job"):
        hook(began(1, batch=7, batch_id="july"))
    hook(ended(1))
    (whole,) = telemetry.named("paypro.payout")
    assert (whole.parent, whole.links) == (None, ())


def test_a_clock_that_is_set_back_makes_no_span_that_ends_before_it_began(telemetry):
    hook = telemetry.hook()
    hook(began(1))
    hook(ended(1, at=NOW - timedelta(hours=1), duration=3.0))
    (whole,) = telemetry.spans
    assert (whole.end_time - whole.start_time) / 1e9 == 3.0


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ({"http_status": 200, "phase": "answered", "verdict": "refused", "code": "60019"}, None),
        ({"http_status": 200, "phase": "answered", "verdict": "unknown"}, "unknown_outcome"),
        ({"http_status": 429, "phase": "answered", "verdict": "rate limited"}, "429"),
        ({"http_status": 503, "phase": "answered", "verdict": "unknown"}, "503"),
        ({"phase": "not sent", "verdict": "not sent"}, "not_sent"),
        ({"phase": "maybe_sent", "verdict": "unknown"}, "maybe_sent"),
        ({"error": "CancelledError"}, "CancelledError"),
        ({}, "_OTHER"),
    ],
)
def test_what_counts_as_an_error_of_a_request(telemetry, end, error):
    hook = telemetry.hook()
    hook(asked(1))
    hook(answered(1, **end))
    (request,) = telemetry.spans
    assert request.attributes.get("error.type") == error
    assert request.status.status_code is (StatusCode.UNSET if error is None else StatusCode.ERROR)
    (point,) = telemetry.points("http.client.request.duration")
    assert dict(point).get("error.type") == error
    assert dict(point)["server.port"] == 443  # by the scheme, as the URL names none


@pytest.mark.parametrize("code", ["100940382921", "Asha Rao", "+918234567890", "a@b.example", ""])
def test_a_code_that_may_be_anything_else_is_left_out(telemetry, code):
    """The platform, or who pretends to be it, may write an account where a code stands."""
    hook = telemetry.hook()
    hook(began(1))
    hook(asked(1, call=1))
    hook(answered(1, code=code, http_status=200))
    hook(ended(1, code=code))
    assert len(telemetry.spans) == 2
    assert not any("paypro.code" in one.attributes for one in telemetry.spans)


def test_a_url_is_told_without_user_password_and_query(telemetry):
    """An event has none of these; a gateway's may be put there by a transport of one's own all the same."""
    hook = telemetry.hook()
    url = "https://north:hunter2@gateway.example:8443/in/v1/paypro/payout?key=hunter2#hunter2"
    hook(RequestStarted(at=NOW, request=1, kind=RequestKind.PAYOUT, url=url))
    hook(answered(1, http_status=200))
    (request,) = telemetry.spans
    assert request.attributes["url.full"] == "https://gateway.example:8443/in/v1/paypro/payout"
    assert request.attributes["server.port"] == 8443
    assert "hunter2" not in telemetry.everything()


def test_the_clients_of_a_process_add_up(telemetry):
    one, other = telemetry.hook(), telemetry.hook()
    one(measured(connections=3, max_connections=100, dropped=2))
    other(measured(connections=4, max_connections=100, dropped=1))
    one(measured(connections=1, max_connections=100, dropped=5))
    assert telemetry.sum("paypro.connections.in_use") == 5
    assert telemetry.sum("paypro.events.dropped") == 6
    one(measured(connections=0, dropped=1))  # its client was closed, and opened anew
    assert telemetry.sum("paypro.connections.in_use") == 4
    assert telemetry.sum("paypro.events.dropped") == 7


def test_a_ledger_that_cannot_be_asked_says_not_that_nothing_is_open(telemetry):
    """Else an alert about payouts whose outcome nobody knows would end when the ledger is away."""
    hook = telemetry.hook()
    hook(measured(open_payouts={ItemStatus.UNKNOWN: 3}))
    hook(measured(open_payouts=None))
    assert telemetry.points("paypro.payouts.open")[(("paypro.status", "unknown"),)] == 3
    hook(measured(open_payouts={}))
    assert telemetry.points("paypro.payouts.open")[(("paypro.status", "unknown"),)] == 0


def test_a_callback_that_seems_to_come_before_it_was_signed_has_no_lag(telemetry):
    hook = telemetry.hook()
    hook(CallbackAnswered(at=NOW, http_status=200, trade_no="T1", lag=-4.0, duration=0.01))
    hook(CallbackAnswered(at=NOW, http_status=503, duration=9.0))
    assert telemetry.points("paypro.callback.lag") == {(): (1, 0.0)}
    stored, late = telemetry.named("paypro.callback")[::-1]
    assert (stored.status.status_code, late.status.status_code) == (StatusCode.UNSET, StatusCode.ERROR)


def test_a_group_that_the_ledger_has_not_done_is_told_apart(telemetry):
    hook = telemetry.hook()
    hook(LedgerCommitted(at=NOW, requests=5, failed=False, duration=0.01))
    hook(LedgerCommitted(at=NOW, requests=2, failed=True, duration=5.0))
    assert telemetry.points("paypro.ledger.commit.duration") == {(): (1, 0.01), (("error.type", "_OTHER"),): (1, 5.0)}
    assert telemetry.sum("paypro.ledger.requests") == 7


def test_a_batch_that_was_stopped_is_an_error_and_says_why(telemetry):
    hook = telemetry.hook()
    hook(BatchStarted(at=NOW, batch=1, batch_id="july", total=9))
    counts = {ItemStatus.PROCESSING: 4, ItemStatus.NOT_SENT: 5}
    hook(BatchEnded(at=NOW, batch=1, batch_id="july", counts=counts, sent=4, stopped="failures", duration=60.0))
    (batch,) = telemetry.spans
    assert batch.status.status_code is StatusCode.ERROR
    assert batch.attributes["error.type"] == batch.attributes["paypro.batch.stopped"] == "failures"
    assert batch.attributes["paypro.batch.counts.not_sent"] == 5
    assert telemetry.points("paypro.batch.duration") == {(("paypro.batch.stopped", "failures"),): (1, 60.0)}


def test_an_event_of_a_newer_kind_is_passed_over(telemetry):
    @frozen(kw_only=True)
    class Newer(ClientEvent):
        at: datetime

    telemetry.hook()(Newer(at=NOW))
    assert not telemetry.spans


@pytest.mark.parametrize("asked_for", [("name",), ["account"], ("trade_no", "bank_number"), "trade_no", [1]])
def test_only_what_events_have_can_be_asked_for(asked_for):
    with pytest.raises(ConfigurationError, match="'trade_no', 'amount', 'batch_id'"):
        opentelemetry.OpenTelemetryHook(attributes=asked_for)


@pytest.mark.parametrize("labels", [{"server.address": "x"}, {"merchant": 1}, {1: "x"}, {"paypro.status": "x"}])
def test_a_label_is_a_text_by_a_name_of_ones_own(labels):
    with pytest.raises(ConfigurationError, match="labels="):
        opentelemetry.OpenTelemetryHook(labels=labels)
