"""A server that knows nothing yet of a new table, as in the first minute of a ledger."""

import psycopg

from paypro_async import State
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.ledger.conftest import Make
from tests.support.intents import ACCOUNT, MERCHANT, change, intent
from tests.support.postgres import Server

ROWS = 400
READ = "SELECT coalesce(sum(idx_tup_read), 0) + coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables JOIN pg_stat_user_indexes USING (relid) WHERE pg_stat_user_tables.relname = 'payout'"  # noqa: E501


async def test_one_payout_is_not_looked_for_among_all(make: Make, server: Server):
    """Each change reads its own row: with all of the merchant's, a batch would be the slower the longer it is."""
    url = await server.ledger()
    ledger: SqlLedger = make(url)
    await ledger.open(ACCOUNT)
    for number in range(ROWS):
        await ledger.claim(intent(f"T{number}"))
        await ledger.move(change(State.PROCESSING, f"T{number}"))
    await ledger.aclose()
    assert count(url) == ROWS
    with psycopg.connect(url) as connection:
        ((read,),) = connection.execute(READ).fetchall()
    assert read < 20 * ROWS


def count(url: str) -> int:
    """How many payouts the merchant has."""
    with psycopg.connect(url) as connection:
        ((found,),) = connection.execute("SELECT count(*) FROM payout WHERE merchant_no = %s", [MERCHANT]).fetchall()
    return int(found)
