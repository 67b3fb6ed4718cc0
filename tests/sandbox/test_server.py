import asyncio

import pytest

from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.sandbox.merchant import PAYOUT, Merchant, connect, http_request, payout_members


async def test_it_listens_on_loopback_on_a_free_port():
    """Two sandboxes stand side by side, on 127.0.0.1 only."""
    async with Sandbox() as one, Sandbox() as two:
        assert one.base_url.startswith("http://127.0.0.1:")
        assert one.base_url != two.base_url


async def test_closing_does_not_wait_for_silence_or_drips():
    """Connections that would stay open for ever are dropped, and the clients see it."""
    faults = FaultPlan.script({"T1": [Fault.SILENCE], "T2": [Fault.DRIP]})
    async with Sandbox(faults=faults) as sandbox:
        clients = []
        for trade_no in ("T1", "T2", "T3"):
            reader, writer = await connect(sandbox)
            writer.write(http_request(PAYOUT, payout_members(trade_no)))
            clients.append((reader, writer))
        clients.append(await connect(sandbox))
        await asyncio.sleep(0.05)
        await asyncio.wait_for(sandbox.aclose(), timeout=1)
        for reader, writer in clients:
            await asyncio.wait_for(reader.read(), timeout=1)
            writer.close()
        assert len(sandbox.books.bookings) == 3


async def test_the_books_stay_readable_and_a_second_opening_goes_on():
    """A platform that was away for a while still knows its orders."""
    sandbox = Sandbox()
    async with sandbox, Merchant(sandbox) as merchant:
        await merchant.payout()
    assert list(sandbox.books.orders) == ["T1"]
    async with sandbox, Merchant(sandbox) as merchant:
        assert (await merchant.payout())["code"] == "0100024"


async def test_a_closed_port_refuses():
    """After closing nobody listens."""
    async with Sandbox() as sandbox:
        port = int(sandbox.base_url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_closing_twice_or_unopened_is_harmless():
    """`aclose` can always be called."""
    sandbox = Sandbox()
    await sandbox.aclose()
    async with sandbox:
        await sandbox.aclose()
    assert "closed" in repr(sandbox)


def test_it_can_be_made_before_an_event_loop_runs():
    """As a fixture or a command does that starts the loop later."""
    sandbox = Sandbox()

    async def serve() -> str:
        async with sandbox:
            return sandbox.base_url

    assert asyncio.run(serve()).startswith("http://127.0.0.1:")


async def test_opening_twice_is_an_error():
    """One port, one opening."""
    async with Sandbox() as sandbox:
        with pytest.raises(RuntimeError, match="open already"):
            await sandbox.__aenter__()


async def test_a_sandbox_that_is_not_open_has_no_url():
    """The error says what to do."""
    with pytest.raises(RuntimeError, match="async with"):
        _ = Sandbox().base_url


async def test_a_port_in_use_is_an_error():
    """It is refused when opening, and another port still works."""
    async with Sandbox() as sandbox:
        port = int(sandbox.base_url.rpartition(":")[2])
        with pytest.raises(OSError, match=f"Port {port} is taken"):
            await Sandbox(port=port).__aenter__()


async def test_serving_for_ever_ends_when_it_is_cancelled():
    """Stand-alone: it opens by itself, serves, and closes."""
    sandbox = Sandbox()
    serving = asyncio.create_task(sandbox.serve_forever())
    await asyncio.sleep(0)
    async with Merchant(sandbox) as merchant:
        assert (await merchant.payout())["code"] == "0000"
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(serving, timeout=1)
    assert "closed" in repr(sandbox)


async def test_serving_for_ever_ends_when_the_sandbox_is_closed():
    """Opened before, it is closed by whoever opened it."""
    async with Sandbox() as sandbox:
        serving = asyncio.create_task(sandbox.serve_forever())
        await asyncio.sleep(0)
        await sandbox.aclose()
        await asyncio.wait_for(serving, timeout=1)
