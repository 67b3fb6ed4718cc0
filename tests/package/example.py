"""What each extra is for, done with the installed package alone: ``python example.py EXTRA``; each one really pays.

It runs in an environment that has the wheel with that extra and nothing else, in a folder that has no checkout.
"""

import asyncio
import base64
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from paypro_async import Md5Signer, PayProClient, batch_progress, bulk, import_batch
from paypro_async.sandbox import FaultPlan, Sandbox

MERCHANT = {"merchant_no": "0000000001", "ip_address": "203.0.113.7", "notify_url": "https://merchant.example/paypro"}
PAYEE = {"name": "Asha Rao", "mobile": "8234567890", "email": "asha@example.com", "bank_code": "IDFB0043121"}
ROWS = [{**PAYEE, "trade_no": f"T{n}", "amount": "300", "bank_number": f"501000000000{n:02d}"} for n in range(20)]


def settings(sandbox: Sandbox, **more: Any) -> dict[str, Any]:
    return {
        "base_url": sandbox.base_url,
        "environment": "package",
        "signer": Md5Signer("sandbox-secret"),
        "ledger": "payouts.db" if os.environ.get("LEDGER") is None else os.environ["LEDGER"],
        "settle_after": 1.5,
        **MERCHANT,
        **more,
    }


async def pays(**more: Any) -> None:
    """Twenty payouts, with faults, twice: each is booked once."""
    async with Sandbox(faults=FaultPlan(rate=0.2, seed=3)) as sandbox:
        for _ in range(2):
            async with PayProClient(**settings(sandbox, **more)) as client:
                report = await client.batch_payout(ROWS)
                assert report.ok, report
        assert sandbox.books.booked_once(row["trade_no"] for row in ROWS).exact


async def base() -> None:
    await pays()
    for extra, wanted in MISSING.items():
        try:
            await wanted()
        except Exception as error:  # noqa: BLE001  whichever it is, its text must help
            told = str(error)
        else:
            told = "it works without its package"
        assert f"paypro-async[{extra}]" in told, (extra, told)


async def fast() -> None:
    import orjson  # noqa: F401  what it brings

    await pays(transport="aiohttp")


async def aiohttp() -> None:
    from aiohttp import ClientSession, web

    from paypro_async.integrations.aiohttp import callback_handler, client_context, client_of

    async with Sandbox(paid_after=0.2) as sandbox:

        async def pay(request: web.Request) -> web.Response:
            client = client_of(request)
            await client.payout({**ROWS[0], "notify_url": str(request.url.with_path("/paypro"))})
            return web.json_response((await client.wait_until_final("T0", timeout=20)).to_dict())

        app = web.Application()
        app.cleanup_ctx.append(client_context(lambda: PayProClient(**settings(sandbox, transport="aiohttp"))))
        app.router.add_post("/paypro", callback_handler())
        app.router.add_get("/pay", pay)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with ClientSession() as http, http.get(f"http://127.0.0.1:{runner.addresses[0][1]}/pay") as answer:
            told = await answer.json()
        await runner.cleanup()
        assert told["status"] == "succeeded", told


async def served(app: Any, sandbox: Sandbox) -> None:
    """A callback reaches the application by ASGI."""
    from starlette.testclient import TestClient

    def use() -> None:
        with TestClient(app) as http:
            assert http.post("/paypro", content=b"{}").status_code == 400
            assert http.get("/pay").json()["status"] == "processing"

    await asyncio.to_thread(use)
    assert sandbox.books.booked_once(["T0"]).exact


async def starlette() -> None:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from paypro_async.integrations.starlette import callback_route, client_lifespan, client_of

    async def pay(request: Request) -> JSONResponse:
        return JSONResponse((await client_of(request).payout(ROWS[0])).to_dict())

    async with Sandbox() as sandbox:
        app = Starlette(
            routes=[callback_route("/paypro"), Route("/pay", pay)],
            lifespan=client_lifespan(lambda: PayProClient(**settings(sandbox))),
        )
        await served(app, sandbox)


async def fastapi() -> None:
    from fastapi import FastAPI

    from paypro_async import PayoutResult
    from paypro_async.integrations.fastapi import OpenClient, callback_router, client_lifespan

    async with Sandbox() as sandbox:
        app = FastAPI(lifespan=client_lifespan(lambda: PayProClient(**settings(sandbox))))
        app.include_router(callback_router("/paypro"))

        @app.get("/pay")
        async def pay(client: OpenClient) -> PayoutResult:
            return await client.payout(ROWS[0])

        await served(app, sandbox)


async def httpx2() -> None:
    await pays(transport="httpx2")


async def encryption() -> None:
    key = base64.b64encode(os.urandom(32)).decode()
    await pays(ledger_key=key)
    assert not await asyncio.to_thread(_found_in_files, b"Asha")


def _found_in_files(value: bytes) -> list[Path]:
    files = list(Path().glob("payouts.db*"))
    assert files
    return [path for path in files if value in path.read_bytes()]


async def opentelemetry() -> None:
    from paypro_async.integrations.opentelemetry import OpenTelemetryHook

    await pays(hooks=[OpenTelemetryHook()])


async def xlsx() -> None:
    import xlsxwriter

    names = [*PAYEE, "trade_no", "amount", "bank_number"]
    with xlsxwriter.Workbook("november.xlsx") as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([dict(zip(names, names, strict=True)), *ROWS]):
            for column, name in enumerate(names):
                sheet.write_string(number, column, row[name])
    async with Sandbox() as sandbox, PayProClient(**settings(sandbox)) as client:
        report = await bulk.pay(client, "november.xlsx", result="november.result.xlsx", accept_doubts=True)
        assert report.tally.counts.total() == len(ROWS), report
        assert sandbox.books.booked_once(row["trade_no"] for row in ROWS).exact
    with bulk.read("november.result.xlsx") as rows:
        assert sum(1 for _ in rows.rows()) == len(ROWS)


async def cli() -> None:
    paypro = str(Path(sys.executable).with_name("paypro"))
    for words in (["--version"], ["demo", "--rows", "200"]):
        done = await asyncio.to_thread(subprocess.run, [paypro, *words], check=False)
        assert done.returncode == 0, words


async def postgres() -> None:
    from paypro_async.ledger.sql.ledger import SqlLedger

    await SqlLedger(os.environ["LEDGER"]).migrate()
    await pays()


async def procrastinate() -> None:
    from paypro_async.integrations.procrastinate import add_payout_tasks, app_for
    from paypro_async.ledger.sql.ledger import SqlLedger

    await SqlLedger(os.environ["LEDGER"]).migrate()
    async with Sandbox() as sandbox:
        payouts = add_payout_tasks(app_for(os.environ["LEDGER"]), lambda: PayProClient(**settings(sandbox)))
        async with PayProClient(**settings(sandbox)) as client:
            await import_batch(client, ROWS, batch_id="july")
            stop = asyncio.Event()
            working = asyncio.create_task(payouts.work(stop))
            await until_done(client, lambda: payouts.enqueue(client, "july"))
            stop.set()
            await working
        assert sandbox.books.booked_once(row["trade_no"] for row in ROWS).exact


async def dbos() -> None:
    from paypro_async.integrations.dbos import add_payout_workflows
    from paypro_async.ledger.sql.ledger import SqlLedger

    await SqlLedger(os.environ["LEDGER"]).migrate()
    async with Sandbox() as sandbox:
        payouts = add_payout_workflows(os.environ["LEDGER"], lambda: PayProClient(**settings(sandbox)))
        async with payouts.launch(drain=5.0) as client:
            await import_batch(client, ROWS, batch_id="july")
            await until_done(client, lambda: payouts.enqueue(client, "july"))
        assert sandbox.books.booked_once(row["trade_no"] for row in ROWS).exact


async def until_done(client: PayProClient, enqueue: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(60):
        while not (await batch_progress(client, "july")).done:
            await asyncio.sleep(1.0)
            await enqueue()


async def _transport(name: str) -> None:
    async with Sandbox() as sandbox, PayProClient(**settings(sandbox, ledger="memory", transport=name)):
        pass


async def _encrypted() -> None:
    key = base64.b64encode(os.urandom(32)).decode()
    async with Sandbox() as sandbox, PayProClient(**settings(sandbox, ledger="other.db", ledger_key=key)):
        pass


async def _server() -> None:
    async with Sandbox() as sandbox:
        PayProClient(**settings(sandbox, ledger="postgresql://nobody@127.0.0.1/x"))


async def _workbook() -> None:
    await asyncio.to_thread(Path("empty.xlsx").write_bytes, b"PK\x05\x06" + bytes(18))
    async with Sandbox() as sandbox, PayProClient(**settings(sandbox)) as client:
        await bulk.pay(client, "empty.xlsx", result="empty.result.xlsx")


async def _imported(name: str) -> None:
    __import__(f"paypro_async.integrations.{name}")


MISSING: dict[str, Callable[[], Awaitable[None]]] = {
    "aiohttp": lambda: _transport("aiohttp"),
    "httpx2": lambda: _transport("httpx2"),
    "encryption": _encrypted,
    "postgres": _server,
    "starlette": lambda: _imported("starlette"),
    "fastapi": lambda: _imported("fastapi"),
    "procrastinate": lambda: _imported("procrastinate"),
    "dbos": lambda: _imported("dbos"),
    "opentelemetry": lambda: _imported("opentelemetry"),
}
EXAMPLES: dict[str, Callable[[], Awaitable[None]]] = {
    "": base,
    "aiohttp": aiohttp,
    "cli": cli,
    "dbos": dbos,
    "encryption": encryption,
    "fast": fast,
    "fastapi": fastapi,
    "httpx2": httpx2,
    "opentelemetry": opentelemetry,
    "postgres": postgres,
    "procrastinate": procrastinate,
    "starlette": starlette,
    "xlsx": xlsx,
}

if __name__ == "__main__":
    asyncio.run(EXAMPLES[sys.argv[1] if len(sys.argv) > 1 else ""]())
