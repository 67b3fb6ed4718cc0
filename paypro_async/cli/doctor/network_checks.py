"""What ``paypro doctor`` makes of the way to the platform: one small check for each line. No I/O."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from paypro_async.cli.doctor.connection import Certificate, Seen
from paypro_async.cli.doctor.evidence import Evidence, Heard
from paypro_async.cli.doctor.finding import Finding

__all__ = ["clock", "hops", "proxy", "tls"]

_AHEAD_OK, _AHEAD_BAD = 5.0, 60.0
_DAYS_LEFT = 14
_SHOWN = 60
_NOT_LOOKED = "Not known: nothing was heard from the platform"

# What hops add to a reply. Of "server" only the names of those that stand before others.
# fmt: off
_ADDED = (
    "via", "x-served-by", "x-cache", "x-varnish", "x-envoy-upstream-service-time", "cf-ray", "x-amz-cf-id",
    "x-amzn-trace-id", "x-amz-apigw-id", "x-akamai-request-id", "x-azure-ref", "x-kong-proxy-latency",
    "x-kong-upstream-latency", "x-haproxy-server-state", "fly-request-id", "x-iinfo", "x-sucuri-id", "x-proxy-cache",
    "x-cache-hits", "eagleid", "x-swift-savetime",
)
_SERVERS = (
    "nginx", "openresty", "tengine", "cloudflare", "envoy", "haproxy", "traefik", "awselb", "cloudfront", "akamai",
    "varnish", "kong", "caddy", "apache", "apisix", "squid", "yunjiasu", "bigip", "big-ip", "google",
)
# fmt: on
_COOKIES = ("awsalb", "awselb", "serverid", "bigipserver", "incap_ses", "__cf_bm")


def proxy(evidence: Evidence) -> Finding | None:
    """Which proxy leads there, from which setting, and whether it can be reached."""
    seen = evidence.seen
    if seen is None:
        return None
    if seen.proxy is None:
        if seen.proxy_wrong is not None:
            return Finding(name="proxy", found="It cannot be used.", advice=seen.proxy_wrong)
        return Finding(name="proxy", found="None leads there: the platform is reached directly.")
    address, setting = seen.proxy
    told = f"{address} leads there, as {setting} says"
    if seen.proxy_wrong is not None:
        advice = f"Mend the proxy or {setting}; NO_PROXY lists what is reached without it."
        return Finding(name="proxy", found=f"{told}, and {seen.proxy_wrong}.", advice=advice)
    if not seen.looked:
        return Finding(
            name="proxy",
            found=f"{told}. It speaks SOCKS, which is not looked through: only 'access' tells whether it works.",
        )
    if seen.wrong is not None:
        return Finding(name="proxy", found=f"{told}, and can be reached. The platform did not answer through it.")
    return Finding(name="proxy", found=f"{told}, and can be reached. It is a hop of its own: see 'hops'.")


def tls(evidence: Evidence) -> Finding | None:
    """Whose certificate was shown, until when it holds, and who is believed."""
    seen = evidence.seen
    if seen is None or evidence.settings.endpoint is None:
        return None
    if not evidence.settings.endpoint.base_url.startswith("https:"):
        return Finding(name="tls", found="None: the address is plain http.")
    if seen.authorities_wrong is not None:
        return Finding(
            name="tls",
            found=f"The authorities cannot be read ({_short(seen.authorities_wrong)}): {seen.authorities}.",
            advice="Mend that variable, or unset it: without it, certifi's list counts.",
        )
    if seen.tls_wrong is not None:
        whose = f" It is the certificate of {_whose(seen.certificate)}." if seen.certificate else ""
        return Finding(
            name="tls",
            found=f"TLS could not be set up: {_short(seen.tls_wrong)}.{whose} Authorities: {seen.authorities}.",
            advice=seen.tls_mend,
        )
    if seen.certificate is None:
        return _not_looked("tls", evidence, seen)
    told = f"{seen.certificate.version}, certificate of {_whose(seen.certificate)}. Authorities: {seen.authorities}."
    ends = seen.certificate.ends
    if ends is not None and (days := (ends - datetime.now(UTC)).days) < _DAYS_LEFT:
        return Finding(
            name="tls",
            found=told,
            advice=f"It runs out in {days} days, and then nothing can be paid. Ask PayPro, or who runs the proxy.",
            level="warning",
        )
    return Finding(name="tls", found=told)


def clock(evidence: Evidence) -> Finding | None:
    """How far this machine's clock is from the platform's: each request is signed with its time."""
    seen = evidence.seen
    if seen is None:
        return None
    if not seen.headers:
        return _not_looked("clock", evidence, seen)
    if seen.ahead is None:
        return Finding(name="clock", found="Not compared: the reply tells no time.")
    off = abs(seen.ahead)
    told = f"{off:,.0f} seconds {'ahead of' if seen.ahead > 0 else 'behind'} the reply's."
    if off <= _AHEAD_OK:
        return Finding(name="clock", found=f"It agrees with the reply's, to {max(off, 1.0):,.0f} s.")
    return Finding(
        name="clock",
        found=f"The clock of this machine is {told} Each request is signed with its time.",
        advice="Set the clock: 'timedatectl set-ntp true', or the time service of the host of a virtual machine.",
        level="problem" if off > _AHEAD_BAD else "warning",
    )


def hops(evidence: Evidence) -> Finding | None:
    """What can be seen of proxies before the platform, which may hold a request or send one twice."""
    seen = evidence.seen
    if seen is None:
        return None
    if not seen.headers:
        return _not_looked("hops", evidence, seen)
    found = list(_hops(seen.headers))
    if seen.proxy is not None:
        found.insert(0, f"proxy {seen.proxy[0]}")
    if not found:
        return Finding(
            name="hops", found="No header of the reply tells of a proxy before the platform; that is no proof."
        )
    return Finding(
        name="hops",
        found=f"Something stands before the platform ({', '.join(found)}). It may hold a request for longer than its "
        "client waits, or send one twice by itself.",
        advice="Read docs/proxies.md once: settle_after must be longer than any hop holds a request, and where that is "
        "not known say resend='never'.",
        level="warning",
    )


def _hops(headers: Mapping[str, str]) -> Iterator[str]:
    for name in _ADDED:
        if name in headers:
            yield f"{name}: {_short(headers[name])}"
    server = headers.get("server", "")
    if any(one in server.lower() for one in _SERVERS):
        yield f"server: {_short(server)}"
    cookies = headers.get("set-cookie", "").lower()
    # Of a cookie the name is enough: what it holds belongs to nobody's screen.
    yield from (f"cookie {name}" for name in _COOKIES if name in cookies)


def _not_looked(name: str, evidence: Evidence, seen: Seen) -> Finding:
    if not seen.looked and seen.proxy_wrong is None:
        return Finding(name=name, found="Not looked at: the proxy speaks SOCKS.")
    why = f" ({_short(seen.wrong)})" if seen.wrong else ""
    if isinstance(evidence.heard, Heard) and evidence.heard.control.code is not None:
        advice = "Run this again: the platform answers all the same."
        return Finding(name=name, found=f"{_NOT_LOOKED}{why}.", advice=advice, level="warning")
    return Finding(name=name, found=f"{_NOT_LOOKED}{why}.", advice="Mend the access first.")


def _whose(certificate: Certificate | None) -> str:
    if certificate is None:
        return "an unknown one"
    until = f", until {certificate.ends:%Y-%m-%d}" if certificate.ends else ""
    return f"{_short(certificate.subject)}, signed by {_short(certificate.issuer)}{until}"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
