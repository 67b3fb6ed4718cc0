"""A ledger of an older release is brought up to date with all that it holds; one of a newer release is refused."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from paypro_async import ConfigurationError, Md5Signer, PayoutStatus, PayProClient
from paypro_async._core.lifecycle import State
from paypro_async._core.payment_key import payment_key
from paypro_async.sandbox import Sandbox
from tests.support.intents import ACCOUNT, FIELDS, MERCHANT, ageless, change, intent
from tests.support.machine_faults import Make, execute, rows
from tests.support.postgres import Server

# As release 0.1 made it.
VERSION_1 = """
CREATE TABLE meta ("key" VARCHAR NOT NULL, value VARCHAR NOT NULL, PRIMARY KEY ("key"));
CREATE TABLE account (merchant_no VARCHAR NOT NULL, environment VARCHAR NOT NULL, PRIMARY KEY (merchant_no));
CREATE TABLE payout (
    merchant_no VARCHAR NOT NULL, trade_no VARCHAR NOT NULL, region VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL,
    amount VARCHAR NOT NULL, currency VARCHAR NOT NULL, content TEXT NOT NULL, state VARCHAR NOT NULL,
    attempt INTEGER NOT NULL, sent_at DOUBLE NOT NULL, doubt BOOLEAN NOT NULL, reply VARCHAR, code VARCHAR,
    message VARCHAR, platform_trade_no VARCHAR, utr VARCHAR, created_at DOUBLE NOT NULL, updated_at DOUBLE NOT NULL,
    PRIMARY KEY (merchant_no, trade_no)
);
CREATE INDEX payout_open ON payout (merchant_no, trade_no) WHERE (state NOT IN ('failed', 'reversed', 'succeeded'));
CREATE INDEX payout_content ON payout (merchant_no, fingerprint);
CREATE TABLE event (
    id INTEGER NOT NULL, merchant_no VARCHAR NOT NULL, trade_no VARCHAR NOT NULL, at DOUBLE NOT NULL,
    from_state VARCHAR, to_state VARCHAR NOT NULL, cause VARCHAR NOT NULL, attempt INTEGER NOT NULL, code VARCHAR,
    PRIMARY KEY (id)
);
CREATE INDEX event_payout ON event (merchant_no, trade_no);
INSERT INTO meta VALUES ('schema_version', '1');
INSERT INTO account VALUES ('0000000001', 'sandbox.example');
"""
INSERT = """
INSERT INTO payout VALUES (:merchant, :trade_no, 'india', :fingerprint, '300', 'INR', :content, :state, 1,
    1700000000.25, 0, NULL, :code, NULL, NULL, NULL, 1700000000.25, 1700000001.5)
"""
EVENT = "INSERT INTO event VALUES (NULL, :merchant, :trade_no, 1700000000.25, NULL, 'sending', 'attempt', 1, NULL)"


def make_version_1(path: Path) -> None:
    """A file of the first release, with a payout that is done and one whose outcome is unknown."""
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA journal_mode=WAL")
        file.executescript(VERSION_1)
        for trade_no, state, code in (("DONE", "succeeded", "0000"), ("UNKNOWN", "sending", None)):
            made = intent(trade_no)
            values = {
                "merchant": MERCHANT,
                "trade_no": trade_no,
                "fingerprint": made.fingerprint,
                "content": json.dumps(dict(made.content)),
                "state": state,
                "code": code,
            }
            file.execute(INSERT, values)
            file.execute(EVENT, {"merchant": MERCHANT, "trade_no": trade_no})
        file.commit()


async def test_a_file_of_the_first_release_is_brought_up_to_date_when_it_is_opened(path: Path, make: Make):
    """Nothing is lost, nothing raises an alarm, and what was unknown is still to be asked about."""
    make_version_1(path)
    ledger = make(f"sqlite:///{path}")
    await ledger.open(ACCOUNT)
    assert ledger.restored_since is None
    found = await ledger.get_many(MERCHANT, ["DONE", "UNKNOWN"])
    assert {number: (one.state, one.code, one.amount) for number, one in found.items()} == {
        "DONE": (State.SUCCEEDED, "0000", 300),
        "UNKNOWN": (State.SENDING, None, 300),
    }
    assert (found["DONE"].fingerprint, found["DONE"].sent_at.timestamp()) == (intent("DONE").fingerprint, 1700000000.25)
    assert len(await ledger.history(MERCHANT, "DONE")) == 1
    assert (await ledger.claim(intent("NEW"))).done
    assert (await ledger.move(change(State.SUCCEEDED, "NEW"))).done
    assert rows(path, "SELECT value FROM meta WHERE key = 'schema_version'") == [("7",)]
    same_payment = payment_key("india", intent().content)
    assert rows(path, "SELECT DISTINCT payment_key FROM payout") == [(same_payment,)]
    await ledger.aclose()

    await ledger.open(ACCOUNT)
    assert (await ledger.get(MERCHANT, "NEW")) is not None


async def test_a_migrated_file_has_what_a_new_one_has(path: Path, make: Make, tmp_path: Path):
    """The same tables, columns, indexes and triggers."""
    make_version_1(path)
    fresh = tmp_path / "fresh.db"
    for one in (path, fresh):
        await make(f"sqlite:///{one}").open(ACCOUNT)
    names = "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite%' ORDER BY 1, 2"
    columns = (
        "SELECT m.name, c.name, c.type FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' "
        "ORDER BY 1, 2"
    )
    assert rows(path, names) == rows(fresh, names)
    assert rows(path, columns) == rows(fresh, columns)


async def test_several_processes_may_open_an_old_file_at_once(path: Path, make: Make):
    """One migrates, the others wait and find it done."""
    make_version_1(path)
    ledgers = [make(f"sqlite:///{path}", busy_timeout=10.0) for _ in range(5)]
    await asyncio.gather(*(one.open(ACCOUNT) for one in ledgers))
    assert [(await one.get(MERCHANT, "DONE")) is not None for one in ledgers] == [True] * 5


async def test_an_old_unknown_payout_is_asked_about_and_paid_once(path: Path):
    """The promise holds across releases."""
    make_version_1(path)
    async with Sandbox(deduplicate=False) as sandbox:
        settings = {"merchant_no": MERCHANT, "signer": Md5Signer("sandbox-secret"), "environment": "sandbox.example"}
        async with PayProClient(base_url=sandbox.base_url, ledger=f"sqlite:///{path}", **settings) as client:
            result = await client.payout(FIELDS | {"trade_no": "UNKNOWN"})
        assert (result.status, result.attempts) == (PayoutStatus.PROCESSING, 2)
        assert len(sandbox.books.bookings) == 1


async def test_a_server_is_never_migrated_unasked(server: Server, make: Make):
    """Other machines may still run an older release, so its owner says when; and may say it again."""
    ledger = make(server.database())
    with pytest.raises(ConfigurationError, match="paypro ledger migrate"):
        await ledger.open(ACCOUNT)
    assert await ledger.migrate() is None
    assert await ledger.migrate() == 7
    await ledger.open(ACCOUNT)
    assert (await ledger.claim(intent())).done


@pytest.mark.parametrize(("version", "words"), [("1", "paypro ledger migrate"), ("8", "knows 7"), ("x", "unknown")])
async def test_a_server_of_another_version_is_refused(server: Server, make: Make, version: str, words: str):
    """Nothing is sent, and the text says who has to do what."""
    url = server.database()
    ledger = make(url)
    await ledger.migrate()
    server.run("UPDATE meta SET value = %s WHERE key = 'schema_version'", version, url=url)
    with pytest.raises(ConfigurationError, match=words):
        await ledger.open(ACCOUNT)
    if version == "7":
        with pytest.raises(ConfigurationError, match=words):
            await ledger.migrate()


AS_VERSION_3 = (
    *(f"DROP TABLE {name}" for name in ("consumer", "delivery", "callback", "approval", "planned", "shard")),
    *(f"ALTER TABLE event DROP COLUMN {name}" for name in ("was_uncertain", "uncertain")),
    "ALTER TABLE account DROP COLUMN reconciled_to",
    *(f"DROP INDEX {name}" for name in ("payout_decided", "payout_unpaid")),
    "UPDATE meta SET value = '3' WHERE key = 'schema_version'",
)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_the_third_version_gets_listeners_and_keeps_what_it_holds(
    path: Path, server: Server, make: Make, database: str
):
    """What was stored before is told to nobody; what comes then, to whoever listens."""
    url = f"sqlite:///{path}" if database == "sqlite" else server.database()
    ledger = make(url)
    await ledger.migrate()
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("OLD"))
    kept = await ledger.get(MERCHANT, "OLD")
    await ledger.aclose()
    if database == "sqlite":
        for statement in AS_VERSION_3:
            execute(path, statement)
    else:
        for statement in AS_VERSION_3:
            server.run(statement, url=url)

    newer = make(url)
    assert await newer.migrate() == 3
    await newer.open(ACCOUNT)
    assert ageless(await newer.get(MERCHANT, "OLD")) == ageless(kept)
    assert [step.uncertain for step in await newer.history(MERCHANT, "OLD")] == [False]
    await newer.register(MERCHANT, "mails")
    await newer.move(change(State.PROCESSING, "OLD"))
    (lent,) = await newer.take(MERCHANT, "mails", owner="one", limit=10, seconds=30)
    assert (lent.change.trade_no, lent.change.status) == ("OLD", "processing")


async def test_a_newer_file_is_not_migrated_back(path: Path, make: Make):
    """Forward only."""
    ledger = make(f"sqlite:///{path}")
    await ledger.migrate()
    execute(path, "UPDATE meta SET value = '8' WHERE key = 'schema_version'")
    with pytest.raises(ConfigurationError, match="schema version 8"):
        await ledger.migrate()
