"""Waiting until a payout is final, whoever learns it."""

import asyncio
import pickle
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from paypro_async import (
    ClientStateError,
    ConfigurationError,
    ItemStatus,
    Ledger,
    LedgerUnavailableError,
    MemoryLedger,
    NotFinalError,
    PayoutNotFoundError,
    PayoutStatus,
    PayProClient,
    PayProError,
    ReviewRequiredError,
)
from paypro_async._core.lifecycle import Cause, Change, State
from tests.support.merchant import MERCHANT_NO, fields, payouts, scripted_client
from tests.support.scripted import ABSENT, LOST, NOT_SENT, PAID, PROCESSING, Scripted, order, refusal
from tests.support.virtual_time import VirtualRuntime, now, virtual_time

FOREVER = 1e6


def ledger() -> MemoryLedger:
    return MemoryLedger(runtime=VirtualRuntime())


async def store(shared: Ledger, trade_no: str, state: State) -> None:
    """Write an end as another process would: this client is not told."""
    entry = await shared.get(MERCHANT_NO, trade_no)
    assert entry is not None
    seen = {"merchant_no": MERCHANT_NO, "trade_no": trade_no, "state": entry.state, "attempt": entry.attempt}
    assert (await shared.move(Change(**seen, to=state, cause=Cause.CALLBACK))).done


def tasks() -> set[str]:
    return {one.get_name() for one in asyncio.all_tasks() if one.get_name().startswith("paypro-waiting")}


async def settle() -> None:
    """Let what was cancelled end."""
    for _ in range(5):
        await asyncio.sleep(0)


def waits(client: PayProClient, *numbers: str, timeout: float | None = 600.0) -> "list[asyncio.Task[Any]]":
    return [asyncio.create_task(client.wait_until_final(one, timeout=timeout)) for one in numbers]


@virtual_time
async def test_what_is_final_comes_at_once_and_without_a_request():
    """Also a failure, which is an end like any other."""
    platform = Scripted([PAID, refusal("00029")], ABSENT)
    async with scripted_client(platform) as client:
        await client.batch_payout(payouts(2))
        asked, began = len(platform.log), now()
        assert (await client.wait_until_final("T0")).status is PayoutStatus.SUCCEEDED
        assert (await client.wait_until_final("T1")).status is PayoutStatus.FAILED
        assert (len(platform.log), now()) == (asked, began)


@virtual_time
async def test_what_another_process_writes_is_seen_soon():
    """Within half a second, and without a question."""
    platform, shared = Scripted(), ledger()
    async with scripted_client(platform, ledger=shared) as client:
        await client.payout(**fields("T1"))
        (waiting,) = waits(client, "T1")
        await asyncio.sleep(3)
        await store(shared, "T1", State.SUCCEEDED)
        began = now()
        assert (await waiting).status is PayoutStatus.SUCCEEDED
        assert now() - began <= 0.5
        assert platform.kinds == ["payout"]


@virtual_time
async def test_what_this_process_writes_is_heard_at_once():
    """Here by a query of somebody else."""
    async with scripted_client(Scripted(queries=PAID)) as client:
        await client.payout(**fields("T1"))
        (waiting,) = waits(client, "T1")
        await asyncio.sleep(1)
        began = now()
        await client.query("T1")
        assert (await waiting).status is PayoutStatus.SUCCEEDED
        assert now() == began


@virtual_time
async def test_questions_become_rare():
    """After 5 seconds, then with gaps of 10, 20, 40, 60, 60, …, and once more before the end."""
    platform = Scripted(queries=PROCESSING)
    async with scripted_client(platform) as client:
        await client.payout(**fields("T1"))
        began = now()
        with pytest.raises(NotFinalError, match=r"processing.*was not final after 300 s.*wait again") as caught:
            await client.wait_until_final("T1", timeout=300)
        assert [round(one.at - began, 1) for one in platform.queries] == [5, 15, 35, 75, 135, 195, 255, 295]
        assert now() - began == pytest.approx(300)
    assert caught.value.payout.status is ItemStatus.PROCESSING
    assert caught.value.trade_no == "T1"
    assert isinstance(caught.value, TimeoutError)


@virtual_time
async def test_a_short_wait_asks_in_its_middle():
    """And once more near its end."""
    platform = Scripted(queries=PROCESSING)
    async with scripted_client(platform) as client:
        await client.payout(**fields("T1"))
        began = now()
        with pytest.raises(NotFinalError):
            await client.wait_until_final("T1", timeout=2)
        assert [one.at - began for one in platform.queries] == pytest.approx([1, 1.75])


@virtual_time
async def test_a_query_that_says_final_ends_it():
    """And is stored."""
    async with scripted_client(Scripted(queries=[PROCESSING, PAID])) as client:
        await client.payout(**fields("T1"))
        began = now()
        result = await client.wait_until_final("T1", timeout=None)
        assert (result.status, now() - began) == (PayoutStatus.SUCCEEDED, pytest.approx(15))
        assert (await client.get("T1")).status is ItemStatus.SUCCEEDED


@virtual_time
async def test_all_that_wait_for_one_payout_share_its_questions():
    """A hundred ask as often as one; at most ten payouts are asked about at one time."""
    platform = Scripted(queries=[PROCESSING, PAID])
    async with scripted_client(platform) as client:
        await client.payout(**fields("T1"))
        results = await asyncio.gather(*waits(client, *["T1"] * 100))
        assert {one.status for one in results} == {PayoutStatus.SUCCEEDED}
        assert len(platform.queries) == 2
    platform = Scripted(queries=PAID, takes=0.1)
    async with scripted_client(platform) as client:
        await client.batch_payout(payouts(100), concurrency=5)
        await asyncio.gather(*waits(client, *[f"T{number}" for number in range(100)]))
        assert (len(platform.queries), platform.most_under_way) == (100, 10)


@virtual_time
async def test_a_thousand_that_wait_look_into_the_ledger_together():
    """Two pages each half second, and not a thousand answers; with callbacks within ten seconds few questions."""
    shared, pages = ledger(), []
    get_many = shared.get_many

    async def counted(merchant_no: str, trade_nos: list[str]) -> Any:
        pages.append(len(trade_nos))
        return await get_many(merchant_no, trade_nos)

    platform = Scripted(queries=PROCESSING)
    async with scripted_client(platform, ledger=shared) as client:
        await client.batch_payout(payouts(1000), concurrency=100)
        shared.get_many = counted
        waiting = waits(client, *[f"T{number}" for number in range(1000)], timeout=60)
        for number in range(1000):
            await asyncio.sleep(0.01)
            await store(shared, f"T{number}", State.SUCCEEDED)
        results = await asyncio.gather(*waiting)
    assert {one.status for one in results} == {PayoutStatus.SUCCEEDED}
    assert len(platform.queries) < 1000
    assert max(pages) == 500
    assert len([one for one in pages if one > 1]) <= 2 * 2 * 12


@virtual_time
async def test_a_person_is_needed_at_once():
    """Nothing else ends it."""
    shared = ledger()
    async with scripted_client(Scripted(), ledger=shared) as client:
        await client.payout(**fields("T1"))
        (waiting,) = waits(client, "T1", timeout=None)
        await asyncio.sleep(1)
        await store(shared, "T1", State.REVIEW)
        with pytest.raises(ReviewRequiredError, match="ledger decide"):
            await waiting
        assert now() - 1000 < 2


@virtual_time
async def test_what_the_platform_has_lost_is_waited_for():
    """It may find it again."""
    async with scripted_client(Scripted(queries=[ABSENT, PAID])) as client:
        await client.payout(**fields("T1"))
        (waiting,) = waits(client, "T1")
        await asyncio.sleep(6)
        assert (await client.get("T1")).status is ItemStatus.MISSING
        assert (await waiting).status is PayoutStatus.SUCCEEDED


@virtual_time
async def test_what_was_never_sent_is_not_asked_about():
    """Another call may send it; what may have left is asked about."""
    platform = Scripted(refusal("1001"), ABSENT)
    async with scripted_client(platform) as client:
        known = Scripted(LOST)
        async with scripted_client(known, ledger=client.ledger) as other:
            with pytest.raises(Exception, match="Money may have moved"):
                await other.payout(**fields("T1"), timeout=3)
        asked = len(platform.queries)
        with pytest.raises(NotFinalError) as caught:
            await client.wait_until_final("T1", timeout=20)
        assert caught.value.payout.status is ItemStatus.UNKNOWN
        assert len(platform.queries) > asked


@virtual_time
async def test_the_error_says_what_is_true_of_each_status():
    """What was not sent does not go on by itself; nothing is certain of the others."""
    cases = {
        ItemStatus.PROCESSING: (
            Scripted(queries=PROCESSING),
            "Money may have moved. It goes on all the same",
        ),
        ItemStatus.UNKNOWN: (Scripted(LOST, LOST), "(money may have moved) and was not final"),
        ItemStatus.MISSING: (Scripted(queries=ABSENT), "Wait again, or look the order up in PayPro's dashboard"),
        ItemStatus.NOT_SENT: (Scripted(NOT_SENT), "waiting sends nothing: call payout with the same trade_no"),
    }
    for status, (platform, text) in cases.items():
        async with scripted_client(platform) as client:
            with suppress(PayProError):
                await client.payout(**fields("T1"), timeout=3)
            with pytest.raises(NotFinalError, match=f"T1 is {status.value} .* after 20 s.*never use a new") as caught:
                await client.wait_until_final("T1", timeout=20)
        assert text in str(caught.value)
        assert caught.value.payout.status is status
        assert caught.value.money_may_have_moved is (status is not ItemStatus.NOT_SENT)
        copied = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  our own
        assert copied.money_may_have_moved is caught.value.money_may_have_moved


@virtual_time
async def test_a_number_that_is_not_there_is_told_at_once():
    """And is no timeout."""
    async with scripted_client(Scripted()) as client:
        began = now()
        with pytest.raises(PayoutNotFoundError, match="T9"):
            await client.wait_until_final("T9")
        assert now() == began
        assert await client.get("T9") is None


@virtual_time
async def test_a_waiter_that_is_cancelled_disturbs_no_other_and_leaves_nothing():
    """The shared task ends with the last."""
    shared = ledger()
    async with scripted_client(Scripted(), ledger=shared) as client:
        await client.payout(**fields("T1"))
        one, two = waits(client, "T1", "T1")
        await asyncio.sleep(1)
        one.cancel()
        await asyncio.wait([one])
        assert one.cancelled()
        assert tasks() == {"paypro-waiting"}
        await store(shared, "T1", State.SUCCEEDED)
        assert (await two).status is PayoutStatus.SUCCEEDED
        await settle()
        assert tasks() == set()
        (third,) = waits(client, "T1", timeout=1)
        assert (await third).status is PayoutStatus.SUCCEEDED


@virtual_time
async def test_the_last_that_leaves_ends_a_question_under_way():
    """Asking moves no money."""
    async with scripted_client(Scripted(takes=4)) as client:
        await client.payout(**fields("T1"))
        with pytest.raises(NotFinalError):
            await client.wait_until_final("T1", timeout=7)
        await settle()
        assert tasks() == set()


@virtual_time
async def test_closing_the_client_ends_all_waits():
    """With an error that says so, and no task is left."""
    client = scripted_client(Scripted())
    await client.open()
    await client.payout(**fields("T1"))
    waiting = waits(client, "T1", "T1", timeout=None)
    await asyncio.sleep(1)
    await client.aclose()
    for one in waiting:
        with pytest.raises(ClientStateError, match=r"closed while payout T1 was waited for.*processing"):
            await one
    assert tasks() == set()
    with pytest.raises(ClientStateError):
        await client.wait_until_final("T1")


class Failing:
    """A ledger that cannot be read for a while."""

    def __init__(self, inner: MemoryLedger) -> None:
        self._inner, self.down = inner, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def get_many(self, *arguments: Any) -> Any:
        if self.down:
            raise LedgerUnavailableError("The disk is full.")
        return await self._inner.get_many(*arguments)


@virtual_time
async def test_a_ledger_that_fails_for_a_while_is_waited_for():
    """Nothing is asked meanwhile, since it could not be stored."""
    platform, failing = Scripted(queries=PAID), Failing(ledger())
    async with scripted_client(platform, ledger=failing) as client:
        await client.payout(**fields("T1"))
        (waiting,) = waits(client, "T1", timeout=FOREVER)
        failing.down = True
        await asyncio.sleep(60)
        assert (waiting.done(), platform.queries) == (False, [])
        failing.down = False
        assert (await waiting).status is PayoutStatus.SUCCEEDED
        failing.down = True
        with pytest.raises(LedgerUnavailableError, match=r"did not say within 5 s.*disk is full"):
            await client.wait_until_final("T1", timeout=5)


@virtual_time
async def test_the_error_says_that_nothing_could_be_asked():
    """What was known of it before counts."""
    async with scripted_client(Scripted(queries=refusal("9999", "who are you"))) as client:
        await client.payout(**fields("T1"))
        with pytest.raises(NotFinalError, match=r"The last question got no answer: .*9999"):
            await client.wait_until_final("T1", timeout=8)


@virtual_time
async def test_what_was_paid_and_is_reversed_is_final_as_both():
    """A later wait tells what stands then."""
    async with scripted_client(Scripted(PAID, [order("0000"), order("0005")])) as client:
        await client.payout(**fields("T1"))
        await store(client.ledger, "T1", State.REVERSED)
        assert (await client.wait_until_final("T1")).status is PayoutStatus.REVERSED


@pytest.mark.parametrize("timeout", [0, -1, True, float("nan"), float("inf"), "3"])
async def test_a_timeout_that_makes_no_sense_is_refused(timeout: Any):
    """As everywhere else; None is for ever."""
    async with scripted_client_now() as client:
        with pytest.raises(ConfigurationError, match="timeout must be a positive number"):
            await client.wait_until_final("T1", timeout=timeout)


@pytest.mark.parametrize("ask", [lambda client: client.get("a b"), lambda client: client.wait_until_final(None)])
async def test_what_cannot_be_a_number_is_refused(ask: Callable[[PayProClient], Any]):
    """Before the ledger is looked into."""
    async with scripted_client_now() as client:
        with pytest.raises(ConfigurationError, match="trade_no must be"):
            await ask(client)


async def test_a_client_without_a_ledger_waits_for_nothing():
    """It says what to do."""
    async with scripted_client_now(ledger=None) as client:
        for ask in (client.get("T1"), client.wait_until_final("T1")):
            with pytest.raises(ConfigurationError, match="no ledger"):
                await ask


def scripted_client_now(**settings: Any) -> PayProClient:
    return scripted_client(Scripted(), **({"ledger": "memory"} | settings))
