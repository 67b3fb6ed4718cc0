"""What hooks are told of payouts, requests, batches, callbacks and reconciliations: all of it, once, and in order."""

import asyncio
import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async import Cause, ItemStatus, MemoryLedger, OutcomeUnknownError, PayProClient, StopRules, events
from paypro_async._core.plain_data import PlainData
from paypro_async.events import (
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
from paypro_async.sandbox import FaultPlan, Sandbox
from tests.core.test_plain_data import results_of
from tests.support import callbacks
from tests.support.merchant import (
    MERCHANT_NO,
    PERSONAL,
    QUICK,
    SIGNER,
    client_of,
    fields,
    payouts,
    scripted_client,
    virtual_sandbox,
)
from tests.support.scripted import LOST, PAID, PROCESSING, Scripted, refusal
from tests.support.virtual_time import virtual_time

KINDS = [getattr(events, name) for name in events.__all__ if name not in ("Hook", "RequestKind")]


class Heard(list[Any]):
    """A hook that keeps what it is told."""

    def __call__(self, event: ClientEvent) -> None:
        self.append(event)

    def of(self, kind: type[Any]) -> list[Any]:
        # In virtual time a client that is closed does not wait for this thread, as the clock runs away beneath it.
        for thread in threading.enumerate():
            if thread.name == "paypro-hooks":
                thread.join(timeout=2)
        return [event for event in self if isinstance(event, kind)]


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_each_event_is_frozen_and_plain(kind: type[ClientEvent], data: st.DataObject) -> None:
    """So that any hook may write it down as JSON, and none can change what the next one is told."""
    event = data.draw(results_of(kind))
    assert isinstance(event, PlainData)
    assert json.loads(json.dumps(event.to_dict())) == event.to_dict()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.at = None


@virtual_time
async def test_a_payout_is_told_from_its_start_to_its_end() -> None:
    """With the request that it took, and each status that was written."""
    heard, script = Heard(), Scripted([PAID])
    async with scripted_client(script, hooks=[heard]) as client:
        await client.payout(**fields("T1"))

    (started,), (ended,) = heard.of(PayoutStarted), heard.of(PayoutEnded)
    (asked,), (answered,) = heard.of(RequestStarted), heard.of(RequestEnded)
    assert (started.trade_no, str(started.amount), started.currency, started.batch) == ("T1", "300", "INR", None)
    assert (ended.call, ended.status, ended.error, ended.attempts) == (started.call, "succeeded", None, 1)
    assert (asked.call, asked.kind, asked.attempt, asked.resends) == (started.call, RequestKind.PAYOUT, 1, 0)
    assert asked.url == "https://paypro.example/in/v1/paypro/payout"
    assert (answered.request, answered.http_status, answered.verdict) == (asked.request, 200, "paid")
    changes = [(one.before, one.status, one.cause) for one in heard.of(StatusChanged)]
    assert changes == [(None, "unknown", None), ("unknown", "succeeded", Cause.ATTEMPT)]
    order = [event for event in heard if isinstance(event, PayoutStarted | RequestStarted | RequestEnded | PayoutEnded)]
    assert order == [started, asked, answered, ended]


@virtual_time
async def test_each_attempt_counts_the_ones_before_it() -> None:
    """A payout that was refused for now goes out again: the second request says that it is one."""
    heard, script = Heard(), Scripted([LOST, PAID])
    async with scripted_client(script, hooks=[heard], timeout=300, settle_after=10) as client:
        await client.payout(**fields("T1"))
    sent = [one for one in heard.of(RequestStarted) if one.kind is RequestKind.PAYOUT]
    assert [(one.attempt, one.resends) for one in sent] == [(1, 0), (2, 1)]
    (ended,) = heard.of(PayoutEnded)
    queries = [one for one in heard.of(RequestStarted) if one.kind is RequestKind.QUERY]
    assert ended.attempts == 2
    assert ended.queries == len(queries) >= 2
    assert {one.call for one in queries} == {ended.call}


@virtual_time
async def test_an_unknown_outcome_is_told_as_one() -> None:
    """With the error that its caller gets."""
    heard, script = Heard(), Scripted([LOST], [LOST])
    async with scripted_client(script, hooks=[heard], timeout=5) as client:
        with pytest.raises(OutcomeUnknownError) as caught:
            await client.payout(**fields("T1"))
    (ended,) = heard.of(PayoutEnded)
    assert (ended.status, ended.error) == ("unknown", type(caught.value).__name__)
    assert heard.of(ClientMeasured)[-1].open_payouts == {ItemStatus.UNKNOWN: 1}


@virtual_time
async def test_a_cancelled_call_has_an_end() -> None:
    """Or those who count what is under way would count it for good."""
    heard = Heard()
    never = asyncio.Event()

    class Hanging:
        keeps_time = True

        async def send(self, request: object, *, timeout: float) -> Any:
            await never.wait()

        async def aclose(self) -> None:
            pass

    async with scripted_client(Hanging(), hooks=[heard]) as client:  # type: ignore[arg-type]
        paying = asyncio.create_task(client.payout(**fields("T1")))
        await asyncio.sleep(1)
        paying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await paying
    (ended,) = heard.of(PayoutEnded)
    (answered,) = heard.of(RequestEnded)
    assert (ended.error, answered.error) == ("CancelledError", "CancelledError")
    assert ended.status == "unknown"


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_goes_wrong_starts_and_ends_agree(seed: int, tmp_path: Path) -> None:
    """A batch with faults, a callback and a reconciliation: each start has one end, and the changes sum up to the
    ledger's states.
    """
    heard = Heard()
    ledger = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with (
        Sandbox(faults=FaultPlan(rate=0.3, seed=seed), paid_after=0.2) as sandbox,
        client_of(sandbox, ledger=ledger, environment="events", runtime=None, hooks=[heard], **QUICK) as client,
    ):
        report = await client.batch_payout(payouts(40), concurrency=8)
        await asyncio.sleep(0.3)
        await client.reconcile(wait=True)
        counts = await client.ledger.count_open(MERCHANT_NO)  # type: ignore[union-attr]
        entries = await client.ledger.get_many(MERCHANT_NO, [f"T{number}" for number in range(40)])  # type: ignore[union-attr]

    assert sorted(one.call for one in heard.of(PayoutStarted)) == sorted(one.call for one in heard.of(PayoutEnded))
    assert len(heard.of(PayoutStarted)) == 40
    asked, answered = heard.of(RequestStarted), heard.of(RequestEnded)
    assert sorted(one.request for one in asked) == sorted(one.request for one in answered)
    (batch,), (end,) = heard.of(BatchStarted), heard.of(BatchEnded)
    assert {one.batch for one in heard.of(PayoutStarted)} == {batch.batch} == {end.batch}
    assert end.counts == report.counts
    assert Counter(one.status for one in heard.of(PayoutEnded)) == Counter(report.counts)
    standing: Counter[ItemStatus] = Counter()
    for one in heard.of(StatusChanged):
        standing[one.status] += 1
        if one.before is not None:
            standing[one.before] -= 1
    assert +standing == Counter(ItemStatus.of_entry(entry) for entry in entries.values())
    assert heard.of(Reconciled)
    assert heard.of(ClientMeasured)[-1].open_payouts == counts
    assert sum(one.requests for one in heard.of(LedgerCommitted)) > 80


async def test_a_callback_is_told_with_its_answer_and_how_old_it_was() -> None:
    """One that is forged, too: that it came is worth knowing."""
    heard = Heard()
    script = Scripted([PROCESSING], [PAID])
    async with scripted_client(script, hooks=[heard], runtime=None, ledger=MemoryLedger()) as client:
        await client.payout(**fields("T1"))
        good = callbacks.callback("0000", "T1", signer=SIGNER)
        assert (await client.receive_callback(good)).status == 200
        assert (await client.receive_callback(good.replace(b"0000", b"0001", 1))).status == 400
    genuine, forged = heard.of(CallbackAnswered)
    assert (genuine.http_status, genuine.trade_no) == (200, "T1")
    assert genuine.lag is not None
    assert (forged.http_status, forged.trade_no, forged.lag) == (400, None, None)
    assert [one.cause for one in heard.of(StatusChanged)] == [None, Cause.ATTEMPT, Cause.CALLBACK]


async def test_nothing_personal_and_no_secret_is_in_any_event(tmp_path: Path) -> None:
    """Whatever hook writes them down."""
    heard = Heard()
    async with (
        Sandbox(faults=FaultPlan(rate=0.4, seed=11)) as sandbox,
        client_of(
            sandbox,
            ledger=f"sqlite:///{tmp_path / 'ledger.db'}",
            environment="events",
            runtime=None,
            hooks=[heard],
            **QUICK,
        ) as client,
    ):
        await client.batch_payout(payouts(20), stop=StopRules())
    told = "\n".join(f"{event!r} {json.dumps(event.to_dict())}" for event in heard)
    assert "T19" in told
    assert [value for value in (*PERSONAL, "sandbox-secret") if value in told] == []


@virtual_time
async def test_a_batch_that_is_stopped_has_ends_for_all_that_began() -> None:
    """Also for those that waited when it was closed."""
    heard = Heard()
    async with (
        virtual_sandbox(faults=FaultPlan(rate=1.0, seed=3)) as sandbox,
        client_of(sandbox, hooks=[heard]) as client,
    ):
        batch = client.batch_payout(payouts(30), concurrency=5)
        running = asyncio.ensure_future(asyncio.wait_for(batch._wait(), 20))
        with pytest.raises(TimeoutError):
            await running
    assert sorted(one.call for one in heard.of(PayoutStarted)) == sorted(one.call for one in heard.of(PayoutEnded))
    assert len(heard.of(BatchStarted)) == len(heard.of(BatchEnded)) == 1


@virtual_time
async def test_a_refusal_is_told_with_its_code() -> None:
    """A payout that failed is a result, and no error."""
    heard, script = Heard(), Scripted([refusal("1001")])
    async with scripted_client(script, hooks=[heard]) as client:
        result = await client.payout(**fields("T1"))
    (ended,) = heard.of(PayoutEnded)
    assert (ended.status.value, ended.error, ended.code) == (result.status.value, None, result.code)


async def test_events_happen_in_the_context_of_their_caller() -> None:
    """So that what traces finds the span in which a payout was made."""
    from contextvars import ContextVar

    who: ContextVar[str] = ContextVar("who", default="nobody")
    seen: list[tuple[str, str]] = []

    def hook(event: ClientEvent) -> None:
        if isinstance(event, PayoutStarted):
            seen.append((event.trade_no, who.get()))

    async def pay(name: str, client: PayProClient) -> None:
        who.set(name)
        await client.payout(**fields(name))

    async with Sandbox() as sandbox, client_of(sandbox, runtime=None, ledger="memory", hooks=[hook]) as client:
        await asyncio.gather(pay("A", client), pay("B", client))
    assert sorted(seen) == [("A", "A"), ("B", "B")]


async def test_a_ledger_that_cannot_count_says_not_that_nothing_is_open():
    """Else an alert about unknown outcomes would end just when the ledger is away."""

    class Uncounted(MemoryLedger):
        async def count_open(self, merchant_no: str) -> dict[ItemStatus, int]:
            raise RuntimeError("The disk is away.")

    heard = Heard()
    async with virtual_sandbox() as sandbox, client_of(sandbox, hooks=[heard], ledger=Uncounted()) as client:
        await client.payout(fields())
    assert heard.of(ClientMeasured)[-1].open_payouts is None
