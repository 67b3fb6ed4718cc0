"""What one payout costs in things that can be counted, so that no change makes it dearer unnoticed.

Nothing here looks at a clock: how fast the machine is and what else it does changes none of these numbers.
"""

import asyncio
import gc
import json
import sys
import threading
import types
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import pytest
from attrs import evolve
from sqlalchemy import Connection, Engine, event

import paypro_async
from benchmarks.null import REPLY, ForgetfulLedger, NullTransport
from paypro_async import PayProClient, State
from paypro_async._core.outcome import classify_payout
from paypro_async._core.platform_codes import Codes
from paypro_async._core.regions import region_named
from paypro_async._core.wire import Exchange, WireRequest
from paypro_async.engine.intake import Intake
from paypro_async.ledger.sql.group import Claim, Move
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.runtime import SystemRuntime
from tests.support.fork_server import ForkServer
from tests.support.intents import ACCOUNT, change, intent
from tests.support.merchant import MERCHANT_NO, SIGNER, fields
from tests.support.servers import OK, Peer, Server

# At most. What a change makes cheaper may be written down here; what it makes dearer needs a reason.
MOST = MappingProxyType(
    {
        # What was counted on Python 3.11, and a tenth more for other versions of Python and of attrs.
        "calls of our own functions, payout()": 130,
        "calls of all Python functions, payout()": 150,
        "calls of our own functions, an item of a batch": 177,
        "calls of all Python functions, an item of a batch": 248,
        "calls of all Python functions, a payout that is checked": 19,
        "calls of all Python functions, a reply that is read": 25,
        # Exactly what was counted.
        "waits, payout(), a transport that answers at once": 0,
        "waits, payout(), aiohttp": 1,
        "waits, payout(), httpx": 1,
        "tasks, payout()": 0,
        "tasks, an item of a batch": 0.02,
        "tasks, a batch without items": 3,  # it runs, reads its source, and is noted in the ledger beside its payouts
        # The goals.
        "commits, 1,000 payouts, 128 at a time": 100,
        # Exactly what was counted: begin, a look whether it is the same ledger, one for each table, commit. At each of
        # them Python gives its lock away.
        "statements, a group of any size": 5,
        "statements that read payouts back": 0,
        # One lost object of the smallest kind for each item would be more.
        "bytes kept, 1,000 items": 8_000,
        "bytes more at the peak of 4,000 items than of 1,000": 64_000,
    }
)
PACKAGE = str(Path(paypro_async.__file__).parent)


class Soon(NullTransport):
    """A transport whose answer takes as long as one over a network."""

    async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
        await asyncio.sleep(0.005)
        return evolve(self.exchange, body=REPLY.replace(b"32e936de44164512abe419a9d1b2449a", uuid4().hex.encode()))


def client(**settings: Any) -> PayProClient:
    defaults = {"base_url": "http://127.0.0.1:9", "transport": NullTransport(), "ledger": ForgetfulLedger()}
    return PayProClient(merchant_no=MERCHANT_NO, signer=SIGNER, **(defaults | settings))


def items(name: str, count: int) -> Generator[dict[str, Any], None, None]:
    return (fields(f"{name}-{number}") for number in range(count))


async def pay_each(payer: PayProClient, name: str, count: int) -> None:
    for one in items(name, count):
        await payer.payout(**one)


@contextmanager
def counted_calls() -> Generator[Counter[str], None, None]:
    """Counts each call of a Python function in the block, and each time that a coroutine goes on."""
    counts: Counter[str] = Counter()

    def count(frame: types.FrameType, what: str, _: object) -> None:
        if what == "call":
            counts["all"] += 1
            file = frame.f_code.co_filename
            # attrs writes the constructors of our classes.
            counts["ours"] += file.startswith((PACKAGE, "<attrs generated"))

    sys.setprofile(count)
    try:
        yield counts
    finally:
        sys.setprofile(None)


@types.coroutine
def counted_waits(work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, int]:
    """Does *work* and returns how often it gave way to the event loop."""
    waits, value = 0, None
    while True:
        try:
            given = work.send(value)
        except StopIteration:
            return waits
        waits += 1
        value = yield given


@contextmanager
def counted_tasks() -> Generator[list[str], None, None]:
    """The tasks that are made in the block."""
    loop = asyncio.get_running_loop()
    made: list[str] = []

    def factory(loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> "asyncio.Task[Any]":
        made.append(work.__qualname__)
        return asyncio.Task(work, loop=loop, **more)

    loop.set_task_factory(factory)
    try:
        yield made
    finally:
        loop.set_task_factory(None)


def at_most(name: str, found: float) -> None:
    assert found <= MOST[name], f"{name}: {found:g} instead of {MOST[name]:g} at most"


@pytest.fixture(autouse=True)
def _no_collection() -> Generator[None, None, None]:
    # The collector calls back when it likes; what it calls is not ours.
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("kind", ["payout()", "an item of a batch"])
async def test_the_functions_that_a_payout_calls_are_as_few_as_they_were(kind: str) -> None:
    """Time goes where calls are made, and their number is the same on every machine."""
    count = 200
    async with client() as payer:

        async def pay(name: str) -> None:
            await (pay_each(payer, name, count) if kind == "payout()" else payer.batch_payout(items(name, count)))

        await pay("first")  # whatever is only made once
        with counted_calls() as calls:
            await pay("second")
    at_most(f"calls of our own functions, {kind}", calls["ours"] / count)
    at_most(f"calls of all Python functions, {kind}", calls["all"] / count)


@pytest.mark.parametrize("hooks", [[], [lambda _: None]], ids=["nobody listens", "one listens"])
async def test_what_is_told_costs_nothing_where_nobody_listens(hooks: list[Any]) -> None:
    """Not one function of hooks is called for a payout, in whatever way it is made; with a hook, some are."""
    called: Counter[str] = Counter()

    def count(frame: types.FrameType, what: str, _: object) -> None:
        if what == "call":
            called[frame.f_code.co_filename.removeprefix(PACKAGE)] += 1

    async with client(hooks=hooks) as payer:
        await pay_each(payer, "first", 3)
        sys.setprofile(count)
        try:
            await pay_each(payer, "second", 20)
            await payer.batch_payout(items("third", 20))
        finally:
            sys.setprofile(None)
        threads = [one.name for one in threading.enumerate() if one.name == "paypro-hooks"]
    told = sum(number for file, number in called.items() if file.startswith("/hooks/") or file == "/_core/events.py")
    assert called["/engine/payout.py"] > 40
    assert bool(told) is bool(threads) is bool(hooks)


def test_a_payout_is_checked_and_its_reply_read_by_as_few_functions_as_they_were() -> None:
    """A payout that is right is seen to be so at one look, and of a reply only what it holds is looked at."""
    intake = Intake(spec=region_named("india"), merchant_no=MERCHANT_NO, defaults={}, runtime=SystemRuntime())
    payout, codes = fields("T1"), Codes()
    for _ in range(2):  # whatever is only made once
        with counted_calls() as checking:
            intake.intent(payout)
        with counted_calls() as reading:
            classify_payout(NullTransport.exchange, codes, trade_no="T1")
    at_most("calls of all Python functions, a payout that is checked", checking["all"])
    at_most("calls of all Python functions, a reply that is read", reading["all"])


async def test_a_payout_gives_way_to_the_loop_only_where_it_must() -> None:
    """A wait that is for nothing costs a turn of the loop, which with many payouts under way is a long one."""
    async with client() as payer:
        waits = await counted_waits(payer.payout(**fields("T1")))
    at_most("waits, payout(), a transport that answers at once", waits)


async def answer_all(peer: Peer) -> None:
    reply = OK.replace(b"Content-Length: 2", b"Content-Length: %d" % len(REPLY)).replace(b"{}", REPLY)
    while True:
        await peer.read_request()
        await peer.write(reply)


@pytest.mark.parametrize("transport", ["aiohttp", "httpx"])
async def test_a_payout_on_a_kept_connection_waits_as_seldom_as_it_did(transport: str) -> None:
    """One wait is for the reply; any other is the transport's."""
    async with Server(answer_all) as server, client(base_url=server.base_url, transport=transport) as payer:
        await pay_each(payer, "first", 3)
        waits = [await counted_waits(payer.payout(**one)) for one in items("second", 20)]
    # Now and then a reply is there before it is waited for.
    at_most(f"waits, payout(), {transport}", max(waits))


async def others_have_ended() -> None:
    """Wait for ledgers that tests before this one have left while their server was gone; they leave garbage too."""
    async with asyncio.timeout(60):
        while any(one.name.startswith("paypro-ledger") for one in threading.enumerate()):  # noqa: ASYNC110  threads
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("transport", ["none", "aiohttp", "httpx"])
async def test_a_payout_leaves_nothing_to_the_collector(transport: str) -> None:
    """What it made goes with its last reference. A cycle would stay until a collection, which stops all payouts."""
    await others_have_ended()
    async with Server(answer_all) as server:
        own = {} if transport == "none" else {"base_url": server.base_url, "transport": transport}
        async with client(**own) as payer:
            await pay_each(payer, "first", 3)  # connects
            await payer.batch_payout(items("first batch", 3))  # imports what a batch needs
            gc.collect()
            await pay_each(payer, "second", 10)
            await payer.batch_payout(items("batch", 10), concurrency=4)
            gc.set_debug(gc.DEBUG_SAVEALL)
            try:
                gc.collect()
                left = Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.garbage)
            finally:
                gc.set_debug(0)
                gc.garbage.clear()
            assert not left


async def test_a_payout_makes_as_few_tasks_as_it_did() -> None:
    """payout() runs in its caller's task; a task of a batch takes item after item."""
    async with client() as payer:
        with counted_tasks() as alone:
            await pay_each(payer, "alone", 10)
        with counted_tasks() as none:
            await payer.batch_payout([])
        with counted_tasks() as batch:
            await payer.batch_payout(items("batch", 100))
    at_most("tasks, payout()", len(alone) / 10)
    at_most("tasks, a batch without items", len(none))
    at_most("tasks, an item of a batch", (len(batch) - len(none)) / 100)


async def workers(count: int, total: int, work: Callable[[str], Awaitable[object]]) -> None:
    numbers = iter(range(total))

    async def worker() -> None:
        for number in numbers:
            await work(f"T{number}")

    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(worker())


async def test_payouts_at_one_time_share_their_commits(tmp_path: Path) -> None:
    """Each commit is a flush of the disk, so 1,000 payouts that are under way together need 100 at most."""
    commits = 0

    def count(_: object) -> None:
        nonlocal commits
        commits += 1

    ledger = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with client(transport=Soon(), ledger=ledger, environment="costs") as payer:
        event.listen(Engine, "commit", count)
        try:
            await workers(128, 1_000, lambda trade_no: payer.payout(**fields(trade_no)))
        finally:
            event.remove(Engine, "commit", count)
    assert commits > 0
    at_most("commits, 1,000 payouts, 128 at a time", commits)


@pytest.mark.parametrize("size", [1, 30, 64])
async def test_a_group_costs_as_many_statements_as_one_payout(tmp_path: Path, size: int) -> None:
    """And what this process itself has under way is not read back."""
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}")
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("first"))
    statements: list[str] = []

    def watch(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        driver.set_trace_callback(statements.append)

    await ledger.read(watch)
    for work in (
        [Claim(intent(f"T{number}")) for number in range(size)],
        [Move(change(State.PROCESSING, f"T{number}")) for number in range(size)],
    ):
        statements.clear()
        answers = await asyncio.to_thread(ledger._work, work)
        assert all(answer.done for answer in answers)
        # What a trigger looks at is told as the statement once more.
        told = [text for text, _ in groupby(statements)]
        at_most("statements, a group of any size", len(told))
        read = [text for text in told if text.startswith("SELECT") and "payout" in text]
        at_most("statements that read payouts back", len(read))
    await ledger.aclose()


@pytest.mark.parametrize("transport", ["aiohttp", "httpx"])
async def test_connections_are_kept(transport: str) -> None:
    """1,000 payouts need no more connections than there are payouts at one time."""
    settings = {"transport": transport, "max_connections": 20}
    async with Server(answer_all) as server, client(base_url=server.base_url, **settings) as payer:
        await workers(20, 1_000, lambda trade_no: payer.payout(**fields(trade_no)))
        assert len(server.requests) == 1_000
        assert server.accepted <= 20


async def test_a_batch_keeps_nothing_of_an_item_that_has_ended(tmp_path, fork_server: ForkServer) -> None:
    """However long a batch is, it holds what is under way and a report of fixed size."""
    # In a process of its own, since what else this one takes meanwhile would be counted with it.
    child = fork_server.start("tests.support.programs.batch_memory", 1_000, 4_000, folder=tmp_path)
    assert await child.ended(within=120) == 0, child.errors
    found = json.loads(child.output)
    kept, peaks = found["kept"], found["peaks"]
    at_most("bytes kept, 1,000 items", (kept[1] - kept[0]) / 3)
    at_most("bytes more at the peak of 4,000 items than of 1,000", peaks[1] - peaks[0])
