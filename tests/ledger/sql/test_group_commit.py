"""Group commit: one thread between any number of callers, in any event loop, and the work."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from paypro_async import LedgerUnavailableError
from paypro_async.ledger.sql import group_commit
from paypro_async.ledger.sql.group_commit import GroupCommit
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT, MERCHANT, intent

NAME = "writer-of-a-test"


def open_files() -> list[str]:
    files = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that lists them
            files.append(str(descriptor.readlink()))
    return files


def threads(name: str = NAME) -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == name]


class Work:
    """Answers each request with itself; a callable is called, and its answer or error is the result."""

    def __init__(self) -> None:
        self.groups: list[list[Any]] = []
        self.begun = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self, requests: Sequence[Any]) -> list[Any]:
        self.groups.append(list(requests))
        self.begun.set()
        assert self.may_go_on.wait(10)
        return [request() if callable(request) else request for request in requests]


async def held_back(work: Work, writer: GroupCommit) -> "asyncio.Task[Any]":
    """A request that is being worked on until the work may go on."""
    work.may_go_on.clear()
    task = asyncio.ensure_future(writer.submit("first"))
    await asyncio.to_thread(work.begun.wait, 10)
    return task


async def test_each_caller_gets_its_own_answer():
    """In the order of the requests, whatever the groups were."""
    writer = GroupCommit(Work(), name=NAME)
    assert await asyncio.gather(*(writer.submit(n) for n in range(1200))) == list(range(1200))
    await writer.aclose()


async def test_what_waits_is_one_group():
    """While one group is written the next one gathers, up to a bound."""
    work = Work()
    writer = GroupCommit(work, name=NAME)
    first = await held_back(work, writer)
    waiting = [asyncio.ensure_future(writer.submit(n)) for n in range(100)]
    await asyncio.sleep(0)
    work.may_go_on.set()
    await asyncio.gather(first, *waiting)
    await writer.aclose()
    assert [len(group) for group in work.groups] == [1, 64, 36]


async def test_the_thread_is_woken_for_a_group_and_not_for_each_request(monkeypatch: pytest.MonkeyPatch):
    """By the first one, and once there are enough: each time it takes Python's lock from the event loop."""
    work = Work()
    writer = GroupCommit(work, name=NAME, enough=lambda: 40)
    woken: list[int] = []
    notify = writer._changed.notify

    def count() -> None:
        woken.append(len(writer._jobs))
        notify()

    monkeypatch.setattr(writer._changed, "notify", count)
    monkeypatch.setattr(group_commit, "_LONGEST_WAIT", 10.0)
    await asyncio.sleep(0.05)  # until it waits
    assert await asyncio.gather(*(writer.submit(n) for n in range(40))) == list(range(40))
    assert [len(group) for group in work.groups] == [40]
    assert set(woken) <= {1, 40}
    assert len(woken) <= 2
    monkeypatch.undo()
    await writer.aclose()


async def test_an_error_in_the_results_is_for_one_caller():
    """The others of its group have what they asked for."""
    writer = GroupCommit(Work(), name=NAME)
    answers = await asyncio.gather(
        *(writer.submit(one) for one in (1, lambda: KeyError("T9"), 3)), return_exceptions=True
    )
    await writer.aclose()
    assert [answers[0], answers[2]] == [1, 3]
    assert isinstance(answers[1], KeyError)


async def test_an_error_of_the_work_is_for_the_whole_group():
    """And the thread goes on with the next group."""

    def fail() -> None:
        raise OSError("the disk is gone")

    work = Work()
    writer = GroupCommit(work, name=NAME)
    first = await held_back(work, writer)
    waiting = [asyncio.ensure_future(writer.submit(one)) for one in (1, fail, 3)]
    await asyncio.sleep(0)
    work.may_go_on.set()

    assert await first == "first"
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(one) for one in answers] == ["the disk is gone"] * 3
    assert await writer.submit(4) == 4
    await writer.aclose()


class OddError(Exception):
    """One that cannot be made again from what it holds."""

    def __init__(self, *, number: int) -> None:
        super().__init__(f"odd {number}")


@pytest.mark.parametrize("error", [LedgerUnavailableError("away", trade_no="T1"), OddError(number=7)])
async def test_the_thread_survives_any_error_and_tells_each_caller(error: Exception):
    """Whatever the work raises, the whole group hears of it; a traceback belongs to one task where that can be."""

    def fail() -> None:
        raise error

    work = Work()
    writer = GroupCommit(work, name=NAME)
    first = await held_back(work, writer)
    waiting = [asyncio.ensure_future(writer.submit(fail)) for _ in range(2)]
    await asyncio.sleep(0)
    work.may_go_on.set()

    await first
    async with asyncio.timeout(5):
        one, other = await asyncio.gather(*waiting, return_exceptions=True)
    assert type(one) is type(other) is type(error)
    assert str(one) == str(other) == str(error)
    assert (one is other) == isinstance(error, OddError)
    assert await writer.submit(4) == 4
    await writer.aclose()


async def test_a_cancelled_caller_does_not_take_its_request_back():
    """It is done all the same, and nobody else waits longer for it."""
    work = Work()
    writer = GroupCommit(work, name=NAME)
    first = await held_back(work, writer)
    second = asyncio.ensure_future(writer.submit("second"))
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    await asyncio.wait({first, second})
    work.may_go_on.set()
    assert await writer.submit("third") == "third"
    await writer.aclose()
    assert first.cancelled()
    assert [request for group in work.groups for request in group] == ["first", "second", "third"]


async def test_closing_does_what_waits_and_ends_the_thread():
    """Whoever asked before the end gets an answer, whoever asks after it an error at once."""
    work = Work()
    writer = GroupCommit(work, name=NAME)
    assert len(threads()) == 1
    first = await held_back(work, writer)
    waiting = [asyncio.ensure_future(writer.submit(n)) for n in range(600)]
    await asyncio.sleep(0)
    closing = [asyncio.create_task(writer.aclose()) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(LedgerUnavailableError, match="closed"):
        await writer.submit("late")
    work.may_go_on.set()

    assert await asyncio.gather(first, *waiting) == ["first", *range(600)]
    await asyncio.gather(*closing)
    assert threads() == []
    with pytest.raises(LedgerUnavailableError, match="closed"):
        await writer.submit("later")


@pytest.mark.parametrize("waiting", [499, 500])
async def test_closing_at_the_edge_of_a_full_group(waiting: int):
    """The end may come as the last of a group or behind it."""
    work = Work()
    writer = GroupCommit(work, name=NAME)
    first = await held_back(work, writer)
    tasks = [asyncio.ensure_future(writer.submit(n)) for n in range(waiting)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(writer.aclose())
    await asyncio.sleep(0)
    work.may_go_on.set()
    assert await asyncio.gather(first, *tasks) == ["first", *range(waiting)]
    await closing
    assert threads() == []


async def test_an_event_loop_that_ended_stops_nobody():
    """Its callers are gone with it; those of other loops are woken, and what was asked for is done."""
    work = Work()
    writer = GroupCommit(work, name=NAME)
    first = await held_back(work, writer)

    async def leave() -> None:
        task = asyncio.ensure_future(writer.submit("from the loop that ends"))
        await asyncio.sleep(0)
        task.cancel()

    await asyncio.to_thread(asyncio.run, leave())
    ours = asyncio.ensure_future(writer.submit("ours"))
    await asyncio.sleep(0)
    work.may_go_on.set()

    assert await asyncio.gather(first, ours) == ["first", "ours"]
    await writer.aclose()
    assert work.groups[1:] == [["from the loop that ends", "ours"]]


async def test_two_event_loops_share_one_ledger(durable: SqlLedger):
    """Two threads claim the same numbers through one object: each number is claimed once, and nobody waits for ever."""
    wanted = [f"T{n}" for n in range(200)]

    async def claim_all() -> set[str]:
        await durable.open(ACCOUNT)
        answers = await asyncio.gather(*(durable.claim(intent(one)) for one in wanted))
        return {one.entry.trade_no for one in answers if one.done}

    theirs, ours = await asyncio.gather(asyncio.to_thread(asyncio.run, claim_all()), claim_all())

    assert not theirs & ours
    assert theirs | ours == set(wanted)


@pytest.fixture
def of_others() -> list[threading.Thread]:
    """Writers of ledgers that other tests have left to the end of the process."""
    return threads("paypro-ledger")


async def test_closing_a_ledger_stores_what_was_asked_for(of_others: list[threading.Thread], durable: SqlLedger):
    """Claims that wait while it closes are durable, and their callers hear of it."""
    claims = [asyncio.create_task(durable.claim(intent(f"T{n}"))) for n in range(300)]
    await asyncio.sleep(0)
    await durable.aclose()
    await durable.aclose()
    assert set(threads("paypro-ledger")) <= set(of_others)
    assert all(one.done for one in await asyncio.gather(*claims))

    await durable.open(ACCOUNT)
    assert len(await durable.open_entries(MERCHANT, limit=1000)) == 300


async def test_a_ledger_whose_closing_is_cancelled_can_still_be_closed(
    of_others: list[threading.Thread], durable: SqlLedger
):
    """The second call ends what the first one left."""
    await durable.claim(intent())
    closing = asyncio.create_task(durable.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait({closing})
    await durable.aclose()
    assert set(threads("paypro-ledger")) <= set(of_others)


async def test_a_ledger_that_nobody_waits_for_any_more_is_closed_when_it_answers(
    of_others: list[threading.Thread], durable: SqlLedger
):
    """Its thread ends by itself and leaves no file open."""
    go_on = threading.Event()
    held = asyncio.create_task(durable.read(lambda _: go_on.wait(10)))
    await asyncio.sleep(0.01)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(durable.aclose(), 0.01)
    go_on.set()
    await asyncio.wait({held})
    for thread in set(threads("paypro-ledger")) - set(of_others):
        await asyncio.to_thread(thread.join, 10)
    assert [path for path in open_files() if path.startswith(durable.name)] == []


async def test_whoever_closes_hears_why_that_failed():
    """The thread ends all the same."""

    def fail() -> None:
        raise OSError("the disk is full")

    writer = GroupCommit(Work(), name=NAME, at_end=fail)
    with pytest.raises(OSError, match="the disk is full"):
        await writer.aclose()
    assert threads() == []
