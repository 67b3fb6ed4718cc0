"""What can go wrong with callbacks on purpose: by remark, by amount, by hand, and by another clock."""

import asyncio
import threading
from collections.abc import AsyncIterator

import httpx
import pytest

from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.sandbox.merchant import Clock, Merchant, signed
from tests.sandbox.receiver import Receiver, answer
from tests.support.transports import until


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


async def pay(sandbox: Sandbox, receiver: Receiver, trade_no: str = "T1", **changes: str) -> None:
    async with Merchant(sandbox) as merchant:
        assert (await merchant.payout(trade_no, notifyUrl=receiver.url, **changes))["code"] == "0000"


async def passes(sandbox: Sandbox, seconds: float) -> None:
    """So much time, and what it brings."""
    sandbox.advance(seconds)
    await sandbox.callbacks_sent()


@pytest.mark.parametrize(
    ("remark", "after_5", "after_10"),
    [
        ("invoice 17", ["0000"], ["0000"]),
        ("sandbox:later:paid", ["0000"], ["0000"]),
        ("sandbox:later:fail:60030", ["60030"], ["60030"]),
        ("sandbox:later:reverse", ["0000"], ["0000", "00029"]),
        ("sandbox:later:never", [], []),
        ("sandbox:paid", ["0000"], ["0000"]),
        ("sandbox:paid sandbox:later:fail:5000", ["0000", "5000"], ["0000", "5000"]),
        ("sandbox:callback:twice", ["0000"] * 2, ["0000"] * 2),
        ("sandbox:callback:late:3", [], ["0000"]),
        ("sandbox:callback:processing", ["0015", "0000"], ["0015", "0000"]),
        ("sandbox:callback:disorder", ["0000", "0015"], ["0000", "0015"]),
        ("sandbox:callback:none", [], []),
    ],
)
async def test_a_remark_decides(receiver: Receiver, remark: str, after_5: list[str], after_10: list[str]):
    """The end that an order comes to, and what is told of it, in this order."""
    async with Sandbox(clock=Clock(), paid_after=5) as sandbox:
        await pay(sandbox, receiver, remark=remark)
        await sandbox.callbacks_sent()
        await passes(sandbox, 5)
        assert [said for _, said in receiver.said] == after_5
        await passes(sandbox, 5)
        assert [said for _, said in receiver.said] == after_10


async def test_without_a_time_of_payment_a_wish_for_later_takes_a_second(receiver: Receiver):
    """While all others stay as they are."""
    async with Sandbox(clock=Clock()) as sandbox:
        await pay(sandbox, receiver, "T1", remark="sandbox:later:reverse")
        await pay(sandbox, receiver, "T2")
        await passes(sandbox, 0.9)
        assert receiver.said == []
        await passes(sandbox, 1.1)
        assert receiver.said == [("T1", "0000"), ("T1", "00029")]
        assert sandbox.books.orders["T2"].status == "0015"
        assert str(sandbox.books.balance) == "999999700"


async def test_what_a_hand_has_changed_settles_no_more(receiver: Receiver):
    """Neither the payment nor the reversal comes after that."""
    async with Sandbox(clock=Clock(), paid_after=5) as sandbox:
        await pay(sandbox, receiver, "T1")
        await pay(sandbox, receiver, "T2", remark="sandbox:later:reverse")
        sandbox.books.set_status("T1", "60030")
        await passes(sandbox, 5)
        sandbox.books.set_status("T2", "0015")
        await passes(sandbox, 5)
        assert [order.status for order in sandbox.books.orders.values()] == ["60030", "0015"]
        assert receiver.said == [("T1", "60030"), ("T2", "0000")]


async def test_an_amount_decides_where_no_remark_does(receiver: Receiver):
    """By the longest ending that has a rule."""
    rules = {"3": "later:fail:00029", "13": "fail:60030", ".13": "callback:twice"}
    async with Sandbox(clock=Clock(), paid_after=5, amount_rules=rules) as sandbox:
        for number, amount in enumerate(["300", "3", "313", "3.13"]):
            await pay(sandbox, receiver, f"T{number}", amount=amount)
        await pay(sandbox, receiver, "T4", amount="313", remark="sandbox:paid")
        await passes(sandbox, 5)
        found = {trade_no: order.status for trade_no, order in sandbox.books.orders.items()}
    assert found == {"T0": "0000", "T1": "00029", "T2": "60030", "T3": "0000", "T4": "0000"}
    assert receiver.said.count(("T3", "0000")) == 2
    assert len(receiver.said) == 6


async def test_a_wrong_signature_is_wrong_each_time_and_nothing_else_is(receiver: Receiver):
    """As when the merchant has set up another secret."""
    receiver.answers = [answer(400)]
    async with Sandbox(clock=Clock()) as sandbox:
        await pay(sandbox, receiver, remark="sandbox:paid sandbox:callback:wrong-signature")
        await sandbox.callbacks_sent()
        await passes(sandbox, 2)
        assert [record.wrong_signature for record in sandbox.callbacks] == [True, True]
    for members in receiver.members:
        unsigned = {name: value for name, value in members.items() if name != "sign"}
        assert members["sign"] != signed(unsigned)["sign"]
        assert len(members["sign"]) == 32


async def test_a_foreign_amount_is_signed(receiver: Receiver):
    """Genuine, and not what was paid out."""
    async with Sandbox(clock=Clock()) as sandbox:
        await pay(sandbox, receiver, remark="sandbox:paid sandbox:callback:amount:299.99")
        await sandbox.callbacks_sent()
        assert str(sandbox.books.orders["T1"].amount) == "300"
    (members,) = receiver.members
    assert members["amount"] == "299.99"
    assert members == signed({name: value for name, value in members.items() if name != "sign"})


async def test_by_hand_a_status_is_told_and_a_callback_sent_in_any_form(receiver: Receiver):
    """Paid, then failed; and a callback of each kind, while the order stays as it is."""
    async with Sandbox(clock=Clock()) as sandbox, Merchant(sandbox) as merchant:
        await pay(sandbox, receiver)
        for status in ("0000", "0000", "00029"):
            await merchant.http.post("/sandbox/orders/T1", json={"status": status})
            await sandbox.callbacks_sent()
        assert receiver.said == [("T1", "0000"), ("T1", "00029")]
        receiver.members.clear()
        path = "/sandbox/orders/T1/callback"
        assert (await merchant.http.post(path)).status_code == 200
        await sandbox.callbacks_sent()
        wish = {"status": "0000", "message": "PAID", "amount": "1", "twice": True, "delay": 60}
        assert (await merchant.http.post(path, json=wish)).json()["status"] == "00029"
        await sandbox.callbacks_sent()
        assert receiver.said == [("T1", "00029")]
        await passes(sandbox, 60)
        assert [(one["status"], one["message"], one["amount"]) for one in receiver.members[1:]] == [
            ("0000", "PAID", "1")
        ] * 2
        receiver.answers = [answer(500)]
        await merchant.http.post(path, json={"wrong_signature": True, "repeat": False})
        await sandbox.callbacks_sent()
        await passes(sandbox, 86_400)
        assert len(receiver.members) == 4
        assert sandbox.callbacks[-1].wrong_signature
        sandbox.send_callback("T1", status="0015")
        await sandbox.callbacks_sent()
        assert receiver.said[-1] == ("T1", "0015")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"status": 15}',
        b'{"status": ""}',
        b'{"delay": -1}',
        b'{"delay": NaN}',
        b'{"delay": true}',
        b'{"twice": 1}',
        b'{"sign": "x"}',
    ],
)
async def test_a_malformed_wish_sends_nothing(receiver: Receiver, body: bytes):
    """It is a 400 that shows the right form."""
    async with Sandbox(clock=Clock()) as sandbox, Merchant(sandbox) as merchant:
        await pay(sandbox, receiver)
        refused = await merchant.http.post("/sandbox/orders/T1/callback", content=body)
        assert (refused.status_code, "wrong_signature" in refused.json()["error"]) == (400, True)
        await passes(sandbox, 1000)
    assert receiver.members == []


async def test_to_another_machine_nothing_is_sent_and_the_journal_says_why():
    """Neither at the end of an order nor by hand."""
    async with Sandbox(clock=Clock()) as sandbox, Merchant(sandbox) as merchant:
        await merchant.payout("T1", remark="sandbox:paid", notifyUrl="https://merchant.example/paypro?token=W")
        await sandbox.callbacks_sent()
        refused = await merchant.http.post("/sandbox/orders/T1/callback")
        assert (refused.status_code, "not this machine" in refused.json()["error"]) == (409, True)
        with pytest.raises(ValueError, match="not this machine"):
            sandbox.send_callback("T1")
        with pytest.raises(KeyError):
            sandbox.send_callback("T2")
        assert (await merchant.http.post("/sandbox/orders/T2/callback")).status_code == 404
        page = (await merchant.http.get("/sandbox/callbacks")).json()
    (record,) = page["callbacks"]
    assert (record["outcome"], record["url"]) == ("not_sent", "https://merchant.example/paypro")
    assert "not this machine" in record["problem"]
    assert (page["tries"], page["outcomes"], page["waiting"]) == (1, {"not_sent": 1}, 0)


async def test_a_name_that_is_allowed_is_called(receiver: Receiver):
    """Here one that leads to this machine without being one of its names."""
    async with (
        Sandbox(clock=Clock(), callback_hosts=["ip6-LOCALHOST", "127.0.0.1"]) as sandbox,
        Merchant(sandbox) as merchant,
    ):
        await merchant.payout("T1", remark="sandbox:paid", notifyUrl="http://ip6-localhost:1/paypro")
        await sandbox.callbacks_sent()
        assert [record.outcome for record in sandbox.callbacks] == ["not_connected"]


async def test_the_clock_can_be_set_over_http(receiver: Receiver):
    """The next tries come when it says so; what is malformed changes nothing."""
    receiver.answers = [answer(500)] * 5
    async with Sandbox() as sandbox, Merchant(sandbox) as merchant:
        await pay(sandbox, receiver, remark="sandbox:paid")
        await sandbox.callbacks_sent()
        before = (await merchant.http.get("/sandbox/clock")).json()
        assert (before["waiting"], 0 < before["next_in"] <= 2, before["speed"]) == (1, True, 1.0)
        for wrong in ({}, {"advance": "1"}, {"advance": -1}, {"advance": 1, "speed": 0}, {"back": 1}, [1]):
            assert (await merchant.http.post("/sandbox/clock", json=wrong)).status_code == 400
        assert (await merchant.http.delete("/sandbox/clock")).status_code == 405
        set_to = await merchant.http.post("/sandbox/clock", json={"advance": 2})
        assert set_to.json()["now_ms"] - before["now_ms"] >= 2000
        await sandbox.callbacks_sent()
        assert len(receiver.members) == 2
        await merchant.http.post("/sandbox/clock", json={"speed": 1_000_000})
        await until(lambda: len(receiver.members) >= 6, within=5)


async def test_settlements_come_by_themselves_on_another_clock(receiver: Receiver):
    """Nobody looks at the books, and a test sets the clock."""
    clock = Clock()
    async with Sandbox(paid_after=3600, clock=clock) as sandbox:
        await pay(sandbox, receiver)
        clock.now += 3600
        await until(lambda: bool(receiver.members), within=5)
    assert receiver.said == [("T1", "0000")]


async def test_a_booking_that_comes_late_is_told_too(receiver: Receiver):
    """Its end is, without a look at the books by anybody else."""
    faults = FaultPlan.every(Fault.LATE_BOOKING)
    async with Sandbox(faults=faults, booking_lag=0.01, paid_after=0.01, processing_callbacks=True) as sandbox:
        async with Merchant(sandbox) as merchant:
            with pytest.raises(httpx.ReadError):
                await merchant.payout("T1", notifyUrl=receiver.url)
        await until(lambda: len(receiver.members) >= 2, within=5)
    assert receiver.said == [("T1", "0015"), ("T1", "0000")]


async def test_callbacks_can_be_switched_off_and_on(receiver: Receiver):
    """For what becomes of orders from then on."""
    async with Sandbox(clock=Clock(), callbacks=False) as sandbox:
        await pay(sandbox, receiver, "T1", remark="sandbox:paid")
        sandbox.change(callbacks=True)
        await pay(sandbox, receiver, "T2", remark="sandbox:paid")
        await sandbox.callbacks_sent()
        assert receiver.said == [("T2", "0000")]


async def test_another_thread_may_set_the_books(receiver: Receiver):
    """As a program does that runs the sandbox in a thread of its own."""
    async with Sandbox() as sandbox:
        await pay(sandbox, receiver)
        await asyncio.sleep(0)
        thread = threading.Thread(target=lambda: sandbox.books.set_status("T1", "0000"))
        thread.start()
        await until(lambda: bool(receiver.members), within=5)
        thread.join()
    assert receiver.said == [("T1", "0000")]


async def test_many_at_once_are_all_told_with_few_connections(receiver: Receiver):
    """No more than are bounded at one time, and each once."""
    async with Sandbox(clock=Clock()) as sandbox:
        await pay(sandbox, receiver)
        receiver.held = asyncio.Event()
        for _ in range(200):
            sandbox.send_callback("T1")
        await until(lambda: len(receiver.members) >= 64, within=5)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(receiver.members) == 64
        receiver.held.set()
        await sandbox.callbacks_sent()
    assert len(receiver.members) == 200
