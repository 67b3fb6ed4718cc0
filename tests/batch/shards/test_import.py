"""Importing: everything is checked and stored as planned, once, and nothing is sent."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, text

from paypro_async import (
    BatchStatus,
    ConfigurationError,
    InvalidBatchError,
    ItemStatus,
    MemoryLedger,
    Shard,
    batch_progress,
    cancel_batch,
    enqueue_open_shards,
    import_batch,
    open_shards,
    run_shard,
)
from paypro_async.sandbox import Sandbox
from tests.batch.shards.conftest import NewClient
from tests.support.merchant import fields, payouts


async def rows(count: int, *, fail_at: int | None = None) -> AsyncIterator[dict[str, Any]]:
    """Payouts one by one, as from a cursor; it may break off."""
    for number in range(count):
        if number == fail_at:
            raise OSError("the cursor was closed")
        yield fields(f"T{number}")


async def test_nothing_is_sent_and_everything_is_planned(new_client: NewClient, sandbox: Sandbox) -> None:
    """The batch is ready, cut into shards, and its sum is known."""
    async with new_client() as client:
        batch = await import_batch(client, payouts(250), batch_id="july", name="july.csv", shard_size=100)
        progress = await batch_progress(client, "july")
        shards = await open_shards(client, "july")
    assert not sandbox.books.requests
    assert (batch.status, batch.total, batch.amount, batch.source) == (BatchStatus.READY, 250, 75_000, "july.csv")
    assert shards == [Shard("july", 0, 100), Shard("july", 100, 200), Shard("july", 200, 250)]
    assert (progress.total, progress.planned, progress.done) == (250, 250, False)
    assert progress.counts == {ItemStatus.NOT_SENT: 250}
    assert progress.amounts == {ItemStatus.NOT_SENT: 75_000}


async def test_an_import_that_broke_off_goes_on(new_client: NewClient) -> None:
    """Until it is whole nothing of it can be paid; then it is as if it had never broken off."""
    async with new_client() as client:
        with pytest.raises(OSError, match="cursor"):
            await import_batch(client, rows(2500, fail_at=2400), batch_id="july")
        assert (await batch_progress(client, "july")).batch.imported == 2000
        assert await open_shards(client, "july") == []
        assert (await run_shard(client, "july", 0, 250)).stopped == "importing"
        batch = await import_batch(client, rows(2500), batch_id="july")
        assert (batch.status, batch.total, batch.amount) == (BatchStatus.READY, 2500, 750_000)
        assert len(await open_shards(client, "july")) == 10
        assert (await batch_progress(client, "july")).planned == 2500


async def test_the_same_once_more_changes_nothing_and_announces_what_is_open(new_client: NewClient) -> None:
    """What is paid is announced no more."""
    told: list[list[Shard]] = []
    async with new_client() as client:

        async def again() -> None:
            await import_batch(
                client, payouts(4), batch_id="july", shard_size=2, announce=lambda _, shards: told.append([*shards])
            )

        await again()
        await run_shard(client, "july", 0, 2)
        await again()
        assert [one.batch_id for one in await enqueue_open_shards(client, "july", lambda *_: None)] == ["july"]
    assert told == [[Shard("july", 0, 2), Shard("july", 2, 4)], [Shard("july", 2, 4)]]


async def test_other_payouts_under_the_same_name_are_refused(new_client: NewClient) -> None:
    """Whether the first import came to its end or not."""
    async with new_client() as client:
        await import_batch(client, payouts(3), batch_id="whole")
        for other in (payouts(4), payouts(2), payouts(3, first=1), [fields(f"T{n}", amount="9") for n in range(3)]):
            with pytest.raises(ConfigurationError, match="imported before"):
                await import_batch(client, other, batch_id="whole")
        with pytest.raises(OSError):
            await import_batch(client, rows(1500, fail_at=1200), batch_id="part")
        with pytest.raises(ConfigurationError, match="position 0"):
            await import_batch(client, payouts(1500, first=1), batch_id="part")
        with pytest.raises(ConfigurationError, match="only 999"):
            await import_batch(client, payouts(999), batch_id="part")
        assert (await import_batch(client, payouts(1500), batch_id="part")).total == 1500


async def test_every_wrong_payout_is_named_by_its_position(new_client: NewClient, sandbox: Sandbox) -> None:
    """The error shows no value, and mended, the whole is imported."""
    wrong = [fields("T0"), fields("T1", mobile="12"), fields("T2"), fields("T3", bank_code="X", email="no")]
    async with new_client() as client:
        with pytest.raises(InvalidBatchError) as caught:
            await import_batch(client, wrong, batch_id="july")
        assert "mobile of position 1: " in str(caught.value)
        assert "bank_code of position 3: " in str(caught.value)
        assert {one.field for one in caught.value.problems} == {"mobile", "bank_code", "email"}
        assert await open_shards(client, "july") == []
        assert (await import_batch(client, payouts(4), batch_id="july")).total == 4
    assert not sandbox.books.requests


async def test_of_very_many_wrong_payouts_the_first_are_named(new_client: NewClient) -> None:
    """And the import ends there, however long the source is."""

    def endless() -> Iterator[dict[str, Any]]:
        while True:
            yield fields(None, mobile="1")

    async with new_client() as client:
        with pytest.raises(InvalidBatchError, match="There may be more") as caught:
            await import_batch(client, endless(), batch_id="july")
    assert len(caught.value.problems) == 100


async def test_a_payout_without_a_number_has_the_same_one_in_each_import(new_client: NewClient) -> None:
    """So that a second import of the same is no second batch."""
    unnumbered = [fields(None, amount=str(100 + n)) for n in range(3)]
    async with new_client() as client:
        await import_batch(client, unnumbered, batch_id="july")
        await import_batch(client, unnumbered, batch_id="july")
        await import_batch(client, unnumbered, batch_id="august")
        assert (await batch_progress(client, "july")).planned == 3
        for name in ("july", "august"):
            await run_shard(client, name, 0, 10)
        assert (await batch_progress(client, "august")).counts == {ItemStatus.PROCESSING: 3}


async def test_a_number_that_comes_twice_is_paid_once_and_counted_once(new_client: NewClient, sandbox: Sandbox) -> None:
    """With other content it is no repetition, and the batch is not ready."""
    async with new_client() as client:
        batch = await import_batch(client, [*payouts(3), *payouts(2)], batch_id="july")
        assert batch.total == 5
        assert (await run_shard(client, "july", 0, 5)).done
        progress = await batch_progress(client, "july")
        assert (progress.total, progress.repeated, progress.counts) == (3, 2, {ItemStatus.PROCESSING: 3})
        assert progress.amounts == {ItemStatus.PROCESSING: 900}
        with pytest.raises(ConfigurationError, match="T1 at positions 1 and 2"):
            await import_batch(client, [*payouts(2), fields("T1", amount="8")], batch_id="august")
        assert (await batch_progress(client, "august")).batch.status is BatchStatus.IMPORTING
    assert sandbox.books.booked_once([f"T{n}" for n in range(3)]).exact


async def test_numbers_that_come_again_pages_later_are_found(new_client: NewClient) -> None:
    """However many they are; and two payouts of one number end the import at their page, of which nothing is stored."""
    async with new_client() as client:
        batch = await import_batch(client, [*payouts(2400), *payouts(900)], batch_id="july")
        progress = await batch_progress(client, "july")
        assert (batch.total, progress.total, progress.repeated) == (3300, 2400, 900)
        with pytest.raises(ConfigurationError, match="T7 at positions 7 and 2400"):
            await import_batch(client, [*payouts(2400), fields("T7", amount="8")], batch_id="august")
        assert (await batch_progress(client, "august")).batch.imported == 2000


async def test_a_ledger_that_none_can_share_is_refused(sandbox: Sandbox, new_client: NewClient) -> None:
    """The error says which can be."""
    async with new_client(ledger=MemoryLedger()) as client:
        with pytest.raises(ConfigurationError, match="postgresql://"):
            await import_batch(client, payouts(1), batch_id="july")


async def test_what_was_cancelled_is_not_imported_again(new_client: NewClient) -> None:
    """Under another name it may be."""
    async with new_client() as client:
        await import_batch(client, payouts(2), batch_id="july")
        await cancel_batch(client, "july")
        with pytest.raises(ConfigurationError, match="cancelled"):
            await import_batch(client, payouts(2), batch_id="july")


async def test_what_is_announced_stands_or_falls_with_the_import(new_client: NewClient) -> None:
    """A job is there if and only if the batch is ready; and a failure there leaves others of the ledger alone."""

    def enqueue(connection: Connection, shards: list[Shard]) -> None:
        connection.execute(text("CREATE TABLE IF NOT EXISTS job (shard TEXT)"))
        for shard in shards:
            connection.execute(text("INSERT INTO job VALUES (:key)"), {"key": shard.key})

    def fail(connection: Connection, shards: list[Shard]) -> None:
        enqueue(connection, shards)
        connection.execute(text("INSERT INTO nowhere VALUES (1)"))

    async with new_client() as client:
        with pytest.raises(Exception, match="nowhere"):
            await import_batch(client, payouts(3), batch_id="july", shard_size=2, announce=fail)
        assert (await batch_progress(client, "july")).batch.status is BatchStatus.IMPORTING
        await import_batch(client, payouts(3), batch_id="july", shard_size=2, announce=enqueue)
        ledger = client.ledger
        jobs = await ledger.read(lambda connection: connection.execute(text("SELECT shard FROM job")).scalars().all())
    assert sorted(jobs) == ["july:0", "july:2"]


async def test_no_name_and_no_size_that_make_no_sense(new_client: NewClient) -> None:
    """Each is refused before anything is stored."""
    async with new_client() as client:
        for wrong in ({"batch_id": ""}, {"batch_id": "x" * 300}, {"shard_size": 0}, {"shard_size": 10**6}, {"rate": 0}):
            with pytest.raises(ConfigurationError):
                await import_batch(client, payouts(1), **({"batch_id": "july"} | wrong))
        for call in (batch_progress, open_shards, cancel_batch):
            with pytest.raises(ConfigurationError, match="no imported batch"):
                await call(client, "july")
        with pytest.raises(ConfigurationError, match="no imported batch"):
            await run_shard(client, "july", 0, 1)
