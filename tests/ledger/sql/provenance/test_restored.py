"""A ledger that was restored from a backup has forgotten payouts: it notices, says so, and asks before it pays."""

# ruff: noqa: ASYNC240  nobody else waits in the event loop of a test

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest

from paypro_async import ConfigurationError, Md5Signer, PayoutStatus, PayProClient, PayProWarning
from paypro_async._core.lifecycle import Cause, Reply, State
from paypro_async._core.transitions import after_absence, next_attempt
from paypro_async.ledger.file import place_of
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.provenance import watermark as mark_module
from paypro_async.ledger.sql.provenance.watermark import Watermark, mark_beside
from paypro_async.ledger.sql.schema import payout
from paypro_async.sandbox import Sandbox
from tests.support.intents import ACCOUNT, FIELDS, MERCHANT, again, change, intent
from tests.support.machine_faults import Make, execute, rows
from tests.support.postgres import Server
from tests.support.raw_sql import TRIGGERS, run

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
    for trade_no in ("UNSENT", "SHUT-OUT", "SENDING", "DONE"):
        await ledger.claim(intent(trade_no))
    await ledger.move(change(State.NEW, "UNSENT"))
    await ledger.move(change(State.NEW, "SHUT-OUT", doubt=True, reply=Reply.CALLER))
    await ledger.move(change(State.SENDING, "SENDING", cause=Cause.QUERY, reply=Reply.DUPLICATE))
    await ledger.move(change(State.SUCCEEDED, "DONE"))
    await ledger.aclose()
    path.with_name(f"{path.name}-mark").unlink()

    restored = make(f"sqlite:///{path}")
    with pytest.warns(PayProWarning, match="mark file is missing"):
        await restored.open(ACCOUNT)
    found = await restored.get_many(MERCHANT, ["UNSENT", "SHUT-OUT", "SENDING", "DONE"])
    assert {number: (one.state, one.doubt, one.reply) for number, one in found.items()} == {
        "UNSENT": (State.SENDING, True, None),
        "SHUT-OUT": (State.SENDING, True, None),
        "SENDING": (State.SENDING, True, Reply.DUPLICATE),
        "DONE": (State.SUCCEEDED, False, None),
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


@pytest.mark.parametrize("doubt", [False, True], ids=["one attempt", "two attempts"])
async def test_what_was_believed_before_it_was_put_back_is_believed_no_more(path: Path, make: Make, doubt: bool):
    """A process that goes on has asked before, and an attempt of another one may be forgotten since."""
    ledger, other = make(f"sqlite:///{path}"), make(f"sqlite:///{path}")
    for one in (ledger, other):
        await one.open(ACCOUNT)
    seen = (await ledger.claim(intent("T1"))).entry
    if doubt:
        seen = (await ledger.move(next_attempt(seen))).entry
    with pytest.warns(PayProWarning, match="a person said so"):
        await other.mark_restored(why="a person said so")
    believed = after_absence(seen, resend=True, exhausted=True)
    assert believed is not None
    for change_of_one_that_goes_on in (believed, next_attempt(seen)):
        answer = await ledger.move(change_of_one_that_goes_on)
        assert (answer.done, answer.entry.state, answer.entry.attempt) == (False, State.SENDING, seen.attempt)
    assert (await ledger.move(next_attempt(answer.entry))).done


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


def copy_of_all(path: Path, backup: Path) -> None:
    subprocess.run(["cp", "-a", *files(path), backup], check=True)


@pytest.mark.parametrize("files_of_it", ["all", "the ledger and its mark", "the ledger alone"])
async def test_a_folder_that_was_copied_at_once_and_renamed_into_place(
    path: Path, make: Make, tmp_path: Path, files_of_it: str
):
    """No time lies between; but the copies are other files than those of which the mark speaks."""
    live, backup = tmp_path / "live", tmp_path / "backup"
    live.mkdir()
    backup.mkdir()
    at = live / path.name
    ledger = make(f"sqlite:///{at}")
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("BEFORE"))
    copy_of_all(at, backup)
    await ledger.claim(intent("AFTER"))
    await ledger.aclose()
    live.rename(tmp_path / "old")
    kept = {"all": ("", "-wal", "-shm", "-mark"), "the ledger and its mark": ("", "-mark"), "the ledger alone": ("",)}
    for one in files(backup / path.name):
        if one.name.removeprefix(path.name) not in kept[files_of_it]:
            one.unlink()
    backup.rename(live)

    restored = make(f"sqlite:///{at}")
    with pytest.warns(PayProWarning, match=WORDS):
        await restored.open(ACCOUNT)
    assert not (await restored.claim(intent("AFTER"))).done


async def test_files_that_were_copied_back_into_themselves_at_once(path: Path, make: Make, backup: Path):
    """They are the same files, but the line in the mark is older than the file system says."""
    ledger = make(f"sqlite:///{path}")
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("BEFORE"))
    copy_of_all(path, backup)
    await ledger.claim(intent("AFTER"))
    await ledger.aclose()
    await anyio.sleep(0.03)
    for one in files(backup / path.name):
        path.with_name(one.name).write_bytes(one.read_bytes())

    restored = make(f"sqlite:///{path}")
    with pytest.warns(PayProWarning, match="mark file was copied"):
        await restored.open(ACCOUNT)
    assert not (await restored.claim(intent("AFTER"))).done


async def test_a_file_system_with_a_clock_of_its_own_raises_no_alarm(
    path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
):
    """What cannot be as near as on others is noted so; a copy that is older than two seconds is still known."""
    monkeypatch.setattr(mark_module, "_SECONDS", 0.0)
    ledger = make(f"sqlite:///{path}")
    for number in range(3):
        await ledger.open(ACCOUNT)
        await ledger.claim(intent(f"T{number}"))
        await ledger.aclose()
    assert ledger.restored_since is None
    assert mark_beside(path).read_text().split()[-1] == "coarse"


async def test_a_folder_that_is_moved_is_the_same_ledger(path: Path, make: Make, tmp_path: Path):
    """Every file is the one that it was."""
    live = tmp_path / "live"
    live.mkdir()
    ledger = make(f"sqlite:///{live / path.name}")
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("T1"))
    await ledger.aclose()
    live.rename(tmp_path / "moved")

    moved = make(f"sqlite:///{tmp_path / 'moved' / path.name}")
    await moved.open(ACCOUNT)
    assert moved.restored_since is None
    assert (await moved.claim(intent("T2"))).done


async def test_a_copy_beside_the_mark_of_the_ledger_is_not_the_ledger(path: Path, make: Make):
    """Though nothing is missing in it as far as the mark says: that may lag behind by a commit."""
    ledger = make(f"sqlite:///{path}")
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("T1"))
    await ledger.aclose()
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.replace(path)
    with pytest.warns(PayProWarning, match="another one than its mark file knows"):
        await ledger.open(ACCOUNT)


async def test_a_copied_mark_beside_the_ledger_is_not_its_mark(path: Path, make: Make, monkeypatch: pytest.MonkeyPatch):
    """However soon after the last commit it was copied: it is another file than the one that it speaks of."""
    monkeypatch.setattr(mark_module, "_SECONDS", 3600.0)
    ledger = make(f"sqlite:///{path}")
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("T1"))
    await ledger.aclose()
    copy, mark = path.with_name("copy"), mark_beside(path)
    shutil.copy(mark, copy)
    copy.replace(mark)
    with pytest.warns(PayProWarning, match="mark file was copied"):
        await ledger.open(ACCOUNT)


async def test_the_mark_of_an_earlier_release_is_read(path: Path, make: Make):
    """It says neither which file it is nor which one is the ledger; and from the next commit on it does."""
    ledger = make(f"sqlite:///{path}")
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("T1"))
    await ledger.aclose()
    mark = path.with_name(f"{path.name}-mark")
    ledger_id, event, _, boot, *_ = mark.read_text().split()
    with mark.open("r+") as file:
        file.truncate()
        file.write(f"{f'{ledger_id} {event} {time.time_ns()} {boot}':<127}\n")
    await ledger.open(ACCOUNT)
    assert ledger.restored_since is None
    await ledger.claim(intent("T2"))
    await ledger.aclose()
    assert len(mark.read_text().split()) == 7


@pytest.fixture(params=["folder", "file"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "another volume"
    folder.mkdir()
    return folder if request.param == "folder" else folder / "mark"


def rolled_back(path: Path, backup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file of the volume is the one that it was, with what stood in it then; and so are all times."""
    monkeypatch.setattr(mark_module, "_SECONDS", 3600.0)
    for one in files(path):
        one.unlink() if not (backup / one.name).exists() else one.write_bytes((backup / one.name).read_bytes())


async def test_a_volume_that_was_rolled_back_is_noticed_by_a_mark_elsewhere(
    path: Path, make: Make, backup: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
):
    """From inside nothing is to be seen of it."""
    ledger = make(f"sqlite:///{path}", mark=elsewhere)
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("BEFORE"))
    await ledger.aclose()
    copy_of_all(path, backup)
    await ledger.open(ACCOUNT)
    assert ledger.restored_since is None
    await ledger.claim(intent("AFTER"))
    await ledger.aclose()
    rolled_back(path, backup, monkeypatch)

    blind = make(f"sqlite:///{path}")
    await blind.open_to_read()
    assert blind.suspicion is None
    restored = make(f"sqlite:///{path}", mark=elsewhere)
    with pytest.warns(PayProWarning, match="its history has been longer, as the mark"):
        await restored.open(ACCOUNT)
    assert not (await restored.claim(intent("AFTER"))).done


async def test_a_volume_that_is_not_mounted_is_noticed_by_a_mark_elsewhere(path: Path, make: Make, elsewhere: Path):
    """The ledger that is made in its place is not the first one."""
    ledger = make(f"sqlite:///{path}", mark=elsewhere)
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("T1"))
    await ledger.aclose()
    for one in files(path):
        one.unlink()
    with pytest.warns(PayProWarning, match="mark elsewhere knows of payouts"):
        await make(f"sqlite:///{path}", mark=elsewhere).open(ACCOUNT)


async def test_a_mark_elsewhere_that_has_no_folder_is_refused(path: Path, make: Make, tmp_path: Path):
    """Its volume is not mounted, or its name is misspelt: the ledger would go on unguarded."""
    for missing in (tmp_path / "missing" / "mark", tmp_path / "marks"):
        with pytest.raises(ConfigurationError, match=r"there is no such folder. Nothing was sent"):
            await make(f"sqlite:///{path}", mark=missing).open(ACCOUNT)
    assert not path.exists()


async def test_the_environment_says_where_the_mark_lies(
    path: Path, make: Make, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
):
    """For every process of it, however it names the ledger."""
    monkeypatch.setenv("PAYPRO_LEDGER_MARK", str(elsewhere))
    async with Sandbox() as sandbox, PayProClient(base_url=sandbox.base_url, ledger=str(path), **SETTINGS) as client:
        await client.payout(fields("T1"))
    for one in files(path):
        one.unlink()
    with pytest.warns(PayProWarning, match="mark elsewhere knows of payouts"):
        await make(f"sqlite:///{path}").open(ACCOUNT)


async def test_a_server_that_was_rolled_back_is_noticed_by_a_mark_elsewhere(make: Make, elsewhere: Path):
    """A cold copy of its data put back under the same server, of which the server itself knows nothing."""
    with Server() as server:
        url = server.database()
        await make(url).migrate()
        ledger = make(url, mark=elsewhere)
        await ledger.open(ACCOUNT)
        await ledger.claim(intent("BEFORE"))
        await ledger.aclose()
        server.stop("fast")
        backup = server.copied()
        server.start()
        await ledger.open(ACCOUNT)
        assert ledger.restored_since is None
        await ledger.claim(intent("AFTER"))
        await ledger.aclose()
        server.stop("fast")
        server.put_back(backup)
        server.start()

        restored = make(url, mark=elsewhere)
        with pytest.warns(PayProWarning, match="its history has been longer, as the mark"):
            await restored.open(ACCOUNT)
        assert not (await restored.claim(intent("AFTER"))).done
        await restored.aclose()


async def test_two_ledgers_of_one_name_have_two_marks_in_a_folder(make: Make, tmp_path: Path):
    """Each is told by its whole path."""
    marks = tmp_path / "marks"
    for name in ("marks", "a", "b"):
        (tmp_path / name).mkdir()
    for _ in range(2):
        for name in ("a", "b"):
            ledger = make(f"sqlite:///{tmp_path / name / 'payouts.db'}", mark=marks)
            await ledger.open(ACCOUNT)
            await ledger.claim(intent("T1"))
            assert ledger.restored_since is None
            await ledger.aclose()
    assert len(list(marks.iterdir())) == 2


def as_version_2(url: str) -> None:
    """The tables as the release before made them."""
    of_server = url.startswith("postgresql")
    run(
        url,
        *(f"DROP TRIGGER IF EXISTS {name}{f' ON {table}' if of_server else ''}" for name, table in TRIGGERS.items()),
        *(f"DROP INDEX {index.name}" for index in payout.indexes),
        *(f"ALTER TABLE payout DROP COLUMN {name}" for name in ("payment_key", "settle_after", "resend")),
        *(f"ALTER TABLE account DROP COLUMN {name}" for name in ("control_code", "control_at", "reconciled_to")),
        *(f"ALTER TABLE event DROP COLUMN {name}" for name in ("was_uncertain", "uncertain")),
        *(f"DROP TABLE {name}" for name in ("consumer", "delivery", "callback", "approval", "planned", "shard")),
        "UPDATE meta SET value = '2' WHERE key = 'schema_version'",
    )


async def test_a_restored_file_of_an_older_schema_is_noticed_when_it_is_brought_up_to_date(path: Path, make: Make):
    """Its mark is compared, and not written anew with the tables."""
    ledger = make(f"sqlite:///{path}")
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("BEFORE"))
    await ledger.aclose()
    as_version_2(f"sqlite:///{path}")
    copy = path.read_bytes()
    add_a_step(path)
    path.write_bytes(copy)

    with pytest.warns(PayProWarning, match="its history has been longer"):
        await ledger.open(ACCOUNT)


def add_a_step(path: Path) -> None:
    """What a release before this one would do: a step of history, and then its mark."""
    columns = "merchant_no, trade_no, at, from_state, to_state, cause, attempt, code, phase, person, note"
    execute(path, f"INSERT INTO event ({columns}) SELECT {columns} FROM event")  # noqa: S608  the names are ours
    ((ledger_id,),) = rows(path, "SELECT value FROM meta WHERE key = 'ledger_id'")
    mark = Watermark(mark_beside(path))
    mark.write(ledger_id, 2, place_of(path))
    mark.close()


async def test_a_restored_server_of_an_older_schema_is_noticed_when_it_is_brought_up_to_date(
    server: Server, make: Make
):
    """What the ledger knew its server by is compared, and not written anew with the tables."""
    url = server.database()
    ledger = make(url)
    await ledger.migrate()
    as_version_2(url)
    run(url, "UPDATE meta SET value = 'another' WHERE key = 'server'")
    assert await ledger.migrate() == 2
    with pytest.warns(PayProWarning, match="the server is another one"):
        await ledger.open(ACCOUNT)


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
