"""What a role, a database or a URL has set changes nothing of what a ledger relies on."""

import asyncio
import itertools
import time
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Connection, event, text

from paypro_async import ConfigurationError
from paypro_async._core.lifecycle import State
from paypro_async.ledger.sql import statements
from tests.support.intents import ACCOUNT, MERCHANT, change, intent
from tests.support.machine_faults import Make
from tests.support.postgres import Server

AWKWARD = {
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "default_transaction_deferrable": "on",
    "synchronous_commit": "off",
    "statement_timeout": "'3s'",
    "lock_timeout": "1",
    "idle_in_transaction_session_timeout": "1",
    "TimeZone": "'Asia/Kolkata'",
    "DateStyle": "'SQL, DMY'",
    "IntervalStyle": "iso_8601",
    "extra_float_digits": "-15",
    "client_encoding": "SQL_ASCII",
    "standard_conforming_strings": "off",
    "bytea_output": "escape",
    "client_min_messages": "error",
    "lc_messages": "'C'",
}
_roles = itertools.count()


def role_with(server: Server, url: str, **settings: str) -> str:
    """The URL for a new role that has these settings as its own."""
    role = f"role_{next(_roles)}"
    server.run(f"CREATE ROLE {role} SUPERUSER LOGIN")
    for name, value in settings.items():
        server.run(f"ALTER ROLE {role} SET {name} = {value}")
    return url.replace("postgres@", f"{role}@")


def setting(name: str) -> Any:
    """What holds for it in a transaction of a ledger."""
    return lambda connection: connection.execute(text(f"SELECT current_setting('{name}', true)")).scalar()


async def test_a_role_whose_settings_are_all_awkward(server: Server, make: Make):
    """Its ledger is made, opened and paid from, and times and names come back as they were written."""
    url = role_with(server, server.database(), **AWKWARD)
    await make(url).migrate()
    ledger = make(url)
    await ledger.open(ACCOUNT)
    name = "Änne ₹ अशा \\ '' %s"

    claimed = await ledger.claim(intent("T1", name=name))
    await ledger.move(change(State.SUCCEEDED, "T1", message=name, code="0000"))

    stored = await ledger.get(MERCHANT, "T1")
    assert stored is not None
    assert (stored.content["name"], stored.message) == (name, name)
    assert stored.created_at == claimed.entry.created_at
    assert abs(stored.created_at.timestamp() - time.time()) < 60
    assert any(at.microsecond % 1000 for at in (stored.created_at, stored.updated_at)), "digits are missing"
    reader = make(url)
    await reader.open_to_read()
    assert len(await reader.history(MERCHANT, "T1")) == 2


@pytest.mark.parametrize(
    ("own", "held"),
    [("off", "on"), ("local", "on"), ("remote_write", "on"), ("on", "on"), ("remote_apply", "remote_apply")],
)
async def test_a_commit_is_durable_whatever_the_role_says(server: Server, make: Make, own: str, held: str):
    """And what waits for more than that stays."""
    ledger = make(role_with(server, await server.ledger(), synchronous_commit=own))
    await ledger.open(ACCOUNT)
    assert await ledger.write(setting("synchronous_commit")) == held


async def test_a_url_cannot_make_commits_forgetful(server: Server, make: Make):
    """Money is not a matter of speed; other settings of the URL hold."""
    ledger = make(f"{await server.ledger()}&options=-csynchronous_commit%3Doff%20--statement-timeout%3D7s")
    await ledger.open(ACCOUNT)
    assert await ledger.write(setting("synchronous_commit")) == "on"
    assert await ledger.write(setting("statement_timeout")) == "7s"


async def test_who_only_reads_has_time_and_writes_nothing(server: Server, make: Make):
    """A look through all of a large ledger takes longer than a payout may, and sees one moment."""
    ledger = make(await server.ledger())
    await ledger.open_to_read()
    assert await ledger.read(setting("statement_timeout")) == "10min"
    assert await ledger.read(setting("transaction_read_only")) == "on"
    assert await ledger.read(setting("transaction_isolation")) == "repeatable read"


SEES = """
    CREATE TABLE seen (time text, whole text);
    CREATE FUNCTION see() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO seen VALUES (current_setting('statement_timeout'), current_setting('transaction_timeout'));
    END $$;
    CREATE EVENT TRIGGER see ON ddl_command_end EXECUTE FUNCTION see()
"""


async def test_a_migration_has_time(server: Server, make: Make):
    """An index of a large table takes longer than a payout may."""
    url = server.database()
    server.run(SEES, url=url)
    await make(url).migrate()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT DISTINCT time, whole FROM seen").fetchall() == [("10min", "0")]


async def test_what_was_set_is_looked_at(server: Server, make: Make, monkeypatch: pytest.MonkeyPatch):
    """A server, or what stands before it, that says yes and does something else is not paid from."""
    ledger = make(await server.ledger())

    def forget(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        return statement.replace("""SET LOCAL "lock_timeout" = E'5s'; """, ""), parameters

    engine = ledger._database._make_engine()
    event.listen(engine, "before_cursor_execute", forget, retval=True)
    ledger._database._engine = engine
    with pytest.raises(ConfigurationError, match=r"did not take lock_timeout = 5s and says 0. Nothing was sent"):
        await ledger.open(ACCOUNT)


async def test_one_message_begins_a_transaction(server: Server, make: Make, monkeypatch: pytest.MonkeyPatch):
    """What is set for each transaction costs no way to the server; preparing the connection is done once."""
    ledger = make(await server.ledger())
    await ledger.open(ACCOUNT)
    sent: list[str] = []
    engine = ledger._database._engine
    assert engine is not None
    event.listen(engine, "before_cursor_execute", lambda *arguments: sent.append(arguments[2]))
    really = statements.driven

    def driven(connection: Connection, text: str, *values: Any, **more: Any) -> Any:
        sent.append(text)
        return really(connection, text, *values, **more)

    monkeypatch.setattr(statements, "driven", driven)

    await ledger.claim(intent("T0"))  # the first step of its history is noted once
    sent.clear()
    await ledger.claim(intent("T1"))
    # Begin; is it the same ledger, and the clock; the payout; its step.
    assert [text.partition(" ")[0] for text in sent] == ["BEGIN", "SELECT", "INSERT", "INSERT"]
    assert sent[0].startswith("BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE; SET LOCAL")
    sent.clear()
    await ledger.move(change(State.SUCCEEDED, "T1"))
    assert [text.partition(" ")[0] for text in sent] == ["BEGIN", "SELECT", "UPDATE", "INSERT"]


@pytest.mark.parametrize("ends", ["ROLLBACK", "COMMIT", "SELECT 1/0"])
async def test_a_transaction_that_ended_before_its_commit(server: Server, make: Make, ends: str):
    """Whatever ended it, a pooler for example: what it should have stored is stored with another one."""
    url = await server.ledger()
    ledger = make(url)
    await ledger.open(ACCOUNT)
    times: list[int] = []

    def end(connection: Connection) -> None:
        times.append(1)
        if len(times) == 1:
            driver: Any = connection.connection.dbapi_connection
            driver.pgconn.exec_(ends.encode())  # beside psycopg and SQLAlchemy, which would notice

    claimed, _ = await asyncio.gather(ledger.claim(intent("T1")), ledger.write(end))

    assert claimed.done
    assert len(times) == 2
    with psycopg.connect(url) as other:
        assert other.execute("SELECT count(*) FROM payout").fetchone() == (1,)
        assert other.execute("SELECT count(*) FROM event").fetchone() == (1,)


async def test_tables_that_lie_in_another_schema(server: Server, make: Make):
    """Migrating makes no second ledger, and does not call the first one by the name of another place."""
    url = server.database()
    server.run("CREATE SCHEMA payments", url=url)
    await make(f"{url}&search_path=public").migrate()
    with pytest.raises(
        ConfigurationError, match=r"tables are in the schema 'public'.*search_path names 'payments' first"
    ):
        await make(f"{url}&search_path=payments,public").migrate()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT schemaname FROM pg_tables WHERE tablename = 'meta'").fetchall() == [
            ("public",)
        ]


@pytest.mark.parametrize(
    ("schema", "path"),
    [("Pay Ments", '"Pay Ments"'), ("100%", "100%"), ("Änne", "Änne"), ('a"b,c', '"a""b,c"'), ("pay", "PAY")],
)
async def test_a_schema_of_any_name_is_migrated_again(server: Server, make: Make, schema: str, path: str):
    """With each release, whether its name needs quotes in SQL or not."""
    url = server.database()
    with psycopg.connect(url) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    named = f"{url}&{urlencode({'search_path': path})}"
    assert await make(named).migrate() is None
    assert await make(named).migrate() is not None
    ledger = make(named)
    await ledger.open(ACCOUNT)
    assert await ledger.write(lambda connection: connection.execute(text("SELECT current_schema()")).scalar()) == schema
