"""A dump that is put back under the same server: by those who open the ledger then, and by those who have it open."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from paypro_async import LedgerUnavailableError, PayProWarning
from paypro_async._core.lifecycle import State
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT, MERCHANT, change, intent
from tests.support.machine_faults import Make
from tests.support.postgres import Server
from tests.support.raw_sql import ask, run

TABLES = "payout, event, account, batch, pace, meta"
DATA = ("--data-only", "--disable-triggers")


def of_tables(server: Server, url: str, dump: Path) -> None:
    server.restore(url, dump, "--clean", "--if-exists")


def of_data(server: Server, url: str, dump: Path) -> None:
    run(url, f"TRUNCATE {TABLES}")
    server.restore(url, dump, *DATA)


def of_payouts_alone(server: Server, url: str, dump: Path) -> None:
    run(url, "TRUNCATE payout, event")
    server.restore(url, dump, *DATA, "--table=payout", "--table=event")


def empty_row_by_row(url: str, table: str) -> None:
    run(url, f"ALTER TABLE {table} DISABLE TRIGGER USER", f"DELETE FROM {table}")  # noqa: S608  the name is ours
    run(url, f"ALTER TABLE {table} ENABLE TRIGGER USER")


def of_rows(server: Server, url: str, dump: Path) -> None:
    for table in TABLES.split(", "):
        empty_row_by_row(url, table)
    server.restore(url, dump, *DATA)


def of_rows_of_payouts(server: Server, url: str, dump: Path) -> None:
    for table in ("event", "payout"):
        empty_row_by_row(url, table)
    server.restore(url, dump, *DATA, "--table=payout", "--table=event")


def of_the_schema(server: Server, url: str, dump: Path) -> None:
    run(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    server.restore(url, dump)


PutBack = Callable[[Server, str, Path], None]
ways = pytest.mark.parametrize(
    "put_back", [of_tables, of_data, of_payouts_alone, of_rows, of_rows_of_payouts, of_the_schema]
)


@pytest.fixture
async def url(server: Server) -> str:
    return await server.ledger()


@ways
@pytest.mark.parametrize("dumped", ["after a payout", "when it was empty"])
async def test_who_opens_a_ledger_that_was_put_back_asks_first(
    server: Server, url: str, make: Make, put_back: PutBack, dumped: str
):
    """It has other tables, other files or rows of other transactions than those that are noted in it."""
    ledger = make(url)
    await ledger.open(ACCOUNT)
    if dumped == "after a payout":
        await ledger.claim(intent("BEFORE"))
        await ledger.claim(intent("BEFORE-2"))
    dump = server.dump(url)
    await ledger.claim(intent("AFTER"))
    await ledger.aclose()
    put_back(server, url, dump)

    restored = make(url)
    with pytest.warns(PayProWarning, match="looks like a restored backup"):
        await restored.open(ACCOUNT)
    assert not (await restored.claim(intent("AFTER"))).done
    await restored.aclose()
    await restored.open(ACCOUNT)
    assert restored.restored_since is not None


@ways
@pytest.mark.parametrize("who", ["wrote before", "wrote after", "only looked"])
async def test_a_process_that_lives_on_asks_first(
    server: Server, url: str, make: Make, put_back: PutBack, who: str, caplog: pytest.LogCaptureFixture
):
    """Its connection is the same, and what it has seen in the ledger is not; it says so in the log."""
    others, lives_on = make(url), make(url)
    await others.open(ACCOUNT)
    await others.claim(intent("BEFORE"))
    await lives_on.open(ACCOUNT)
    if who == "wrote before":
        await lives_on.claim(intent("BEFORE-2"))
    dump = server.dump(url)
    await (lives_on if who == "wrote after" else others).claim(intent("AFTER"))
    put_back(server, url, dump)

    assert not (await lives_on.claim(intent("AFTER"))).done
    assert lives_on.restored_since is not None
    assert "looks like a restored backup" in caplog.text


@pytest.mark.parametrize("only", ["payout", "event"])
async def test_one_table_that_was_put_back_is_noticed(server: Server, url: str, make: Make, only: str):
    """The payouts no longer agree with their history."""
    ledger = make(url)
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("T1"))
    dump = server.dump(url)
    await ledger.move(change(State.NEW))
    run(url, f"TRUNCATE {only}")
    server.restore(url, dump, *DATA, f"--table={only}")
    assert not (await ledger.claim(intent("T2"))).done


UPKEEP = [
    "VACUUM FULL",
    "VACUUM (FULL, FREEZE)",
    "VACUUM FREEZE",
    "VACUUM FULL payout",
    "CLUSTER payout USING payout_pkey",
    "CLUSTER event USING event_pkey",
    "REINDEX TABLE payout",
    "ANALYZE",
]


@pytest.mark.parametrize("upkeep", UPKEEP)
async def test_what_an_operator_does_for_a_sound_ledger_raises_no_alarm(url: str, make: Make, upkeep: str):
    """New files of the same rows: neither for a process that lives on, nor for the next one."""
    ledger, idle = make(url), make(url)
    await ledger.open(ACCOUNT)
    await idle.open(ACCOUNT)
    await ledger.claim(intent("T1"))
    for number in range(2, 5):
        run(url, upkeep)
        assert (await ledger.claim(intent(f"T{number}"))).done
    assert (await idle.claim(intent("IDLE"))).done
    later = make(url)
    await later.open(ACCOUNT)
    assert [one.restored_since for one in (ledger, idle, later)] == [None] * 3
    assert (await later.claim(intent("LATER"))).done


async def test_upkeep_does_not_hide_a_dump(server: Server, url: str, make: Make):
    """VACUUM FULL after a restore changes nothing of the rows."""
    ledger = make(url)
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("BEFORE"))
    await ledger.claim(intent("BEFORE-2"))
    dump = server.dump(url)
    await ledger.claim(intent("AFTER"))
    of_data(server, url, dump)
    run(url, "VACUUM FULL")
    assert not (await ledger.claim(intent("AFTER"))).done


async def test_a_ledger_of_the_release_before_is_noted_when_it_is_opened(server: Server, url: str, make: Make):
    """Nothing is known of its tables yet; from then on a dump is noticed."""
    ledger = make(url)
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("BEFORE"))
    await ledger.aclose()
    run(url, "DELETE FROM meta WHERE key = 'tables'")
    await asyncio.gather(*(one.open(ACCOUNT) for one in (ledger, make(url), make(url))))
    assert ledger.restored_since is None
    assert len(ask(url, "SELECT value FROM meta WHERE key = 'tables'")) == 1
    dump = server.dump(url)
    await ledger.claim(intent("AFTER"))
    of_tables(server, url, dump)
    assert not (await ledger.claim(intent("AFTER"))).done


async def test_a_user_who_may_not_note_it_pays_all_the_same(server: Server, url: str, make: Make):
    """The owner has migrated, and the service's own user writes payouts and nothing else."""
    run(
        url,
        "DROP ROLE IF EXISTS service",
        "CREATE ROLE service LOGIN",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO service",
        "GRANT INSERT, UPDATE ON payout, event, account, batch, pace TO service",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO service",
    )
    service = make(url.replace("postgres@", "service@"))
    await service.open(ACCOUNT)
    for number in range(3):
        assert (await service.claim(intent(f"T{number}"))).done
    assert service.restored_since is None
    dump = server.dump(url)
    await service.claim(intent("AFTER"))
    of_data(server, url, dump)
    # It cannot mark the ledger as restored either, so it does not pay.
    with pytest.raises(LedgerUnavailableError, match="may not do that"):
        await service.claim(intent("AFTER"))
    await service.aclose()
    run(url, "DROP OWNED BY service", "DROP ROLE service")


async def test_what_a_person_says_reaches_a_process_that_lives_on(database_url: str, make: Make):
    """``paypro ledger restored --begin`` and ``--end``, in another process: it asks first, and no longer."""
    ledger, person = make(database_url), SqlLedger(database_url)
    await ledger.open(ACCOUNT)
    await person.open_to_maintain()
    with pytest.warns(PayProWarning, match="a person says so"):
        await person.mark_restored(why="a person says so")
    assert not (await ledger.claim(intent("T1"))).done
    assert ledger.restored_since is not None
    await person.end_restored()
    assert (await ledger.claim(intent("T2"))).done
    assert ledger.restored_since is None
    await person.aclose()


async def test_a_file_whose_history_was_cut_is_noticed_by_a_process_that_lives_on(
    durable: SqlLedger, path: Path, make: Make
):
    """What it has seen in it is not there any more, though the file is the same."""
    await durable.claim(intent("T1"))
    idle = make(f"sqlite:///{path}")
    await idle.open(ACCOUNT)
    run(
        f"sqlite:///{path}",
        "DROP TRIGGER event_kept_whole",
        "DROP TRIGGER payout_kept",
        "DELETE FROM event",
        "DELETE FROM payout",
    )
    for one in (durable, idle):
        assert not (await one.claim(intent("T1"))).done
        assert one.restored_since is not None
    assert await idle.get(MERCHANT, "T1") is not None
