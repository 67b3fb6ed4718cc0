import asyncio
from decimal import Decimal
from typing import Any

import pytest

from paypro_async.sandbox import Sandbox
from tests.sandbox.merchant import PAYOUT, Merchant, payout_members, signed

BY_REMARK = "refused by the remark"


async def test_a_payout_is_booked_and_processing(sandbox: Sandbox, merchant: Merchant):
    """The reply is the documented envelope, and the books hold the order."""
    reply = await merchant.payout(remark="000000")

    order = sandbox.books.orders["T1"]
    timestamp = reply.pop("timestamp")
    assert isinstance(timestamp, int)
    assert reply == {
        "msg": "success",
        "code": "0000",
        "success": True,
        "data": {
            "platFormTradeNo": order.platform_trade_no,
            "status": "0015",
            "desc": "CREDIT_INPROGRESS",
            "remark": "000000",
        },
    }
    assert (order.amount, order.payee.name, order.payee.bank_number) == (Decimal(300), "Asha Rao", "10094038292")
    assert [(booking.trade_no, booking.amount) for booking in sandbox.books.bookings] == [("T1", Decimal(300))]


@pytest.mark.parametrize("name", ["platFormTradeNo", "kiliTradeNo", "serialNumber"])
async def test_the_order_number_has_any_of_its_documented_names(name: Any):
    """The pages disagree on the name, so it is a setting."""
    async with Sandbox(order_number_name=name) as sandbox, Merchant(sandbox) as merchant:
        reply = await merchant.payout()
        assert reply["data"][name] == sandbox.books.orders["T1"].platform_trade_no


async def test_a_repeated_trade_number_is_refused(sandbox: Sandbox, merchant: Merchant):
    """The second request is a duplicate, whatever its content, and money moves once."""
    await merchant.payout()
    for again in (await merchant.payout(), await merchant.payout(amount="301")):
        assert (again["code"], again["msg"]) == ("0100024", "DUPLICATE_REFERENCE_NUMBER_LEVEL2")
        assert (again["success"], again["data"]) == (False, None)
    assert len(sandbox.books.bookings) == 1
    assert sandbox.books.orders["T1"].amount == Decimal(300)


async def test_fifty_requests_at_once_book_once(sandbox: Sandbox, merchant: Merchant):
    """Refusing duplicates holds for concurrent requests too."""
    replies = await asyncio.gather(*(merchant.payout() for _ in range(50)))
    assert sorted(reply["code"] for reply in replies) == ["0000"] + ["0100024"] * 49
    assert len(sandbox.books.bookings) == 1


async def test_without_deduplication_a_double_payment_shows():
    """Each request moves money, and the books say so."""
    async with Sandbox(deduplicate=False, balance="1000") as sandbox, Merchant(sandbox) as merchant:
        first, second = await merchant.payout(), await merchant.payout(amount="200")
        assert first["data"]["platFormTradeNo"] != second["data"]["platFormTradeNo"]
        assert [booking.amount for booking in sandbox.books.bookings] == [Decimal(300), Decimal(200)]
        assert (sandbox.books.orders["T1"].booked_count, sandbox.books.balance) == (2, Decimal(500))
        assert sandbox.books.booked_once(["T1"]).twice == ("T1",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timestamp": None}, "timestamp is required"),
        ({"timestamp": 1715941383720}, "timestamp must be a string"),
        ({"timestamp": "now"}, "timestamp must be milliseconds since the epoch"),
        ({"ipAddress": None}, "ipAddress is required"),
        ({"tradeNo": ""}, "tradeNo is required"),
        ({"tradeNo": 7}, "tradeNo must be a string"),
        ({"amount": 300}, "amount must be a string"),
        ({"amount": "0.00"}, "amount must be a positive number"),
        ({"amount": "-1"}, "amount must be a positive number"),
        ({"amount": "1e3"}, "amount must be a positive number"),
        ({"amount": "३००"}, "amount must be a positive number"),
        ({"name": None}, "name is required"),
        ({"mobile": "918234567890"}, "mobile must have 10 digits beginning with 6, 7, 8 or 9"),
        ({"mobile": "5234567890"}, "mobile must have 10 digits beginning with 6, 7, 8 or 9"),
        ({"email": None}, "email is required"),
        ({"bankNumber": None}, "bankNumber is required"),
        ({"bankCode": None}, "bankCode must be an IFSC code"),
        ({"bankCode": "IDFB1043121"}, "bankCode must be an IFSC code"),
        ({"notifyUrl": None}, "notifyUrl is required"),
        ({"remark": 7}, "remark must be a string"),
    ],
)
async def test_a_wrong_member_is_named(sandbox: Sandbox, merchant: Merchant, changes: dict[str, Any], message: str):
    """A well signed payout with a wrong member is a parameter error, and not booked."""
    reply = await merchant.payout(**changes) if "tradeNo" not in changes else await _post(merchant, changes)
    assert (reply["code"], reply["msg"]) == ("1001", f"parameter error: {message}")
    assert (reply["success"], reply["data"]) == (False, None)
    assert not sandbox.books.bookings


async def _post(merchant: Merchant, changes: dict[str, Any]) -> dict[str, Any]:
    return dict((await merchant.post(PAYOUT, payout_members() | changes)).json())


async def test_the_ifsc_may_have_its_name_from_the_table(sandbox: Sandbox, merchant: Merchant):
    """The page's table says bankNCode, its example bankCode: both are taken."""
    assert (await merchant.payout(bankCode=None, bankNCode="IDFB0043121"))["code"] == "0000"
    assert sandbox.books.orders["T1"].payee.bank_code == "IDFB0043121"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b'{"amount": NaN}', b"[" * 100_000, b"\xff"])
async def test_a_body_that_is_no_json_object_is_a_parameter_error(merchant: Merchant, body: bytes):
    """Whatever comes, the answer is an envelope."""
    reply = (await merchant.http.post(PAYOUT, content=body)).json()
    assert (reply["code"], reply["msg"]) == ("1001", "parameter error: the body must be a JSON object")


@pytest.mark.parametrize("headers", [{"merchantNo": "0000000002"}, {"merchantNo": ""}])
async def test_another_merchant_is_unknown(sandbox: Sandbox, merchant: Merchant, headers: dict[str, str]):
    """A good signature does not help a merchant that does not exist."""
    reply = (await merchant.http.post(PAYOUT, json=signed(payout_members()), headers=headers)).json()
    assert (reply["code"], reply["success"]) == ("1003", False)
    assert not sandbox.books.bookings


async def test_the_remark_refuses(sandbox: Sandbox, merchant: Merchant):
    """`sandbox:refuse:CODE` answers with that outer code and books nothing."""
    reply = await merchant.payout(remark="sandbox:refuse:5000")
    assert (reply["code"], reply["success"], reply["data"]) == ("5000", False, None)
    assert not sandbox.books.bookings


async def test_the_remark_pays_at_once(sandbox: Sandbox, merchant: Merchant):
    """`sandbox:paid` is an immediate success."""
    reply = await merchant.payout(remark="sandbox:paid")
    assert (reply["data"]["status"], reply["data"]["desc"]) == ("0000", "SUCCESS")
    assert sandbox.books.orders["T1"].final_at_ms is not None


async def test_the_remark_fails_the_order(sandbox: Sandbox, merchant: Merchant):
    """`sandbox:fail:CODE` books, fails and gives the money back: the booking stays on record."""
    reply = await merchant.payout(remark="sandbox:fail:60030")
    assert (reply["code"], reply["data"]["status"]) == ("0000", "60030")
    assert reply["data"]["desc"] == "PAYEE_MAXIMUM_BALANCE_EXCEEDED"
    assert len(sandbox.books.bookings) == 1
    assert sandbox.books.balance == Decimal(1_000_000_000)


async def test_the_remark_refuses_what_is_booked(sandbox: Sandbox, merchant: Merchant):
    """`sandbox:reply:CODE` answers with that outer code, and the order is there all the same."""
    reply = await merchant.payout(remark="sandbox:reply:9999:System busy")
    assert (reply["code"], reply["msg"], reply["data"]) == ("9999", "System busy", None)
    assert (await merchant.query())["data"]["status"] == "0015"
    assert sandbox.books.requests[0].booked


async def test_the_remark_misreports_the_status(sandbox: Sandbox, merchant: Merchant):
    """`sandbox:status:CODE` says a status that no query will confirm."""
    reply = await merchant.payout(remark="sandbox:status:PENDING")
    assert (reply["code"], reply["data"]["status"]) == ("0000", "PENDING")
    assert reply["data"]["platFormTradeNo"] == sandbox.books.orders["T1"].platform_trade_no
    assert (await merchant.query())["data"]["status"] == "0015"


async def test_the_remark_makes_the_order_vanish(sandbox: Sandbox, merchant: Merchant):
    """`sandbox:vanish` accepts, and then knows nothing; the money stays taken."""
    assert (await merchant.payout(remark="sandbox:vanish"))["data"]["status"] == "0015"
    assert (await merchant.query())["data"] is None
    assert len(sandbox.books.bookings) == 1
    assert sandbox.books.balance == Decimal(999_999_700)


@pytest.mark.parametrize("kind", ["fail", "refuse", "reply", "status"])
async def test_the_remark_may_say_the_words(merchant: Merchant, kind: str):
    """Behind the code, with whatever is in them; without them the usual ones are said."""
    words = "beneficiary: bank authentication failed"
    reply = await merchant.payout(remark=f"sandbox:{kind}:00029:{words}")
    assert words in (reply["msg"], (reply["data"] or {}).get("desc"))
    without = await merchant.payout("T2", remark=f"sandbox:{kind}:00029")
    assert (without["data"]["desc"] if without["data"] else without["msg"]) in ("REJECTED_TRANSACTION", BY_REMARK)


@pytest.mark.parametrize(
    "remark",
    [
        "sandbox:fail:",
        "sandbox:refuse:",
        "sandbox:reply",
        "sandbox:status::words",
        "sandbox:paid:0000",
        "sandbox:vanish:1",
        "a sandbox:paid",
        "sandbox:unpaid",
    ],
)
async def test_other_remarks_have_no_effect(merchant: Merchant, remark: str):
    """Only a whole spell works; any other remark is just given back."""
    reply = await merchant.payout(remark=remark)
    assert (reply["data"]["status"], reply["data"]["remark"]) == ("0015", remark)
