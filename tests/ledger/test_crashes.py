"""A paying process is killed at every named point; the next one pays the same again, and the books hold it once.

The sandbox books whatever it is sent, as often as it is sent: nothing but the ledger stands between a crash and a
second payment.
"""

import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from paypro_async import PayoutStatus, PayProClient
from paypro_async._core.lifecycle import State
from paypro_async.ledger import Ledger, open_ledger
from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.ledger.agreement import agree
from tests.ledger.clock import Hurried
from tests.ledger.machine import LATER, execute
from tests.ledger.payer import BATCH_SETTINGS, REMARK, SETTINGS
from tests.ledger.payouts import ACCOUNT, FIELDS, MERCHANT
from tests.ledger.programs import finished, program


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Ledger]:
    """The file as whoever comes after the crash finds it."""
    ledger = open_ledger(f"sqlite:///{path}")
    yield ledger
    await ledger.aclose()


async def die(sandbox: Sandbox, path: Path, point: str, passes: int, trade_nos: Sequence[str]) -> None:
    arguments = sandbox.base_url, f"sqlite:///{path}", point, passes, *trade_nos
    async with program("payer", *arguments) as payer:
        code, _, errors = await finished(payer)
    # Its own words first: they say what went wrong if it did not die.
    assert (errors, code) == ("", -signal.SIGKILL)


# The point, what befalls the first request, what the crash leaves in the ledger, and how many attempts there are in the
# end: a second one is made only where the first provably came to nothing.
LOST = Fault.RESET_BEFORE
CRASHES = [
    ("before intent", None, None, 1),
    ("after intent", None, (State.SENDING, 1), 2),
    ("before send", None, (State.SENDING, 1), 2),
    ("after headers", None, (State.SENDING, 1), 2),
    ("after body", None, (State.SENDING, 1), 1),
    ("after send's reply", None, (State.SENDING, 1), 1),
    ("before outcome", None, (State.SENDING, 1), 1),
    ("after outcome", None, (State.SUCCEEDED, 1), 1),
    ("before question", Fault.RESET_AFTER, (State.SENDING, 1), 1),
    ("after question's reply", Fault.RESET_AFTER, (State.SENDING, 1), 1),
    ("before announcement", LOST, (State.SENDING, 1), 2),
    ("after announcement", LOST, (State.SENDING, 2), 3),
]


@pytest.mark.parametrize(("point", "fault", "left", "attempts"), CRASHES, ids=[one[0] for one in CRASHES])
async def test_a_payout_survives_a_kill(
    path: Path, store: Ledger, point: str, fault: Fault | None, left: tuple[State, int] | None, attempts: int
):
    """The crash leaves what is true, and a new process finds out the rest and pays once."""
    plan = FaultPlan.script({"T1": [fault]})
    async with Sandbox(faults=plan, deduplicate=False) as sandbox:
        await die(sandbox, path, point, 0, ["T1"])
        await store.open(ACCOUNT)
        entry = await store.get(MERCHANT, "T1")
        assert (entry and (entry.state, entry.attempt)) == left
        # The settle window passes.
        execute(path, LATER)

        async with PayProClient(base_url=sandbox.base_url, ledger=store, runtime=Hurried(), **SETTINGS) as client:
            result = await client.payout(FIELDS | {"trade_no": "T1", "remark": REMARK})

        assert (result.status, result.attempts) == (PayoutStatus.SUCCEEDED, attempts)
        await agree(sandbox, store, ["T1"])


async def test_a_batch_survives_one_kill_after_another(path: Path, store: Ledger):
    """Three processes die over the same thirty payouts, half of them with faults; the fourth ends it."""
    trade_nos = [f"B{n}" for n in range(30)]
    kinds = frozenset({Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.CUT_BODY, Fault.PAGE_502, Fault.BROKEN_JSON})
    plan = FaultPlan(rate=0.5, kinds=kinds, attempts=2, seed=11)
    async with Sandbox(faults=plan, deduplicate=False) as sandbox:
        for point, passes in (
            ("after intent", 12),
            ("after body", 14),
            ("after announcement", 1),
            ("after outcome", 3),
        ):
            await die(sandbox, path, point, passes, trade_nos)

        async with PayProClient(base_url=sandbox.base_url, ledger=store, **BATCH_SETTINGS) as client:
            report = await client.batch_payout([FIELDS | {"trade_no": one, "remark": REMARK} for one in trade_nos])
            assert report.total == 30
        await agree(sandbox, store, trade_nos)
