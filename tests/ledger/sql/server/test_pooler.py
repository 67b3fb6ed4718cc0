"""A ledger behind a real PgBouncer, in both of its modes that know transactions, and with what other clients leave."""

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from paypro_async import ConfigurationError, LedgerUnavailableError
from paypro_async._core.lifecycle import State
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.server.pooler import Pooling, look_for_pooler
from tests.support.intents import ACCOUNT, MERCHANT, change, intent
from tests.support.machine_faults import Make
from tests.support.pooler import Pooler, needs_pgbouncer
from tests.support.postgres import Server

pytestmark = needs_pgbouncer

POOLERS: dict[str, dict[str, str | int]] = {
    "session": {"pool_mode": "session"},
    "session, options ignored": {"pool_mode": "session", "ignore_startup_parameters": "options"},
    # The server's processes go round, so that two transactions of one client have hardly ever the same.
    "transaction": {"pool_mode": "transaction", "server_round_robin": 1},
    "transaction, options ignored": {
        "pool_mode": "transaction",
        "server_round_robin": 1,
        "ignore_startup_parameters": "options",
    },
}
SET = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "synchronous_commit")


@pytest.fixture(scope="module", params=POOLERS)
def pooler(request: pytest.FixtureRequest, server: Server) -> Iterator[Pooler]:
    with Pooler(server, **POOLERS[request.param]) as pooler:
        yield pooler


@pytest.fixture(scope="module")
def one_process(server: Server) -> Iterator[Pooler]:
    """All clients take turns with one process of the server, and each finds what the one before it has left."""
    with Pooler(server, pool_mode="transaction", default_pool_size=1, ignore_startup_parameters="options") as pooler:
        yield pooler


async def in_force(ledger: SqlLedger) -> tuple[str, ...]:
    """What holds in a transaction of the ledger."""
    query = text("SELECT " + ", ".join(f"current_setting('{name}')" for name in SET))
    return await ledger.write(lambda connection: tuple(connection.execute(query).one()))


async def pays(ledger: SqlLedger, name: str, count: int) -> None:
    """A ledger's work for so many payouts, some of it at one time."""

    async def one(number: int) -> None:
        trade_no = f"{name}-{number}"
        assert (await ledger.claim(intent(trade_no))).done
        assert (await ledger.move(change(State.SUCCEEDED, trade_no, message="ok"))).done
        assert len(await ledger.history(MERCHANT, trade_no)) == 2

    await asyncio.gather(*(one(number) for number in range(count)))


async def test_several_ledgers_pay_through_a_pooler(pooler: Pooler, server: Server, make: Make):
    """In its own configuration as in another one, in each mode, also when they share the server's processes."""
    url = pooler.url(await server.ledger())
    ledgers = [make(url) for _ in range(3)]
    for ledger in ledgers:
        await ledger.open(ACCOUNT)

    await asyncio.gather(*(pays(ledger, f"L{number}", 10) for number, ledger in enumerate(ledgers)))

    assert [await ledger.open_entries(MERCHANT) for ledger in ledgers] == [[], [], []]


async def test_time_outs_are_in_force_behind_a_pooler(pooler: Pooler, server: Server, make: Make):
    """A process that freezes must not block the others, whatever stands between it and the server."""
    ledger = make(pooler.url(await server.ledger()))
    await ledger.open(ACCOUNT)
    for _ in range(4):  # each transaction may have another process of the server
        assert await in_force(ledger) == ("5s", "10s", "2s", "on")


async def test_tables_are_made_where_the_url_says(pooler: Pooler, server: Server, make: Make):
    """In the schema that is named, which a pooler would not be told with the connection."""
    direct = server.database()
    server.run("CREATE SCHEMA payments", url=direct)
    ledger = make(pooler.url(direct, options="-csearch_path=payments"))

    await ledger.migrate()
    await ledger.open(ACCOUNT)
    await pays(ledger, "T", 3)

    with psycopg.connect(direct) as connection:
        found = connection.execute("SELECT schemaname, count(*) FROM pg_tables WHERE tablename = 'payout' GROUP BY 1")
        assert found.fetchall() == [("payments", 1)]
        assert connection.execute("SELECT count(*) FROM payments.payout").fetchone() == (3,)


async def test_a_schema_that_is_not_there_is_no_reason_to_take_another(pooler: Pooler, server: Server, make: Make):
    """Tables in a place that nobody named are a ledger that the next program does not find."""
    direct = server.database()
    for work in ("migrate", "open_to_read"):
        with pytest.raises(ConfigurationError, match=r"no schema 'payments'.*CREATE SCHEMA"):
            await getattr(make(pooler.url(direct, options="-csearch_path=payments,public")), work)()
    with psycopg.connect(direct) as connection:
        assert connection.execute("SELECT 1 FROM pg_tables WHERE tablename = 'payout'").fetchone() is None


LEFT = """
    SET search_path = elsewhere; SET synchronous_commit = off; SET lock_timeout = 0;
    SET default_transaction_isolation = 'serializable'; SET default_transaction_read_only = on;
    SET extra_float_digits = -10; SET client_min_messages = error; SET DateStyle = 'SQL, DMY';
    SET TimeZone = 'Asia/Kolkata'; SET ROLE stranger; SET statement_timeout = 1
"""


async def test_what_another_client_has_left_in_a_session_changes_nothing(
    one_process: Pooler, server: Server, make: Make
):
    """In transaction mode settings and temporary tables of other clients lie in the process that one gets."""
    direct = await server.ledger()
    server.run("CREATE SCHEMA elsewhere; CREATE ROLE stranger", url=direct)
    url = one_process.url(direct)
    ledger = make(url)
    await ledger.open(ACCOUNT)
    await pays(ledger, "before", 2)
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as other:
        for name in ("payout", "event", "meta", "batch"):
            other.execute(f"CREATE TEMPORARY TABLE {name} (key text, value text)")
        other.execute(LEFT)

        assert await in_force(ledger) == ("5s", "10s", "2s", "on")
        await pays(ledger, "after", 2)
        second = make(url)
        await second.open(ACCOUNT)
        await pays(second, "second", 2)

    assert ledger.restored_since is None
    with psycopg.connect(direct) as connection:
        assert connection.execute("SELECT count(*) FROM public.payout").fetchone() == (6,)


async def test_a_prepared_statement_of_another_client_is_not_mistaken_for_ones_own(
    one_process: Pooler, server: Server, make: Make
):
    """Nothing is prepared where processes may be shared: names of statements are the process's."""
    url = one_process.url(await server.ledger())
    ledger = make(url)
    await ledger.open(ACCOUNT)
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as other:
        for number in range(12):
            other.execute(f"PREPARE _pg3_{number} AS SELECT 1")
        await pays(ledger, "T", 10)


async def test_what_is_prepared_makes_a_direct_connection_fast(server: Server, make: Make):
    """And is left out behind a pooler only."""
    ledger = make(await server.ledger())
    await ledger.open(ACCOUNT)
    await pays(ledger, "T", 10)
    prepared = await ledger.read(
        lambda connection: connection.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar_one()
    )
    assert prepared > 0


async def test_statement_mode_is_refused_at_once(server: Server, make: Make):
    """It has no transactions, and the text says which setting to change."""
    with Pooler(server, pool_mode="statement") as pooler:
        url = pooler.url(await server.ledger())
        with pytest.raises(
            LedgerUnavailableError, match=r"statement mode.*pool_mode = transaction.*in statement pooling mode"
        ):
            await make(url).open(ACCOUNT)
        assert "pool_mode = transaction" in str(await look_for_pooler(url))


async def test_a_parameter_that_the_pooler_refuses(
    pooler: Pooler, server: Server, make: Make, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
):
    """PGOPTIONS is sent with the connection by libpq itself; a pooler that ignores it is not believed."""
    direct = server.database()
    server.run("CREATE SCHEMA payments", url=direct)
    monkeypatch.setenv("PGOPTIONS", "-c search_path=payments")
    ledger = make(pooler.url(direct))
    if "ignored" not in request.node.callspec.params["pooler"]:
        with pytest.raises(LedgerUnavailableError, match=r"PGOPTIONS.*unsupported startup parameter: options"):
            await ledger.migrate()
        return
    await ledger.migrate()
    monkeypatch.delenv("PGOPTIONS")
    with psycopg.connect(direct) as connection:
        found = connection.execute("SELECT schemaname FROM pg_tables WHERE tablename = 'payout'")
        assert found.fetchall() == [("payments",)]


async def test_a_pooler_without_a_free_process_is_named(server: Server, make: Make):
    """The ledger waits for one, and what it says then is not that the server is down."""
    with Pooler(server, default_pool_size=1, query_wait_timeout=1) as pooler:
        url = pooler.url(await server.ledger())
        with psycopg.connect(url) as busy:
            busy.execute("SELECT 1")
            with pytest.raises(LedgerUnavailableError, match=r"default_pool_size.*query_wait_timeout"):
                await make(url, patience=0).open(ACCOUNT)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"pool_mode": "session"}, Pooling.SESSION),
        ({"pool_mode": "transaction"}, Pooling.TRANSACTION),
        ({"pool_mode": "transaction", "default_pool_size": 1}, Pooling.TRANSACTION),
    ],
)
async def test_a_pooler_can_be_seen(server: Server, settings: dict[str, Any], found: Pooling):
    """By who asks before anything is paid."""
    with Pooler(server, **settings) as pooler:
        assert await look_for_pooler(pooler.url(server.url())) is found
    assert await look_for_pooler(server.url()) is Pooling.NONE


async def test_a_pooler_in_session_mode_with_one_process(server: Server):
    """It is told by the second connection, which waits for as long as the first one lives."""
    with Pooler(server, default_pool_size=1) as pooler:
        assert await look_for_pooler(pooler.url(server.url()), within=1.0) is Pooling.SESSION


async def test_looking_for_a_pooler_where_there_is_no_server():
    """It says why it could not see one."""
    assert "cannot be reached" in str(await look_for_pooler("postgresql://payer:geheim@127.0.0.1:1/payments"))
