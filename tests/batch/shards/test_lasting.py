"""What lasts of a shared batch: a backup that is put back, what is erased, what a check finds."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paypro_async import ItemStatus, PayProWarning, batch_progress, cancel_batch, import_batch, run_shard
from paypro_async.ledger.admin.check import findings
from paypro_async.ledger.admin.prune import erase
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.runtime import SystemRuntime
from paypro_async.sandbox import Sandbox
from tests.batch.shards.conftest import NewClient
from tests.support.merchant import PERSONAL, QUICK, client_of, payouts

NUMBERS = [f"T{number}" for number in range(20)]


def put_back(path: Path, backup: bytes) -> None:
    """Put a copy of a ledger's file in its place, without what its log holds."""
    for file in path.parent.glob(f"{path.name}-[ws]*"):
        file.unlink()
    path.write_bytes(backup)


async def found_in(database_url: str) -> list[tuple[str, str | None]]:
    """What a check finds: codes and trade numbers."""
    ledger = SqlLedger(database_url)
    await ledger.open_to_read()
    try:
        return [(one.code, one.trade_no) async for one in findings(ledger)]
    finally:
        await ledger.aclose()


async def test_a_backup_in_which_payouts_are_still_planned_pays_none_of_them_again(
    sandbox: Sandbox, path: Path
) -> None:
    """They were begun since; the platform is asked before anything is sent, as of every payout of such a ledger."""
    settings = {"ledger": f"sqlite:///{path}", "environment": "sandbox"} | QUICK
    async with client_of(sandbox, runtime=SystemRuntime(), **settings) as client:
        await import_batch(client, payouts(20), batch_id="july")
    backup = path.read_bytes()  # noqa: ASYNC240  nobody else is in this event loop
    async with client_of(sandbox, runtime=SystemRuntime(), **settings) as client:
        assert (await run_shard(client, "july", 0, 10)).done
    put_back(path, backup)

    with pytest.warns(PayProWarning, match="restored backup"):  # noqa: PT031  opening warns
        async with client_of(sandbox, runtime=SystemRuntime(), **settings) as restored:
            assert (await batch_progress(restored, "july")).planned == 20
            assert (await run_shard(restored, "july", 0, 20)).done
    assert sandbox.books.booked_once(NUMBERS).exact


async def test_what_is_planned_and_cancelled_is_erased_and_stays_counted(
    new_client: NewClient, database_url: str
) -> None:
    """Of a batch that may go on nothing is erased."""
    async with new_client() as client:
        await import_batch(client, payouts(20), batch_id="july")
        later = datetime.now(UTC) + timedelta(days=1)
        await erase(client.ledger, later)
        assert (await contents(client.ledger)) & set(PERSONAL)
        await cancel_batch(client, "july")
        await erase(client.ledger, later)
        assert not (await contents(client.ledger)) & set(PERSONAL)
        assert (await batch_progress(client, "july")).counts == {ItemStatus.NOT_SENT: 20}
    assert await found_in(database_url) == []


async def contents(ledger: SqlLedger) -> set[str]:
    """Every quoted text in what is planned."""
    rows = await ledger.read(
        lambda connection: connection.exec_driver_sql("SELECT content FROM planned").scalars().all()
    )
    return {text for row in rows for text in row.split('"')}


async def test_a_check_finds_what_must_not_be(new_client: NewClient, database_url: str) -> None:
    """A payout that is planned and begun, and one that no shard has; a sound ledger has none."""
    async with new_client() as client:
        await import_batch(client, payouts(20), batch_id="july", shard_size=10)
        await run_shard(client, "july", 0, 10)
        assert await found_in(database_url) == []
        copy = (
            "INSERT INTO planned SELECT merchant_no, batch_id, position, trade_no, region, fingerprint, amount, "
            "currency, content, NULL, NULL FROM payout WHERE trade_no = 'T3'"
        )
        for statement in (copy, "DELETE FROM shard WHERE low = 10"):
            await client.ledger.write(lambda connection, one=statement: connection.exec_driver_sql(one))
    found = await found_in(database_url)
    assert ("PLANNED_AND_BEGUN", "T3") in found
    assert {number for code, number in found if code == "PLANNED_IN_NO_SHARD"} == {f"T{n}" for n in range(10, 20)}
