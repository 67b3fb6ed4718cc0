"""Who may read and write a ledger beside its owner."""

import asyncio
import os
import shlex
import stat
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from paypro_async import ConfigurationError, LedgerUnavailableError, PayProWarning
from paypro_async.cli.app import run
from paypro_async.ledger import Account, open_ledger
from paypro_async.ledger.file import belongs_to, open_to_others
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import intent
from tests.support.merchant import MERCHANT_NO

pytestmark = pytest.mark.skipif(os.name != "posix", reason="other systems have other permissions")

ACCOUNT = Account(merchant_no=MERCHANT_NO, region="india", environment="sandbox")


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {one.name: stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()}


async def opened(path: Path, *, to: str = "open") -> dict[str, int]:
    ledger = open_ledger(str(path))
    assert isinstance(ledger, SqlLedger)
    try:
        await (ledger.open(ACCOUNT) if to == "open" else ledger.open_to_read())
        if to == "open":
            await ledger.record_control(MERCHANT_NO, "1")
        return modes(path.parent)
    finally:
        await ledger.aclose()


@pytest.mark.parametrize("mask", [0, 0o022, 0o277])
async def test_all_files_of_a_ledger_are_its_owners_alone(tmp_path: Path, mask: int, umask: None):
    """The ledger, its log, the index of it and the mark, also while it is open; whatever the umask says."""
    os.umask(mask)
    path = tmp_path / "payouts.db"
    found = await opened(path)
    assert found.keys() == {"payouts.db", "payouts.db-wal", "payouts.db-shm", "payouts.db-mark"}
    assert set(found.values()) == set(modes(tmp_path).values()) == {0o600}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
async def test_a_ledger_that_others_may_read_is_used_with_a_warning(tmp_path: Path, mode: int):
    """With the command that closes it to them; after that there is none."""
    path = tmp_path / "my payouts.db"
    await opened(path)
    path.chmod(mode)
    for to in ("open", "read"):
        with pytest.warns(PayProWarning, match="may be read by other users") as warned:
            await opened(path, to=to)
    command = str(warned[0].message).partition("Close it to them: ")[2]
    await asyncio.to_thread(subprocess.run, shlex.split(command), check=True)
    assert open_to_others(path) is None
    await opened(path)


@pytest.mark.parametrize("suffix", ["", "-mark"])
async def test_a_ledger_that_everybody_may_write_is_refused(tmp_path: Path, suffix: str):
    """Anybody could make it forget what was paid. It can be looked into, with a warning."""
    path = tmp_path / "payouts.db"
    await opened(path)
    path.with_name(path.name + suffix).chmod(0o666)
    with pytest.raises(ConfigurationError, match=r"may be written by every user.*Nothing was sent.*chmod 600"):
        await opened(path)
    with pytest.warns(PayProWarning, match="may be read by other users") if not suffix else nullcontext():
        await opened(path, to="read")


async def test_the_command_line_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """In one line, and goes on."""
    await opened(tmp_path / "payouts.db")
    (tmp_path / "payouts.db").chmod(0o644)
    assert await asyncio.to_thread(run, ["ledger", "show", "--ledger", str(tmp_path / "payouts.db")]) == 0
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if "Note: The ledger" in line and "chmod 600" in line]


@pytest.mark.parametrize("place", ["folder", "pipe", "device", "loop"])
async def test_what_is_no_mark_is_refused_before_anything_is_stored(tmp_path: Path, place: str):
    """Not with a bare OSError, and not by waiting for a pipe; the text says what is certain and what to do."""
    path = tmp_path / "payouts.db"
    await opened(path)
    mark = tmp_path / "payouts.db-mark"
    mark.unlink()
    if place == "folder":
        mark.mkdir()
    elif place == "pipe":
        os.mkfifo(mark)
    else:
        mark.symlink_to("/dev/full" if place == "device" else mark)
    async with asyncio.timeout(10):
        with pytest.raises(LedgerUnavailableError, match=r"mark .* cannot be used: .*\. Nothing was stored or sent\. "):
            await opened(path)


def test_a_file_is_a_ledgers_under_whatever_name(tmp_path: Path):
    """By links of either kind, and in another case, as some file systems do not tell apart."""
    ledger = tmp_path / "payouts.db"
    ledger.touch()
    (tmp_path / "soft").symlink_to(ledger)
    (tmp_path / "hard").hardlink_to(ledger)
    files = open_ledger(str(ledger)).files  # type: ignore[attr-defined]
    for name in (
        "payouts.db",
        "Payouts.DB-WAL",
        "payouts.db-shm",
        "payouts.db-journal",
        "payouts.db-mark",
        "soft",
        "hard",
    ):
        assert belongs_to(tmp_path / name, files), name
    assert not belongs_to(tmp_path / "payouts.csv", files)


@pytest.mark.parametrize("where", ["too long", "loop", "no folder"])
async def test_a_mark_elsewhere_that_cannot_be_is_refused_in_words(tmp_path: Path, where: str):
    """Not with a bare OSError."""
    places = {
        "too long": tmp_path / f"{'x' * 300}-mark",
        "loop": tmp_path / "l",
        "no folder": tmp_path / "x" / "m-mark",
    }
    (tmp_path / "l").symlink_to(tmp_path / "l")
    ledger = SqlLedger(f"sqlite:///{tmp_path}/payouts.db", mark=places[where])
    assert ledger.files
    with pytest.raises(ConfigurationError, match=r"mark of the ledger .* shall lie in .*Nothing was sent\."):
        await ledger.open(ACCOUNT)
    await ledger.aclose()


async def test_a_mark_that_fails_after_a_commit_says_what_is_certain(tmp_path: Path):
    """What was committed is in the ledger, and was not sent; with room on the disk it goes on."""
    ledger = SqlLedger(f"sqlite:///{tmp_path}/payouts.db")
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("T1"))
    mark: int = ledger._database._watermark._descriptor  # type: ignore[attr-defined]
    kept, full = os.dup(mark), os.open("/dev/full", os.O_RDWR)
    os.dup2(full, mark)
    with pytest.raises(LedgerUnavailableError, match="has stored what it was told, and nothing new was sent"):
        await ledger.claim(intent("T2"))
    os.dup2(kept, mark)
    os.close(kept)
    os.close(full)
    assert await ledger.get(intent("T2").merchant_no, "T2") is not None
    assert (await ledger.claim(intent("T3"))).done
    await ledger.aclose()
