"""What the database itself refuses, whoever writes."""

import pytest
from sqlalchemy import Connection, exc, text

from paypro_async._core.lifecycle import LEGAL, State
from paypro_async.errors import LedgerUnavailableError
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT, MERCHANT, change, intent
from tests.support.machine_faults import Make


@pytest.fixture
async def ledger(database_url: str, make: Make) -> SqlLedger:
    ledger = make(database_url, busy_timeout=5.0)
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("T1"))
    return ledger


async def write(ledger: SqlLedger, statement: str) -> None:
    """As a program would that knows nothing of the rules."""

    def run(connection: Connection) -> None:
        connection.execute(text(statement))

    await ledger.write(run)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE payout SET state = 'reversed'",
        "UPDATE payout SET state = 'anything'",
        "UPDATE payout SET amount = '301'",
        "UPDATE payout SET currency = 'USD'",
        "UPDATE payout SET fingerprint = 'another'",
        "UPDATE payout SET trade_no = 'T2'",
        "UPDATE payout SET merchant_no = '2'",
        "UPDATE payout SET attempt = attempt - 1",
        "DELETE FROM payout",
        "UPDATE event SET to_state = 'new'",
        "DELETE FROM event",
    ],
)
async def test_what_must_never_happen_is_refused_to_everybody(ledger: SqlLedger, statement: str):
    """An illegal way, another content, an attempt that counts back, a number set free, a history rewritten."""
    before = await ledger.get(MERCHANT, "T1"), await ledger.history(MERCHANT, "T1")
    with pytest.raises(LedgerUnavailableError):
        await write(ledger, statement)
    found = await ledger.get(MERCHANT, "T1")
    assert found is not None
    assert before[0] is not None
    assert (found.state, found.attempt, found.amount) == (State.SENDING, 1, before[0].amount)
    assert await ledger.history(MERCHANT, "T1") == before[1]


async def test_the_database_knows_every_legal_way_and_no_other(ledger: SqlLedger):
    """The triggers are made from the core's table; here each pair of states is tried."""

    def allowed(connection: Connection) -> set[tuple[State, State]]:
        return {(before, to) for before in State for to in State if _is_allowed(connection, before, to)}

    assert await ledger.write(allowed) == set(LEGAL)


_WAYS = {
    State.SENDING: [],
    State.NEW: [State.NEW],
    State.PROCESSING: [State.PROCESSING],
    State.MISSING: [State.PROCESSING, State.MISSING],
    State.SUCCEEDED: [State.SUCCEEDED],
    State.FAILED: [State.FAILED],
    State.REVIEW: [State.REVIEW],
    State.REVERSED: [State.SUCCEEDED, State.REVERSED],
}


_SET_STATE = text("UPDATE payout SET state = :state")


def _is_allowed(connection: Connection, before: State, to: State) -> bool:
    savepoint = connection.begin_nested()
    try:
        for one in (*_WAYS[before], to):
            connection.execute(_SET_STATE, {"state": one.value})
    except exc.DBAPIError:
        return False
    else:
        return True
    finally:
        savepoint.rollback()


async def test_the_ledger_goes_on_after_a_refusal(ledger: SqlLedger):
    """A transaction that was refused takes nothing else with it."""
    with pytest.raises(LedgerUnavailableError):
        await write(ledger, "DELETE FROM payout")
    assert (await ledger.move(change(State.SUCCEEDED, "T1"))).done
