"""Replies as no platform should send them: made from those of the contract, and changed at random."""

import random
from collections.abc import Callable, Iterator

from tests.support.raw_replies import FAILED, PAID, PROCESSING, REFUSED, REPLIES, chunks, sized

_SHORT = [raw.data for raw in REPLIES.values() if 0 < len(raw.data) < 4_000]
_LONG = [raw.data for raw in REPLIES.values() if len(raw.data) >= 4_000]
_BODIES = [PAID, PROCESSING, FAILED, REFUSED, REFUSED.replace(b"60030", b"9999"), PAID.replace(b"P-1", b"P-2")]
_TOKENS = [
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"\r\n\r\n", b"\n\n", b"0\r\n\r\n", b"\xef\xbb\xbf", b"\x1b[2J"),
    *(
        b"Content-Length: 2\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Encoding: gzip\r\n",
    ),
    *(
        b"Connection: close\r\n",
        b"Content-Length: -1\r\n",
        b"X: y\r\n",
        b" folded\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ),
    *(
        b"HTTP/1.1 200 OK\r\n",
        b"chunked",
        b"identity",
        b"ffffffff",
        b"0000",
        b"0015",
        b"60030",
        b"9999",
        b"null",
        b"true",
    ),
    *(
        b'"',
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b'"status":"0000",',
        b'"code":"0000",',
        b'"tradeNo":"T2",',
        b'"success":false,',
    ),
    *(b"\\u0000", b"\\ud800", b"1e999999", b"NaN", b"\xff", "\u202e".encode(), "成功".encode("gbk"), b'"amount":"1",'),
]


def _flip(data: bytearray, dice: random.Random) -> None:
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def _insert(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data))
    data[at:at] = dice.choice(_TOKENS)


def _replace(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data))
    token = dice.choice(_TOKENS)
    data[at : at + len(token)] = token


def _delete(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data))
    del data[at : at + dice.randint(1, 12)]


def _double(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data))
    piece = bytes(data[at : at + dice.randint(1, 60)])
    data[at:at] = piece


def _double_line(data: bytearray, dice: random.Random) -> None:
    lines = bytes(data).split(b"\r\n")
    at = dice.randrange(len(lines))
    lines.insert(at, lines[at])
    data[:] = b"\r\n".join(lines)


def _cut(data: bytearray, dice: random.Random) -> None:
    del data[dice.randint(1, len(data)) :]


def _another(data: bytearray, dice: random.Random) -> None:
    data += dice.choice(_SHORT)


def _case(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data))
    data[at : at + 20] = data[at : at + 20].swapcase()


_CHANGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    *(_flip, _insert, _insert, _replace, _replace, _delete, _double, _double_line, _cut, _another, _case),
)


def hostile_replies(seed: int, count: int) -> Iterator[bytes]:
    """*count* replies, the same for each *seed*; some of them are still fine."""
    dice = random.Random(seed)
    for _ in range(count):
        chosen = dice.random()
        if chosen < 0.01:
            data = bytearray(dice.choice(_LONG))
        elif chosen < 0.5:
            data = bytearray(dice.choice(_SHORT))
        else:
            body = bytearray(dice.choice(_BODIES))
            for _ in range(dice.choice((0, 1, 1, 2, 3))):
                dice.choice(_CHANGES)(body, dice)
                body = body or bytearray(b"{")
            yield sized(bytes(body)) if dice.random() < 0.7 else chunks(bytes(body[:9]), bytes(body[9:]) or b"}")
            continue
        for _ in range(dice.choice((1, 1, 1, 2, 3, 5))):
            dice.choice(_CHANGES)(data, dice)
            data = data or bytearray(b"\n")
        yield bytes(data)
