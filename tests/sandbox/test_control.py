import httpx
import pytest

from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.sandbox.merchant import PAYOUT, Merchant, payout_members

PERSONAL = ["Asha Rao", "8234567890", "asha@gmail.com", "10094038292", "203.0.113.7", "PAN 123"]


async def test_the_books_can_be_read_as_json():
    """Orders, balance, and how much of what happened."""
    async with Sandbox(faults=FaultPlan.script({"T2": [Fault.PAGE_502]})) as sandbox, Merchant(sandbox) as merchant:
        await merchant.payout("T1")
        await merchant.post(PAYOUT, payout_members("T2"))
        await merchant.payout("T2", amount="0.5", remark="sandbox:paid")
        books = (await merchant.http.get("/sandbox/books")).json()

    first, second = books.pop("orders")
    assert books == {"balance": "999999699.5000", "bookings": 2, "requests": 3, "faults": {"page_502": 1}}
    assert (first["tradeNo"], first["amount"], first["status"], first["booked_count"]) == ("T1", "300", "0015", 1)
    assert (second["tradeNo"], second["amount"], second["status"]) == ("T2", "0.5", "0000")
    assert first["platFormTradeNo"] == sandbox.books.orders["T1"].platform_trade_no


async def test_the_journal_shows_what_happened(sandbox: Sandbox, merchant: Merchant):
    """One record for each request, with what came of it; the sandbox's own pages are not in it."""
    await merchant.payout()
    await merchant.payout()
    await merchant.http.post(PAYOUT, content=b"{")
    await merchant.query()
    records = (await merchant.http.get("/sandbox/requests")).json()["requests"]
    assert [(record["trade_no"], record["code"], record["booked"]) for record in records] == [
        ("T1", "0000", True),
        ("T1", "0100024", False),
        (None, "1001", False),
        ("T1", "0000", False),
    ]
    assert [record["number"] for record in records] == [1, 2, 3, 4]
    assert records[2]["members"] is None
    assert records[0]["members"]["amount"] == "300"
    assert {record["http_status"] for record in records} == {200}


async def test_the_journal_says_when_nothing_was_sent():
    """A reset has no HTTP status, and none of the platform's codes when the platform never saw it."""
    async with Sandbox(faults=FaultPlan.every(Fault.RESET_BEFORE)) as sandbox, Merchant(sandbox) as merchant:
        with pytest.raises(httpx.ReadError):
            await merchant.payout()
        (record,) = sandbox.books.requests
        assert (record.fault, record.http_status, record.code, record.booked) == ("reset_before", None, None, False)


async def test_personal_values_are_shown_nowhere(sandbox: Sandbox, merchant: Merchant):
    """Neither the pages nor any `repr` show who was paid, not even in a member that nobody knows."""
    await merchant.payout(customerCert="PAN 123")
    await merchant.payout("T2", amount=["10094038292"], customerCert="PAN 123")
    shown = [(await merchant.http.get(f"/sandbox/{page}")).text for page in ("books", "requests")]
    shown += [repr(sandbox), repr(sandbox.books.orders), repr(sandbox.books.bookings), repr(sandbox.books.requests)]
    assert "T1" in shown[0]
    assert [value for value in PERSONAL for text in shown if value in text] == []


async def test_an_order_can_be_given_another_status(sandbox: Sandbox, merchant: Merchant):
    """By hand: paid, then taken back, each with the platform's words or one's own."""
    await merchant.payout("T/1 é")
    path = "/sandbox/orders/T%2F1%20%C3%A9"
    paid = (await merchant.http.post(path, json={"status": "0000"})).json()
    assert (paid["tradeNo"], paid["status"], paid["message"]) == ("T/1 é", "0000", "SUCCESS")
    taken_back = await merchant.http.post(path, json={"status": "00029", "message": "returned"})
    assert (taken_back.status_code, taken_back.json()["message"]) == (200, "returned")
    assert sandbox.books.orders["T/1 é"].status == "00029"
    assert (await merchant.http.post(path, json={"status": "0015"})).json()["final_at_ms"] is None


async def test_an_order_can_be_made_to_vanish(sandbox: Sandbox, merchant: Merchant):
    """It is shown once more, and then no query knows it."""
    await merchant.payout()
    gone = await merchant.http.post("/sandbox/orders/T1", json={"delete": True})
    assert (gone.status_code, gone.json()["tradeNo"]) == (200, "T1")
    assert (await merchant.query())["data"] is None
    assert (await merchant.http.post("/sandbox/orders/T1", json={"delete": True})).status_code == 404
    assert len(sandbox.books.bookings) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"status": 15}',
        b'{"status": ""}',
        b'{"delete": false}',
        b'{"delete": "yes"}',
        b'{"delete": true, "status": "0000"}',
        b"[" * 100_000,
    ],
)
async def test_a_malformed_wish_changes_nothing(sandbox: Sandbox, merchant: Merchant, body: bytes):
    """It is a 400 that shows the right form."""
    await merchant.payout()
    answer = await merchant.http.post("/sandbox/orders/T1", content=body)
    assert answer.status_code == 400
    assert "status" in answer.json()["error"]
    assert sandbox.books.orders["T1"].status == "0015"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/sandbox/books", 405),
        ("POST", "/sandbox/requests", 405),
        ("GET", "/sandbox/orders/T1", 405),
        ("POST", "/sandbox/orders/nobody", 404),
        ("GET", "/sandbox/other", 404),
        ("GET", "/sandbox/", 404),
    ],
)
async def test_other_pages(merchant: Merchant, method: str, path: str, status: int):
    """What is not there is 404, what cannot be done 405."""
    assert (await merchant.http.request(method, path, json={"status": "0000"})).status_code == status
