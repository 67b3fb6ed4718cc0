"""The spans of the OpenTelemetry hook, as the SDK exports them, of payouts over real HTTP."""

from datetime import UTC, datetime

import pytest
from opentelemetry import trace
from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes, url_attributes
from opentelemetry.trace import SpanKind, StatusCode

from paypro_async import OutcomeUnknownError, PayProClient
from paypro_async.integrations.telemetry import ATTRIBUTES, SPANS
from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.support.callbacks import callback
from tests.support.merchant import QUICK, SIGNER, client_of, payout, payouts, virtual_sandbox
from tests.support.telemetry import Telemetry, tree

PAY, ASK = "POST /v1/paypro/payout", "POST /v1/paypro/queryPayOutResult"


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


async def test_a_payout_is_a_child_of_its_callers_span_and_has_its_request_as_a_child(telemetry):
    tracer = telemetry.tracers.get_tracer("tests")
    async with Sandbox() as sandbox:
        async with client_of(sandbox, hooks=[telemetry.hook()]) as client:
            with tracer.start_as_current_span("order"):
                await client.payout(payout("T1"))
            await client.payout(payout("T2"))
        port = int(sandbox.base_url.rpartition(":")[2].partition("/")[0])
    told = [*tree(telemetry)]
    assert ("paypro.payout", "order") in told
    assert told.count(("paypro.payout", None)) == 1  # a caller without a span begins a trace
    assert told.count((PAY, "paypro.payout")) == 2
    (request, _), (paid, _) = telemetry.named(PAY), telemetry.named("paypro.payout")
    assert request.kind is SpanKind.CLIENT
    assert request.attributes == {
        http_attributes.HTTP_REQUEST_METHOD: "POST",
        server_attributes.SERVER_ADDRESS: "127.0.0.1",
        server_attributes.SERVER_PORT: port,
        url_attributes.URL_FULL: f"http://127.0.0.1:{port}/v1/paypro/payout",
        "url.template": "/v1/paypro/payout",
        http_attributes.HTTP_RESPONSE_STATUS_CODE: 200,
        "paypro.request.kind": "payout",
        "paypro.attempt": 1,
        "paypro.phase": "answered",
        "paypro.verdict": "processing",
        "paypro.code": "0015",
    }
    assert paid.attributes == {
        "paypro.region": "india",
        "paypro.currency": "INR",
        "paypro.status": "processing",
        "paypro.attempts": 1,
        "paypro.queries": 0,
        "paypro.code": "0015",
    }
    assert paid.kind is SpanKind.INTERNAL
    assert paid.start_time <= request.start_time <= request.end_time <= paid.end_time
    assert {one.status.status_code for one in telemetry.spans} == {StatusCode.UNSET}


async def test_each_attempt_says_how_often_the_payout_was_sent_before(telemetry):
    """A reply that was lost twice: an error each, questions between, and a third attempt that is answered."""
    faults = FaultPlan.script({"T1": [Fault.RESET_BEFORE, Fault.PAGE_502]})
    async with virtual_sandbox(faults=faults) as sandbox:
        async with client_of(sandbox, hooks=[telemetry.hook()], timeout=60, **QUICK) as client:
            result = await client.payout(payout("T1"))
        assert [one.trade_no for one in sandbox.books.bookings] == ["T1"]
    lost, refused, paid = telemetry.named(PAY)
    assert result.attempts == 3
    resends = [one.attributes.get(http_attributes.HTTP_REQUEST_RESEND_COUNT) for one in (lost, refused, paid)]
    assert resends == [None, 1, 2]
    assert [one.attributes["paypro.attempt"] for one in (lost, refused, paid)] == [1, 2, 3]
    assert [one.attributes.get(error_attributes.ERROR_TYPE) for one in (lost, refused, paid)] == [
        *("maybe_sent", "502"),
        None,
    ]
    assert [one.status.status_code for one in (lost, refused, paid)] == [
        *(StatusCode.ERROR, StatusCode.ERROR),
        StatusCode.UNSET,
    ]
    assert http_attributes.HTTP_RESPONSE_STATUS_CODE not in lost.attributes
    assert refused.attributes[http_attributes.HTTP_RESPONSE_STATUS_CODE] == 502
    questions = telemetry.named(ASK)
    assert questions
    # A question asks for news, so none is one that is sent again.
    assert all(http_attributes.HTTP_REQUEST_RESEND_COUNT not in one.attributes for one in questions)
    assert {parent for name, parent in tree(telemetry) if name in (PAY, ASK)} == {"paypro.payout"}
    (whole,) = telemetry.named("paypro.payout")
    assert (whole.attributes["paypro.attempts"], whole.attributes["paypro.queries"]) == (3, len(questions))
    assert whole.status.status_code is StatusCode.UNSET  # it ended well


async def test_a_payout_whose_outcome_nobody_knows_is_an_error(telemetry):
    faults = FaultPlan(rate=1.0, query_rate=1.0, kinds=frozenset({Fault.SILENCE}))
    settings = {"hooks": [telemetry.hook()], "timeout": 3, **QUICK}
    async with virtual_sandbox(faults=faults) as sandbox, client_of(sandbox, **settings) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.payout(payout("T1"))
    (whole,) = telemetry.named("paypro.payout")
    assert whole.status.status_code is StatusCode.ERROR
    assert whole.attributes[error_attributes.ERROR_TYPE] == "ReplyLostError"  # the kind of it that was raised
    assert whole.attributes["paypro.status"] == "unknown"


async def test_a_refusal_is_an_answer_and_no_error(telemetry):
    """HTTP went well, and nobody wants to be woken for a payee whose account is closed."""
    async with virtual_sandbox() as sandbox, client_of(sandbox, hooks=[telemetry.hook()]) as client:
        result = await client.payout(payout("T1", remark="sandbox:refuse:60019"))
        assert result.status == "failed"
    assert {one.status.status_code for one in telemetry.spans} == {StatusCode.UNSET}


async def test_each_item_of_a_batch_is_a_trace_of_its_own_with_a_link_to_the_batch(telemetry):
    tracer = telemetry.tracers.get_tracer("tests")
    async with Sandbox() as sandbox, client_of(sandbox, hooks=[telemetry.hook()]) as client:
        with tracer.start_as_current_span("job"):
            await client.batch_payout(payouts(3), batch_id="july")
    (batch,), items = telemetry.named("paypro.batch"), telemetry.named("paypro.payout")
    assert ("paypro.batch", "job") in tree(telemetry)
    assert len(items) == len({one.context.trace_id for one in items}) == 3
    assert batch.context.trace_id not in {one.context.trace_id for one in items}
    assert [one.parent for one in items] == [None] * 3
    assert [[link.context for link in one.links] for one in items] == [[batch.context]] * 3
    assert batch.attributes == {
        "paypro.batch.total": 3,
        "paypro.batch.sent": 3,
        "paypro.batch.counts.processing": 3,
    }


async def test_trade_number_amount_and_batch_are_there_only_where_they_are_asked_for(telemetry):
    asked = Telemetry()
    names = ("trade_no", "amount", "batch_id")
    async with Sandbox() as sandbox:
        hooks = [telemetry.hook(), asked.hook(attributes=names)]
        async with client_of(sandbox, hooks=hooks) as client:
            await client.batch_payout(payouts(2), batch_id="july")
            await client.query("T1")
    attributes = {"paypro.trade_no", "paypro.amount", "paypro.batch.id"}
    assert not any(attributes & set(one.attributes) for one in telemetry.spans)
    first, second = asked.named("paypro.payout")
    assert {one.attributes["paypro.trade_no"] for one in (first, second)} == {"T0", "T1"}
    assert first.attributes["paypro.amount"] == "300"
    assert first.attributes["paypro.batch.id"] == asked.named("paypro.batch")[0].attributes["paypro.batch.id"] == "july"
    assert asked.named(ASK)[0].attributes["paypro.trade_no"] == "T1"
    # A metric with such a value would be a time series for each payout.
    metrics = [point.attributes for one in asked.metrics().values() for point in one.data.data_points]
    assert metrics
    assert not any(attributes & set(one) for one in metrics)


async def test_a_callback_and_a_reconciliation_have_a_span(telemetry):
    tracer = telemetry.tracers.get_tracer("tests")
    async with Sandbox() as sandbox, client_of(sandbox, hooks=[telemetry.hook(attributes=("trade_no",))]) as client:
        result = await client.payout(payout("T1"))
        body = callback("0000", "T1", signer=SIGNER, platFormTradeNo=result.platform_trade_no)
        with tracer.start_as_current_span("request"):
            assert (await client.receive_callback(body)).status == 200
        assert (await client.receive_callback(b"{}")).status == 400
        await client.reconcile()
    genuine, forged = telemetry.named("paypro.callback")
    assert ("paypro.callback", "request") in tree(telemetry)
    assert genuine.attributes == {http_attributes.HTTP_RESPONSE_STATUS_CODE: 200, "paypro.trade_no": "T1"}
    # What others did wrong is no failure of this service.
    assert forged.attributes == {http_attributes.HTTP_RESPONSE_STATUS_CODE: 400}
    assert {one.status.status_code for one in telemetry.spans} == {StatusCode.UNSET}
    (reconciled,) = telemetry.named("paypro.reconcile")
    assert reconciled.attributes["paypro.reconcile.complete"] is True


async def test_labels_stand_on_every_span_and_metric(telemetry):
    hooks = [telemetry.hook(labels={"merchant": "north"})]
    async with Sandbox() as sandbox, client_of(sandbox, hooks=hooks) as client:
        await client.batch_payout(payouts(1))
        await client.reconcile()
    points = [point.attributes for one in telemetry.metrics().values() for point in one.data.data_points]
    assert {one["merchant"] for one in points} == {"north"}
    assert {one.attributes["merchant"] for one in telemetry.spans} == {"north"}


async def test_each_attribute_of_a_span_stands_in_the_tables(telemetry):
    """So the page, which is made of these, lists all of them; and the other way round, nothing that is nowhere."""
    faults = FaultPlan.script({"T1": [Fault.RESET_BEFORE], "T2": [Fault.PAGE_502]})
    async with virtual_sandbox(faults=faults) as sandbox:
        asked = ("trade_no", "amount", "batch_id")
        async with client_of(sandbox, hooks=[telemetry.hook(attributes=asked)], timeout=60, **QUICK) as client:
            await client.batch_payout(payouts(3), batch_id="july")
            await client.receive_callback(callback("0000", "T1", signer=SIGNER))
            await client.reconcile()
    rows = {row.name: set(row.attributes) for row in SPANS}
    for one in telemetry.spans:
        listed = rows["POST /…" if one.name.startswith("POST ") else one.name]
        found = {
            "paypro.batch.counts.<status>" if name.startswith("paypro.batch.counts.") else name
            for name in one.attributes
        }
        assert found <= listed, one.name
    assert set().union(*rows.values()) <= set(ATTRIBUTES)


async def test_the_programs_own_provider_is_taken_by_default(sdk_of_the_program):
    from paypro_async.integrations.opentelemetry import OpenTelemetryHook

    async with Sandbox() as sandbox:
        # As a program does that makes its client before it sets OpenTelemetry up.
        client = client_of(sandbox, hooks=[OpenTelemetryHook()])
        async with client:
            await client.payout(payout("T1"))
    assert [one.name for one in sdk_of_the_program.named("paypro.payout")] == ["paypro.payout"]
    assert sdk_of_the_program.sum("paypro.payout.duration") == 1


@pytest.fixture
def sdk_of_the_program(monkeypatch) -> Telemetry:
    telemetry = Telemetry()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", telemetry.tracers)
    monkeypatch.setattr("opentelemetry.metrics._internal._METER_PROVIDER", telemetry.meters)
    return telemetry


async def test_the_times_are_those_of_the_events(telemetry):
    """Not those at which the hook's thread got to it."""
    before = datetime.now(UTC).timestamp() * 1e9
    async with (
        Sandbox() as sandbox,
        PayProClient(
            base_url=sandbox.base_url, merchant_no="0000000001", signer=SIGNER, ledger=None, hooks=[telemetry.hook()]
        ) as client,
    ):
        await client.balance()
    (asked,) = telemetry.named("POST ")
    assert before - 1e6 <= asked.start_time <= asked.end_time <= datetime.now(UTC).timestamp() * 1e9
    assert asked.attributes["paypro.request.kind"] == "balance"
