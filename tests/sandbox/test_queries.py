from decimal import Decimal

import pytest

from paypro_async.sandbox import Sandbox
from tests.sandbox.merchant import BALANCE, NOW, PAYOUT, QUERY, Clock, Merchant, payout_members, signed


async def test_a_processing_order_is_told(sandbox: Sandbox, merchant: Merchant):
    """While processing there is neither a time of success nor a bank reference."""
    await merchant.payout(amount="300.50")
    reply = await merchant.query()
    assert (reply["code"], reply["success"]) == ("0000", True)
    assert reply["data"] == {
        "tradeNo": "T1",
        "platFormTradeNo": sandbox.books.orders["T1"].platform_trade_no,
        "status": "0015",
        "message": "CREDIT_INPROGRESS",
        "amount": "300.50",
    }


async def test_an_order_settles_after_its_time():
    """It is paid as soon as the clock says so, at that time, and not before."""
    clock = Clock()
    async with Sandbox(paid_after=5, clock=clock) as sandbox, Merchant(sandbox) as merchant:
        await merchant.payout()
        clock.now += 4.9
        assert (await merchant.query())["data"]["status"] == "0015"
        clock.now += 100
        paid = (await merchant.query())["data"]
        order = sandbox.books.orders["T1"]
        assert (paid["status"], paid["message"]) == ("0000", "SUCCESS")
        assert paid["utr"] == order.utr
        assert len(order.utr) == 12
        assert order.final_at_ms == order.booked_at_ms + 5000
        assert len(paid["successTime"]) == len("2024-07-01 18:34:31")


async def test_an_order_that_failed_before_its_time_does_not_settle():
    """What was decided by hand stays."""
    clock = Clock()
    async with Sandbox(paid_after=5, clock=clock) as sandbox, Merchant(sandbox) as merchant:
        await merchant.payout()
        sandbox.books.set_status("T1", "00029")
        clock.now += 10
        failed = (await merchant.query())["data"]
        assert (failed["status"], failed["message"]) == ("00029", "REJECTED_TRANSACTION")
        assert "successTime" in failed  # kenya/payoutQuery shows one on a rejected order
        assert "utr" not in failed


async def test_the_balance_is_debited_and_refunded(sandbox: Sandbox, merchant: Merchant):
    """A booking takes the money, a failure gives it back, and a paid order keeps it."""
    assert await merchant.balance() == "1000000000.0000"
    await merchant.payout("T1", amount="300.25")
    await merchant.payout("T2", amount="100")
    assert await merchant.balance() == "999999599.7500"
    sandbox.books.set_status("T1", "00029")
    sandbox.books.set_status("T2", "0000")
    assert await merchant.balance() == "999999900.0000"


async def test_a_reversal_gives_the_money_back(sandbox: Sandbox, merchant: Merchant):
    """A paid order that fails later is refunded, and its bookings do not grow."""
    await merchant.payout(remark="sandbox:paid")
    sandbox.books.set_status("T1", "00029", "returned by the bank")
    assert (await merchant.query())["data"]["message"] == "returned by the bank"
    assert await merchant.balance() == "1000000000.0000"
    sandbox.books.set_status("T1", "0000")
    assert await merchant.balance() == "999999700.0000"
    assert len(sandbox.books.bookings) == 1


async def test_a_payout_beyond_the_balance_is_not_booked():
    """It is refused in `data.status`, and the same trade number can be paid once there is money."""
    async with Sandbox(balance="500") as sandbox, Merchant(sandbox) as merchant:
        await merchant.payout("T1")
        reply = await merchant.payout("T2", remark="second")
        assert (reply["code"], reply["data"]["status"]) == ("0000", "60019")
        assert (reply["data"]["desc"], reply["data"]["remark"]) == ("INSUFFICIENT_FUNDS", "second")
        assert (await merchant.query("T2"))["data"] is None
        sandbox.books.set_status("T1", "00029")
        assert (await merchant.payout("T2"))["data"]["status"] == "0015"
        assert sandbox.books.balance == Decimal(200)


@pytest.mark.parametrize(
    ("path", "members", "message"),
    [
        (QUERY, {"timestamp": NOW}, "tradeNo is required"),
        (QUERY, {"tradeNo": "T1"}, "timestamp is required"),
        (BALANCE, {}, "timestamp is required"),
    ],
)
async def test_questions_are_checked_too(merchant: Merchant, path: str, members: dict[str, str], message: str):
    """A question with a missing member is a parameter error."""
    reply = (await merchant.post(path, members)).json()
    assert (reply["code"], reply["msg"]) == ("1001", f"parameter error: {message}")


@pytest.mark.parametrize("path", [QUERY, BALANCE])
async def test_questions_must_be_signed(merchant: Merchant, path: str):
    """An unsigned question is a sign error."""
    assert (await merchant.http.post(path, json={"timestamp": NOW, "tradeNo": "T1"})).json()["code"] == "1002"


async def test_any_prefix_is_accepted_unless_one_is_set(merchant: Merchant):
    """The platform's base URLs have a part per region."""
    body = signed(payout_members())
    assert (await merchant.http.post(f"/india-pay{PAYOUT}", json=body)).json()["code"] == "0000"
    async with Sandbox(prefix="india-pay/") as sandbox, Merchant(sandbox) as other:
        assert sandbox.base_url.endswith("/india-pay")
        assert (await other.payout())["code"] == "0000"
        async with Merchant(sandbox) as lost:
            lost.http.base_url = lost.http.base_url.copy_with(path="/")
            assert (await lost.post(PAYOUT, payout_members())).status_code == 404
