"""A server that knows nothing yet of a new table, as in the first minute of a ledger."""

import psycopg
import pytest

from paypro_async import PayProClient, State, batch_progress, import_batch, open_shards, run_shard
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.sandbox import Sandbox
from tests.ledger.conftest import Make
from tests.support.intents import ACCOUNT, MERCHANT, change, intent
from tests.support.merchant import MERCHANT_NO, SIGNER, fields
from tests.support.postgres import Server

ROWS = 400
READ = """
SELECT coalesce(seq_tup_read, 0) + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes i WHERE i.relid = t.relid)
FROM pg_stat_user_tables t WHERE relname = %s
"""


@pytest.mark.parametrize("counted_at", [None, 1, 60, 200])
async def test_one_payout_is_not_looked_for_among_all(counted_at: int | None, make: Make, server: Server):
    """Each change reads its own row: with all of the merchant's, a batch would be the slower the longer it is.

    Also where the server has counted the table while it was so small that reading all of it was the quickest: plans of
    that moment go on until it counts again, which it does once in a minute.
    """
    url = await server.ledger()
    ledger: SqlLedger = make(url)
    await ledger.open(ACCOUNT)
    for number in range(ROWS):
        if number == counted_at:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("ANALYZE payout")
        await ledger.claim(intent(f"T{number}", amount=str(number + 1)))
        await ledger.move(change(State.PROCESSING, f"T{number}"))
    await ledger.aclose()
    assert count(url) == ROWS
    assert rows_read(url, "payout") < 20 * ROWS


@pytest.mark.parametrize("counted_at", [None, 0, 1, 60])
async def test_a_shard_is_not_looked_for_in_the_whole_plan(counted_at: int | None, server: Server):
    """A claim reads the rows that it takes, and a run of a shard its own, however little the server has counted."""
    url = await server.ledger()
    async with (
        Sandbox(paid_after=0, callbacks=False) as sandbox,
        PayProClient(
            base_url=sandbox.base_url, merchant_no=MERCHANT_NO, signer=SIGNER, ledger=url, environment="sandbox"
        ) as client,
    ):
        if counted_at is not None:
            await import_batch(client, [fields(f"S{n}") for n in range(counted_at)], batch_id="small", shard_size=50)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("ANALYZE")
        rows = (fields(f"T{number}", amount=str(100 + number)) for number in range(2 * ROWS))
        await import_batch(client, rows, batch_id="large", shard_size=100)
        before = rows_read(url, "planned"), rows_read(url, "payout")
        shards = await open_shards(client, "large")
        for shard in shards:
            await run_shard(client, "large", shard.low, shard.high, wait=False)
        assert (await batch_progress(client, "large")).begun == 2 * ROWS
    read = rows_read(url, "planned") - before[0], rows_read(url, "payout") - before[1]
    assert read[0] < 10 * 2 * ROWS
    assert read[1] < 20 * 2 * ROWS


def rows_read(url: str, table: str) -> int:
    """How many the server has read of it since it was made, by whatever way."""
    with psycopg.connect(url) as connection:
        ((read,),) = connection.execute(READ, [table]).fetchall()
    return int(read)


def count(url: str) -> int:
    """How many payouts the merchant has."""
    with psycopg.connect(url) as connection:
        ((found,),) = connection.execute("SELECT count(*) FROM payout WHERE merchant_no = %s", [MERCHANT]).fetchall()
    return int(found)
