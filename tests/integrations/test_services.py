"""The services among the examples, as users run them: they pay, receive callbacks and answer with the result."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from paypro_async import errors
from paypro_async.ledger.admin.check import findings
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.sandbox import Sandbox
from tests.support.servers import unused_url
from tests.support.valid import PAYEE
from tests.support.web import exchange, request, under_aiohttp, under_uvicorn

pytestmark = pytest.mark.each_loop

EXAMPLES = Path(__file__).parents[2] / "examples"
SERVICES = ["fastapi_service", "aiohttp_service"]


def settings(sandbox: Sandbox, folder: Path, port: int) -> dict[str, str]:
    return {
        "SERVICE_BOOKS": str(folder / "service.db"),
        "PAYPRO_BASE_URL": sandbox.base_url,
        "PAYPRO_ENVIRONMENT": sandbox.environment,
        "PAYPRO_MERCHANT_NO": "0000000001",
        "PAYPRO_SECRET": "sandbox-secret",
        "PAYPRO_LEDGER": f"sqlite:///{folder / 'payouts.db'}",
        "PAYPRO_IP_ADDRESS": "203.0.113.7",
        "PAYPRO_NOTIFY_URL": f"http://127.0.0.1:{port}/paypro",
    }


async def post(port: int, payment: Mapping[str, Any]) -> tuple[int, Any]:
    body = json.dumps(payment).encode()
    status, _, answer = await exchange(port, request("/payouts", body, "Content-Type: application/json"))
    return status, json.loads(answer)


async def get(port: int, path: str) -> tuple[int, Any]:
    status, headers, answer = await exchange(port, request(path, b"", method="GET", length=False))
    return status, json.loads(answer) if headers["content-type"].startswith("application/json") else answer


def changes(folder: Path) -> list[tuple[str, str]]:
    """What the handler of changes has written: the payout and its status, in this order."""
    with closing(sqlite3.connect(folder / "service.db")) as books:
        return books.execute("SELECT trade_no, status FROM change ORDER BY trade_no, rowid").fetchall()


async def until(ask: Callable[[], Any], answer: Callable[[Any], bool]) -> Any:
    """Ask again and again for what another process does, until it is done; there is nothing else to wait for."""
    async with asyncio.timeout(60):  # longer than what a killed worker was lent
        while not answer(found := await ask()):  # noqa: ASYNC110  another process sets no event
            await asyncio.sleep(0.01)
        return found


def application_of(service: str, folder: Path = EXAMPLES) -> Any:
    spec = util.spec_from_file_location(service, folder / f"{service}.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    # pydantic looks the names of a module up in there.
    sys.modules[service] = module
    spec.loader.exec_module(module)
    return module.make_app() if service == "aiohttp_service" else module.app


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_pays_receives_the_callback_and_answers_with_the_result(service, tmp_path, monkeypatch):
    listener = socket.create_server(("127.0.0.1", 0))
    async with Sandbox(paid_after=3600) as sandbox:
        for name, value in settings(sandbox, tmp_path, listener.getsockname()[1]).items():
            monkeypatch.setenv(name, value)
        app = application_of(service)
        serve = under_uvicorn if service == "fastapi_service" else under_aiohttp
        async with serve(app, listener=listener) as served:
            assert await get(served.port, "/healthz") == (200, {"status": "ok", "worker": os.getpid()})
            status, told = await post(served.port, {"trade_no": "T1", **PAYEE})
            assert (status, told["status"], told["amount"], told["trade_no"]) == (200, "processing", "300", "T1")

            sandbox.advance(3601)
            await sandbox.callbacks_sent()
            assert [one.outcome for one in sandbox.callbacks] == ["ok"]
            status, told = await get(served.port, "/payouts/T1")
            assert (status, told["status"], told["result"]["amount"]) == (200, "succeeded", "300")
            assert await post(served.port, {"trade_no": "T1", **PAYEE}) == (200, told["result"])  # no second payment

            async def told_of() -> list[tuple[str, str]]:
                return changes(tmp_path)

            await until(told_of, lambda found: ("T1", "succeeded") in found)
        assert changes(tmp_path)[-2:] == [("T1", "processing"), ("T1", "succeeded")]


async def test_the_service_of_the_page_ends_in_paid(tmp_path, monkeypatch, capsys):
    """What a newcomer copies from docs/services.md pays, receives and answers with the result."""
    page = (EXAMPLES.parent / "docs" / "services.md").read_text(encoding="utf-8")
    (tmp_path / "service.py").write_text(page.partition("```python\n")[2].partition("```")[0], encoding="utf-8")
    payment = page.partition("```json\n")[2].partition("```")[0]
    listener = socket.create_server(("127.0.0.1", 0))
    async with Sandbox(paid_after=5) as sandbox, AsyncExitStack() as ended:
        for name, value in settings(sandbox, tmp_path, listener.getsockname()[1]).items():
            monkeypatch.setenv(name, value)
        app = application_of("service", tmp_path)
        ended.callback(sys.modules["service"].meters.shutdown)  # else this process would go on showing its numbers
        async with under_uvicorn(app, listener=listener) as served:
            assert (await post(served.port, json.loads(payment)))[1]["status"] == "processing"
            sandbox.advance(6)
            await sandbox.callbacks_sent()
            assert (await get(served.port, "/payouts/invoice-17"))[1]["status"] == "succeeded"
            assert (await get(served.port, "/healthz"))[0] == 200
            for number in ("nothing", "a%20b", "1" * 65):
                assert (await get(served.port, f"/payouts/{number}"))[0] == 404
            for wrong in ({"trade_no": None}, {"trade_no": ""}, {"bank_code": "nonsense"}):
                assert (await post(served.port, {"trade_no": "T2", **PAYEE, **wrong}))[0] == 422
            assert (await exchange(served.port, request("/openapi.json", b"", method="GET", length=False)))[0] == 200

            async def printed() -> str:
                return capsys.readouterr().out

            await until(printed, lambda text: "invoice-17 processing -> succeeded" in text)

            async def numbers() -> str:
                return (await get(served.port, "/metrics"))[1].decode()

            paid = 'paypro_cause="callback",paypro_status="succeeded"'
            shown = await until(numbers, lambda text: paid in text)
            assert "invoice-17" not in shown


async def test_the_service_of_the_page_for_aiohttp_pays_nothing_without_a_number(tmp_path, monkeypatch):
    """It would be another payout each time that the caller repeats the request."""
    page = (EXAMPLES.parent / "docs" / "aiohttp.md").read_text(encoding="utf-8")
    program = page.partition("```python\n")[2].partition("```")[0]
    async with Sandbox() as sandbox:
        for name, value in settings(sandbox, tmp_path, 1).items():
            monkeypatch.setenv(name, value)
        module: dict[str, Any] = {}
        exec(program, module)  # noqa: S102  the page is ours
        async with under_aiohttp(module["make_app"]([])) as served:
            for wrong in ({}, {"trade_no": None}, {"trade_no": 7}, {"trade_no": "T1", "amount": True}):
                body = json.dumps({**PAYEE, **wrong}).encode()
                assert (await exchange(served.port, request("/payouts", body)))[0] == 422
            assert (await exchange(served.port, request("/payouts", b"{")))[0] == 400
            assert len(sandbox.books.bookings) == 0
            assert (await post(served.port, {"trade_no": "T1", **PAYEE}))[0] == 200
            assert (await post(served.port, {"trade_no": "T1", **PAYEE, "amount": "301"}))[0] == 422
            assert (await post(served.port, {"trade_no": "T2", **PAYEE, "bank_code": "nonsense"}))[0] == 422
            assert (await get(served.port, "/payouts/T1"))[0] == 200
            assert (await get(served.port, "/payouts/T2"))[0] == 404
            assert (await get(served.port, "/healthz"))[0] == 200
        assert len(sandbox.books.bookings) == 1


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_says_what_is_certain_about_the_money(service, tmp_path, monkeypatch):
    async with Sandbox() as sandbox:
        for name, value in settings(sandbox, tmp_path, 1).items():
            monkeypatch.setenv(name, value)
        serve = under_uvicorn if service == "fastapi_service" else under_aiohttp
        async with serve(application_of(service)) as served:
            assert (await get(served.port, "/payouts/nothing"))[0] == 404
            status, told = await post(served.port, {"trade_no": "T2", **PAYEE, "bank_code": "nonsense"})
            assert (status, told["error"], told["money_may_have_moved"]) == (422, "InvalidPayoutError", False)
            assert (await post(served.port, {"trade_no": "T3", **PAYEE}))[0] == 200
            status, told = await post(served.port, {"trade_no": "T3", **PAYEE, "amount": "301"})
            assert (status, told["error"]) == (409, "IdempotencyConflictError")
        assert len(sandbox.books.bookings) == 1


def served_as_example(service: str, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in settings(sandbox, folder, 1).items():
        monkeypatch.setenv(name, value)
    return (under_uvicorn if service == "fastapi_service" else under_aiohttp)(application_of(service))


@pytest.mark.parametrize("service", SERVICES)
async def test_what_is_no_payout_is_the_callers_mistake_and_nothing_is_paid(service, tmp_path, monkeypatch, caplog):
    """A payout whose number is not given by the caller, above all: a repeated request would be another payout."""
    payment = {"trade_no": "T1", **PAYEE}
    bodies = [b"nonsense", b"\xff", b"[]", b"{}", b"null", b"[" * 10_000]
    wrong = [{"trade_no": None}, {"trade_no": 1}, {"trade_no": ""}, {"trade_no": {}}]
    wrong += [{"amount": value} for value in (0.1, 300, True, None, [], "")] + [{"name": 7}]
    bodies += [json.dumps(payment | one).encode() for one in wrong]
    bodies += [json.dumps({name: payment[name] for name in payment if name != left}).encode() for left in payment]
    async with Sandbox() as sandbox, served_as_example(service, sandbox, tmp_path, monkeypatch) as served:
        for body in bodies:
            status, _, _ = await exchange(served.port, request("/payouts", body, "Content-Type: application/json"))
            assert (body[:200], status in (400, 422)) == (body[:200], True)
        told = "Content-Type: application/json; charset=nonsense"
        status, _, _ = await exchange(served.port, request("/payouts", json.dumps(dict(PAYEE)).encode(), told))
        assert status in (400, 422)
        assert len(sandbox.books.bookings) == 0
    assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == []


@pytest.mark.parametrize("service", SERVICES)
async def test_what_can_be_no_number_is_not_found(service, tmp_path, monkeypatch):
    async with Sandbox() as sandbox, served_as_example(service, sandbox, tmp_path, monkeypatch) as served:
        for number in ("a%20b", "%00", "1" * 65, "1" * 300, "%0A", "a%0A", "%C3%A9", "a.b", "nothing"):
            assert (number, (await get(served.port, f"/payouts/{number}"))[0]) == (number, 404)


@pytest.mark.parametrize("service", SERVICES)
async def test_only_what_may_have_been_paid_is_answered_as_unknown(service, tmp_path, monkeypatch):
    """202 means "ask"; an error that is certain is never answered so, whichever comes."""
    async with Sandbox() as sandbox:
        for name, value in settings(sandbox, tmp_path, 1).items():
            monkeypatch.setenv(name, value)
        application_of(service)
    status_of = sys.modules[service].status_of
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.PayProError)]
    for kind in kinds:
        error = kind.__new__(kind)
        assert (kind, status_of(error) == 202) == (kind, error.money_may_have_moved)
    assert status_of(errors.ConfigurationError("x")) == 500
    assert status_of(errors.LedgerUnavailableError("x")) == 503


@asynccontextmanager
async def workers(service: str, port: int, environment: Mapping[str, str]) -> AsyncIterator[list[Process]]:
    """Two processes of a service on one port, as its first lines say to start them, until the block ends."""
    command = [sys.executable, str(EXAMPLES / "aiohttp_service.py"), str(port)]
    if service == "fastapi_service":
        command = [sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLES), "--workers", "2"]
        command += ["--port", str(port), "--log-level", "warning", "fastapi_service:app"]
    environment = {**os.environ, **environment}
    started = [
        await asyncio.create_subprocess_exec(*command, env=environment, stderr=PIPE, stdout=DEVNULL)
        for _ in range(1 if service == "fastapi_service" else 2)
    ]
    try:
        yield started
    finally:
        for process in started:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        for process in started:
            _, errors = await asyncio.wait_for(process.communicate(), 30)
            assert "Traceback" not in errors.decode(), errors.decode()


async def both_are_up(port: int) -> set[int]:
    """The process ids of the two workers, once both have answered."""
    seen: set[int] = set()

    async def ask() -> set[int]:
        try:
            status, told = await get(port, "/healthz")
        except (OSError, EOFError):
            return seen
        assert status == 200
        seen.add(told["worker"])
        return seen

    return await until(ask, lambda found: len(found) == 2)


@pytest.mark.trial
@pytest.mark.parametrize("service", [SERVICES[0], pytest.param(SERVICES[1], marks=pytest.mark.long)])
async def test_two_workers_share_one_ledger_and_a_stop_in_the_middle_of_callbacks_loses_none(service, tmp_path):
    """Whoever pays, whoever receives: each answers the same; and the platform repeats what a stop has cut."""
    numbers = [f"T{number}" for number in range(100)]
    port = int(unused_url(path="").rpartition(":")[2])
    async with Sandbox(paid_after=3600, callback_timeout=1.0) as sandbox:
        environment = settings(sandbox, tmp_path, port)
        async with workers(service, port, environment) as running:
            assert len(await both_are_up(port)) == 2
            for number in numbers:
                payment = {"trade_no": number, **PAYEE, "bank_number": f"1009403{number[1:]:0>4}"}
                status, told = await post(port, payment)
                assert (status, told["status"]) == (200, "processing")
            sandbox.advance(3601)

            async def answered() -> int:
                return sum(one.outcome == "ok" for one in sandbox.callbacks)

            await until(answered, lambda count: count >= 10)
            for process in running:
                process.send_signal(signal.SIGTERM)
            for process in running:
                # A second signal, which comes when the block ends, would cut short the stop that is looked at.
                await asyncio.wait_for(process.wait(), 30)
        known_ok = {one.trade_no for one in sandbox.callbacks if one.outcome == "ok"}

        async with workers(service, port, environment):
            seen = await both_are_up(port)
            # What was answered OK is known, by either worker, before the platform repeats anything.
            for number in known_ok:
                assert (await get(port, f"/payouts/{number}"))[1]["status"] == "succeeded"
            for _ in range(4):
                await sandbox.callbacks_sent()
                sandbox.advance(31)
            await sandbox.callbacks_sent()
            for number in numbers:
                status, told = await get(port, f"/payouts/{number}")
                assert (status, told["status"]) == (200, "succeeded")
            assert len(seen) == 2

            async def succeeded() -> list[str]:
                return [number for number, status in changes(tmp_path) if status == "succeeded"]

            # Once each, although each was told at least once: the change's id makes the handler idempotent.
            assert sorted(await until(succeeded, lambda found: len(found) >= len(numbers))) == sorted(numbers)
        assert sandbox.books.booked_once(numbers).exact

    ledger = SqlLedger(f"sqlite:///{tmp_path / 'payouts.db'}")
    await ledger.open_to_read()
    assert [one async for one in findings(ledger)] == []
    await ledger.aclose()
