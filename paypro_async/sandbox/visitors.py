"""Who may speak to the sandbox: programs on this machine, and no page of another site in a browser on it.

A browser lets any site send requests to loopback, and a name that points there (DNS rebinding) lets it read replies.
Both show in what the browser says of a request: the name in ``Host``, and the site in ``Origin``.
"""

import ipaddress
import re
from collections.abc import Mapping

from attrs import evolve

from paypro_async.sandbox.messages import Answer, Request
from paypro_async.sandbox.replies import json_answer

__all__ = ["turned_away"]

# No public name is without a dot, so no foreign site has the second one.
_NAMES = frozenset({"localhost", "sandbox"})
_AUTHORITY = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\s:/?#@\[\]]+)(?::[0-9]*)?")
_ABSOLUTE = re.compile(r"[a-zA-Z]+://(?P<host>[^/?#]*)")
_OWN_SITES = frozenset({"same-origin", "none"})


def turned_away(request: Request) -> Answer | None:
    """The refusal of a request that no program on this machine has made by itself; None if it is welcome."""
    headers = request.headers
    host = headers.get("host")
    if host is not None and not _is_here(host):
        return _refusal("this sandbox is known as localhost and 127.0.0.1, and not by the name in the header Host")
    if request.path[:1] != "/" and ((found := _ABSOLUTE.match(request.path)) is None or not _is_here(found["host"])):
        return _refusal("the request is meant for another host")
    if _is_foreign(headers, host):
        return _refusal("the request was made by a page of another site, as the header Origin or Sec-Fetch-Site says")
    return None


def _is_here(authority: str) -> bool:
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        return False
    name = found["host"].lower().strip("[]").removesuffix(".")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name in _NAMES or name.endswith(".localhost")


def _is_foreign(headers: Mapping[str, str], host: str | None) -> bool:
    origin = headers.get("origin")
    if origin is not None and (host is None or origin.lower() != f"http://{host.lower()}"):
        return True
    return headers.get("sec-fetch-site", "none").lower() not in _OWN_SITES


def _refusal(why: str) -> Answer:
    return evolve(json_answer(403, {"error": why}), headers={"Connection": "close"})
