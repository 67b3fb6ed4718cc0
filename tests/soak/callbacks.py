"""A service is killed again and again while callbacks arrive: none that was answered OK is lost, each change is told.

The sender stands for the platform: each callback, shuffled and several times, until it is answered exactly ``OK``.
"""

import asyncio
import hashlib
import json
import random
import signal
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import aiohttp
from attrs import define, evolve, field, frozen

from paypro_async._core.lifecycle import State
from paypro_async.ledger.admin import listeners
from paypro_async.ledger.outbox import Cursor
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT, MERCHANT, change, intent

__all__ = ["CallbackAudit", "receive_while_killed"]

_SECRET = "sandbox-secret"
_CONSUMER = "service"
_PROGRAM = "tests.support.programs.callback_service"
ROOT = Path(__file__).parent.parent.parent


@frozen(kw_only=True)
class CallbackAudit:
    """What was wrong in the end, and how much was done."""

    callbacks: int
    answered: int
    kills: int
    lost: tuple[str, ...]
    wrong: tuple[str, ...]
    untold: tuple[str, ...]
    disordered: tuple[str, ...]
    told_again: int
    seconds: float

    @property
    def clean(self) -> bool:
        return not (self.lost or self.wrong or self.untold or self.disordered)

    def __str__(self) -> str:
        return (
            f"{self.callbacks} callbacks in {self.seconds:.1f} s, {self.answered} answers OK, {self.kills} kills: "
            f"{len(self.lost)} answered and not stored, {len(self.wrong)} in a wrong state, {len(self.untold)} changes "
            f"not told, {len(self.disordered)} payouts told out of order, {self.told_again} told again"
        )


def body_of(trade_no: str, status: str) -> bytes:
    """A callback as the platform signs it."""
    members = {
        "status": status,
        "message": "SUCCESS" if status == "0000" else "CREDIT_INPROGRESS" if status == "0015" else "REJECTED",
        "platFormTradeNo": f"P{trade_no}",
        "tradeNo": trade_no,
        "amount": "300",
        "timestamp": "1724740395968",
    }
    text = "".join(f"{name}={members[name]}" for name in sorted(members)) + _SECRET
    return json.dumps(members | {"sign": hashlib.md5(text.encode()).hexdigest()}).encode()


@define(eq=False)
class _Worker:
    """One process of the service, which is started anew whenever it was killed."""

    url: str
    told: Path
    defect: str
    port: int = field(init=False)
    process: "asyncio.subprocess.Process | None" = None

    def __attrs_post_init__(self) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]

    async def start(self) -> None:
        command = [sys.executable, "-m", _PROGRAM, str(self.port), self.url, str(self.told), _CONSUMER, self.defect]
        self.process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
        async with asyncio.timeout(60):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return

    async def end(self, how: signal.Signals) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(how)
            await self.process.wait()


@define(eq=False)
class _Trial:
    workers: list[_Worker]
    dice: random.Random
    queue: "asyncio.Queue[tuple[str, str]]"
    answered: dict[str, str] = field(factory=dict)
    answers: int = 0
    kills: int = 0

    async def send(self, session: aiohttp.ClientSession) -> None:
        while True:
            trade_no, status = await self.queue.get()
            body = body_of(trade_no, status)
            while not await self._is_taken(session, body):  # noqa: ASYNC110  a service that is killed tells nobody
                await asyncio.sleep(0.02)
            self.answers += 1
            if status != "0015":
                self.answered[trade_no] = status
            self.queue.task_done()

    async def _is_taken(self, session: aiohttp.ClientSession, body: bytes) -> bool:
        worker = self.dice.choice(self.workers)
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with session.post(f"http://127.0.0.1:{worker.port}/", data=body) as answer:
                return answer.status == 200 and await answer.read() == b"OK"
        return False

    async def kill(self, pause: float) -> None:
        while True:
            await asyncio.sleep(pause * self.dice.uniform(0.5, 1.5))
            worker = self.dice.choice(self.workers)
            await worker.end(signal.SIGKILL)
            self.kills += 1
            await worker.start()


async def receive_while_killed(
    url: str, folder: Path, *, workers: int, payouts: int, pause: float, seed: int, defect: str = "-"
) -> CallbackAudit:
    """Run it all, and look at what came of it.

    Args:
        url: A ledger with its tables.
        workers: Processes of the service.
        payouts: Each gets a final callback, and most of them some others, all shuffled.
        pause: Seconds between two kills.
        defect: One that the service has; "-" for none.
    """
    dice = random.Random(seed)
    numbers = [f"T{number:05}" for number in range(payouts)]
    truth = {number: dice.choice(["0000", "0000", "0000", "00029"]) for number in numbers}
    await _fill(url, numbers)
    crew = [_Worker(url, folder / f"told-{number}.txt", defect) for number in range(workers)]
    await asyncio.gather(*(one.start() for one in crew))
    callbacks = [(number, status) for number, status in truth.items() for _ in range(dice.choice([1, 2, 3]))]
    callbacks += [(number, "0015") for number in numbers if dice.random() < 0.4]
    dice.shuffle(callbacks)
    trial = _Trial(crew, dice, asyncio.Queue())
    for one in callbacks:
        trial.queue.put_nowait(one)
    began = time.monotonic()
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
        helpers = [asyncio.ensure_future(trial.send(session)) for _ in range(40)]
        helpers.append(asyncio.ensure_future(trial.kill(pause)))
        try:
            await trial.queue.join()
            seconds = time.monotonic() - began
        finally:
            for one in helpers:
                one.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
    for one in crew:  # a kill may have been cut off
        await one.end(signal.SIGKILL)
    await asyncio.gather(*(one.start() for one in crew))
    try:
        return await _audit(url, trial, truth, [one.told for one in crew], seconds, len(callbacks))
    finally:
        for one in crew:
            await one.end(signal.SIGTERM)


async def _fill(url: str, numbers: Sequence[str]) -> None:
    """Payouts that the platform has accepted; the consumer is known before, so that it hears of all that follows."""
    ledger = SqlLedger(url)
    await ledger.open(ACCOUNT)
    for first in range(0, len(numbers), 500):
        page = numbers[first : first + 500]
        await asyncio.gather(*(ledger.claim(evolve(intent(one), settle_after=60.0)) for one in page))
        await asyncio.gather(
            *(ledger.move(change(State.PROCESSING, one, code="0015", platform_trade_no=f"P{one}")) for one in page)
        )
    await ledger.register(MERCHANT, _CONSUMER)
    await ledger.aclose()


async def _audit(
    url: str, trial: _Trial, truth: dict[str, str], files: Sequence[Path], seconds: float, callbacks: int
) -> CallbackAudit:
    ledger = SqlLedger(url)
    await ledger.open_to_read()
    try:
        await _until_all_is_told(ledger)
        wanted = {"0000": State.SUCCEEDED, "00029": State.FAILED}
        found: dict[str, State] = {}
        numbers = list(truth)
        for first in range(0, len(numbers), 500):
            page = await ledger.get_many(MERCHANT, numbers[first : first + 500])
            found |= {number: entry.state for number, entry in page.items()}
        made: dict[str, list[str]] = defaultdict(list)
        cursor, fresh = Cursor(position=0), True
        while fresh:
            changes, after = await ledger.changes(MERCHANT, cursor, limit=500)
            for one in changes:
                if one.status.value in ("succeeded", "failed", "review"):
                    made[one.trade_no].append(one.id)
            fresh, cursor = after.position > cursor.position, after
    finally:
        await ledger.aclose()
    lines = [line.split() for file in files if file.exists() for line in file.read_text().splitlines()]
    told: dict[str, list[str]] = defaultdict(list)
    for _, trade_no, name in sorted(lines, key=lambda line: int(line[0])):
        told[trade_no].append(name)
    return CallbackAudit(
        callbacks=callbacks,
        answered=trial.answers,
        kills=trial.kills,
        lost=tuple(one for one, status in trial.answered.items() if found[one] is not wanted[status]),
        wrong=tuple(one for one, status in truth.items() if found[one] is not wanted[status]),
        untold=tuple(name for number, names in made.items() for name in names if name not in told[number]),
        disordered=tuple(number for number in made if list(dict.fromkeys(told[number])) != made[number]),
        told_again=len(lines) - len({line[2] for line in lines}),
        seconds=seconds,
    )


async def _until_all_is_told(ledger: SqlLedger) -> None:
    async with asyncio.timeout(120):
        while True:
            (one,) = await listeners.consumers(ledger, MERCHANT)
            if not one.behind and not one.waiting:
                return
            await asyncio.sleep(0.1)
