"""A ledger that was restored from a backup has forgotten payouts: it notices, says so, and asks before it pays."""

import os
import shutil
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest

from paypro_async import Md5Signer, PayoutStatus, PayProClient, PayProWarning
from paypro_async._core.lifecycle import Cause, State
from paypro_async.ledger.sql import watermark as mark_module
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.sandbox import Sandbox
from tests.support.intents import ACCOUNT, FIELDS, MERCHANT, again, change, intent
from tests.support.machine_faults import Make
from tests.support.postgres import Server

WORDS = "looks like a restored backup"
SETTINGS = {"merchant_no": MERCHANT, "signer": Md5Signer("sandbox-secret"), "environment": ACCOUNT.environment}
# The sandbox books at once, so a short window is an honest one.
QUICK = SETTINGS | {"settle_after": 0.3, "request_timeout": 0.1, "send_within": 0.1}


def fields(trade_no: str) -> dict[str, str]:
    return FIELDS | {"trade_no": trade_no, "remark": "sandbox:paid"}


def files(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}*"))


def put_back(path: Path, backup: Path, names: Callable[[Path], bool] = lambda _: True) -> None:
    """The files of the backup in place of those that are there, as a copying program does it."""
    for one in backup.iterdir():
        if names(one):
            shutil.copy(one, path.parent / one.name)


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    folder = tmp_path / "backup"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def _quick_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mark_module, "_SECONDS", 0.05)


async def paid_and_copied(path: Path, backup: Path, sandbox: Sandbox) -> None:
    """One payout, a copy of every file, and another payout that the copy knows nothing of."""
    async with PayProClient(base_url=sandbox.base_url, ledger=f"sqlite:///{path}", **SETTINGS) as client:
        await client.payout(fields("BEFORE"))
    for one in files(path):
        shutil.copy(one, backup)
    async with PayProClient(base_url=sandbox.base_url, ledger=f"sqlite:///{path}", **SETTINGS) as client:
        await client.payout(fields("AFTER"))
    await anyio.sleep(0.1)


HOW = {
    "the ledger alone, over the newer one": lambda path, backup: put_back(
        path, backup, lambda one: one == backup / path.name
    ),
    "all files, over the newer ones": put_back,
    "all files, in a folder that was emptied": lambda path, backup: (
        [one.unlink() for one in files(path)],
        put_back(path, backup),
    ),
    "the ledger alone, where nothing is": lambda path, backup: (
        [one.unlink() for one in files(path)],
        put_back(path, backup, lambda one: one == backup / path.name),
    ),
    "nothing: the file is gone": lambda path, _: path.unlink(),
}


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
async def test_an_old_backup_asks_before_it_pays(path: Path, backup: Path, how: Callable[[Path, Path], object]):
    """What was paid after the backup is found at the platform, and not paid again; what was not is paid, once."""
    async with Sandbox(deduplicate=False) as sandbox:
        await paid_and_copied(path, backup, sandbox)
        how(path, backup)

        client = PayProClient(base_url=sandbox.base_url, ledger=f"sqlite:///{path}", **QUICK)
        with pytest.warns(PayProWarning, match=WORDS):
            await client.open()
        async with aclosing(client):
            assert (await client.payout(fields("AFTER"))).status is PayoutStatus.SUCCEEDED
            assert len(sandbox.books.bookings) == 2
            assert (await client.payout(fields("NEVER"))).status is PayoutStatus.SUCCEEDED
        assert sandbox.books.booked_once(["BEFORE", "AFTER", "NEVER"]).exact


async def test_what_was_unsent_in_the_backup_may_be_out_and_is_unknown(path: Path, make: Make):
    """Open entries become unknown anew, with the restore as the cause in their history; final ones stay."""
    ledger = make(f"sqlite:///{path}")
    await ledger.open(ACCOUNT)
    for trade_no in ("UNSENT", "SENDING", "DONE"):
        await ledger.claim(intent(trade_no))
    await ledger.move(change(State.NEW, "UNSENT"))
    await ledger.move(change(State.SUCCEEDED, "DONE"))
    await ledger.aclose()
    path.with_name(f"{path.name}-mark").unlink()

    restored = make(f"sqlite:///{path}")
    with pytest.warns(PayProWarning, match="mark file is missing"):
        await restored.open(ACCOUNT)
    found = await restored.get_many(MERCHANT, ["UNSENT", "SENDING", "DONE"])
    assert {number: (one.state, one.doubt) for number, one in found.items()} == {
        "UNSENT": (State.SENDING, True),
        "SENDING": (State.SENDING, True),
        "DONE": (State.SUCCEEDED, False),
    }
    assert found["UNSENT"].age < 1
    last = (await restored.history(MERCHANT, "UNSENT"))[-1]
    assert (last.before, last.to, last.cause) == (State.NEW, State.SENDING, Cause.RESTORE)
    assert not (await restored.move(again("UNSENT", state=State.NEW))).done


async def test_a_new_claim_in_a_restored_ledger_announces_nothing(path: Path, make: Make):
    """It is attempt zero, which a forgotten process may have made, and nobody may send before asking; until a person
    says that nothing forgotten can come back.
    """
    ledger = make(f"sqlite:///{path}")
    await ledger.open(ACCOUNT)
    with pytest.warns(PayProWarning, match="a person said so"):
        await ledger.mark_restored(why="a person said so")
    moved = await ledger.claim(intent("T1"))
    assert (moved.done, moved.entry.attempt, moved.entry.state, moved.entry.doubt) == (False, 0, State.SENDING, True)
    assert not (await ledger.claim(intent("T1"))).done

    await ledger.end_restored()
    assert ledger.restored_since is None
    moved = await ledger.claim(intent("T2"))
    assert (moved.done, moved.entry.attempt) == (True, 1)


async def test_the_mode_outlives_the_process_that_noticed(path: Path, make: Make):
    """It is in the ledger, so that every other process asks first as well."""
    ledger = make(f"sqlite:///{path}")
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("T0"))
    await ledger.aclose()
    path.with_name(f"{path.name}-mark").unlink()
    with pytest.warns(PayProWarning, match=WORDS):
        await ledger.open(ACCOUNT)
    await ledger.aclose()

    other = make(f"sqlite:///{path}")
    await other.open(ACCOUNT)
    assert other.restored_since is not None
    assert not (await other.claim(intent("T1"))).done


async def test_a_ledger_that_was_not_restored_raises_no_alarm(path: Path, make: Make):
    """Opened again and again, by several at once, after a process that never closed it."""
    first, second = make(f"sqlite:///{path}", busy_timeout=5.0), make(f"sqlite:///{path}", busy_timeout=5.0)
    for number in range(3):
        await first.open(ACCOUNT)
        await second.open(ACCOUNT)
        await first.claim(intent(f"A{number}"))
        await second.claim(intent(f"B{number}"))
        await first.aclose()
        await second.aclose()
        await anyio.sleep(0.1)
    abandoned = SqlLedger(f"sqlite:///{path}")
    await abandoned.open(ACCOUNT)
    await abandoned.claim(intent("C"))
    await first.open(ACCOUNT)
    assert first.restored_since is None
    await abandoned.aclose()


async def test_another_server_is_a_restored_one(server: Server, make: Make):
    """A dump played into another database, a roll-back, a standby that took over: its identity is not the one that
    the ledger knows.
    """
    url = server.database()
    ledger = make(url)
    await ledger.migrate()
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("T1"))
    await ledger.aclose()
    await ledger.open(ACCOUNT)
    assert ledger.restored_since is None, "the same server, opened again"
    await ledger.aclose()

    name, copy = url.split("?")[0].rsplit("/", 1)[-1], f"copy_of_{os.getpid()}"
    server.run(f"CREATE DATABASE {copy} TEMPLATE {name}")
    restored = make(url.replace(name, copy))
    with pytest.warns(PayProWarning, match="standby took over"):
        await restored.open(ACCOUNT)
    assert not (await restored.claim(intent("T2"))).done


async def test_a_server_that_lost_what_this_process_wrote(server: Server, make: Make):
    """A standby that lagged behind: the next connection of a process that lives on finds its own writing missing."""
    url = server.database()
    ledger = make(url)
    await ledger.migrate()
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("T1"))
    server.run("ALTER TABLE event DISABLE TRIGGER ALL; TRUNCATE event; TRUNCATE payout", url=url)
    server.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'paypro-async'")
    assert not (await ledger.claim(intent("T1"))).done
    assert ledger.restored_since is not None
