"""What a reply means that no page lists. Real HTTP: a booked payout is never called failed, whatever was answered."""

from typing import Any

import pytest
from attrs import evolve

from paypro_async import (
    Codes,
    OutcomeUnknownError,
    PayoutStatus,
    ReviewRequiredError,
    State,
)
from tests.support.bookkeeper import HONEST, UNKNOWN_ORDER, Bookkeeper, Says, envelope
from tests.support.merchant import MERCHANT_NO, aiohttp_client_of, fields
from tests.support.virtual_time import now, virtual_time

WAYS = list(UNKNOWN_ORDER)
NOBODYS = {
    "node": Says({"code": "ECONNRESET", "message": "read ECONNRESET"}),
    "node with msg": Says({"code": "ECONNRESET", "msg": "read ECONNRESET", "success": False}),
    "timeout word": Says({"code": "GATEWAY_TIMEOUT", "msg": "upstream timed out", "data": None}),
    "504 word": Says({"code": "GATEWAY_TIMEOUT", "msg": "upstream timed out", "data": None}, 504),
    "number": Says({"code": 9999, "msg": "System busy", "data": None}),
    "text of three": Says({"code": "504", "msg": "Gateway Timeout"}),
    "spring": Says({"timestamp": "2024-07-01T10:00:00Z", "status": 500, "error": "Internal Server Error", "path": "/"}),
    "spring under 500": Says({"timestamp": 1, "status": 500, "error": "Internal Server Error", "path": "/"}, 500),
    "spring under 404": Says({"status": 404, "error": "Not Found", "message": "No message available"}, 404),
    "kong": Says({"message": "An invalid response was received from the upstream server", "request_id": "1"}, 502),
    "kong under 200": Says({"message": "no Route matched with those values"}),
    "aws": Says({"message": "Endpoint request timed out"}, 504),
    "aws under 403": Says({"Message": "User: anonymous is not authorized"}, 403),
    "aws internal": Says({"message": "Internal server error"}, 500),
    "azure": Says({"statusCode": 429, "message": "Rate limit is exceeded. Try again in 1 seconds."}),
    "nginx": Says(b"<html><head><title>504 Gateway Time-out</title></head></html>", 504),
    "nginx under 413": Says(b"<html>413 Request Entity Too Large</html>", 413),
    "cloudflare json": Says({"success": False, "errors": [{"code": 1016, "message": "Origin DNS error"}]}, 530),
    "cloudflare text": Says(b"error code: 1016", 530),
    "graphql": Says({"errors": [{"message": "x"}], "data": None}),
    "problem json": Says({"type": "about:blank", "title": "Bad Gateway", "status": 502}, 400),
    "list": Says([]),
    "text": Says(b'"success"'),
    "nothing": Says(b""),
    "null": Says(b"null"),
    "half": Says(b'{"code":"0000","msg":"succ'),
    "no msg": Says({"code": "1010", "success": False, "data": None}),
    "no code": Says({"msg": "refused", "success": False}),
    "code null": Says({"code": None, "msg": "refused"}),
    "two codes": Says(b'{"code":"0000","code":"1010","msg":"refused","data":null}'),
    "utf-16": Says('{"code":"1010","msg":"no"}'.encode("utf-16")),
}
CONTRADICTIONS = {
    "success over a refusal": Says({"code": "1010", "msg": "refused", "success": True, "data": None}),
    "success as text": Says({"code": "1010", "msg": "refused", "success": "true", "data": None}),
    "success as TRUE": Says({"code": "00029", "msg": "REJECTED_TRANSACTION", "success": "TRUE", "data": None}),
    "no success over acceptance": Says({"code": "0000", "msg": "ok", "success": False, "data": {"status": "00029"}}),
    "listed refusal of a paid order": Says(envelope("00029", data={"status": "0000"})),
    "listed refusal of an order under way": Says(envelope("60019", data={"status": "0015"})),
    "listed refusal under 500": Says(envelope("00029"), 500),
    "listed refusal under 302": Says(envelope("00029"), 302),
    "listed refusal under 408": Says(envelope("00029"), 408),
    "accepted under 400": Says(envelope("0000", data={"status": "00029"}), 400),
    "accepted without an order": Says(envelope("0000")),
    "processing as the outer code": Says(envelope("0015")),
    "partial as the outer code": Says(envelope("0001")),
}
OUTER = {
    "busy": Says(envelope("9999", "System busy")),
    "read timed out": Says(envelope("8888", "Read timed out")),
    "exception": Says(envelope("7777", "java.net.SocketTimeoutException: Read timed out")),
    "system": Says(envelope("5000", "system operation exception")),
    "unknown error": Says(envelope("00032", "UNKNOWN_ERROR")),
    "200 success": Says({"code": "200", "msg": "success", "success": True, "data": {"status": "0000"}}),
    "200 success without an order": Says({"code": "200", "msg": "success", "success": True}),
    "SUCCESS": Says({"code": "SUCCESS", "msg": "success", "data": None}),
    "0 ok": Says({"code": "0", "msg": "ok"}),
    "00000 ok": Says({"code": "00000", "msg": "ok"}),
    "0015 and a blank": Says({"code": "0015 ", "msg": "CREDIT_INPROGRESS"}),
    "0000 and a blank": Says({"code": "0000 ", "msg": "success", "data": {"status": "00029"}}),
    "full-width zeros": Says({"code": "\uff10\uff10\uff10\uff10", "msg": "success"}),
    "unlisted": Says(envelope("1010", "refused")),
    "unlisted and empty words": Says(envelope("1010", "")),
    "risk control": Says(envelope("2001", "risk control")),
    "http 400": Says(envelope("1010", "refused"), 400),
    "http 401": Says(envelope("1010", "refused"), 401),
    "http 403": Says(envelope("1010", "refused"), 403),
    "http 422": Says(envelope("1010", "refused"), 422),
    "http 429": Says(envelope("1010", "refused"), 429),
    "http 500": Says(envelope("1010", "refused"), 500),
    "http 503": Says(envelope("1010", "refused"), 503),
}


def _status(status: Any) -> Says:
    return Says(envelope("0000", data={"status": status, "desc": "words"}))


STATUSES = {
    str(status): _status(status)
    for status in (
        *("PENDING", "SUCCESS", "FAILED", "15", "0", "00", "000", "0015 ", " 0000", "0000 ", "success", "processing"),
        *("505", "5000", "00032", "99999", "0100099", "1010", "", None, 15, 0, "-1", "0x00"),
    )
}
ALL = {**NOBODYS, **CONTRADICTIONS, **OUTER, **{f"status {name!r}": says for name, says in STATUSES.items()}}


@pytest.mark.parametrize("says", ALL.values(), ids=ALL.keys())
@virtual_time
async def test_a_booked_payout_is_processing_whatever_was_answered(says: Says):
    """The order exists, and the first question shows it: never failed, never sent twice."""
    async with Bookkeeper(says) as platform, aiohttp_client_of(platform, timeout=300) as client:
        result = await client.payout(**fields())
        assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 1)
        assert platform.kinds() == ["payout", "query"]
        platform.orders["T1"]["status"] = "0000"
        assert (await client.payout(**fields())).status is PayoutStatus.SUCCEEDED
    assert platform.bookings == ["T1"]


@pytest.mark.parametrize(
    "says", [Says(envelope("1010", "refused"), 409), Says(envelope("0100024"))], ids=["409", "code"]
)
@virtual_time
async def test_a_booked_payout_that_is_called_a_duplicate_is_a_persons(says: Says):
    """Nobody can tell our own order from another system's of the same amount; nothing is sent again."""
    async with Bookkeeper(says) as platform, aiohttp_client_of(platform, timeout=300) as client:
        with pytest.raises(ReviewRequiredError, match="waits for a person") as caught:
            await client.payout(**fields())
        with pytest.raises(ReviewRequiredError):
            await client.payout(**fields())
    assert caught.value.money_may_have_moved
    assert platform.kinds() == ["payout", "query"]


@pytest.mark.parametrize(
    ("says", "way"),
    [
        *[pytest.param(says, "null", id=f"{name}-null") for name, says in ALL.items()],
        *[pytest.param(says, "refusal", id=f"{name}-refusal") for name, says in list(ALL.items())[::3]],
    ],
)
@virtual_time
async def test_a_payout_that_was_not_booked_is_booked_once_or_not_at_all(says: Says, way: str):
    """Answered so and not taken, then taken: it ends as failed, unknown, or is sent again and booked once; no call
    outlives its time, and what is said of the money is true.
    """
    refused = evolve(says, booked=False)
    answers = lambda _, count: refused if count == 1 else HONEST  # noqa: E731
    async with Bookkeeper(answers, unknown_order=way) as platform, aiohttp_client_of(platform, timeout=300) as client:
        began = now()
        try:
            status = (await client.payout(**fields())).status
        except OutcomeUnknownError:
            status = "unknown"
        assert now() - began <= 300
        entry = await client.ledger.get(MERCHANT_NO, "T1")
    assert len(platform.requests) < 60
    if platform.bookings:
        # Only where the platform says clearly that it knows no such order, or had said that it was busy.
        assert way == "null" or says.status == 429
        assert (status, platform.bookings) == (PayoutStatus.PROCESSING, ["T1"])
    else:
        assert status in (PayoutStatus.FAILED, "unknown")
        assert (entry.state is State.FAILED) is (status is PayoutStatus.FAILED)


UNLISTED = {
    "outer": Says(envelope("1010", "refused"), booked=False),
    "outer and empty": Says(envelope("1010", "", {}), booked=False),
    "as the unknown order": Says(envelope("1001", "parameter error"), booked=False),
    "under 400": Says(envelope("1010", "refused"), 400, booked=False),
    "under 401": Says(envelope("1010", "refused"), 401, booked=False),
    "under 403": Says(envelope("1010", "refused"), 403, booked=False),
    "under 422": Says(envelope("1010", "refused"), 422, booked=False),
    "bank": Says(envelope("2002", "beneficiary bank authentication failed"), booked=False),
    "sign": Says(envelope("2003", "account of Sign Systems Ltd is closed"), booked=False),
    "with an order that failed": Says(envelope("2004", "no", {"status": "00029"}), booked=False),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("says", UNLISTED.values(), ids=UNLISTED.keys())
@virtual_time
async def test_an_unlisted_refusal_ends_failed_after_two_questions(says: Says, way: str):
    """However the platform speaks of unknown orders, it has said twice that there is none: two questions about the
    payout, and at most a control question and the balance besides.
    """
    async with Bookkeeper(says, unknown_order=way) as platform, aiohttp_client_of(platform, timeout=30) as client:
        began = now()
        result = await client.payout(**fields())
        assert now() - began < 10
        assert (result.status, result.attempts) == (PayoutStatus.FAILED, 1)
        assert platform.kinds("T1") == ["payout", "query", "query"]
        assert len(platform.requests) <= 6
        before = len(platform.requests)
        assert (await client.payout(**fields("T2"))).status is PayoutStatus.FAILED
        assert platform.kinds("T2") == ["payout", "query", "query"]
        assert len(platform.requests) - before <= 5
    assert platform.bookings == []


@virtual_time
async def test_a_query_that_is_closed_to_everybody_knows_of_no_order():
    """One payout was accepted, another one booked and answered as a refusal, and the platform answers no query: what it
    says of a number that was never used says nothing, since it says the same of an order that it has.
    """
    answers = lambda sent, _: HONEST if sent["tradeNo"] == "T0" else Says(envelope("1010", "refused"))  # noqa: E731
    closed = [True]
    no_query = lambda trade_no, _: Says(envelope("9001", "not open")) if closed and trade_no else None  # noqa: E731
    async with Bookkeeper(answers, queries=no_query) as platform, aiohttp_client_of(platform, timeout=90) as client:
        await client.payout(**fields("T0"))
        with pytest.raises(OutcomeUnknownError, match="Money may have moved"):
            await client.payout(**fields())
        closed.clear()
        assert (await client.payout(**fields())).status is PayoutStatus.PROCESSING
    assert platform.bookings == ["T0", "T1"]


@pytest.mark.parametrize("listed", [True, False])
@virtual_time
async def test_a_question_refused_for_another_reason_does_not_say_that_nothing_was_taken(listed: bool):
    """Booked and answered as a refusal, and then the merchant's questions are refused under another code: unknown."""
    broken = [True]
    no_questions = lambda _, __: Says(envelope("1002", "sign error")) if broken else None  # noqa: E731
    codes = Codes(credentials={"1002"}) if listed else Codes()
    booked = Says(envelope("1010", "refused"))
    async with Bookkeeper(booked, queries=no_questions) as platform, aiohttp_client_of(platform, codes=codes) as client:
        with pytest.raises(OutcomeUnknownError, match="Money may have moved"):
            await client.payout(**fields())
        broken.clear()
        assert (await client.payout(**fields())).status is PayoutStatus.PROCESSING
    assert platform.bookings == ["T1"]
