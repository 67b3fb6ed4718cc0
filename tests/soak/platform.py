"""A platform that does its worst, made of nothing but asyncio: it shares no code with the product or its sandbox.

It books whatever it is sent, as often as it is sent. It books late and shows what it booked later still; it loses
replies before and after the booking, answers with pages and rubbish, sends too slowly, is busy, and says "no such
order" of what it is just booking. What it never does is to break its own bound: ``lag`` seconds after a request was
read a question sees its order.
"""

import asyncio
import hashlib
import json
import socket
import struct
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from random import Random
from types import TracebackType
from typing import Any, Self

from attrs import frozen

_RESET = struct.pack("ii", 1, 0)
_STALL_PROBE = 0.02
_INDIA = timezone(timedelta(hours=5, minutes=30))


@frozen
class Booking:
    """One movement of money."""

    platform_trade_no: str
    amount: str
    seen_from: float
    paid_at: str


class FaultyPlatform:
    """Serves on a loopback port from the block's beginning to its end.

    Args:
        faults: Share of the payout requests that something befalls.
        tries: How many requests of one number it may befall.
        query_faults: Share of the questions that something befalls.
        lag: Seconds from a request to the moment from which on a question shows its order, at most.
        rejected: Share of the numbers whose payout fails; half of them are refused before there is an order.
        processing: Share of the replies that say "under way" of what was paid.
        slow: Seconds that a good reply takes at most.
    """

    def __init__(
        self,
        *,
        seed: int,
        faults: float = 0.3,
        tries: int = 4,
        query_faults: float = 0.15,
        lag: float = 0.3,
        rejected: float = 0.03,
        processing: float = 0.05,
        slow: float = 0.05,
    ) -> None:
        self.random = Random(seed)
        self.books: defaultdict[str, list[Booking]] = defaultdict(list)
        self.contents: defaultdict[str, set[str]] = defaultdict(set)
        self.arrivals: list[float] = []
        self.sent: Counter[str] = Counter()
        self.journal: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
        self.questions = 0
        self.longest_stall = 0.0
        self._faults, self._tries, self._query_faults = faults, tries, query_faults
        self._lag, self._rejected, self._processing, self._slow = lag, rejected, processing, slow
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=1024)
        self._do(self._watch_stalls())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for connection in list(self._connections):
            connection.reset()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def base_url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/india-pay"

    def fate(self, trade_no: str) -> str:
        """What a payout of this number comes to: it is the platform's to say, and the same at each attempt."""
        share = int.from_bytes(hashlib.blake2b(trade_no.encode(), digest_size=4).digest()) / 2**32
        return "paid" if share >= self._rejected else "failed" if share >= self._rejected / 2 else "refused"

    def _do(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch_stalls(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(_STALL_PROBE)
            self.longest_stall = max(self.longest_stall, time.monotonic() - before - _STALL_PROBE)

    # --- what comes in

    def take(self, connection: "_Connection", path: str, body: bytes) -> None:
        """One request."""
        fields = json.loads(body)
        if path.endswith("/v1/paypro/payout"):
            self._payout(connection, fields)
        elif path.endswith("/v1/paypro/queryPayOutResult"):
            self._question(connection, fields["tradeNo"])
        else:
            connection.reply(404, b"<html>not here</html>")

    def _payout(self, connection: "_Connection", fields: dict[str, str]) -> None:
        trade_no = fields["tradeNo"]
        self.arrivals.append(time.monotonic())
        self.journal[trade_no].append((time.monotonic(), connection.peer))
        self.sent[trade_no] += 1
        self.contents[trade_no].add(json.dumps({k: v for k, v in fields.items() if k not in ("timestamp", "sign")}))
        faulty = self.sent[trade_no] <= self._tries and self.random.random() < self._faults
        if not faulty:
            answer = self._act(fields, 0.0)
            self._after(self.random.random() * self._slow, lambda: connection.reply(200, answer))
            return
        _name, books, spoil = self.random.choice(_FAULTS)
        after = self.random.random() * self._lag / 2
        answer = b""
        if books == "now":
            answer = self._act(fields, 0.0)
        elif books == "late":
            # It is booked whatever becomes of the connection, and of whoever sent it.
            self._after(after, lambda: self._act(fields, after))
            answer = self._answer(fields, f"P-late-{trade_no}")
        spoil(self, connection, answer)

    def _act(self, fields: dict[str, str], waited: float) -> bytes:
        """Book; a question sees it from a little later on."""
        trade_no = fields["tradeNo"]
        number = f"P{len(self.books)}-{len(self.books[trade_no])}-{trade_no}"
        if self.fate(trade_no) == "paid":
            seen = time.monotonic() + self.random.random() * max(0.0, self._lag - waited) / 2
            paid_at = f"{datetime.now(_INDIA):%Y-%m-%d %H:%M:%S}"
            self.books[trade_no].append(Booking(number, fields["amount"], seen, paid_at))
        return self._answer(fields, number)

    def _answer(self, fields: dict[str, str], number: str) -> bytes:
        match self.fate(fields["tradeNo"]):
            case "paid":
                status = "0015" if self.random.random() < self._processing else "0000"
                return _envelope({"platFormTradeNo": number, "status": status, "desc": "words", "remark": ""})
            case "failed":
                return _envelope({"platFormTradeNo": "", "status": "00029", "desc": "REJECTED_TRANSACTION"})
            case _:
                return _envelope(None, code="0100019", msg="PAYEE_DAILY_CUMULATIVE_AMT_REACHED")

    def _question(self, connection: "_Connection", trade_no: str) -> None:
        self.questions += 1
        if self.random.random() < self._query_faults:
            self.random.choice(_QUERY_FAULTS)(self, connection, _envelope(None))
            return
        shown = [one for one in self.books.get(trade_no, ()) if one.seen_from <= time.monotonic()]
        data = None
        if shown:
            one = shown[0]
            data = {"platFormTradeNo": one.platform_trade_no, "tradeNo": trade_no, "status": "0000"}
            data |= {"message": "SUCCESS", "amount": one.amount, "successTime": one.paid_at, "utr": "1" * 12}
        connection.reply(200, _envelope(data))

    # --- what goes wrong on the way back

    def _after(self, seconds: float, do: Callable[[], object]) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            do()

        self._do(wait())

    def _whole(self, connection: "_Connection", answer: bytes) -> None:
        connection.reply(200, answer)

    def _reset(self, connection: "_Connection", _answer: bytes) -> None:
        connection.reset()

    def _hang_up(self, connection: "_Connection", _answer: bytes) -> None:
        connection.close()

    def _silence(self, _connection: "_Connection", _answer: bytes) -> None:
        """No answer, for as long as somebody waits for it."""

    def _busy(self, connection: "_Connection", _answer: bytes) -> None:
        connection.reply(429, b"<html>slow down</html>", "Retry-After: 0\r\n")

    def _page(self, connection: "_Connection", _answer: bytes) -> None:
        status = self.random.choice([200, 500, 502, 503, 504])
        connection.reply(status, b"<html><h1>Bad Gateway</h1></html>")

    def _error_in_envelope(self, connection: "_Connection", _answer: bytes) -> None:
        connection.reply(200, _envelope(None, code="5000", msg="system error"))

    def _rubbish(self, connection: "_Connection", answer: bytes) -> None:
        rubbish = [answer[: len(answer) // 2], b"\x00\xff\xfe" * 20, b"", b"null", b"[]", b'{"code":"0000"}']
        connection.reply(200, self.random.choice(rubbish))

    def _not_http(self, connection: "_Connection", _answer: bytes) -> None:
        connection.write(b"\x15\x03\x01 what?\r\n\r\n")
        connection.close()

    def _cut(self, connection: "_Connection", answer: bytes) -> None:
        connection.write(_head(200, len(answer)) + answer[: len(answer) // 2])
        connection.close()

    def _drip(self, connection: "_Connection", answer: bytes) -> None:
        async def drip() -> None:
            for byte in _head(200, len(answer)) + answer:
                connection.write(bytes([byte]))
                await asyncio.sleep(0.05)

        self._do(drip())

    def _slowly(self, connection: "_Connection", answer: bytes) -> None:
        self._after(self._lag, lambda: connection.reply(200, answer))


_P = FaultyPlatform
# Its name, when it is booked, and what becomes of the reply.
_FAULTS: list[tuple[str, str, Callable[[FaultyPlatform, "_Connection", bytes], None]]] = [
    ("reset before", "never", _P._reset),
    ("reset before", "never", _P._reset),
    ("hung up before", "never", _P._hang_up),
    ("silent before", "never", _P._silence),
    ("busy", "never", _P._busy),
    ("a gateway's page before", "never", _P._page),
    ("reset after", "now", _P._reset),
    ("hung up after", "now", _P._hang_up),
    ("silent after", "now", _P._silence),
    ("a page after", "now", _P._page),
    ("a page after", "now", _P._page),
    ("an error in its envelope after", "now", _P._error_in_envelope),
    ("rubbish after", "now", _P._rubbish),
    ("no HTTP after", "now", _P._not_http),
    ("cut after", "now", _P._cut),
    ("dripping", "now", _P._drip),
    ("slow", "now", _P._slowly),
    ("booked late, reset", "late", _P._reset),
    ("booked late, reset", "late", _P._reset),
    ("booked late, a page", "late", _P._page),
    ("booked late, silent", "late", _P._silence),
]
_QUERY_FAULTS = [_P._reset, _P._page, _P._busy, _P._error_in_envelope, _P._hang_up, _P._cut]


class _Connection(asyncio.Protocol):
    """One request after the other; a client that is gone is none of the platform's business."""

    def __init__(self, platform: FaultyPlatform) -> None:
        self._platform = platform
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.peer: int = transport.get_extra_info("peername")[1]
        self._platform._connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        self._platform._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not separator:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers["content-length"])
        if len(rest) >= length:
            self._buffer.clear()
            self._platform.take(self, first.split()[1], rest[:length])

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def reply(self, status: int, body: bytes, headers: str = "") -> None:
        self.write(_head(status, len(body), headers) + body)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        if self._transport is not None:
            wire: socket.socket = self._transport.get_extra_info("socket")
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()


def _head(status: int, length: int, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} Words\r\nContent-Type: text/plain\r\n{headers}Content-Length: {length}\r\n\r\n".encode()


def _envelope(data: object, *, code: str = "0000", msg: str = "success") -> bytes:
    envelope = {"msg": msg, "code": code, "timestamp": 1, "success": code == "0000", "data": data}
    return json.dumps(envelope).encode()
