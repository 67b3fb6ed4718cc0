"""``paypro ledger`` migrate, prune, decide, hold, restored and backup."""

# ruff: noqa: ASYNC240  nobody else waits in the event loop of a test

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from paypro_async.cli.ledger import maintain as tending
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.commands import Commands
from tests.support.intents import ACCOUNT
from tests.support.machine_faults import held
from tests.support.raw_sql import ask, run

ON_A_FILE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_A_SERVER = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
WHO = ("--by", "Meera", "--note", "seen in the dashboard")
UNASKED = "--without-asking"
LATER = "UPDATE payout SET sent_at = sent_at - 120, sent_steady = sent_steady - 120"
LONG_AGO = "UPDATE payout SET updated_at = updated_at - 91 * 86400.0"


async def test_a_ledger_is_made_and_brought_up_to_date(path: Path, ledger_command: Commands):
    """It says from which version to which; the same once more does nothing."""
    assert "was made, with schema version 7" in (await ledger_command("migrate", "--ledger", str(path))).out
    assert await ledger_command.json("migrate", "--ledger", str(path)) == {"ledger": str(path), "from": 7, "to": 7}
    assert "and all its guards" in (await ledger_command("migrate", "--ledger", str(path))).out


async def test_an_older_schema_is_brought_up_to_date(path: Path, ledger_command: Commands):
    """A reader says what to do, and does it not by itself."""
    with closing(sqlite3.connect(path)) as file:
        file.executescript(VERSION_1)
    assert "paypro ledger migrate" in (await ledger_command("show", "--ledger", str(path), code=2)).err
    assert "from schema version 1 to 7" in (await ledger_command("migrate", "--ledger", str(path))).out
    assert "T1\tsucceeded" in (await ledger_command("show", "T1", "--ledger", str(path))).out


async def test_a_server_without_tables_says_how_to_make_them(server, ledger_command: Commands):
    """And they are made by that."""
    url = server.database()
    assert "paypro ledger migrate" in (await ledger_command("show", "--ledger", url, code=2)).err
    assert "was made" in (await ledger_command("migrate", "--ledger", url)).out
    await ledger_command("check", "--ledger", url)


async def test_a_newer_schema_is_refused(used: str, ledger_command: Commands):
    """Nothing is written to it."""
    run(used, "UPDATE meta SET value = '8' WHERE key = 'schema_version'")
    assert "Use the release that wrote it" in (await ledger_command("migrate", code=2)).err
    assert ask(used, "SELECT value FROM meta WHERE key = 'schema_version'") == [("8",)]


async def test_pruning_says_what_it_would_do_and_does_it_when_told(used: str, ledger_command: Commands):
    """Only payouts that are final and old enough; a second time there is nothing left."""
    assert "0 payouts would be erased (none)" in (await ledger_command("prune", "--older-than", "90d")).out
    run(used, LONG_AGO)
    assert (
        "2 payouts would be erased (1 failed, 1 succeeded)"
        in (await ledger_command("prune", "--older-than", "90d")).out
    )
    assert "0 payouts would" in (await ledger_command("prune", "--older-than", "14w")).out
    assert ask(used, "SELECT count(*) FROM payout WHERE content = '{}'") == [(0,)]

    found = await ledger_command.json("prune", "--older-than", "90d", "--apply")

    assert (found["erased"], found["file_rewritten"]) == (2, used.startswith("sqlite:"))
    assert ask(used, "SELECT trade_no FROM payout WHERE content = '{}' ORDER BY trade_no") == [("T1",), ("T3",)]
    assert (await ledger_command.json("show", "T1"))["payouts"][0]["beneficiary"] is None
    assert "of 0 payouts were erased" in (await ledger_command("prune", "--older-than", "90d", "--apply")).out
    await ledger_command("check")


@ON_A_FILE
@pytest.mark.parametrize(
    "words",
    [
        "",
        "--older-than 90d --before 2026-01-01",
        "--older-than 0d",
        "--older-than 90",
        "--before 2999-01-01",
        "--before soon",
    ],
)
async def test_what_is_pruned_has_to_be_clear(used: str, ledger_command: Commands, words: str):
    """One date or age, and none to come."""
    await ledger_command("prune", "--apply", *words.split(), code=2)


@ON_A_FILE
async def test_pruning_while_somebody_writes_for_too_long(
    used: str, ledger_command: Commands, path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It says so, and what it could not do."""
    monkeypatch.setattr(tending, "ledger_of", lambda _: SqlLedger(used, busy_timeout=0.05))
    monkeypatch.setattr("paypro_async.cli.ledger.options.ledger_of", lambda _: SqlLedger(used, busy_timeout=0.05))
    async with held(path):
        done = await ledger_command("prune", "--older-than", "90d", "--apply", code=1)
    assert "another process has been writing" in done.err


async def test_a_person_decides(used: str, ledger_command: Commands):
    """What is certain is taken at once; what an attempt on its way could belie, only later."""
    for decision in ("pay-again", "not-paid"):
        assert "may still arrive" in (await ledger_command("decide", "T2", decision, *WHO, code=1)).err
    assert "only 'hold' can be decided" in (await ledger_command("decide", "T4", "paid", *WHO, code=1)).err
    assert "T4: review, as Meera decided" in (await ledger_command("hold", "T4", *WHO)).out
    assert await ledger_command.json("decide", "T4", "paid", *WHO, UNASKED) == {
        "trade_no": "T4",
        "state": "succeeded",
        "attempt": 1,
        "asked": None,
    }
    assert "T4: reversed" in (await ledger_command("decide", "T4", "reversed", *WHO, UNASKED)).out
    run(used, LATER)
    assert "T2: not_sent" in (await ledger_command("decide", "T2", "pay-again", *WHO, UNASKED)).out
    assert "holds no payout T9" in (await ledger_command("decide", "T9", "paid", *WHO, code=1)).err
    await ledger_command("check")


@ON_A_FILE
async def test_a_decision_needs_a_name_and_a_reason(
    used: str, ledger_command: Commands, monkeypatch: pytest.MonkeyPatch
):
    """And a known word; the window may be set as for paying."""
    assert "--by" in (await ledger_command("decide", "T2", "paid", code=2)).err
    assert "needs by=" in (await ledger_command("decide", "T2", "paid", "--by", " ", "--note", "x", code=1)).err
    await ledger_command("decide", "T2", "maybe", *WHO, code=2)
    monkeypatch.setenv("PAYPRO_SETTLE_AFTER", "0")
    await ledger_command("decide", "T2", "not-paid", *WHO, UNASKED)


async def test_asking_first_is_begun_shown_and_ended(
    used: str, ledger_command: Commands, monkeypatch: pytest.MonkeyPatch
):
    """It ends when a person says so, in so many words."""
    assert "not known to be a restored backup" in (await ledger_command("restored")).out
    assert "asks the platform before it sends" in (await ledger_command("restored", "--begin")).out
    assert (await ledger_command.json("restored"))["asks_first_since"] is not None
    assert "restored" in (await ledger_command("show")).out
    assert "--yes" in (await ledger_command("restored", "--end", code=2)).err
    assert (await ledger_command.json("restored"))["asks_first_since"] is not None
    assert "sends without asking" in (await ledger_command("restored", "--end", "--yes")).out
    assert (await ledger_command.json("restored", "--end"))["asks_first_since"] is None


@ON_A_FILE
async def test_a_backup_is_private_whole_and_replaces_nothing(
    used: str, ledger_command: Commands, tmp_path: Path, path: Path
):
    """Reading it does not make it a ledger that is paid from."""
    copy = tmp_path / "copy.db"
    assert f"copied to {copy}" in (await ledger_command("backup", str(copy))).out
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert "is there already" in (await ledger_command("backup", str(copy), code=2)).err
    second = tmp_path / "second.db"
    assert await ledger_command.json("backup", str(second)) == {"ledger": str(path), "file": str(second)}
    for taken in (path, path.with_name(f"{path.name}-wal")):
        assert "belongs to the ledger" in (await ledger_command("backup", str(taken), code=2)).err
    await ledger_command("check", "--ledger", str(copy))
    for _ in range(2):
        assert "backup that was made at" in (await ledger_command("restored", "--ledger", str(copy))).out
    assert "Who pays from it will ask first" in (await ledger_command("show", "--ledger", str(copy))).out
    # Ending what has not begun would let it pay as if it knew everything.
    done = await ledger_command("restored", "--end", "--yes", "--ledger", str(copy))
    assert "looks like a restored backup" in done.out
    payer = SqlLedger(f"sqlite:///{copy}")
    with pytest.warns(UserWarning, match="restored backup"):
        await payer.open(ACCOUNT)
    assert payer.restored_since is not None
    await payer.aclose()
    assert sorted(one.name for one in tmp_path.glob(".*")) == []


@ON_A_SERVER
async def test_a_server_is_backed_up_by_its_own_tools(used: str, ledger_command: Commands, tmp_path: Path):
    """They are named, and no file is made."""
    assert "pg_basebackup" in (await ledger_command("backup", str(tmp_path / "copy.db"), code=2)).err
    assert list(tmp_path.iterdir()) == []


VERSION_1 = """
CREATE TABLE meta ("key" VARCHAR NOT NULL PRIMARY KEY, value VARCHAR NOT NULL);
CREATE TABLE account (merchant_no VARCHAR NOT NULL PRIMARY KEY, environment VARCHAR NOT NULL);
CREATE TABLE payout (merchant_no VARCHAR NOT NULL, trade_no VARCHAR NOT NULL, region VARCHAR NOT NULL,
  fingerprint VARCHAR NOT NULL, amount VARCHAR NOT NULL, currency VARCHAR NOT NULL, content TEXT NOT NULL,
  state VARCHAR NOT NULL, attempt INTEGER NOT NULL, sent_at DOUBLE NOT NULL, doubt BOOLEAN NOT NULL, reply VARCHAR,
  code VARCHAR, message VARCHAR, platform_trade_no VARCHAR, utr VARCHAR, created_at DOUBLE NOT NULL,
  updated_at DOUBLE NOT NULL, PRIMARY KEY (merchant_no, trade_no));
CREATE TABLE event (id INTEGER NOT NULL PRIMARY KEY, merchant_no VARCHAR NOT NULL, trade_no VARCHAR NOT NULL,
  at DOUBLE NOT NULL, from_state VARCHAR, to_state VARCHAR NOT NULL, cause VARCHAR NOT NULL, attempt INTEGER NOT NULL,
  code VARCHAR);
INSERT INTO meta VALUES ('schema_version', '1');
INSERT INTO account VALUES ('0000000001', 'sandbox.example');
INSERT INTO payout VALUES ('0000000001', 'T1', 'india', 'f', '300', 'INR', '{}', 'succeeded', 1, 1.8e9, 0, NULL,
  '0000', NULL, NULL, NULL, 1.8e9, 1.8e9);
"""
