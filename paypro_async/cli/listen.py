"""``paypro listen``: receive callbacks on this machine, show them, and pass them on."""

import asyncio
import errno
import json
import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import click
from attrs import evolve, frozen

from paypro_async._core.callback import verify_callback
from paypro_async._core.callback_body import CallbackReading, read_body
from paypro_async._core.platform_codes import Codes
from paypro_async._core.signing import Signer
from paypro_async.cli.answer import current_answer
from paypro_async.cli.exits import Exit
from paypro_async.cli.options import client_settings
from paypro_async.cli.output import note, readable
from paypro_async.cli.signals import Stop
from paypro_async.errors import CallbackError, CallbackSignatureError
from paypro_async.sandbox.callbacks.sender import Refused, Response, Target, find_target, post
from paypro_async.sandbox.capacity import Place
from paypro_async.sandbox.http11 import Connection, Wire
from paypro_async.sandbox.messages import Answer, Request
from paypro_async.sandbox.service import HttpService

__all__ = ["LISTEN_PATH", "LISTEN_PORT", "listen"]

LISTEN_PORT = 8081  # beside the sandbox's, and not that of the service which callbacks are passed on to
LISTEN_PATH = "/paypro"
_HOST = "127.0.0.1"
_BODY_LIMIT = 64 * 1024  # bytes
_PATIENCE = 10.0  # seconds for a sender to bring a callback or take its answer
_SERVICE_SECONDS = 12.0  # for the service behind, which may take ten; the sandbox waits longer
_MAX_CONNECTIONS = 200
_LONGEST = 64  # characters of a value that is shown

_OK = Answer(status=200, body=b"OK", content_type="text/plain")
_REFUSED = Answer(status=400, body=b"not accepted\n", content_type="text/plain")
_NOT_FORWARDED = Answer(status=502, body=b"not forwarded\n", content_type="text/plain")
_NOT_HERE = Answer(status=404, body=b"not found\n", content_type="text/plain")
_NOT_POST = Answer(status=405, body=b"method not allowed\n", content_type="text/plain", headers={"Allow": "POST"})


def _path(_: click.Context, __: click.Parameter, text: str) -> str:
    if not text.startswith("/") or not text.isascii() or not text.isprintable() or set(text) & set("?#"):
        raise click.BadParameter("It begins with /, is plain ASCII and has no ? or #, of which nothing is compared.")
    return text


def _target(_: click.Context, __: click.Parameter, text: str | None) -> Target | None:
    if text is None:
        return None
    try:
        name, has_user = urlsplit(text).hostname or "", "@" in urlsplit(text).netloc
    except ValueError:
        name, has_user = "", False
    if has_user:
        raise click.BadParameter("The URL names a user, whose credentials would not be sent. Give it without.")
    # A host that is typed out here is meant.
    target = find_target(text, frozenset({name} if name else ()))
    if isinstance(target, Refused):
        raise click.BadParameter(f"Callbacks cannot go there: {target.why}.")
    return target


@click.command(short_help="Receive callbacks on this machine, show them, pass them on.")
@click.option("--port", default=LISTEN_PORT, show_default=True, type=click.IntRange(0, 65535), help="0 takes any.")
@click.option("--path", default=LISTEN_PATH, show_default=True, callback=_path, help="The path of the callback URL.")
@click.option("--host", default=_HOST, show_default=True, help="The address to listen on.")
@click.option(
    "--forward",
    metavar="URL",
    callback=_target,
    help="Pass each callback on to this service, and its answer back, as to http://127.0.0.1:8000/paypro.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def listen(port: int, path: str, host: str, forward: Target | None, as_json: bool) -> int:
    """Receive callbacks on a port of this machine until Ctrl-C, and show each in a line without personal values.

    The signature is checked with PAYPRO_SECRET if that is set. With --forward the body goes unchanged to a service of
    your own, whether it was verified or not, and the sender gets the service's own answer, so that callbacks which it
    does not answer with OK come again. Without --forward a callback is answered with OK, and with HTTP 400 if it cannot
    be read or its signature is wrong.

    For trying things out beside `paypro sandbox`; nothing is stored, and no payout changes by it.
    """
    if forward is not None and forward.port == port and host in forward.hosts and forward.path == path:
        raise click.UsageError("--forward names the port that it listens on; name another one with --port.")
    listener = _Listener(path=path, forward=forward, checked=_Checked.from_environment(), as_json=as_json)

    async def serve() -> None:
        service = HttpService(host=host, port=port, connection=listener.connection, max_connections=_MAX_CONNECTIONS)
        await service.open()
        try:
            with Stop() as stop:
                listener.introduce(f"http://{f'[{host}]' if ':' in host else host}:{service.port}{path}")
                await _until(stop, service)
        finally:
            service.close()

    try:
        asyncio.run(serve())
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            note(f"Error: {error.strerror}; name another one with --port, or 0 for a free one.")
        else:
            note(f"Error: It cannot listen on {readable(host)}: {error.strerror or 'no such address'}.")
        return Exit.UNEXPECTED
    listener.end()
    return Exit.OK


async def _until(stop: Stop, service: HttpService) -> None:
    """Until it is told to stop; or until it cannot go on, which is raised."""
    serving, stopping = asyncio.ensure_future(service.run()), asyncio.ensure_future(stop.wait())
    done, others = await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for one in others:
        one.cancel()
    await asyncio.wait({serving, stopping})
    for one in done:
        one.result()


@frozen(kw_only=True)
class _Checked:
    """What callbacks are checked with; without signers they are not."""

    signers: tuple[Signer, ...] = ()
    reading: CallbackReading | None = None
    codes: Codes | None = None

    @classmethod
    def from_environment(cls) -> "_Checked":
        """The secrets and codes that a client would have."""
        if not (os.environ.get("PAYPRO_SECRET") or os.environ.get("PAYPRO_SECRET_FILE")):
            return cls()
        # Where requests would go does not matter here, so it need not be said.
        settings = client_settings(base_url="-", merchant_no="-")
        signers = (settings["signer"], *settings.get("callback_signers", ()))
        return cls(signers=signers, reading=settings.get("callback_reading"), codes=settings.get("codes"))


@frozen
class _Claims:
    """What a body says of itself, believed or not; each cut short, and None where it says nothing of the kind."""

    trade_no: str | None
    status: str | None
    amount: str | None

    @classmethod
    def read(cls, body: bytes) -> "_Claims":
        """What is shown of a body; the rest may be personal."""
        try:
            members = json.loads(body)
        except (ValueError, RecursionError):
            members = None
        found: Mapping[str, Any] = members if isinstance(members, dict) else {}
        texts = (found.get(name) for name in ("tradeNo", "status", "amount"))
        return cls(*(readable(one)[:_LONGEST] if isinstance(one, str | int) else None for one in texts))


class _Listener:
    """Answers callbacks and shows them."""

    def __init__(self, *, path: str, forward: Target | None, checked: _Checked, as_json: bool) -> None:
        self._path = path
        self._forward = forward
        self._checked = checked
        self._as_json = as_json
        self._counts: Counter[str] = Counter()

    def connection(self, wire: Wire, place: Place) -> Connection:
        """One sender's connection."""
        return Connection(
            wire=wire,
            answer=partial(self._answer, wire),
            drip_interval=0,
            copy_delay=0,
            refuse=lambda: None,
            waiting=place.waiting,
            patience=_PATIENCE,
            body_limit=_BODY_LIMIT,
            refused=_note_refused,
        )

    def introduce(self, url: str) -> None:
        """Say where it listens, and what it does with what comes."""
        if not self._checked.signers:
            note("PAYPRO_SECRET is not set, so no signature is checked.")
        if self._as_json:
            click.echo(json.dumps({"listening": url}))
            return
        forward = "" if self._forward is None else f" and passed on to {self._forward.shown}"
        click.echo(f"Callbacks to {url} are shown here{forward}. End it with Ctrl-C.")
        click.echo(f"export PAYPRO_NOTIFY_URL={url}")

    def end(self) -> None:
        """Say how many there were."""
        if not current_answer().wanted:
            counted = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(self._counts.items()))
            note(f"Received: {counted or 'nothing'}.")

    async def _answer(self, wire: Wire, request: Request) -> Answer:
        asked = f"{readable(request.method)} {readable(request.path)}"[:_LONGEST]
        if request.path != self._path:
            note(f"Not received: {asked}. The path is {self._path}.")
            return _NOT_HERE
        if request.method != "POST":
            note(f"Not received: {asked}. Callbacks come with POST.")
            return _NOT_POST
        verdict, problem = self._verdict(request.body)
        self._counts[verdict] += 1
        answer, response = await self._answered(request, verdict)
        self._show(_Claims.read(request.body), verdict, problem, answer, response, gone=wire.has_ended)
        return answer

    def _verdict(self, body: bytes) -> tuple[str, str | None]:
        checked = self._checked
        try:
            if not checked.signers:
                with suppress(CallbackSignatureError):
                    read_body(body, checked.reading or CallbackReading())
                return "not checked", None
            found = verify_callback(
                body, checked.signers, reading=checked.reading, codes=checked.codes, ambiguous="mark"
            )
        except CallbackError as error:
            wrong = isinstance(error, CallbackSignatureError)
            return "NOT VERIFIED" if wrong else "NOT READABLE", str(error)
        return "verified, but ambiguous" if found.ambiguous else "verified", None

    async def _answered(self, request: Request, verdict: str) -> tuple[Answer, Response | None]:
        """The answer, and that of the service behind it."""
        if self._forward is None:
            return _REFUSED if verdict.startswith("NOT") else _OK, None
        content_type = request.headers.get("content-type", "application/json")
        response = await post(self._forward, request.body, content_type=content_type, timeout=_SERVICE_SECONDS)
        if response.http_status is None:
            return _NOT_FORWARDED, response
        answer = Answer(status=response.http_status, body=response.body)
        return evolve(answer, content_type=response.content_type or "text/plain"), response

    def _show(
        self,
        claims: _Claims,
        verdict: str,
        problem: str | None,
        answer: Answer,
        response: Response | None,
        *,
        gone: bool,
    ) -> None:
        now = datetime.now(UTC).astimezone()
        ok = not gone and answer.status == 200 and answer.body == b"OK"
        if self._as_json:
            told = {
                "at": now.isoformat(timespec="milliseconds"),
                "trade_no": claims.trade_no,
                "status": claims.status,
                "amount": claims.amount,
                "verified": {"verified": True, "not checked": None}.get(verdict, False),
                "problem": problem,
                "answered": answer.status,
                "ok": ok,
                "sender_gone": gone,
                "forwarded": None if self._forward is None else self._forward.shown,
                "forward_problem": None if response is None else response.problem,
            }
            click.echo(json.dumps(told))
            return
        said = f"{answer.status}{' OK' if ok else ''}"
        if response is not None and response.http_status is None:
            said += f" (the service: {readable(response.problem)})"
        if gone:
            said += ", but the sender had gone"
        click.echo(
            f"{now:%H:%M:%S}  {claims.trade_no or 'no number'}: status {claims.status or 'none'},"
            f" amount {claims.amount or 'none'}, {verdict}, answered {said}"
        )


def _note_refused(status: int) -> None:
    why = "Its body has more than 64 KiB" if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else "It is no HTTP/1.1"
    note(f"Not received: what came was answered with {status}. {why}.")
