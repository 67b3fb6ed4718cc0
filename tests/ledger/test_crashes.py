"""A paying process is killed at every named point; the next one pays the same again, and the books hold it once.

The sandbox books whatever it is sent, as often as it is sent: nothing but the ledger stands between a crash and a
second payment.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import psycopg
import pytest

from paypro_async import PayoutStatus, PayProClient
from paypro_async._core.lifecycle import State
from paypro_async.ledger import Ledger, open_ledger
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.ledger.sql.version_1 import make_version_1
from tests.support.agreement import agree
from tests.support.clock import Hurried
from tests.support.fork_server import ForkServer
from tests.support.intents import ACCOUNT, FIELDS, MERCHANT
from tests.support.machine_faults import LATER, execute, rows
from tests.support.postgres import Server
from tests.support.programs.payer import BATCH_SETTINGS, PROGRAM, REMARK, SETTINGS


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Ledger]:
    """The ledger as whoever comes after the crash finds it."""
    ledger = open_ledger(database_url)
    yield ledger
    await ledger.aclose()


async def die(
    fork_server: ForkServer, base_url: str, url: str, point: str, passes: int, trade_nos: Sequence[str]
) -> None:
    payer = fork_server.start(PROGRAM, base_url, url, point, passes, signal.SIGKILL, list(trade_nos))
    code = await payer.ended()
    # Its own words first: they say what went wrong if it did not die.
    assert (payer.errors, payer.output, code) == ("", "", -signal.SIGKILL)


def run(url: str, statement: str) -> None:
    if url.startswith("sqlite"):
        execute(Path(url.removeprefix("sqlite:///")), statement)
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement)


# The point, what befalls the first request, what the crash leaves in the ledger, and how many attempts there are in the
# end: a second one is made only where the first provably came to nothing.
LOST = Fault.RESET_BEFORE
CRASHES = [
    ("before intent", None, None, 1),
    ("before the intent's commit", None, None, 1),
    ("after the intent's commit", None, (State.SENDING, 1), 2),
    ("after intent", None, (State.SENDING, 1), 2),
    ("before send", None, (State.SENDING, 1), 2),
    ("after connecting", None, (State.SENDING, 1), 2),
    ("after headers", None, (State.SENDING, 1), 2),
    ("after body", None, (State.SENDING, 1), 1),
    ("after send's reply", None, (State.SENDING, 1), 1),
    ("before outcome", None, (State.SENDING, 1), 1),
    ("before the outcome's commit", None, (State.SENDING, 1), 1),
    ("after the outcome's commit", None, (State.SUCCEEDED, 1), 1),
    ("after outcome", None, (State.SUCCEEDED, 1), 1),
    ("before question", Fault.RESET_AFTER, (State.SENDING, 1), 1),
    ("after question's reply", Fault.RESET_AFTER, (State.SENDING, 1), 1),
    ("before announcement", LOST, (State.SENDING, 1), 2),
    ("after announcement", LOST, (State.SENDING, 2), 3),
]


async def left_by(store: Ledger) -> tuple[State, int] | None:
    await store.open(ACCOUNT)
    entry = await store.get(MERCHANT, "T1")
    return entry and (entry.state, entry.attempt)


async def pay_after(sandbox: Sandbox, store: Ledger, url: str, *, attempts: int) -> None:
    """The settle window passes, and a new process pays the same."""
    run(url, LATER)
    async with PayProClient(base_url=sandbox.base_url, ledger=store, runtime=Hurried(), **SETTINGS) as client:
        result = await client.payout(FIELDS | {"trade_no": "T1", "remark": REMARK})
    assert (result.status, result.attempts) == (PayoutStatus.SUCCEEDED, attempts)


@pytest.mark.parametrize(("point", "fault", "left", "attempts"), CRASHES, ids=[one[0] for one in CRASHES])
async def test_a_payout_survives_a_kill(
    fork_server: ForkServer,
    database_url: str,
    store: Ledger,
    point: str,
    fault: Fault | None,
    left: tuple[State, int] | None,
    attempts: int,
):
    """The crash leaves what is true, and a new process finds out the rest and pays once."""
    plan = FaultPlan.script({"T1": [fault]})
    async with Sandbox(faults=plan, deduplicate=False) as sandbox:
        await die(fork_server, sandbox.base_url, database_url, point, 0, ["T1"])
        assert await left_by(store) == left
        await pay_after(sandbox, store, database_url, attempts=attempts)
        await agree(sandbox, store, ["T1"])


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("point", "left", "attempts"),
    [("in the intent's commit", (State.SENDING, 1), 2), ("in the outcome's commit", (State.SUCCEEDED, 1), 1)],
)
async def test_a_commit_whose_answer_nobody_reads(
    fork_server: ForkServer, database_url: str, store: Ledger, point: str, left: tuple[State, int], attempts: int
):
    """The server carries it out although the process that asked for it is gone."""
    async with Sandbox(deduplicate=False) as sandbox:
        await die(fork_server, sandbox.base_url, database_url, point, 0, ["T1"])
        for _ in range(500):
            if await left_by(store) == left:
                break
            await asyncio.sleep(0.01)
        assert await left_by(store) == left
        await pay_after(sandbox, store, database_url, attempts=attempts)
        await agree(sandbox, store, ["T1"])


async def test_a_batch_survives_one_kill_after_another(fork_server: ForkServer, database_url: str, store: Ledger):
    """Several processes die over the same thirty payouts, half of them with faults; the last one ends it."""
    trade_nos = [f"B{n}" for n in range(30)]
    kinds = frozenset({Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.CUT_BODY, Fault.PAGE_502, Fault.BROKEN_JSON})
    plan = FaultPlan(rate=0.5, kinds=kinds, attempts=2, seed=11)
    async with Sandbox(faults=plan, deduplicate=False) as sandbox:
        for point, passes in (
            ("between rows", 3),
            ("after intent", 12),
            ("after body", 14),
            ("before the outcome's commit", 1),
            ("after announcement", 1),
            ("after outcome", 3),
        ):
            await die(fork_server, sandbox.base_url, database_url, point, passes, trade_nos)

        async with PayProClient(base_url=sandbox.base_url, ledger=store, **BATCH_SETTINGS) as client:
            report = await client.batch_payout([FIELDS | {"trade_no": one, "remark": REMARK} for one in trade_nos])
            assert report.total == 30
        await agree(sandbox, store, trade_nos)


STATEMENTS = [("inside a migration", passes) for passes in (0, 1, 4, 9, 12)] + [("before a migration's commit", 0)]


@pytest.mark.parametrize(("point", "passes"), STATEMENTS)
@pytest.mark.parametrize("by_hand", [True, False], ids=["migrate", "open"])
async def test_a_kill_in_the_middle_of_a_migration(
    fork_server: ForkServer, path: Path, point: str, passes: int, by_hand: bool
):
    """A file of the first version is of that version still, or of this one, with all that it knew."""
    make_version_1(path, remark=REMARK)
    url = f"sqlite:///{path}"
    before = rows(path, "SELECT * FROM payout ORDER BY trade_no")
    async with Sandbox(deduplicate=False) as sandbox:
        await die(fork_server, sandbox.base_url, url, point, passes, [] if by_hand else ["T1"])
        assert rows(path, "SELECT value FROM meta") == [("1",)]
        assert rows(path, "SELECT * FROM payout ORDER BY trade_no") == before

        store = SqlLedger(url)
        assert await left_by(store) == (State.SENDING, 1)
        assert rows(path, "SELECT value FROM meta WHERE key = 'schema_version'") == [("7",)]
        await pay_after(sandbox, store, url, attempts=2)
        await agree(sandbox, store, ["T1"])
        old = await store.get(MERCHANT, "OLD")
        await store.aclose()
    assert old is not None
    assert old.state is State.SUCCEEDED


@pytest.mark.parametrize(("point", "passes"), STATEMENTS)
async def test_a_kill_in_the_middle_of_the_making_of_the_tables(
    fork_server: ForkServer, server: Server, point: str, passes: int
):
    """Nothing is there, and nothing blocks the next one who makes them."""
    url = server.database()
    async with Sandbox(deduplicate=False) as sandbox:
        await die(fork_server, sandbox.base_url, url, point, passes, [])
        store = SqlLedger(url)
        assert await store.migrate() is None
        assert await left_by(store) is None
        await pay_after(sandbox, store, url, attempts=1)
        await agree(sandbox, store, ["T1"])
        await store.aclose()
