"""Backups of a ledger file, and what is noticed when somebody pays from one."""

# ruff: noqa: ASYNC240  nobody else waits in the event loop of a test

import asyncio
import shutil
import stat
from pathlib import Path

import pytest

from paypro_async import ConfigurationError, PayProWarning
from paypro_async._core.lifecycle import State
from paypro_async.ledger.admin.check import findings
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT, MERCHANT, change, intent
from tests.support.machine_faults import Make, numbers


async def copied(make: Make, path: Path, target: Path) -> Path:
    target.touch(mode=0o600)
    await make(f"sqlite:///{path}").copy_to(target)
    return target


async def test_a_copy_is_whole_while_others_write(durable: SqlLedger, make: Make, path: Path, tmp_path: Path):
    """Every payout in it has its history, and it is one file that only its owner can read."""

    async def pay() -> None:
        for number in range(400):
            await durable.claim(intent(f"T{number}"))
            await durable.move(change(State.SUCCEEDED, f"T{number}"))

    paying = asyncio.create_task(pay())
    while len(numbers(path)) < 50:  # noqa: ASYNC110  the file sends no events
        await asyncio.sleep(0.001)
    copy = await copied(make, path, tmp_path / "copy.db")
    await paying

    assert 50 <= len(numbers(copy)) <= 400
    reader = make(f"sqlite:///{copy}")
    await reader.open_to_read()
    assert [one async for one in findings(reader)] == []
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert numbers(path) == {f"T{number}" for number in range(400)}


@pytest.mark.parametrize("payouts", [0, 3])
@pytest.mark.parametrize("place", ["elsewhere", "over the ledger"])
async def test_who_pays_from_a_copy_asks_first(
    durable: SqlLedger, make: Make, path: Path, tmp_path: Path, place: str, payouts: int
):
    """Wherever it is put, also where the mark of the ledger still lies, and though it may hold nothing yet."""
    for number in range(payouts):
        await durable.claim(intent(f"T{number}"))
    copy = await copied(make, path, tmp_path / "copy.db")
    await durable.claim(intent("forgotten"))
    await durable.aclose()
    if place == "over the ledger":
        for one in path.parent.glob(f"{path.name}-*"):
            if not one.name.endswith("-mark"):
                one.unlink()
        copy = Path(shutil.move(copy, path))
    reader, payer, later = (make(f"sqlite:///{copy}") for _ in range(3))

    await reader.open_to_read()
    assert reader.suspicion
    assert "backup" in reader.suspicion
    assert reader.restored_since is None
    with pytest.warns(PayProWarning, match="restored backup"):
        await payer.open(ACCOUNT)

    # Nothing is announced, so nothing is sent before the platform was asked.
    assert not (await payer.claim(intent("forgotten"))).done
    entry = await payer.get(MERCHANT, "forgotten")
    assert entry is not None
    assert (entry.state, entry.attempt, entry.doubt) == (State.SENDING, 0, True)
    # Once it is known it is not said again, and stays so until a person ends it.
    await later.open(ACCOUNT)
    assert later.restored_since == payer.restored_since


async def test_the_ledger_that_was_copied_stays_as_it_is(durable: SqlLedger, make: Make, path: Path, tmp_path: Path):
    """It is no backup, and goes on without asking."""
    await durable.claim(intent("T1"))
    await copied(make, path, tmp_path / "copy.db")
    await durable.aclose()
    again = make(f"sqlite:///{path}")
    await again.open(ACCOUNT)
    assert again.restored_since is None
    assert (await again.claim(intent("T2"))).done


async def test_what_is_no_ledger_is_not_copied(make: Make, path: Path, tmp_path: Path):
    """Neither a file that is missing nor an empty one; and none appears."""
    with pytest.raises(ConfigurationError, match="There is no ledger"):
        await copied(make, path, tmp_path / "copy.db")
    assert not path.exists()
    path.touch()
    with pytest.raises(ConfigurationError, match="no ledger"):
        await make(f"sqlite:///{path}").copy_to(tmp_path / "copy.db")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_server_has_tools_of_its_own(make: Make, database_url: str, tmp_path: Path):
    """They are named."""
    with pytest.raises(ConfigurationError, match="pg_basebackup"):
        await make(database_url).copy_to(tmp_path / "copy.db")


@pytest.mark.parametrize("opening", ["open_to_read", "open_to_maintain"])
async def test_who_does_not_pay_makes_no_ledger(make: Make, path: Path, opening: str):
    """A wrong name is a wrong name; a file without tables stays without."""
    ledger = make(f"sqlite:///{path}")
    with pytest.raises(ConfigurationError, match="There is no ledger"):
        await getattr(ledger, opening)()
    assert list(path.parent.iterdir()) == []
    path.touch()
    with pytest.raises(ConfigurationError, match="ledger migrate"):
        await getattr(ledger, opening)()
