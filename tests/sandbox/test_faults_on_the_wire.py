"""Each fault as a client's socket sees it, and what the books say about it."""

import asyncio
import json

import httpx
import pytest

from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.sandbox.merchant import PAYOUT, QUERY, Clock, Merchant, connect, exchange, http_request, payout_members
from tests.support.transports import until

REQUEST = http_request(PAYOUT, payout_members())


def booked(sandbox: Sandbox) -> int:
    return len(sandbox.books.bookings)


@pytest.mark.parametrize(("fault", "bookings"), [(Fault.RESET_BEFORE, 0), (Fault.RESET_AFTER, 1)])
async def test_a_reset_is_a_reset(fault: Fault, bookings: int):
    """The connection ends with a TCP reset, not with an orderly close."""
    async with Sandbox(faults=FaultPlan.every(fault)) as sandbox:
        with pytest.raises(ConnectionResetError):
            await exchange(sandbox, REQUEST)
        assert booked(sandbox) == bookings


async def test_a_refusal_lasts_a_moment():
    """The request is reset and not booked, new connections are refused, and soon the same port serves again."""
    plan = FaultPlan.script({"T1": [Fault.REFUSE]})
    async with Sandbox(faults=plan, refuse_seconds=0.05) as sandbox, Merchant(sandbox) as early:
        await early.payout("T0")
        with pytest.raises(ConnectionResetError):
            await exchange(sandbox, REQUEST)
        assert booked(sandbox) == 1
        for _ in range(50):
            try:
                _, writer = await connect(sandbox)
            except ConnectionRefusedError:
                break
            writer.close()
            await asyncio.sleep(0.001)
        else:
            pytest.fail("no connection was refused")
        assert (await early.payout("T2"))["code"] == "0000", "a connection that was there before goes on"
        await asyncio.sleep(0.1)
        async with Merchant(sandbox) as late:
            assert (await late.payout("T1"))["code"] == "0000"
        assert booked(sandbox) == 3


async def test_busy():
    """A 429 says when to come back, is no envelope, and books nothing; the connection stays usable."""
    async with Sandbox(faults=FaultPlan.every(Fault.BUSY_429, attempts=1)) as sandbox, Merchant(sandbox) as merchant:
        answer = await merchant.post(PAYOUT, payout_members())
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert answer.headers["content-type"] == "text/html"
        assert booked(sandbox) == 0
        assert (await merchant.payout())["code"] == "0000"
        assert booked(sandbox) == 1


@pytest.mark.parametrize(("fault", "status", "bookings"), [(Fault.PAGE_502, 502, 0), (Fault.PAGE_500, 500, 1)])
async def test_an_error_page_is_html(fault: Fault, status: int, bookings: int):
    """A gateway's page and a crashed server's page look alike; only the books differ."""
    async with Sandbox(faults=FaultPlan.every(fault)) as sandbox, Merchant(sandbox) as merchant:
        answer = await merchant.post(PAYOUT, payout_members())
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html")
        assert f"<h1>{status} " in answer.text
        assert booked(sandbox) == bookings


@pytest.mark.parametrize(("fault", "bookings"), [(Fault.SILENCE_BEFORE, 0), (Fault.SILENCE, 1)])
async def test_silence_lasts_until_the_client_gives_up(fault: Fault, bookings: int):
    """No byte comes, and the connection stays open; others are served meanwhile."""
    async with Sandbox(faults=FaultPlan.script({"T1": [fault]})) as sandbox:
        reader, writer = await connect(sandbox)
        writer.write(REQUEST)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), timeout=0.1)
        assert booked(sandbox) == bookings
        async with Merchant(sandbox) as other:
            assert (await other.payout("T2"))["code"] == "0000"
        writer.write(b"more")
        await asyncio.sleep(0.01)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), timeout=1) == b""  # the server hung up in its turn
        writer.close()


async def test_a_cut_body_is_shorter_than_promised():
    """The headers promise the whole envelope, half of it comes, then an orderly close."""
    async with Sandbox(faults=FaultPlan.every(Fault.CUT_BODY)) as sandbox:
        head, _, body = (await exchange(sandbox, REQUEST)).partition(b"\r\n\r\n")
        promised = int(head.lower().partition(b"content-length: ")[2].split()[0])
        assert b"200" in head
        assert 0 < len(body) < promised
        assert booked(sandbox) == 1
        async with Merchant(sandbox) as merchant:
            with pytest.raises(httpx.RemoteProtocolError):
                await merchant.payout("T2")


async def test_broken_json_is_a_whole_http_reply():
    """HTTP is satisfied, JSON is not, and the connection stays usable."""
    faults = FaultPlan.every(Fault.BROKEN_JSON, attempts=1)
    async with Sandbox(faults=faults) as sandbox, Merchant(sandbox) as merchant:
        answer = await merchant.post(PAYOUT, payout_members())
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        with pytest.raises(json.JSONDecodeError):
            answer.json()
        assert booked(sandbox) == 1
        assert (await merchant.payout())["code"] == "0100024"


@pytest.mark.parametrize(("fault", "bookings"), [(Fault.BUSY_429, 0), (Fault.BUSY_429_AFTER, 1)])
async def test_too_many_requests_may_be_said_after_the_booking(fault: Fault, bookings: int):
    """The page is the same either way, and only the books tell."""
    async with Sandbox(faults=FaultPlan.every(fault)) as sandbox, Merchant(sandbox) as merchant:
        answer = await merchant.post(PAYOUT, payout_members())
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert booked(sandbox) == bookings


@pytest.mark.parametrize(("fault", "bookings"), [(Fault.GATEWAY_JSON, 1), (Fault.GATEWAY_JSON_BEFORE, 0)])
async def test_json_of_a_gateway_is_no_envelope(fault: Fault, bookings: int):
    """HTTP 200 and well formed, with a code that is none of the platform's."""
    async with Sandbox(faults=FaultPlan.every(fault)) as sandbox, Merchant(sandbox) as merchant:
        assert await merchant.payout() == {"code": "ECONNRESET", "message": "read ECONNRESET"}
        assert booked(sandbox) == bookings


async def test_a_busy_system_refuses_what_it_has_booked():
    """An envelope in good form, under a code that no page lists."""
    async with Sandbox(faults=FaultPlan.every(Fault.BUSY_CODE)) as sandbox, Merchant(sandbox) as merchant:
        reply = await merchant.payout()
        assert (reply["code"], reply["success"], reply["data"]) == ("9999", False, None)
        assert "busy" in reply["msg"]
        assert (await merchant.query())["data"]["status"] == "0015"


async def test_a_doubled_reply_shifts_its_connection():
    """Each later request on it is answered with the reply to the one before, and that one was booked as well."""
    plan = FaultPlan.script({"T1": [Fault.DOUBLE_REPLY]})
    async with Sandbox(faults=plan) as sandbox:
        reader, writer = await connect(sandbox)
        echoed = []
        for trade_no in ("T1", "T2", "T3"):
            writer.write(http_request(PAYOUT, payout_members(trade_no, remark=trade_no)))
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), timeout=5)
            length = int(head.lower().partition(b"content-length: ")[2].split()[0])
            echoed.append(json.loads(await reader.readexactly(length))["data"]["remark"])
        assert echoed == ["T1", "T1", "T2"]
        # The copy was there at once, so the third request may not have been read yet.
        await until(lambda: booked(sandbox) == 3)
        writer.close()


async def test_the_copy_of_a_reply_comes_a_little_later():
    """Not with the reply itself, where any client would see it."""
    plan = FaultPlan.every(Fault.DOUBLE_REPLY)
    async with Sandbox(faults=plan, copy_delay=0.2) as sandbox:
        reader, writer = await connect(sandbox)
        writer.write(REQUEST)
        first = await asyncio.wait_for(reader.read(65536), timeout=5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), timeout=0.05)
        assert await asyncio.wait_for(reader.readexactly(len(first)), timeout=5) == first
        writer.close()


async def test_a_dripped_reply_outlives_a_read_timeout():
    """Byte after byte comes in time, so that only a deadline over the whole reply ends the wait."""
    async with Sandbox(faults=FaultPlan.every(Fault.DRIP), drip_interval=0.02) as sandbox:
        async with Merchant(sandbox, timeout=0.2) as merchant:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(merchant.payout(), timeout=0.5)
        assert booked(sandbox) == 1


async def test_a_dripped_reply_is_complete_in_the_end():
    """It is the same reply, only slow, and the connection stays usable."""
    faults = FaultPlan.every(Fault.DRIP, attempts=1)
    async with Sandbox(faults=faults, drip_interval=0) as sandbox, Merchant(sandbox) as merchant:
        assert (await merchant.payout())["data"]["status"] == "0015"
        assert (await merchant.query())["data"]["status"] == "0015"


async def test_a_late_booking_comes_after_its_reset():
    """The connection is reset at once; the order exists only when the lag is over, and at that time."""
    clock = Clock()
    faults = FaultPlan.every(Fault.LATE_BOOKING, attempts=1)
    async with Sandbox(faults=faults, booking_lag=3, paid_after=10, clock=clock) as sandbox:
        with pytest.raises(ConnectionResetError):
            await exchange(sandbox, REQUEST)
        start = sandbox.books.now_ms()
        clock.now += 2.9
        async with Merchant(sandbox) as merchant:
            assert (await merchant.query())["data"] is None
            clock.now += 5
            assert (await merchant.query())["data"]["status"] == "0015"
            assert (await merchant.payout())["code"] == "0100024"
        order = sandbox.books.orders["T1"]
        assert (order.booked_at_ms, booked(sandbox)) == (start + 3000, 1)
        clock.now += 5.2
        settled = sandbox.books.orders["T1"]
        assert (settled.status, settled.final_at_ms) == ("0000", start + 13_000)


async def test_a_late_booking_is_overtaken_by_a_retry():
    """When the retry is booked first, the late one is a duplicate; money moves once."""
    clock = Clock()
    async with Sandbox(faults=FaultPlan.script({"T1": [Fault.LATE_BOOKING]}), clock=clock) as sandbox:
        with pytest.raises(ConnectionResetError):
            await exchange(sandbox, REQUEST)
        async with Merchant(sandbox) as merchant:
            assert (await merchant.payout())["data"]["status"] == "0015"
        clock.now += 1
        assert booked(sandbox) == 1


async def test_a_refused_request_is_never_booked_late():
    """A fault does not get a wrong payout past the checks."""
    clock = Clock()
    async with Sandbox(faults=FaultPlan.every(Fault.LATE_BOOKING), clock=clock) as sandbox:
        with pytest.raises(ConnectionResetError):
            await exchange(sandbox, http_request(PAYOUT, payout_members(mobile="1")))
        clock.now += 1
        assert booked(sandbox) == 0


async def test_questions_can_be_hit():
    """With a query rate, the answer to a question is lost too."""
    async with (
        Sandbox(faults=FaultPlan(query_rate=1, kinds={Fault.PAGE_500})) as sandbox,
        Merchant(sandbox) as merchant,
    ):
        assert (await merchant.payout())["code"] == "0000"
        assert (await merchant.post(QUERY, {"tradeNo": "T1", "timestamp": "1715941383720"})).status_code == 500
        assert await merchant.balance() == "999999700.0000"


async def test_the_books_repeat_whatever_the_concurrency():
    """The same seed hits the same payouts with the same faults one by one and all at once."""
    plan = FaultPlan(rate=0.5, seed=3, kinds={Fault.PAGE_502, Fault.PAGE_500, Fault.BROKEN_JSON, Fault.BUSY_429})
    trade_nos = [f"T{n}" for n in range(60)]

    async def hit(*, at_once: bool) -> dict[str | None, str | None]:
        async with Sandbox(faults=plan) as sandbox, Merchant(sandbox) as merchant:
            sends = [merchant.post(PAYOUT, payout_members(trade_no)) for trade_no in trade_nos]
            if at_once:
                await asyncio.gather(*reversed(sends))
            else:
                for send in sends:
                    await send
            return {record.trade_no: record.fault for record in sandbox.books.requests}

    first = await hit(at_once=False)
    assert len(set(first.values())) == 5
    assert await hit(at_once=True) == first
