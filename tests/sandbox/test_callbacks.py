"""Callbacks on the wire: what they say, when they come again, and what is never sent."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from paypro_async.sandbox import Sandbox
from tests.sandbox.merchant import Clock, Merchant, signed
from tests.sandbox.receiver import Receiver, answer
from tests.support.transports import until

DAY = 86_400


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


async def pay(sandbox: Sandbox, receiver: Receiver, *trade_nos: str, **changes: str) -> None:
    async with Merchant(sandbox) as merchant:
        for trade_no in trade_nos:
            assert (await merchant.payout(trade_no, notifyUrl=receiver.url, **changes))["code"] == "0000"


async def passes(sandbox: Sandbox, seconds: float) -> None:
    """So much time, and what it brings."""
    sandbox.advance(seconds)
    await sandbox.callbacks_sent()


async def test_an_order_that_ends_is_told_with_a_signature_over_all(receiver: Receiver):
    """As the callback's page lists it: every value a text, the order's numbers and amount, and the remark."""
    async with Sandbox(clock=Clock(), paid_after=5) as sandbox:
        await pay(sandbox, receiver, "T1", remark="invoice 17 für Asha")
        await sandbox.callbacks_sent()
        assert receiver.members == []
        await passes(sandbox, 5)
        order = sandbox.books.orders["T1"]

    (members,) = receiver.members
    assert members == signed({name: value for name, value in members.items() if name != "sign"})
    assert set(map(type, members.values())) == {str}
    assert members.pop("timestamp") == str(order.final_at_ms)
    assert len(members.pop("successTime")) == len("2024-07-01 18:34:31")
    del members["sign"]
    assert members == {
        "status": "0000",
        "message": "SUCCESS",
        "platFormTradeNo": order.platform_trade_no,
        "tradeNo": "T1",
        "amount": "300",
        "remark": "invoice 17 für Asha",
    }
    (head,) = receiver.heads
    assert head.startswith("POST /paypro?key=K HTTP/1.1\r\n")
    assert "application/json" in head


async def test_a_failure_has_no_time_of_success(receiver: Receiver):
    """That member is there only on success."""
    async with Sandbox(clock=Clock()) as sandbox:
        await pay(sandbox, receiver, "T1", remark="sandbox:fail:60030")
        await sandbox.callbacks_sent()
    (members,) = receiver.members
    assert (members["status"], members["message"]) == ("60030", "PAYEE_MAXIMUM_BALANCE_EXCEEDED")
    assert "successTime" not in members


async def test_it_comes_again_on_the_documented_schedule_and_then_no_more(receiver: Receiver):
    """At once, after 2, 5, 10, 30 seconds, an hour, three times three hours: the same bytes each time."""
    receiver.answers = [answer(500)] * 20
    async with Sandbox(clock=Clock()) as sandbox:
        await pay(sandbox, receiver, "T1", remark="sandbox:paid")
        await sandbox.callbacks_sent()
        came = []
        for gap in (2, 5, 10, 30, 3600, 10_800, 10_800, 10_800):
            await passes(sandbox, gap - 0.9)
            before = len(receiver.members)
            await passes(sandbox, 0.9)
            came.append((before, len(receiver.members)))
        await passes(sandbox, 10 * DAY)
        records = sandbox.callbacks

    assert came == [(number, number + 1) for number in range(1, 9)]
    assert receiver.members == [receiver.members[0]] * 9
    assert [record.attempt for record in records] == list(range(1, 10))
    assert {record.outcome for record in records} == {"other_answer"}
    assert records[-1].next_at_ms is None
    assert records[0].next_at_ms is not None


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (answer(200, b"OK\n"), "other_answer"),
        (answer(200, b'"OK"'), "other_answer"),
        (answer(200, b"ok"), "other_answer"),
        (answer(200), "other_answer"),
        (answer(201, b"OK"), "other_answer"),
        (answer(302, b"OK"), "other_answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nOK", "not_http"),
        (b"OK", "not_http"),
        (None, "not_http"),
    ],
)
async def test_only_ok_ends_it(receiver: Receiver, given: bytes | None, outcome: str):
    """HTTP 200 and exactly `OK`; with anything else it comes again."""
    receiver.answers = [given]
    async with Sandbox(clock=Clock()) as sandbox:
        await pay(sandbox, receiver, "T1", remark="sandbox:paid")
        await passes(sandbox, 0)
        await passes(sandbox, 2)
        await passes(sandbox, DAY)
        assert [record.outcome for record in sandbox.callbacks] == [outcome, "ok"]
    assert receiver.said == [("T1", "0000")] * 2


async def test_a_receiver_that_says_nothing_has_so_much_time_and_no_more(receiver: Receiver):
    """Real time, since a real program is asked; others get theirs meanwhile."""
    receiver.held = asyncio.Event()
    async with Sandbox(clock=Clock(), callback_timeout=1.5) as sandbox, Receiver() as other:
        await pay(sandbox, receiver, "T1", remark="sandbox:paid")
        await pay(sandbox, other, "T2", remark="sandbox:paid")
        await sandbox.callbacks_sent()
        assert {record.trade_no: record.outcome for record in sandbox.callbacks} == {"T1": "no_answer", "T2": "ok"}
    receiver.held.set()


async def test_closing_ends_deliveries_and_the_next_opening_goes_on(receiver: Receiver):
    """What was on its way is not lost with a sandbox that restarts."""
    receiver.held = asyncio.Event()
    sandbox = Sandbox(clock=Clock())
    async with sandbox:
        await pay(sandbox, receiver, "T1", remark="sandbox:paid")
        await until(lambda: bool(receiver.members), within=5)
        await asyncio.wait_for(sandbox.aclose(), timeout=1)
    receiver.held.set()
    receiver.held = None
    with pytest.raises(RuntimeError, match="not open"):
        await sandbox.callbacks_sent()
    async with sandbox:
        await sandbox.callbacks_sent()
        assert [record.outcome for record in sandbox.callbacks] == ["ok"]
    assert receiver.said == [("T1", "0000")] * 2
