"""A file that cannot be used: a clear error, no personal value in it, and good again as soon as the file is."""

# ruff: noqa: ASYNC240  nobody else waits in the event loop of a test

import asyncio
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from paypro_async import LedgerUnavailableError
from paypro_async._core.lifecycle import State
from paypro_async.ledger import Written
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT, MERCHANT, PERSONAL, change, intent
from tests.support.machine_faults import Make, execute, held, numbers, rows, without_privileges


async def refused(ledger: SqlLedger, words: str, trade_no: str = "T1") -> None:
    with pytest.raises(LedgerUnavailableError, match=words) as caught:
        await ledger.claim(intent(trade_no))
    assert not caught.value.money_may_have_moved


async def test_a_ledger_that_is_not_open_says_so(closed: SqlLedger, path: Path):
    """Before opening and after closing; no file appears."""
    await refused(closed, "not open")
    await closed.aclose()
    await refused(closed, "not open")
    assert not path.exists()


async def test_a_folder_that_is_missing(make: Make, tmp_path: Path):
    """The text names the file; once the folder is made, the same object works."""
    path = tmp_path / "missing" / "ledger.db"
    ledger = make(f"sqlite:///{path}")
    with pytest.raises(LedgerUnavailableError, match="No such file or directory") as caught:
        await ledger.open(ACCOUNT)
    assert str(path) in str(caught.value)

    path.parent.mkdir()
    await ledger.open(ACCOUNT)
    assert (await ledger.claim(intent())).done


async def test_a_folder_instead_of_a_file(closed: SqlLedger, path: Path):
    """It is no ledger."""
    path.mkdir()
    with pytest.raises(LedgerUnavailableError, match="Is a directory"):
        await closed.open(ACCOUNT)


async def test_a_file_that_is_no_database(closed: SqlLedger, path: Path):
    """Whatever it is, it stays as it was."""
    text = "name,amount\nAsha Rao,300\n" * 100
    path.write_text(text)
    for _ in range(2):
        with pytest.raises(LedgerUnavailableError, match="not a ledger"):
            await closed.open(ACCOUNT)
    assert path.read_text() == text


async def test_a_file_with_destroyed_pages(durable: SqlLedger, path: Path):
    """A damaged ledger is not paid from."""
    await asyncio.gather(*(durable.claim(intent(f"T{n}")) for n in range(200)))
    await durable.aclose()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))

    with pytest.raises(LedgerUnavailableError, match="damaged"):
        await durable.open(ACCOUNT)


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that another user reaches; pytest's own are private."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("mode", [0o444, 0o000])
async def test_a_file_that_may_not_be_written(shared_folder: Path, make: Make, mode: int):
    """The ledger says so at once, and works when the permissions are mended."""
    path = shared_folder / "ledger.db"
    ledger = make(f"sqlite:///{path}")
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("T1"))
    await ledger.aclose()
    path.chmod(mode)

    with without_privileges(), pytest.raises(LedgerUnavailableError, match="Permission denied"):
        await ledger.open(ACCOUNT)

    path.chmod(0o600)
    await ledger.open(ACCOUNT)
    assert not (await ledger.claim(intent("T1"))).done


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte, where the system lets us have one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


async def fill(ledger: SqlLedger, tries: int = 20) -> set[str]:
    """Claim in groups until there is no room; the numbers that were claimed."""
    claimed: set[str] = set()
    for page in range(tries):
        group = [f"P{page}-{n}" for n in range(50)]
        answers = await asyncio.gather(*(ledger.claim(intent(one)) for one in group), return_exceptions=True)
        claimed |= {one.entry.trade_no for one in answers if isinstance(one, Written)}
        errors = [one for one in answers if not isinstance(one, Written)]
        if errors:
            assert all(isinstance(one, LedgerUnavailableError) for one in errors)
            raise errors[0]
        assert claimed
    return claimed


async def works_again(ledger: SqlLedger, path: Path) -> None:
    """Every claim that was told done is there, every other can be made, and the file is whole."""
    assert (await ledger.claim(intent("after"))).done
    assert "after" in numbers(path)
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


async def test_a_full_disk(small_disk: Path, make: Make):
    """Nothing is claimed that is not stored; with room made, it goes on."""
    path = small_disk / "ledger.db"
    ledger = make(f"sqlite:///{path}")
    await ledger.open(ACCOUNT)
    assert (await ledger.claim(intent("before"))).done
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(650_000))

    with pytest.raises(LedgerUnavailableError, match="disk is full"):
        await fill(ledger)

    ballast.unlink()
    await works_again(ledger, path)


async def test_a_file_that_may_not_grow(durable: SqlLedger, path: Path):
    """A write that the system refuses in the middle of a commit takes nothing of it over."""
    assert (await durable.claim(intent("before"))).done
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(LedgerUnavailableError, match="failed to read or write"):
            await fill(durable)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await works_again(durable, path)


async def test_another_process_that_writes_for_too_long(durable: SqlLedger, path: Path):
    """The claim is refused after the busy time-out and is as if it had never been asked for."""
    await durable.claim(intent("T1"))
    async with held(path):
        await refused(durable, "another process", "T2")
        await refused(durable, "another process", "T2")
    assert numbers(path) == {"T1"}
    assert (await durable.claim(intent("T2"))).done


async def test_another_process_that_writes_for_a_while(make: Make, path: Path):
    """Within the busy time-out a claim waits for its turn."""
    ledger = make(f"sqlite:///{path}", busy_timeout=5)
    await ledger.open(ACCOUNT)
    async with held(path):
        claim = asyncio.create_task(ledger.claim(intent("T1")))
        await asyncio.sleep(0.1)
        assert not claim.done()
    assert (await claim).done


async def test_another_process_that_is_making_the_file(make: Make, path: Path):
    """Whoever opens it at the same moment waits for its turn as well; SQLite by itself would not."""
    ledger = make(f"sqlite:///{path}", busy_timeout=5)
    async with held(path, journal="delete"):
        opening = asyncio.create_task(ledger.open(ACCOUNT))
        await asyncio.wait({opening}, timeout=0.1)
        assert not opening.done()
    await opening
    assert (await ledger.claim(intent("T1"))).done


async def test_another_process_that_never_ends_making_the_file(closed: SqlLedger, path: Path):
    """Nobody waits for it longer than the busy time-out."""
    async with held(path, journal="delete"):
        with pytest.raises(LedgerUnavailableError, match="another process"):
            await closed.open(ACCOUNT)
    await closed.open(ACCOUNT)


async def test_a_ledger_can_be_read_while_another_process_writes(durable: SqlLedger, path: Path):
    """Readers and a writer do not wait for each other, also after a claim that waited in vain."""
    await durable.claim(intent("T1"))
    async with held(path):
        assert await durable.get(MERCHANT, "T1") is not None
        await refused(durable, "another process", "T2")
        assert await durable.get(MERCHANT, "T1") is not None


async def test_a_first_opening_that_failed_is_made_good(closed: SqlLedger, path: Path):
    """Tables and the check of the schema are not skipped the second time."""
    async with held(path, journal="delete"):
        with pytest.raises(LedgerUnavailableError, match="another process"):
            await closed.open(ACCOUNT)
    await closed.open(ACCOUNT)
    assert (await closed.claim(intent())).done


async def test_a_file_system_without_shared_memory(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without a write-ahead log there is no ledger, and the text says that this is why."""
    monkeypatch.chdir(tmp_path)
    ledger = make("sqlite:///file:ledger.db?vfs=unix-dotfile&uri=true")
    with pytest.raises(LedgerUnavailableError, match="write-ahead"):
        await ledger.open(ACCOUNT)


def take_away(path: Path) -> None:
    for one in list(path.parent.iterdir()):
        one.rename(one.with_name(f"away-{one.name}"))


async def test_a_ledger_never_begins_anew_by_itself(durable: SqlLedger, path: Path):
    """After a failure it opens the file that it had, or none: what that one knew would be paid again."""
    await durable.claim(intent("T1"))
    fail_at_insert(path)
    await refused(durable, "no", "T2")
    take_away(path)

    for _ in range(2):
        with pytest.raises(LedgerUnavailableError):
            await durable.claim(intent("T1"))
    assert not path.exists()


async def test_a_file_that_is_taken_away_in_use(durable: SqlLedger, path: Path):
    """What is written to a file that nobody can open again is lost, so nothing more is claimed in it."""
    await durable.claim(intent("T1"))
    take_away(path)

    for _ in range(2):
        with pytest.raises(LedgerUnavailableError):
            await durable.claim(intent("T2"))
    assert not path.exists()


async def test_a_process_that_changes_its_folder(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A relative name means the file that it meant at first, also after a failure."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    monkeypatch.chdir(here)
    ledger = make("sqlite:///ledger.db")
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("T1"))
    monkeypatch.chdir(there)

    async with held(here / "ledger.db"):
        await refused(ledger, "another process", "T2")
    again = await ledger.claim(intent("T1"))
    await ledger.aclose()

    assert not again.done
    assert list(there.iterdir()) == []


async def test_a_row_that_does_not_change_is_not_taken_for_changed(durable: SqlLedger, path: Path):
    """Should the database ever not write what was decided, nobody is told that it did."""
    await durable.claim(intent("T1"))
    execute(path, "CREATE TRIGGER still BEFORE UPDATE ON payout BEGIN SELECT RAISE(IGNORE); END")
    with pytest.raises(LedgerUnavailableError, match="changed"):
        await durable.move(change(State.SUCCEEDED))
    assert rows(path, "SELECT to_state FROM event") == [("sending",)]

    execute(path, "DROP TRIGGER still")
    assert (await durable.move(change(State.SUCCEEDED))).done


async def test_words_that_cannot_be_stored_harm_nobody_else(durable: SqlLedger):
    """A platform's broken text in one change costs no other caller its claim, and the change its words at most."""
    await durable.claim(intent("T1"))
    broken = change(State.SUCCEEDED, message="paid \ud800", code="0000")

    moved, *claims = await asyncio.gather(
        durable.move(broken), *(durable.claim(intent(f"N{n}")) for n in range(5)), return_exceptions=True
    )

    assert [isinstance(one, Written) and one.done for one in claims] == [True] * 5
    assert isinstance(moved, Written)
    stored = await durable.get(MERCHANT, "T1")
    assert stored is not None
    assert (stored.state, stored.code) == (State.SUCCEEDED, "0000")


def fail_at_insert(path: Path) -> None:
    execute(path, "CREATE TRIGGER no BEFORE INSERT ON payout BEGIN SELECT RAISE(ABORT, 'no'); END")


def lose_a_table(path: Path) -> None:
    execute(path, "DROP TABLE payout")


def lose_a_column(path: Path) -> None:
    execute(path, "ALTER TABLE payout DROP COLUMN utr")


@pytest.mark.parametrize("fault", [fail_at_insert, lose_a_table, lose_a_column])
async def test_an_error_never_holds_a_personal_value(durable: SqlLedger, path: Path, fault: Callable[[Path], None]):
    """Not in its text, nor anywhere in the errors behind it, which logs and crash reports print with all they hold."""
    fault(path)
    with pytest.raises(LedgerUnavailableError) as caught:
        await asyncio.gather(*(durable.claim(intent(f"T{n}")) for n in range(3)))

    chain: list[BaseException] = []
    waiting: list[BaseException | None] = [caught.value]
    while waiting:
        error = waiting.pop()
        if error is not None and error not in chain:
            chain.append(error)
            waiting += [error.__cause__, error.__context__, getattr(error, "orig", None)]
    told = "\n".join(f"{error} {error!r} {error.args} {vars(error)}" for error in chain)
    assert [value for value in PERSONAL if value in told] == []


def unlinked(file: Path) -> None:
    file.unlink()


def copied_over(file: Path) -> None:
    copy = file.with_name("copy")
    shutil.copy(file, copy)
    copy.replace(file)


@pytest.mark.parametrize("beside", ["-wal", "-shm"])
@pytest.mark.parametrize("loses", [unlinked, copied_over])
async def test_a_log_that_was_taken_away_or_replaced(
    durable: SqlLedger, path: Path, beside: str, loses: Callable[[Path], None]
):
    """What is written to it now no other process finds, so nothing is sent, also later."""
    await durable.claim(intent("T1"))
    loses(path.with_name(f"{path.name}{beside}"))
    for number in ("T2", "T3"):
        await refused(durable, "taken away or replaced", number)
    with pytest.raises(LedgerUnavailableError):
        await durable.get(MERCHANT, "T1")
