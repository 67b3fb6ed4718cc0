"""What the OpenTelemetry hook makes of an event's values, and of what it is itself given, without OpenTelemetry."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from paypro_async._core.events import RequestEnded
from paypro_async.errors import ConfigurationError
from paypro_async.integrations.telemetry import ASKED_FOR, ATTRIBUTES

__all__ = [
    "OTHER",
    "Attributes",
    "as_word",
    "checked_attributes",
    "checked_labels",
    "known",
    "nanoseconds",
    "request_error",
    "short_code",
    "target_of",
]

Attributes = dict[str, Any]

OTHER = "_OTHER"
"""The conventions' word for an error that has no name."""
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_PORTS = {"http": 80, "https": 443}
# What the platform calls a code may be anything; no account or mobile number is as short.
_CODE = re.compile(r"[0-9A-Za-z_-]{1,8}")


def request_error(event: RequestEnded) -> str | None:
    """What went wrong with the exchange; None for a reply that says something, be it no."""
    if event.error is not None:
        return event.error
    if event.http_status is None:
        return as_word(event.phase) or OTHER
    if event.http_status >= 400:
        return str(event.http_status)
    return "unknown_outcome" if event.verdict == "unknown" else None


def target_of(url: str) -> tuple[Attributes, str, str]:
    """What the conventions say of where a request goes, the URL without what may be secret, and its path."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    told = {
        "http.request.method": "POST",
        "server.address": host,
        "server.port": parts.port or _PORTS.get(parts.scheme),
    }
    path = parts.path or "/"
    return told, f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}", path


def as_word(text: str | None) -> str | None:
    """As such values are written elsewhere: ``no_such_order``."""
    return text.replace(" ", "_") if text is not None else None


def short_code(code: str | None) -> str | None:
    """A platform's code, if it is as short as one."""
    return code if code is not None and _CODE.fullmatch(code) else None


def known(attributes: Attributes) -> Attributes:
    """Those that have a value."""
    return {name: value for name, value in attributes.items() if value is not None}


def nanoseconds(at: datetime) -> int:
    """Since 1970, as OpenTelemetry counts."""
    return (at - _EPOCH) // _MICROSECOND * 1000


def checked_attributes(asked: Collection[str]) -> frozenset[str]:
    """What may be asked for.

    Raises:
        ConfigurationError: If one may not.
    """
    wrong = [asked] if isinstance(asked, str) else sorted({str(one) for one in asked} - set(ASKED_FOR))
    if wrong:
        raise ConfigurationError(
            f"attributes= of OpenTelemetryHook takes a list of {', '.join(map(repr, ASKED_FOR))}, and {wrong[0]!r} is "
            "none. Nothing was sent. Name what spans shall hold; what is personal is in no event and cannot be named."
        )
    return frozenset(asked)


def checked_labels(labels: Mapping[Any, Any]) -> Mapping[str, str]:
    """What may stand on every span and metric.

    Raises:
        ConfigurationError: If one may not.
    """
    for name, value in labels.items():
        if not isinstance(name, str) or not isinstance(value, str) or name in ATTRIBUTES:
            raise ConfigurationError(
                f"labels= of OpenTelemetryHook takes texts by names of your own, and {name!r} is not one. Nothing was "
                "sent. Give a few fixed values, as in labels={'merchant': 'north'}."
            )
    return MappingProxyType(dict(labels))
