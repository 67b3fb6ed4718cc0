"""The same bytes get the same verdict, whichever transport reads them, and it is that of the strict reading."""

import random
from collections.abc import Callable

import pytest

from paypro_async._core.outcome import Outcome, classify_balance, classify_payout, classify_query
from paypro_async._core.platform_codes import Codes
from paypro_async._core.wire import Exchange
from paypro_async.transport import TRANSPORTS
from paypro_async.transport.reading import ReplyReader
from tests.support.raw_replies import GROUPS, REPLIES, TRADE_NO
from tests.support.servers import Server, replies
from tests.support.transports import request, transport_named, until

CODES = Codes()


def outcomes(exchange: Exchange) -> tuple[Outcome, Outcome, Outcome]:
    """What it says of a payout, of a question, of the balance."""
    return (
        classify_payout(exchange, CODES, trade_no=TRADE_NO),
        classify_query(exchange, CODES, trade_no=TRADE_NO),
        classify_balance(exchange, CODES, currency="INR")[0],
    )


def read(*pieces: bytes) -> Exchange:
    """What the reader makes of a reply in pieces, after which the connection ends."""
    reader = ReplyReader(65_536)
    for piece in pieces:
        reader.feed(piece)
    reader.end()
    return reader.exchange


def whole(data: bytes) -> list[bytes]:
    return [data]


def line_by_line(data: bytes) -> list[bytes]:
    """The first lines alone, as a library with a parser of its own would judge them before the next has come."""
    return [*(line + b"\r\n" for line in data.split(b"\r\n", 8)[:-1]), data.split(b"\r\n", 8)[-1]]


@pytest.mark.parametrize("cut", [whole, line_by_line])
@pytest.mark.parametrize("group", GROUPS)
async def test_every_transport_gives_the_strict_verdict(group: str, cut: Callable[[bytes], list[bytes]]):
    """Phase, status and body are the same on each, and so is what they say of money, of an order, of the balance."""
    exchanges: dict[str, dict[str, Exchange]] = {}
    async with Server(replies(b"")) as server:
        for transport_name in TRANSPORTS:
            transport = transport_named(transport_name)(max_connections=1)
            found = exchanges[transport_name] = {}
            for name, raw in GROUPS[group].items():
                server.script = replies(*cut(raw.data))
                found[name] = await transport.send(request(server.url), timeout=5)
                await until(lambda: not server.open)  # its end belongs to this reply and not to the next
            await transport.aclose()
    strict = {name: raw.verdict for name, raw in GROUPS[group].items()}
    for found in exchanges.values():
        assert {name: outcomes(exchange)[0].verdict for name, exchange in found.items()} == strict
    for name in strict:
        same = [found[name] for found in exchanges.values()]
        assert len({repr(outcomes(exchange)) for exchange in same}) == 1, name
        assert len({(one.phase, one.status, one.retry_after, one.body) for one in same}) == 1


@pytest.mark.parametrize("group", GROUPS)
def test_pieces_do_not_matter(group: str):
    """However the network cuts a reply, it is read alike."""
    for raw in GROUPS[group].values():
        dice = random.Random(len(raw.data))
        whole = read(raw.data)
        cuts = sorted(dice.sample(range(len(raw.data) + 1), min(20, len(raw.data))))
        pieces = [raw.data[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw.data)], strict=True)]
        bytewise = [raw.data[at : at + 1] for at in range(min(2000, len(raw.data)))]
        for cut in (pieces, [*bytewise, raw.data[2000:]]):
            exchange = read(*cut)
            assert (exchange.phase, exchange.status, exchange.body) == (whole.phase, whole.status, whole.body)
            assert outcomes(exchange)[0].verdict is raw.verdict


def test_the_table_is_long():
    """It keeps its promise of variety."""
    assert len(REPLIES) >= 200
    assert len({raw.verdict for raw in REPLIES.values()}) == 6
