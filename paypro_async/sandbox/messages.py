"""What goes between the HTTP server and the platform behind it: plain values."""

import enum
from collections.abc import Mapping

from attrs import field, frozen

__all__ = ["Answer", "Delivery", "Request"]


class Delivery(enum.Enum):
    """How the server puts an answer on the wire."""

    WHOLE = "whole"
    REFUSE = "refuse"  # the same as a reset, and the server stops listening for a moment
    RESET = "reset"  # nothing is sent, the connection is reset
    SILENCE = "silence"  # nothing is sent, the connection stays open until the client closes it
    CUT = "cut"  # the headers promise the whole body, half of it is sent, then the connection is closed
    DRIP = "drip"  # the headers at once, the body byte by byte
    TWICE = "twice"  # the whole answer, and a little later all of it once more


@frozen(kw_only=True)
class Request:
    """An HTTP request that arrived whole; names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@frozen(kw_only=True)
class Answer:
    """An HTTP answer and how to deliver it."""

    status: int
    body: bytes = field(repr=False)
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(factory=dict)
    delivery: Delivery = Delivery.WHOLE
