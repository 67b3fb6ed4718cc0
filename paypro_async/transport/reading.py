"""The one reader of replies. Every transport hands it the bytes as they come, so that each reads them alike.

The libraries beneath disagree about what HTTP is: one believes the first of two lengths, the other refuses; one folds
lines, the other does not. Where money hangs on a reply the strict reading is the safe one: what is refused leaves its
payout unknown, and the platform is asked. What is read (RFC 9112, without what it calls obsolete):

1. ``HTTP/1.0`` or ``HTTP/1.1``, lines that end in CR LF, no control characters, no folded lines.
2. One ``Content-Length`` of digits, or one ``Transfer-Encoding: chunked``, never both. Without either the reply ends
   with its connection.
3. One ``Content-Encoding`` that is known.
4. Heads, those of interim replies included, within ``HEAD_LIMIT`` bytes; what frames chunks, and trailers, within as
   many. Of headers, interim replies and chunks there are only so many.
5. A body within the limit that the reader was given, packed and unpacked.

What comes behind the reply is no part of it, is not kept, and costs the connection.
"""

import re
from collections.abc import Callable

from attrs import define, field

from paypro_async._core.wire import Exchange, Phase
from paypro_async.transport.causes import NO_REPLY
from paypro_async.transport.encoding import UnreadableEncodingError, decoded

__all__ = ["HEAD_LIMIT", "NOT_HTTP", "ReplyReader"]

HEAD_LIMIT = 64 * 1024
"""Bytes that the heads of one reply may have together; and, beside them, all that frames its chunks."""

NOT_HTTP = "the reply is not HTTP"
_TLS = "TLS is spoken there and plain http was spoken to it: base_url should begin with https://, or the port is wrong"
_LONG_HEAD = f"the reply's headers are longer than {HEAD_LIMIT} bytes"
# Of each there are a few; the time that reading takes is bounded by these.
_MOST_HEADERS = 256
_MOST_INTERIM = 16
_MOST_CHUNKS = 2048

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_TEXT = rb"[\t\x20-\x7e\x80-\xff]*+"
_FIELD = _TOKEN + rb":" + _TEXT
_HEAD = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: " + _TEXT + rb")?\r\n(?:" + _FIELD + rb"\r\n)*+\r\n")
_TRAILER = re.compile(_FIELD)
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;" + _TEXT + rb")?")
_BAD_LINE_END = re.compile(rb"(?<!\r)\n|\r[^\n]|\x00")
# The lines are known to be fields by then, each behind the end of another line.
_DECIDING = re.compile(
    rb"\n(content-length|transfer-encoding|content-encoding|connection|retry-after|keep-alive):([^\r]*)", re.IGNORECASE
)
_RETRY_AFTER = re.compile(rb"[\x20-\x7e]{1,40}")  # seconds or a date


class _RefusedError(Exception):
    """No more is read of this reply.

    Args:
        cause: Why, for people.
        status: Of the reply, if its head says that much for certain.
    """

    def __init__(self, cause: str, *, status: int | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.status = status


@define(eq=False)
class _Head:
    """What the head of a reply says of it."""

    status: int
    keeps: bool
    length: int | None  # None: as many chunks as come, or until the connection ends
    chunked: bool
    encoding: str
    retry_after: str | None
    keep_alive: str | None

    @property
    def ends_with_connection(self) -> bool:
        return self.length is None and not self.chunked


@define(eq=False)
class ReplyReader:
    """Reads one reply, as its bytes come.

    Args:
        limit: How many bytes the body may have, packed or not.
        discard: For the exchange with a reply: what closes its connection.

    Attributes:
        is_over: Whether no more bytes are wanted: the reply is whole, or refused.
        is_whole: Whether it is whole.
        keeps: Whether the connection may carry a further request, by what came on it.
        behind: How many bytes of the last piece came behind the reply.
        exchange: What this says of the exchange whose request was written.
    """

    limit: int
    discard: Callable[[], object] | None = None
    is_over: bool = field(default=False, init=False)
    is_whole: bool = field(default=False, init=False)
    keeps: bool = field(default=False, init=False)
    behind: int = field(default=0, init=False)
    exchange: Exchange = field(default=Exchange(phase=Phase.MAYBE_SENT, cause=NO_REPLY), init=False)
    _unread: bytearray = field(factory=bytearray, init=False)
    _seen: int = field(default=0, init=False)  # bytes of _unread in which no head ends
    _heads: int = field(default=0, init=False)  # bytes of the heads that were read
    _interim: int = field(default=0, init=False)  # how many of them were interim
    _head: _Head | None = field(default=None, init=False)
    _chunks: "_Chunks | None" = field(default=None, init=False)

    @property
    def keep_alive(self) -> str | None:
        """What the reply says of how long its connection may rest: the header of that name."""
        return None if self._head is None else self._head.keep_alive

    def feed(self, data: bytes) -> bool:
        """Take the next bytes of the connection; whether the reply is not refused for them."""
        if self.is_over:
            self.behind = len(data)
            self.keeps = False
            return self.is_whole
        self._unread += data
        try:
            head = self._head or self._read_head()
            if head is not None:
                self._read_body(head)
        except _RefusedError as error:
            self._refuse(error)
        return self.is_whole or not self.is_over

    def end(self, *, broke: bool = False) -> None:
        """The connection ended.

        Args:
            broke: Whether it did not end as connections should: by a reset, for example.
        """
        if self.is_over:
            return
        head = self._head
        if head is None or broke or not head.ends_with_connection:
            self._refuse(_RefusedError(NO_REPLY))
            return
        try:
            self._finish(head, bytes(self._unread), behind=0)
        except _RefusedError as error:
            self._refuse(error)

    def _refuse(self, error: _RefusedError) -> None:
        self.is_over, self.keeps = True, False
        self._unread, self._chunks = bytearray(), None
        phase = Phase.MAYBE_SENT if error.status is None else Phase.ANSWERED
        retry_after = self._head.retry_after if self._head is not None and error.status is not None else None
        self.exchange = Exchange(phase=phase, status=error.status, retry_after=retry_after, cause=error.cause)

    def _read_head(self) -> _Head | None:
        """Read up to the end of the final head, over any interim replies before it."""
        unread = self._unread
        while (end := unread.find(b"\r\n\r\n", max(0, self._seen - 3)) + 4) >= 4:
            self._heads += end
            if self._heads > HEAD_LIMIT:
                raise _RefusedError(_LONG_HEAD)
            head = _head(bytes(unread[:end]))
            del unread[:end]
            self._seen = 0
            if head.status >= 200:
                self._head = head
                self._chunks = _Chunks(limit=self.limit) if head.chunked else None
                return head
            self._interim += 1
            if self._interim > _MOST_INTERIM:
                raise _RefusedError(NOT_HTTP)
        if not unread.startswith(b"HTTP/1."[: len(unread)]) or _BAD_LINE_END.search(unread, max(0, self._seen - 1)):
            # Its end may never come. The records of TLS begin with these, and no reply does.
            raise _RefusedError(_TLS if unread.startswith((b"\x15", b"\x16")) else NOT_HTTP)
        self._seen = len(unread)
        if self._heads + self._seen >= HEAD_LIMIT:
            raise _RefusedError(_LONG_HEAD)
        return None

    def _read_body(self, head: _Head) -> None:
        unread = self._unread
        if self._chunks is not None:
            if self._chunks.feed(unread):
                self._finish(head, bytes(self._chunks.body), behind=len(unread))
            elif self._chunks.is_too_long:
                raise self._too_long(head)
            return
        length = head.length
        if (len(unread) if length is None else length) > self.limit:
            raise self._too_long(head)
        if length is not None and len(unread) >= length:
            self._finish(head, bytes(unread[:length]), behind=len(unread) - length)

    def _finish(self, head: _Head, body: bytes, *, behind: int) -> None:
        if head.encoding:
            try:
                body = decoded(body, head.encoding, limit=self.limit)
            except UnreadableEncodingError:
                raise _RefusedError("the reply's content encoding could not be read", status=head.status) from None
        if len(body) > self.limit:
            raise self._too_long(head)
        self.is_over = self.is_whole = True
        self.behind = behind
        self.keeps = head.keeps and not behind
        self._unread, self._chunks = bytearray(), None
        self.exchange = Exchange(
            phase=Phase.ANSWERED,
            status=head.status,
            retry_after=head.retry_after,
            body=body,
            discard=self.discard,
        )

    def _too_long(self, head: _Head) -> _RefusedError:
        return _RefusedError(f"the reply is longer than {self.limit} bytes", status=head.status)


@define(eq=False)
class _Chunks:
    """The chunked transfer coding.

    Args:
        limit: How many bytes the chunks may hold together.

    Attributes:
        is_too_long: Whether a chunk was announced that goes beyond; it is not waited for.
    """

    limit: int
    is_too_long: bool = field(default=False, init=False)
    body: bytearray = field(factory=bytearray, init=False)
    _left: int = field(default=0, init=False)  # bytes of this chunk that have not come
    _is_at_end: bool = field(default=False, init=False)  # whether the line end behind a chunk comes next
    _in_trailers: bool = field(default=False, init=False)
    _framing: int = field(default=0, init=False)  # bytes
    _seen: int = field(default=0, init=False)  # bytes in which the next line does not end
    _count: int = field(default=0, init=False)  # of chunks, and then of trailers

    def feed(self, unread: bytearray) -> bool:
        """Take what can be read from the beginning of *unread*; whether that was all of the body."""
        while not self.is_too_long:
            if self._left:
                piece = unread[: self._left]
                self.body += piece
                self._left -= len(piece)
                del unread[: len(piece)]
                if self._left:
                    return False
                self._is_at_end = True
            line = self._line(unread)
            if line is None:
                return False
            if self._is_at_end:
                if line:
                    raise _RefusedError(NOT_HTTP)
                self._is_at_end = False
            elif self._in_trailers:
                if not line:
                    return True
                self._count += 1
                if self._count > _MOST_HEADERS or not _TRAILER.fullmatch(line):
                    raise _RefusedError(NOT_HTTP)
            else:
                self._begin(line)
        return False

    def _begin(self, line: bytes) -> None:
        """Begin a chunk, or the trailers behind the last."""
        found = _CHUNK_SIZE.fullmatch(line)
        self._count += 1
        if found is None or self._count > _MOST_CHUNKS:
            raise _RefusedError(NOT_HTTP)
        self._left = int(found[1], 16)
        if not self._left:
            self._in_trailers, self._count = True, 0
        self.is_too_long = len(self.body) + self._left > self.limit

    def _line(self, unread: bytearray) -> bytes | None:
        """The next line, without its end; None if it has not come whole."""
        scanned = max(0, self._seen - 1)
        end = unread.find(b"\r\n", scanned)
        line = None
        if end >= 0:
            line = bytes(unread[:end])
            del unread[: end + 2]
            self._framing += end + 2
            self._seen = 0
        elif _BAD_LINE_END.search(unread, scanned) or (self._is_at_end and unread.rstrip(b"\r")):
            raise _RefusedError(NOT_HTTP)  # Its end may never come.
        else:
            self._seen = len(unread)
        if self._framing + (len(unread) if line is None else 0) > HEAD_LIMIT:
            raise _RefusedError(_LONG_HEAD)
        return line


def _head(data: bytes) -> _Head:
    """Read one head and decide by it where the body ends."""
    found = _HEAD.fullmatch(data)
    if found is None or data.count(b"\n") > _MOST_HEADERS + 2:
        raise _RefusedError(NOT_HTTP)
    status, is_1_1 = int(found[2]), found[1] == b"1"
    headers = _deciding(data)
    length, coding = headers.get(b"content-length"), headers.get(b"transfer-encoding")
    chunked = coding is not None
    if length is not None and (chunked or not _LENGTH.fullmatch(length)):
        raise _RefusedError(NOT_HTTP)
    if coding is not None and (not is_1_1 or coding.lower() != b"chunked"):
        raise _RefusedError(NOT_HTTP)
    if (status < 200 or status in (204, 304)) and (chunked or status == 101 or (length is not None and status < 200)):
        raise _RefusedError(NOT_HTTP)
    size = None if length is None else int(length)
    keeps = is_1_1 and (size is not None or chunked)
    if status == 204 and size:
        raise _RefusedError(NOT_HTTP)
    if status in (204, 304):
        keeps, size = is_1_1 and not size, 0
    retry_after, keep_alive = headers.get(b"retry-after"), headers.get(b"keep-alive")
    return _Head(
        status,
        keeps=keeps and b"close" not in [word.strip() for word in headers.get(b"connection", b"").lower().split(b",")],
        length=size,
        chunked=chunked,
        encoding=headers.get(b"content-encoding", b"").decode("latin-1"),
        retry_after=retry_after.decode() if retry_after and _RETRY_AFTER.fullmatch(retry_after) else None,
        keep_alive=None if keep_alive is None else keep_alive.decode("latin-1"),
    )


def _deciding(head: bytes) -> dict[bytes, bytes]:
    """The headers that decide something, by their names in small letters; those that came twice are joined."""
    headers: dict[bytes, bytes] = {}
    for name, value in _DECIDING.findall(head):
        name, value = name.lower(), value.strip(b"\t ")  # noqa: PLW2901
        headers[name] = headers[name] + b", " + value if name in headers else value
    return headers
