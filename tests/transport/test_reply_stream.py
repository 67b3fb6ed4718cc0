"""What an HTTP library sees of a reply: that there is one, and nothing of it."""

import anyio
import anyio.abc
import h11
import pytest

from paypro_async._core.wire import Phase
from paypro_async.transport.reading import ReplyReader
from paypro_async.transport.reply_stream import ReplyStream
from tests.support.raw_replies import REPLIES


class Pieces(anyio.abc.ByteStream):
    """Gives its pieces, and then its end."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if not self._pieces:
            raise anyio.EndOfStream
        return self._pieces.pop(0)

    async def send(self, item: bytes) -> None:
        raise AssertionError

    async def send_eof(self) -> None:
        raise AssertionError

    async def aclose(self) -> None:
        raise AssertionError


def stream(*pieces: bytes) -> ReplyStream:
    made = ReplyStream(Pieces(*pieces))
    made.reader = ReplyReader(65_536)
    return made


async def test_the_library_gets_a_reply_of_ours():
    """Whatever a whole reply holds, its parser gets the same few bytes, and takes them."""
    for name, raw in REPLIES.items():
        over = stream(raw.data)
        try:
            taken = await over.receive()
        except (anyio.BrokenResourceError, anyio.EndOfStream):
            continue
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method="POST", target="/", headers=[("Host", "a")]))
        parser.send(h11.EndOfMessage())
        parser.receive_data(taken)
        assert [type(parser.next_event()) for _ in range(2)] == [h11.Response, h11.EndOfMessage], name
        assert parser.our_state is parser.their_state is h11.DONE
        assert (over.reader is not None and over.reader.is_whole, b"T1" in taken) == (True, False)


@pytest.mark.parametrize("pieces", [(b"HTTP/2 ",), (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"{"), ()])
async def test_what_is_refused_or_ends_too_early_is_broken(pieces: tuple[bytes, ...]):
    """The library sees a connection that broke or ended, and the reader says why."""
    over = stream(*pieces)
    with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)):
        await over.receive()
    assert over.reader is not None
    assert over.reader.exchange.phase is Phase.MAYBE_SENT


async def test_before_a_request_bytes_pass_as_they_are():
    """Those of a proxy that opens its tunnel."""
    assert await ReplyStream(Pieces(b"HTTP/1.1 200 Opened\r\n\r\n")).receive() == b"HTTP/1.1 200 Opened\r\n\r\n"
