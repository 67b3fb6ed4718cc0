"""Copies of libraries' errors, for a traceback: what happened, without the request, the headers or a password.

The errors themselves keep more than their text: the request with its body, the frames in which it was made, the proxy
with its password. So none of them leaves a transport.
"""

import re
import ssl
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from paypro_async._core.secret import Secret

__all__ = ["cleaned"]

_LONGEST = 300
# A URL with a user in it, whoever wrote it.
_USER = re.compile(r"//[^/\s'\"]*@")
_NUMBERS = ("verify_code", "verify_message", "library", "reason")


def cleaned(error: BaseException, words: str, *, hidden: Sequence[Secret[str]] = ()) -> Exception:
    """A copy of *error*, of the same class where that can be made, whose ``__cause__`` is what it came from at first.

    Args:
        error: A library's.
        words: Ours for it. The library's own stand only where they are the system's: others quote what was received.
        hidden: What the texts must not hold.
    """
    first = _first(error)
    of_system = isinstance(first, OSError)
    copy = _copy(error, (of_system and str(error)) or words, hidden)
    if first is not error:
        copy.__cause__ = _copy(first, (of_system and str(first)) or words, hidden)
    return copy


def _first(error: BaseException) -> BaseException:
    seen = {id(error)}
    while True:
        inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else None
        inner = inner or error.__cause__ or error.__context__ or getattr(error, "os_error", None)
        if not isinstance(inner, BaseException) or id(inner) in seen:
            return error
        seen.add(id(inner))
        error = inner


def _copy(error: BaseException, text: str, hidden: Sequence[Secret[str]]) -> Exception:
    text = _masked(text, hidden)
    for make in (_of_system, _of_connector, _of_response, _of_text):
        try:
            copy = make(error, text, hidden)
            if copy is not None and str(copy) is not None:
                return copy
        except Exception:  # noqa: BLE001, S112  a class that wants other arguments; the next way needs fewer
            continue
    return ConnectionError(f"{type(error).__name__}: {text}")


def _of_system(error: BaseException, _: str, hidden: Sequence[Secret[str]]) -> Exception | None:
    if not isinstance(error, OSError) or type(error).__module__ not in ("builtins", "ssl", "socket"):
        return None
    args = [_masked(one, hidden) if isinstance(one, str) else one for one in error.args[:2]]
    copy = type(error)(*(one for one in args if isinstance(one, str | int)))
    if isinstance(error, ssl.SSLError):
        for name in _NUMBERS:
            setattr(copy, name, getattr(error, name, None))
    return copy


def _of_connector(error: BaseException, _: str, hidden: Sequence[Secret[str]]) -> Exception | None:
    # aiohttp: which host, whose TLS context, and the proxy with its password.
    key: Any = getattr(error, "_conn_key", None)
    if key is None:
        return None
    inner: Any = getattr(error, "_certificate_error", None) or getattr(error, "_os_error", None)
    kind: Any = type(error)
    made: Exception = kind(
        key._replace(ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None), _copy(inner, str(inner), hidden)
    )
    return made


def _of_response(error: BaseException, _: str, __: Sequence[Secret[str]]) -> Exception | None:
    # aiohttp: the request with its headers, and what the other end wrote.
    status: Any = getattr(error, "status", None)
    if not hasattr(error, "request_info") or not isinstance(status, int):
        return None
    kind: Any = type(error)
    made: Exception = kind(SimpleNamespace(real_url="-"), (), status=status)
    return made


def _of_text(error: BaseException, text: str, _: Sequence[Secret[str]]) -> Exception | None:
    kind: Any = type(error)
    made: Any = kind(text)
    return made if isinstance(made, Exception) and not isinstance(made, BaseExceptionGroup) else None


def _masked(text: str, hidden: Sequence[Secret[str]]) -> str:
    for one in hidden:
        text = text.replace(one.reveal(), "•••")
    text = _USER.sub("//•••@", text)
    shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text[:_LONGEST])
    return shown if len(text) <= _LONGEST else f"{shown}…"
