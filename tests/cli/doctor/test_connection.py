"""What ``paypro doctor`` sees of the way to the platform: certificates, clocks, proxies before it and on the way."""

import re
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import trustme

from paypro_async.cli.doctor import connection, network_checks
from paypro_async.cli.doctor.connection import Seen, look_at
from paypro_async.cli.doctor.evidence import Evidence, LedgerFacts
from paypro_async.cli.doctor.finding import Finding
from paypro_async.cli.doctor.variables import read_settings, read_variables
from paypro_async.transport import TransportSettings
from tests.support.servers import OK, Peer, Server


@pytest.fixture(autouse=True)
def usual_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def evidence(url: str, seen: Seen) -> Evidence:
    given = {"base_url": url, "environment": "sandbox", "merchant_no": "1"}
    return Evidence(
        variables=read_variables({}),
        settings=read_settings(given, {"PAYPRO_SECRET": "s"}),
        account=None,
        heard=None,
        ledger=LedgerFacts(),
        seen=seen,
    )


def answering(*headers: str, tls: ssl.SSLContext | None = None) -> Server:
    reply = OK.replace(b"Content-Type", "".join(f"{one}\r\n" for one in headers).encode() + b"Content-Type")

    async def answer(peer: Peer) -> None:
        if tls is not None:
            await peer.start_tls(tls)
        await peer.read_request()
        await peer.write(reply)

    return Server(answer)


async def seen_by(url: str, proxy: str | None = None) -> dict[str, Any]:
    seen = await look_at(url, TransportSettings(proxy=proxy).proxy)
    checks = (network_checks.proxy, network_checks.tls, network_checks.clock, network_checks.hops)
    found = [check(evidence(url, seen)) for check in checks]
    return {one.name: one for one in found if isinstance(one, Finding)}


@pytest.mark.parametrize(
    ("off", "level", "said"),
    [(0, "ok", "agrees"), (-20, "warning", "ahead of"), (4000, "problem", "behind"), (-4000, "problem", "ahead of")],
)
async def test_the_clock_is_compared_with_the_reply(off: int, level: str, said: str) -> None:
    """In seconds, with the way to set it; a platform that is behind means a clock that is ahead."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=off), usegmt=True)
    async with answering(f"Date: {date}") as server:
        clock = (await seen_by(server.base_url))["clock"]
    assert clock.level == level
    assert said in clock.found
    if off:
        told = float(re.search(r"is ([0-9,]+) seconds", clock.found)[1].replace(",", ""))
        assert abs(told - abs(off)) <= 3
        assert "timedatectl" in clock.advice


async def test_proxies_before_the_platform_are_a_warning() -> None:
    """By the headers that they add; cookies by their names alone."""
    async with answering("Via: 1.1 edge-7", "Server: cloudflare", "CF-RAY: 8f", "Set-Cookie: AWSALB=hidden") as server:
        hops = (await seen_by(server.base_url))["hops"]
    assert hops.level == "warning"
    assert "via: 1.1 edge-7, cf-ray: 8f, server: cloudflare, cookie awsalb" in hops.found
    assert "docs/proxies.md" in hops.advice
    assert "hidden" not in hops.found
    async with answering("Server: gunicorn") as server:
        assert (await seen_by(server.base_url))["hops"].level == "ok"


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA(organization_name="Inspecting Ltd")


def context(authority: trustme.CA, name: str = "127.0.0.1", **times: datetime) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **times).configure_cert(made)
    return made


async def test_whose_certificate_it_is(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """Trusted or not: who signed it, which authorities count, and when it runs out."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with answering(tls=context(authority)) as server:
        url = server.base_url.replace("http:", "https:")
        unknown = (await seen_by(url))["tls"]
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        known = (await seen_by(url))["tls"]
    assert unknown.level == "problem"
    assert "unable to get local issuer certificate" in unknown.found
    assert "signed by Inspecting Ltd" in unknown.found
    assert "SSL_CERT_FILE" in unknown.advice
    assert known.level == "ok"
    assert "TLSv1.3" in known.found
    assert f"SSL_CERT_FILE={tmp_path / 'ca.pem'}" in known.found


async def test_a_certificate_that_runs_out(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """A warning with the days that are left; and authorities that cannot be read are a problem."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    soon = datetime.now(UTC) + timedelta(days=5, hours=2)
    async with answering(tls=context(authority, not_after=soon)) as server:
        url = server.base_url.replace("http:", "https:")
        tls = (await seen_by(url))["tls"]
        assert (tls.level, "in 5 days" in tls.advice) == ("warning", True)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
        assert "The authorities cannot be read (No such file" in (await seen_by(url))["tls"].found


async def test_a_proxy_that_refuses_and_one_that_lets_through() -> None:
    """Which it is, from where, and what it says; its password is in no line."""

    async def refuses(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    async with Server(refuses) as server:
        proxy = server.base_url.replace("//", "//me:hunter2@")
        found = await seen_by("https://payouts.example", proxy)
    assert "answers HTTP 407" in found["proxy"].found
    assert "proxy= or PAYPRO_PROXY" in found["proxy"].found
    assert not any("hunter2" in f"{one.found}{one.advice}" for one in found.values())
    async with answering("Date: Thu, 01 Jan 1970 00:00:00 GMT") as server:
        found = await seen_by("http://payouts.example", server.base_url)
        assert server.requests[0].startswith(b"GET http://payouts.example HTTP/1.1")
    assert (found["proxy"].level, found["clock"].level, found["hops"].level) == ("ok", "problem", "warning")


async def test_what_never_answers_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what speaks no HTTP, or closes, is told."""

    async def silent(peer: Peer) -> None:
        await peer.read_request()
        await peer.read()

    async def babbling(peer: Peer) -> None:
        await peer.read_request()
        await peer.write(b"SSH-2.0-x\r\n\r\n")

    async def closing(peer: Peer) -> None:
        await peer.read_request()

    for script, said in ((babbling, "does not speak HTTP"), (closing, "was closed"), (silent, "nothing was heard")):
        if script is silent:
            monkeypatch.setattr(connection, "SECONDS", 0.2)
        async with Server(script) as server:
            assert said in (await seen_by(server.base_url))["clock"].found
