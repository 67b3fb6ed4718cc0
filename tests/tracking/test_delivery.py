"""Every change of a payout's status is told at least once, in order per payout, whoever made it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from paypro_async import (
    ConfigurationError,
    Decision,
    Md5Signer,
    MemoryLedger,
    PayoutChange,
    PayProClient,
    PayProError,
    decide,
)
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.sandbox import Sandbox
from paypro_async.tracking import delivery
from tests.support.postgres import Server
from tests.support.valid import FIELDS

pytestmark = pytest.mark.each_loop

Make = Callable[..., PayProClient]
PAID = "sandbox:paid"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'payouts.db'}"
    server: Server = request.getfixturevalue("server")
    return await server.ledger()


@pytest.fixture
def make(sandbox: Sandbox) -> Make:
    def one(ledger: Any = "memory", *, base_url: str | None = None, **settings: Any) -> PayProClient:
        return PayProClient(
            base_url=base_url or sandbox.base_url,
            environment=sandbox.environment,
            merchant_no="0000000001",
            signer=Md5Signer("sandbox-secret"),
            ledger=ledger,
            **settings,
        )

    return one


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a back-off or a look."""
    monkeypatch.setattr(delivery, "_FIRST_BACKOFF", 0.002)
    monkeypatch.setattr(delivery, "_LONGEST_BACKOFF", 0.01)
    monkeypatch.setattr(delivery, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(delivery, "_LONGEST_LOOK", 0.02)


class Told:
    """A handler that remembers what it was told."""

    def __init__(self) -> None:
        self.changes: list[PayoutChange] = []
        self._more = asyncio.Condition()

    async def __call__(self, change: PayoutChange) -> None:
        async with self._more:
            self.changes.append(change)
            self._more.notify_all()

    async def until(self, count: int) -> list[PayoutChange]:
        async with asyncio.timeout(20), self._more:
            await self._more.wait_for(lambda: len(self.changes) >= count)
        return self.changes

    @property
    def words(self) -> list[tuple[str | None, str, str]]:
        return [(one.before and one.before.value, one.status.value, one.cause.value) for one in self.changes]


def fields(trade_no: str, **more: str) -> dict[str, str]:
    return {**FIELDS, "trade_no": trade_no, **more}


async def test_each_change_is_told_in_order_with_its_cause(make: Make, sandbox: Sandbox):
    """An attempt, a query, a person; and each has an id of its own."""
    told = Told()
    async with make(on_change=told) as client:
        await client.payout(**fields("T1"))
        sandbox.books.set_status("T1", "0000")
        await client.query("T1")
        await decide(client.ledger, "0000000001", "T1", Decision.REVERSED, by="Meera", note="came back")
        await told.until(4)
    assert told.words == [
        (None, "unknown", "attempt"),
        ("unknown", "processing", "attempt"),
        ("processing", "succeeded", "query"),
        ("succeeded", "reversed", "person"),
    ]
    assert len({one.id for one in told.changes}) == 4
    assert [one.result and one.result.status.value for one in told.changes] == [
        None,
        "processing",
        "succeeded",
        "reversed",
    ]


async def test_what_another_process_learned_is_told_too(make: Make, url: str):
    """It looks, and need not be told that there is something."""
    told = Told()
    async with make(url, on_change=told), make(url) as other:
        await other.payout(**fields("T1", remark=PAID))
        await told.until(2)
    assert told.words == [(None, "unknown", "attempt"), ("unknown", "succeeded", "attempt")]


async def test_processes_of_one_name_share_the_work_and_another_name_hears_all(make: Make, url: str):
    """Nothing is told twice while all of them live."""
    one, two, other = Told(), Told(), Told()
    async with make(url, on_change=one) as client, make(url, on_change=two), make(url, on_change=other, consumer="b"):
        for number in range(10):
            await client.payout(**fields(f"T{number}", remark=PAID))
        async with asyncio.timeout(20):
            # On a busy machine there are more: an attempt that would leave too late is made once more.
            while len(other.changes) < 20 or ids(other) != ids(one, two):  # noqa: ASYNC110  three of them
                await asyncio.sleep(0.01)
    assert len(one.changes) + len(two.changes) == len(ids(one, two))


def ids(*listeners: Told) -> set[str]:
    return {change.id for one in listeners for change in one.changes}


async def test_what_was_not_told_is_told_by_the_next_process(make: Make, url: str):
    """A handler that never ends is cut off by the closing, and its change is not lost, nor held back."""
    begun, again = asyncio.Event(), Told()

    async def hang(_: PayoutChange) -> None:
        begun.set()
        await asyncio.sleep(3600)

    delivery._ENDING_SECONDS, kept = 0.05, delivery._ENDING_SECONDS
    try:
        async with make(url, on_change=hang) as client:
            await client.payout(**fields("T1", remark=PAID))
            await begun.wait()
    finally:
        delivery._ENDING_SECONDS = kept
    async with make(url, on_change=again):
        await again.until(2)
    assert again.words == [(None, "unknown", "attempt"), ("unknown", "succeeded", "attempt")]


async def test_a_handler_that_raises_is_tried_again_and_keeps_back_its_payout_alone(make: Make):
    """In order per payout; others go on; and the payout itself never hears of it."""
    told, failures = Told(), 3

    async def fails(change: PayoutChange) -> None:
        nonlocal failures
        if change.trade_no == "T1" and failures:
            failures -= 1
            raise RuntimeError("the mail server is down")
        await told(change)

    async with make(on_change=fails) as client:
        first = await client.payout(**fields("T1", remark=PAID))
        await client.payout(**fields("T2", remark=PAID))
        await told.until(4)
    assert first.status.value == "succeeded"
    assert [one.status.value for one in told.changes if one.trade_no == "T1"] == ["unknown", "succeeded"]
    assert [one.status.value for one in told.changes if one.trade_no == "T2"] == ["unknown", "succeeded"]


async def test_after_too_many_tries_a_change_is_parked_until_it_is_released(
    make: Make, url: str, caplog: pytest.LogCaptureFixture
):
    """It keeps back the later ones of its payout, and is told once the handler is mended."""
    told, broken, tries = Told(), True, 0

    async def fails(change: PayoutChange) -> None:
        nonlocal tries
        if change.trade_no == "T1" and broken:
            tries += 1
            raise KeyError("personal")
        await told(change)

    async with make(url, on_change=fails) as client:
        await client.payout(**fields("T1", remark=PAID))
        await client.payout(**fields("T2", remark=PAID))
        await told.until(2)
        async with asyncio.timeout(20):
            while not (parked := await client.ledger.parked("0000000001")):  # noqa: ASYNC110  the ledger tells nobody
                await asyncio.sleep(0.01)
        assert tries == delivery.MOST_TRIES
        assert [(one.trade_no, one.tries, one.error) for one in parked] == [("T1", tries, "KeyError")]
        assert parked[0].behind >= 1  # more where a busy machine lets a reply come too late
        assert [one.trade_no for one in told.changes] == ["T2", "T2"]
        broken = False
        assert await client.ledger.release("0000000001", "T1") == 1
        await told.until(2 + 1 + parked[0].behind)
        assert await client.ledger.parked("0000000001") == []
    statuses = [one.status.value for one in told.changes if one.trade_no == "T1"]
    assert (statuses[0], statuses[-1]) == ("unknown", "succeeded")
    assert "paypro ledger release T1" in caplog.text


async def test_a_handler_that_takes_too_long_counts_as_failed(make: Make, monkeypatch: pytest.MonkeyPatch):
    """It is cancelled, and the change comes again."""
    monkeypatch.setattr(delivery, "HANDLER_SECONDS", 0.02)
    told, hung = Told(), False

    async def hangs_once(change: PayoutChange) -> None:
        nonlocal hung
        if not hung:
            hung = True
            await asyncio.sleep(3600)
        await told(change)

    async with make(on_change=hangs_once) as client:
        await client.payout(**fields("T1"))
        await told.until(2)
    assert told.words[0] == (None, "unknown", "attempt")


async def test_a_handler_may_use_its_client(make: Make):
    """It pays, looks and asks; and what it pays is told too."""
    told = Told()

    async def pay_on(change: PayoutChange) -> None:
        if change.trade_no == "T1" and change.status == "succeeded":
            assert (await client.payout(**fields("T2", remark=PAID))).status.value == "succeeded"
        await told(change)

    async with make(on_change=pay_on) as client:
        await client.payout(**fields("T1", remark=PAID))
        await told.until(4)
    assert {one.trade_no for one in told.changes} == {"T1", "T2"}


async def test_a_handler_may_close_its_client(make: Make, url: str):
    """It waits for itself no longer than it takes, and the change is told again by the next process."""
    closed, again = asyncio.Event(), Told()

    async def close(_: PayoutChange) -> None:
        await client.aclose()
        closed.set()

    client = make(url, on_change=close)
    await client.open()
    began = asyncio.get_running_loop().time()
    await client.payout(**fields("T1", remark=PAID))
    async with asyncio.timeout(10):
        await closed.wait()
    assert asyncio.get_running_loop().time() - began < 3
    async with make(url, on_change=again):
        await again.until(1)


async def test_a_handler_that_cancels_itself_has_failed(make: Make):
    """And does not end the telling."""
    told, cancelled = Told(), False

    async def cancels(change: PayoutChange) -> None:
        nonlocal cancelled
        if not cancelled:
            cancelled = True
            raise asyncio.CancelledError
        await told(change)

    async with make(on_change=cancels) as client:
        await client.payout(**fields("T1", remark=PAID))
        await told.until(2)


async def test_while_the_ledger_is_away_telling_waits(make: Make, monkeypatch: pytest.MonkeyPatch):
    """It goes on by itself, and says so once."""
    from paypro_async import LedgerUnavailableError

    told, away = Told(), True
    ledger = MemoryLedger()
    take = ledger.take

    async def refuse(*given: Any, **more: Any) -> Any:
        if away:
            raise LedgerUnavailableError("The ledger is away.")
        return await take(*given, **more)

    monkeypatch.setattr(ledger, "take", refuse)
    async with make(ledger, on_change=told) as client:
        await client.payout(**fields("T1", remark=PAID))
        assert told.changes == []
        away = False
        await told.until(2)


async def test_nobody_who_listens_costs_nothing(make: Make, url: str):
    """No consumer in the ledger, and no task."""
    before = asyncio.all_tasks()
    async with make(url) as client:
        await client.payout(**fields("T1", remark=PAID))
        tasks = {task.get_name() for task in asyncio.all_tasks() - before - {asyncio.current_task()}}
        assert {name for name in tasks if "sandbox" not in name} == set()
    ledger = SqlLedger(url)
    await ledger.open_to_read()
    try:
        assert await ledger.read(lambda connection: connection.exec_driver_sql("SELECT * FROM consumer").all()) == []
    finally:
        await ledger.aclose()


class Awaited:
    async def __call__(self, change: PayoutChange) -> None: ...


async def handler(_: int, change: PayoutChange) -> None: ...


def test_what_can_be_awaited_is_taken(make: Make):
    """A function, a partial of one, a method, an object."""
    for one in (Told(), partial(handler, 1), Awaited().__call__):
        make(on_change=one)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"on_change": lambda change: None}, "async def"),
        ({"on_change": 3}, "async def"),
        ({"on_change": Told, "consumer": "a"}, "async def"),
        ({"consumer": ""}, "consumer must be"),
        ({"consumer": "a b"}, "consumer must be"),
        ({"consumer": None}, "consumer must be"),
        ({"consumer": 5}, "consumer must be"),
    ],
)
def test_what_cannot_work_is_refused(make: Make, settings: dict[str, Any], words: str):
    """At once, and not when the first change is told."""
    with pytest.raises(ConfigurationError, match=words):
        make(**settings)


def test_a_ledger_of_ones_own_without_an_outbox_is_refused(make: Make):
    """It says which methods are missing."""

    class Own:
        async def claim(self) -> None: ...

    with pytest.raises(ConfigurationError, match="Outbox"):
        make(Own(), on_change=Told())
    with pytest.raises(ConfigurationError, match="Without a ledger"):
        make(None, on_change=Told())


class _SlowToStore(MemoryLedger):
    """Stores what was told only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.stores, self.may_store = asyncio.Event(), asyncio.Event()

    async def told(self, *given: Any, **more: Any) -> None:
        self.stores.set()
        await self.may_store.wait()
        await super().told(*given, **more)


async def test_what_is_handled_while_others_are_stored_is_stored_too(make: Make):
    """And told once: nothing waits until its time is over."""
    ledger, told = _SlowToStore(), Told()
    async with make(ledger, on_change=told) as client:
        await asyncio.gather(client.payout(**fields("T1", remark=PAID)), client.payout(**fields("T2", remark=PAID)))
        await ledger.stores.wait()
        await told.until(2)
        ledger.may_store.set()
        await told.until(4)
    assert len({one.id for one in told.changes}) == len(told.changes) == 4
    assert ledger._outbox._consumers["0000000001", "default"].deliveries == {}


async def test_a_ledger_that_never_answers_keeps_nothing_for_good(make: Make, monkeypatch: pytest.MonkeyPatch):
    """The wait for it is over with the client's time-out, and the change comes again."""
    ledger, told, silent = MemoryLedger(), Told(), 1
    put_off = ledger.put_off

    async def never(*given: Any, **more: Any) -> None:
        nonlocal silent
        silent -= 1
        if silent >= 0:
            await asyncio.sleep(3600)
        await put_off(*given, **more)

    async def fails_once(change: PayoutChange) -> None:
        if silent > 0:
            raise RuntimeError
        await told(change)

    monkeypatch.setattr(ledger, "put_off", never)
    monkeypatch.setattr(ledger, "answers_at_once", False)
    monkeypatch.setattr(delivery, "_LEASE_SECONDS", 0.05)
    async with make(ledger, on_change=fails_once, timeout=0.2) as client:
        with contextlib.suppress(PayProError):
            await client.payout(**fields("T1", remark=PAID))
        await told.until(1)
