"""The client's opening and closing with an application, and how what answers a request finds it."""

import json
import sys
from contextlib import asynccontextmanager
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from aiohttp import web
from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from paypro_async import ClientStateError, PayoutResult, PayoutStatus, PayProClient
from paypro_async.integrations import aiohttp as for_aiohttp
from paypro_async.integrations import asgi, fastapi, starlette
from paypro_async.integrations.fastapi import OpenClient
from tests.support.web import (
    FRAMEWORKS,
    ScriptedClient,
    exchange,
    path_of,
    receiver,
    request,
    under_aiohttp,
    under_uvicorn,
)


def is_open(client: PayProClient) -> bool:
    try:
        client._lifetime.session()
    except ClientStateError:
        return False
    return True


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_the_client_is_opened_with_the_application_and_closed_with_it(framework):
    """Each start makes one anew, where the application is given what makes one."""
    made: list[ScriptedClient] = []

    def make() -> ScriptedClient:
        made.append(ScriptedClient())
        return made[-1]

    for start in range(2):
        async with receiver(framework, make) as served:
            assert is_open(made[start])
            await exchange(served.port, request(path_of(framework)))
        assert not is_open(made[start])
    assert [one.bodies for one in made] == [[b"{}"], [b"{}"]]


@pytest.mark.parametrize("module", [starlette, fastapi])
async def test_an_own_lifespan_runs_while_the_client_is_open_and_its_state_stays(module):
    client, seen = ScriptedClient(), []

    @asynccontextmanager
    async def own(app: FastAPI):
        seen.append(("began", is_open(app.state.paypro)))
        yield {"mine": 7}
        seen.append(("ends", is_open(client)))

    async def mine(request: StarletteRequest) -> PlainTextResponse:
        return PlainTextResponse(f"{request.state.mine} {module.client_of(request) is client}")

    inner = Mount("/inner", Starlette(routes=[Route("/mine", mine)]))
    app = Starlette(routes=[Route("/mine", mine), inner], lifespan=module.client_lifespan(client, own))
    async with under_uvicorn(app) as served:
        for path in ("/mine", "/inner/mine"):
            _, _, answer = await exchange(served.port, request(path, b"", method="GET", length=False))
            assert (path, answer) == (path, b"7 True")
    assert seen == [("began", True), ("ends", True)]
    assert not is_open(client)
    assert not hasattr(app.state, "paypro")


async def test_an_endpoint_of_fastapi_is_given_the_client_also_in_a_router_and_a_mounted_application():
    client = ScriptedClient()
    app, inner = FastAPI(lifespan=fastapi.client_lifespan(client)), FastAPI()

    @app.get("/outer")
    @inner.get("/inner")
    async def who(paypro: OpenClient, request: Request) -> bool:
        return paypro is client and fastapi.client_of(request) is client

    app.mount("/mounted", inner)
    async with under_uvicorn(app) as served:
        for path in ("/outer", "/mounted/inner"):
            assert (await exchange(served.port, request(path, b"", method="GET", length=False)))[2] == b"true"


@pytest.mark.parametrize("kind", [PayoutResult, PayoutResult | None, Any, object, None])
async def test_an_endpoint_answers_with_a_result_however_loosely_it_is_annotated(kind):
    result = PayoutResult(trade_no="1", status=PayoutStatus.SUCCEEDED, amount=Decimal("0.10"), currency="INR")
    app = FastAPI()
    app.add_api_route("/alone", lambda: result, response_model=kind)
    app.add_api_route(
        "/inside", lambda: {"r": [result]}, response_model=None if kind is None else dict[str, list[kind]]
    )
    app.add_api_route("/dict", lambda: {"r": [result]}, response_model=dict)
    app.add_api_route("/without", lambda: result, response_model=kind, response_model_exclude={"trade_no"})
    told = result.to_dict()
    async with under_uvicorn(app) as served:
        for path, expected in (("alone", told), ("inside", {"r": [told]}), ("dict", {"r": [told]})):
            _, _, answer = await exchange(served.port, request(f"/{path}", b"", method="GET", length=False))
            assert (path, json.loads(answer)) == (path, expected)
        if kind is not None:  # without a response model FastAPI itself leaves nothing out
            _, _, answer = await exchange(served.port, request("/without", b"", method="GET", length=False))
            assert json.loads(answer).keys() == told.keys() - {"trade_no"}


async def test_handlers_of_errors_and_dependencies_of_the_application_do_not_reach_callbacks():
    async def fail(_: bytes):
        raise RuntimeError("secret")

    def refuse() -> None:
        raise AssertionError("nobody logs in")

    from fastapi import Depends

    app = FastAPI(lifespan=fastapi.client_lifespan(ScriptedClient(fail)), dependencies=[Depends(refuse)])
    app.include_router(fastapi.callback_router("/paypro"))

    @app.exception_handler(Exception)
    async def tell(_: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse(f"it was {error}")

    async with under_uvicorn(app) as served:
        status, _, answer = await exchange(served.port, request("/paypro"))
    assert (status, answer) == (503, b"Service Unavailable")
    assert "/paypro" not in app.openapi()["paths"]


async def test_several_merchants_have_one_receiver_that_picks_the_client_by_path():
    clients = {"one": ScriptedClient(), "two": ScriptedClient()}
    app = FastAPI()
    pick = lambda scope: clients.get(scope["path_params"]["merchant"])  # noqa: E731  as users write it
    app.include_router(fastapi.callback_router("/paypro/{merchant}", pick=pick))
    async with under_uvicorn(app) as served:
        for merchant, status in (("one", 200), ("two", 200), ("three", 404)):
            answer = await exchange(served.port, request(f"/paypro/{merchant}", merchant.encode()))
            assert answer[0] == status

    application = web.Application()
    handler = for_aiohttp.callback_handler(pick=lambda one: clients.get(one.match_info["merchant"]))
    application.router.add_post("/paypro/{merchant}", handler)
    async with under_aiohttp(application) as served:
        for merchant, status in (("one", 200), ("three", 404)):
            assert (await exchange(served.port, request(f"/paypro/{merchant}")))[0] == status
        # With add_post, aiohttp itself refuses other methods, in the same way.
        status, headers, _ = await exchange(served.port, request("/paypro/one", b"", method="GET", length=False))
        assert (status, headers["allow"]) == (405, "POST")
    assert [one.bodies for one in clients.values()] == [[b"one", b"{}"], [b"two"]]


async def test_a_client_that_is_given_is_used_without_a_lifespan():
    async with ScriptedClient() as client:
        app = Starlette(routes=[starlette.callback_route("/paypro", client)])
        async with under_uvicorn(app) as served:
            assert (await exchange(served.port, request("/paypro")))[0] == 200
        application = web.Application()
        application.router.add_post("/paypro", for_aiohttp.callback_handler(client))
        async with under_aiohttp(application) as served:
            assert (await exchange(served.port, request("/paypro")))[0] == 200
        assert len(client.bodies) == 2


@pytest.mark.parametrize("app", [asgi.CallbackApp(), asgi.CallbackApp(ScriptedClient), ScriptedClient()])
async def test_without_a_lifespan_the_log_says_that_no_client_is_open(app, caplog):
    """And the platform is told to send again."""
    if isinstance(app, ScriptedClient):
        closed = app

        async def as_clients_do(_: bytes):
            closed._lifetime.session()

        closed.then = as_clients_do
        app = asgi.CallbackApp(closed)
    mounted = Starlette(routes=[Mount("/paypro", app)])
    async with under_uvicorn(mounted) as served:
        status, _, answer = await exchange(served.port, request("/paypro/"))
    assert (status, answer) == (503, b"Service Unavailable")
    told = [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]
    assert len(told) == 1
    assert "The application has no open client." in told[0] or "The client is not open." in told[0]
    assert "Nothing was" in told[0]


async def test_a_client_that_cannot_be_opened_stops_the_server_at_its_start(tmp_path, caplog):
    def make() -> PayProClient:
        return PayProClient(
            base_url="https://x.example",
            merchant_no="1",
            signer=ScriptedClient()._signer,
            ledger=f"sqlite:///{tmp_path}/no/such/folder/payouts.db",
        )

    sent = []

    async def receive():
        return {"type": "lifespan.startup"}

    async def send(message):
        sent.append(message)

    await asgi.CallbackApp(make)({"type": "lifespan"}, receive, send)
    assert [one["type"] for one in sent] == ["lifespan.startup.failed"]
    assert "LedgerUnavailableError: The ledger " in sent[0]["message"]
    assert "LedgerUnavailableError" in caplog.text


async def test_a_websocket_is_closed():
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    await asgi.CallbackApp()({"type": "websocket", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1000}]


@pytest.mark.parametrize("name", ["starlette", "fastapi", "aiohttp"])
def test_a_framework_that_is_not_installed_is_an_error_that_names_the_extra(name, monkeypatch):
    import importlib

    for module in [one for one in sys.modules if one.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"paypro_async.integrations.{name}")
    with pytest.raises(ImportError, match=rf"pip install 'paypro-async\[{name}\]'"):
        importlib.import_module(f"paypro_async.integrations.{name}")


def test_the_plain_application_needs_no_framework():
    from tests.test_public_api import child

    loaded = child("import sys, paypro_async.integrations.asgi; print(sorted(n.split('.')[0] for n in sys.modules))")
    assert not {"starlette", "fastapi", "aiohttp", "pydantic", "uvicorn"} & set(json.loads(loaded.replace("'", '"')))


def test_the_files_of_the_frameworks_have_the_same_verbs():
    def verbs(module: ModuleType) -> set[str]:
        return {name.split("_")[0] for name in module.__all__ if name[0].islower()}

    assert verbs(starlette) == verbs(fastapi) == verbs(for_aiohttp) == {"callback", "client"}
