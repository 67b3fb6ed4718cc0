"""What only httpx itself shows: the request as it is handed over, without a socket."""

import json

import httpx
import pytest
import respx

from paypro_async import Md5Signer, MemoryLedger, PayoutStatus, PayProClient
from tests.support.valid import FIELDS

BASE = "https://sandbox-api.paypro.example/ind-pay"
PAYOUT = {
    "trade_no": "20261123150000123456789012345678",
    **FIELDS,
    "amount": "300.00",
}
ACCEPTED = {
    "msg": "success",
    "code": "0000",
    "timestamp": 1719829933893,
    "success": True,
    "data": {"kiliTradeNo": "32e936de44164512abe419a9d1b2449a", "status": "0015", "desc": "CREDIT_INPROGRESS"},
}


@pytest.fixture
async def client():
    async with PayProClient(
        base_url=BASE, merchant_no="0000000001", signer=Md5Signer("secret"), ledger=MemoryLedger()
    ) as client:
        yield client


@respx.mock
async def test_a_payout_is_one_post_with_the_documented_path_header_and_fields(client):
    """The base URL keeps its path, the merchant is in the header, every value is text, and the remark, which the
    platform repeats, is the payout's number where the caller gives none.
    """
    route = respx.post(f"{BASE}/v1/paypro/payout").mock(return_value=httpx.Response(200, json=ACCEPTED))
    result = await client.payout(**PAYOUT)

    assert result.status is PayoutStatus.PROCESSING
    assert route.call_count == 1
    request = route.calls.last.request
    assert request.headers["merchantNo"] == "0000000001"
    assert request.headers["content-type"] == "application/json"
    body = json.loads(request.content)
    assert {type(value) for value in body.values()} == {str}
    assert set(body) == {
        *("sign", "timestamp", "tradeNo", "amount", "name", "mobile", "email"),
        *("bankNumber", "bankCode", "ipAddress", "notifyUrl", "remark"),
    }
    assert body["remark"] == body["tradeNo"]
    assert body["amount"] == "300"
    assert body["bankCode"] == "IDFB0043121"
    unsigned = {name: value for name, value in body.items() if name != "sign"}
    assert body["sign"] == Md5Signer("secret").sign(unsigned)


@respx.mock
async def test_nothing_personal_and_nothing_secret_is_in_the_url(client):
    """URLs are what httpx and proxies log."""
    route = respx.post(url__startswith=BASE).mock(return_value=httpx.Response(200, json=ACCEPTED))
    await client.payout(**PAYOUT)
    assert str(route.calls.last.request.url) == f"{BASE}/v1/paypro/payout"


@respx.mock
async def test_a_query_is_one_post_with_trade_number_timestamp_and_signature(client):
    """docs: india/payoutQuery."""
    reply = {
        "code": "0000",
        "msg": "success",
        "data": {"tradeNo": "T1", "status": "0000", "amount": "300", "utr": "U7"},
    }
    route = respx.post(f"{BASE}/v1/paypro/queryPayOutResult").mock(return_value=httpx.Response(200, json=reply))
    result = await client.query("T1")
    assert result.status is PayoutStatus.SUCCEEDED
    assert result.utr == "U7"
    assert set(json.loads(route.calls.last.request.content)) == {"tradeNo", "timestamp", "sign"}


@respx.mock
@pytest.mark.parametrize("error", [httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.ConnectError])
async def test_an_error_of_httpx_alone_never_decides_that_a_payout_was_sent(client, error):
    """Nothing was written here, so whatever the error is called, the payout is sent again and arrives once."""
    route = respx.post(f"{BASE}/v1/paypro/payout").mock(side_effect=[error("x"), httpx.Response(200, json=ACCEPTED)])
    result = await client.payout(**PAYOUT)
    assert result.attempts == 2
    assert route.call_count == 2
