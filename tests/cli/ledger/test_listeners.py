"""Who listens, what was parked and is released, and callbacks that were kept apart: shown and told."""

import pytest

from paypro_async._core.lifecycle import State
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.commands import Commands
from tests.support.intents import ACCOUNT, MERCHANT, change, intent
from tests.support.raw_sql import run


@pytest.fixture
async def parked(used: str) -> str:
    """A consumer whose handler took the change of one payout, and would not take that of another."""
    ledger = SqlLedger(used)
    await ledger.open(ACCOUNT)
    await ledger.register(MERCHANT, "mails")
    for number in ("N1", "N2"):
        await ledger.claim(intent(number))
        await ledger.move(change(State.PROCESSING, number))
    for lent in await ledger.take(MERCHANT, "mails", owner="one", limit=10, seconds=60):
        if lent.change.trade_no == "N1":
            await ledger.put_off(MERCHANT, "mails", lent.number, owner="one", seconds=None, error="KeyError")
        else:
            await ledger.told(MERCHANT, "mails", [lent.number], owner="one")
    told = {"status": "0000", "amount": "300", "platform_trade_no": "P9"}
    await ledger.keep_callback(MERCHANT, "X1", why="unknown", **told)
    await ledger.aclose()
    return used


async def test_what_is_parked_is_shown_and_released(parked: str, ledger_command: Commands):
    """In the ledger at a glance, with its payout, and for programs."""
    out = (await ledger_command("show")).out
    assert "Changes that their handler would not take" in out
    assert "KeyError" in out
    out = (await ledger_command("show", "N1")).out
    assert out.count("KeyError") == 1
    assert "{" not in out
    (record,) = (await ledger_command.json("show", "N1"))["payouts"]
    assert (record["parked"]["consumer"], record["parked"]["error"]) == ("mails", "KeyError")
    assert "KeyError" not in (await ledger_command("show", "N2")).out
    (shown,) = (await ledger_command.json("show"))["parked"]
    assert (shown["trade_no"], shown["consumer"], shown["tries"], shown["behind"]) == ("N1", "mails", 1, 1)

    assert "No change of payout N2 is parked" in (await ledger_command("release", "N2", code=1)).err
    assert (await ledger_command("release", "N1", "--consumer", "other", code=1)).err
    assert "1 change is told again" in (await ledger_command("release", "N1")).out
    assert (await ledger_command.json("show"))["parked"] == []


async def test_all_that_is_parked_is_released(parked: str, ledger_command: Commands):
    """And something must be said."""
    assert await ledger_command.json("release", "--all") == {"released": 1, "not_parked": []}
    assert "Give the trade numbers, or --all" in (await ledger_command("release", code=2)).err


async def test_who_listens_is_shown(parked: str, ledger_command: Commands):
    """How far each has come, and what waits."""
    (found,) = (await ledger_command.json("consumers"))["consumers"]
    assert (found["name"], found["behind"], found["waiting"], found["parked"]) == ("mails", 0, 2, 1)
    assert found["oldest"]
    assert "mails" in (await ledger_command("consumers")).out


async def test_nobody_listens(used: str, ledger_command: Commands):
    """Which is said."""
    assert "Nobody listens" in (await ledger_command("consumers")).out


async def test_callbacks_that_changed_nothing_are_shown_and_pruned(parked: str, ledger_command: Commands):
    """When they did not come again for long."""
    assert "X1" in (await ledger_command("show")).out
    (kept,) = (await ledger_command.json("show"))["kept_callbacks"]
    assert (kept["trade_no"], kept["why"], kept["count"]) == ("X1", "unknown", 1)
    await ledger_command("prune", "--older-than", "90d", "--apply")
    assert (await ledger_command.json("show"))["kept_callbacks"]
    run(parked, "UPDATE callback SET last_at = 0")
    await ledger_command("prune", "--older-than", "90d", "--apply")
    assert (await ledger_command.json("show"))["kept_callbacks"] == []


async def test_a_ledger_with_listeners_is_sound(parked: str, ledger_command: Commands):
    """The check finds nothing."""
    await ledger_command("check")
