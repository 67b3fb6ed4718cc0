"""One request on its way to ``client.receive_callback``, for every framework alike. No framework is spoken here.

What cannot be a callback is refused by its head; its body is read up to a size and for a time. The answers say nothing
of why: the log does.
"""

import asyncio
import math
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Generic, TypeVar

from attrs import field, frozen, validators

from paypro_async.client import PayProClient
from paypro_async.errors import ClientStateError
from paypro_async.log import logger

__all__ = ["BODY_SECONDS", "MAX_BODY", "Answer", "Head", "Receiver", "no_client", "opened"]

MAX_BODY = 64 * 1024
"""Bytes of a callback's body; a genuine one has some hundreds."""
BODY_SECONDS = 10.0
"""Within which the body must have come."""

_FORM = "application/x-www-form-urlencoded"
_READ = frozenset({"", "application/json", "text/plain", "application/octet-stream"})

_LONGEST_NUMBER = 20
"""Digits."""
_READ_BEFORE = (
    "A callback was answered with 503, so that it comes again: its body was read before it came to the receiver, by a "
    "middleware, say. Nothing was stored. Let what reads it leave out the callback's path, or hand on all that it read."
)
_NOTHING_CAME = (
    "Of a callback's body nothing came in time. Nothing was stored; it is answered with 408. If this befalls each one, "
    "something has read it before it came to the receiver, such as a middleware that does not hand on what it read."
)

R = TypeVar("R")
ClientFor = Callable[[R], PayProClient | None]
"""Picks the client that a callback is for, of its request (ASGI: its scope); None answers 404."""


class _RefusedError(Exception):
    """It cannot be a callback, or does not come as one should; *status* is answered."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


class _ReadBeforeError(Exception):
    """Something has read its body, or a part of it, before it came here."""


class _GoneError(Exception):
    """The sender went before its body was whole."""


@frozen
class Head:
    """What the head of a request says; a header that is not there is empty."""

    method: str
    content_type: str
    content_encoding: str
    content_length: str

    @property
    def length(self) -> float:
        """Bytes that the body will have; 0 if that is not said, and infinite if no number of bytes is so long."""
        if not self.content_length.isdecimal():
            return 0
        return int(self.content_length) if len(self.content_length) < _LONGEST_NUMBER else math.inf


@frozen
class Answer:
    """What is answered.

    Args:
        closes: Whether the connection ends with it, since the rest of the request is not read.
    """

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    allow: str | None = None
    closes: bool = False

    @classmethod
    def of(cls, status: int, *, allow: str | None = None, closes: bool = False) -> "Answer":
        """An answer that says what its status means, and no more."""
        return cls(status, HTTPStatus(status).phrase.encode(), allow=allow, closes=closes)


@frozen(kw_only=True, eq=False)
class Receiver(Generic[R]):
    """Receives callbacks for one client, or for the one that *client_for* picks.

    Args:
        client_for: Gives the open client for a request; None if there is none for it.
        max_body: Bytes that a body may have.
        body_seconds: Within which it must have come.
    """

    client_for: ClientFor[R]
    max_body: int = field(default=MAX_BODY, validator=validators.gt(0))
    body_seconds: float = field(default=BODY_SECONDS, validator=validators.gt(0))

    async def answer(self, request: R, head: Head, pieces: AsyncIterable[bytes]) -> Answer:
        """The answer to one request, also to one whose sender has gone: frameworks want one, and drop it.

        Whatever goes wrong here is a 503, upon which the platform sends the callback again.

        Args:
            request: What the framework calls one.
            head: Of the request.
            pieces: Its body, as it comes.
        """
        try:
            self._check(head)
            if (client := self.client_for(request)) is None:
                return Answer.of(404, closes=True)
            reply = await client.receive_callback(await self._body(pieces, head))
        except _RefusedError as refused:
            return _refusal(refused.status, head)
        except _GoneError:
            logger.debug("The sender of a callback went before its body was whole; nothing was stored.")
            return Answer.of(400, closes=True)
        except _ReadBeforeError:
            logger.error(_READ_BEFORE)  # noqa: TRY400  a traceback would show this file alone
        except ClientStateError as error:
            logger.error("A callback was answered with 503, so that it comes again: %s", error)  # noqa: TRY400  it says all
        except Exception:
            logger.exception("A callback could not be received, and was answered with 503, so that it comes again.")
        else:
            return Answer(reply.status, reply.body, reply.content_type)
        return Answer.of(503, closes=True)

    def _check(self, head: Head) -> None:
        if head.method != "POST":
            raise _RefusedError(405)
        kind = _kind(head)
        read = kind in _READ or (kind.startswith("application/") and kind.endswith("+json"))
        if head.content_encoding.strip().lower() not in ("", "identity") or not (read or kind == _FORM):
            raise _RefusedError(415)
        if head.length > self.max_body:
            raise _RefusedError(413)

    async def _body(self, pieces: AsyncIterable[bytes], head: Head) -> bytes:
        whole = bytearray()
        try:
            async with asyncio.timeout(self.body_seconds):
                async for piece in pieces:
                    whole += piece
                    if len(whole) > self.max_body:
                        break
        except TimeoutError:
            if not whole:
                logger.warning(_NOTHING_CAME)
            raise _RefusedError(408) from None
        except Exception as error:
            # Each server has its own errors for a connection that ended or a body that is no HTTP.
            raise _GoneError from error
        if len(whole) > self.max_body:
            raise _RefusedError(413)
        if len(whole) < head.length:
            # A server gives all that was announced, or says that the sender has gone.
            raise _ReadBeforeError
        return bytes(whole)


@asynccontextmanager
async def opened(client: PayProClient | Callable[[], PayProClient]) -> AsyncIterator[PayProClient]:
    """The *client*, or the one that it makes, open within the block."""
    async with client if isinstance(client, PayProClient) else client() as one:
        yield one


def no_client(how: str) -> ClientStateError:
    """The error that says that no client was found, and *how* the application gets one."""
    return ClientStateError(
        f"The application has no open client. Nothing was sent and nothing was stored; {how}, which opens it when the "
        "application starts and closes it when it ends, or give the client to the receiver yourself."
    )


def _kind(head: Head) -> str:
    return head.content_type.partition(";")[0].strip().lower()


def _refusal(status: int, head: Head) -> Answer:
    if status == 405:
        # Scanners ask so all day, and PayPro never does.
        return Answer.of(405, allow="POST", closes=True)
    logger.info(
        "A request to the callback's address was refused with %d (%s): content type %r, %s bytes by its head. Nothing "
        "was stored.",
        *(status, HTTPStatus(status).phrase, _kind(head)[:80], head.content_length[:20] or "unknown"),
    )
    return Answer.of(status, closes=True)
