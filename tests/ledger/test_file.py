"""One file under two names has two logs: a second name is refused, and links are followed before anything is opened."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from paypro_async import ConfigurationError, LedgerUnavailableError
from paypro_async.ledger.opening import LedgerUrl
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT, MERCHANT, intent
from tests.support.machine_faults import Make

OPENINGS = ["open", "open_to_read", "open_to_maintain"]


async def opened(ledger: SqlLedger, opening: str) -> None:
    await getattr(ledger, opening)(*([ACCOUNT] if opening == "open" else []))


async def a_ledger(make: Make, path: Path) -> None:
    ledger = make(f"sqlite:///{path}")
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("T1"))
    await ledger.aclose()


@pytest.mark.parametrize("opening", OPENINGS)
async def test_a_file_with_two_names_is_refused_under_both(path: Path, make: Make, opening: str):
    """A hard link: what was paid under one name stands in the log of that name. Without it, it is a ledger again."""
    await a_ledger(make, path)
    other = path.with_name("other.db")
    os.link(path, other)
    for name in (path, other):
        with pytest.raises(ConfigurationError, match=r"has 2 names.*Nothing was sent"):
            await opened(make(f"sqlite:///{name}"), opening)
    other.unlink()
    await opened(make(f"sqlite:///{path}"), opening)


async def test_a_second_name_that_is_given_while_it_is_paid_from(durable: SqlLedger, path: Path):
    """From then on nothing is sent, until it is taken away."""
    await durable.claim(intent("T1"))
    other = path.with_name("other.db")
    os.link(path, other)
    with pytest.raises(LedgerUnavailableError, match="has 2 names"):
        await durable.claim(intent("T2"))
    other.unlink()
    assert (await durable.claim(intent("T2"))).done


@pytest.fixture(params=["mounted.db", "with a blank\tand a tab.db"])
def mounted(request: pytest.FixtureRequest, path: Path, tmp_path: Path) -> Iterator[Path]:
    """The ledger's file alone, mounted at another place, as 'docker run -v /here/payouts.db:/there/payouts.db' does."""
    path.touch(mode=0o600)
    there = tmp_path / request.param
    there.touch()
    try:
        done = subprocess.run(["mount", "--bind", path, there], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        done = False
    if not done:
        pytest.skip("only root may mount a file")
    yield there
    subprocess.run(["umount", there], check=True)


@pytest.mark.parametrize("opening", OPENINGS)
async def test_a_file_that_is_mounted_by_itself_is_refused(mounted: Path, path: Path, make: Make, opening: str):
    """Its log stays behind, in the folder that is not mounted; the text says to mount that."""
    await a_ledger(make, path)
    with pytest.raises(ConfigurationError, match=r"mounted here as a single file.*Mount its folder"):
        await opened(make(f"sqlite:///{mounted}"), opening)
    assert not mounted.with_name(f"{mounted.name}-wal").exists()


async def test_a_link_leads_to_the_same_ledger(path: Path, make: Make, tmp_path: Path):
    """Two clients, one through a link: one log, one mark, and each number is claimed once."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = folder / "payouts.db"
    link.symlink_to(path)
    by_name, by_link = make(f"sqlite:///{path}"), make(f"sqlite:///{link}")
    await by_link.open(ACCOUNT)
    await by_name.open(ACCOUNT)
    assert (await by_link.claim(intent("T1"))).done
    assert not (await by_name.claim(intent("T1"))).done
    assert {one.name for one in folder.iterdir()} == {"payouts.db"}
    assert {one.name.removeprefix("ledger.db") for one in path.parent.glob("ledger.db*")} == {
        "",
        "-wal",
        "-shm",
        "-mark",
    }
    assert by_link.name == by_name.name == str(path)
    assert LedgerUrl.read(str(link)).files == LedgerUrl.read(str(path)).files


async def test_a_link_is_followed_once(path: Path, make: Make, tmp_path: Path):
    """A ledger object means the file that its link led to when it was made, also when that changes."""
    link = tmp_path / "current"
    link.symlink_to(path)
    ledger = make(f"sqlite:///{link}")
    link.unlink()
    link.symlink_to(tmp_path / "another.db")
    await ledger.open(ACCOUNT)
    await ledger.claim(intent("T1"))
    assert not (tmp_path / "another.db").exists()
    found = make(f"sqlite:///{path}")
    await found.open_to_read()
    assert await found.get(MERCHANT, "T1") is not None
