"""A batch that was given to workers, paid by one process as if they were not there."""

from collections.abc import Awaitable, Callable

import pytest

from paypro_async import (
    ConfigurationError,
    ItemStatus,
    LedgerUnavailableError,
    PayProClient,
    cancel_batch,
    import_batch,
    pause_batch,
    run_shard,
)
from paypro_async.sandbox import Sandbox
from tests.batch.shards.conftest import NewClient
from tests.support.merchant import bookings, payouts


async def imported(client: PayProClient) -> None:
    await import_batch(client, payouts(6), batch_id="july")


async def paused(client: PayProClient) -> None:
    await imported(client)
    await pause_batch(client, "july")


async def partly_paid(client: PayProClient) -> None:
    await imported(client)
    await run_shard(client, "july", 0, 3)


@pytest.mark.parametrize("given", [imported, paused, partly_paid])
async def test_it_is_refused_until_they_have_paid_it(
    new_client: NewClient, sandbox: Sandbox, given: Callable[[PayProClient], Awaitable[None]]
) -> None:
    """A process by itself heeds neither a pause nor a cancellation."""
    async with new_client() as client:
        await given(client)
        before = len(bookings(sandbox))
        with pytest.raises(ConfigurationError, match="given to workers"):
            await client.batch_payout(payouts(6), batch_id="july")
        with pytest.raises(ConfigurationError, match="Nothing was sent now"):
            async for _ in client.batch_payout(payouts(6), batch_id="july"):
                pass
        assert len(bookings(sandbox)) == before


async def test_of_a_cancelled_one_nothing_is_sent(new_client: NewClient, sandbox: Sandbox) -> None:
    """Whoever tries."""
    async with new_client() as client:
        await imported(client)
        await cancel_batch(client, "july")
        with pytest.raises(ConfigurationError, match="was cancelled"):
            await client.batch_payout(payouts(6), batch_id="july")
    assert bookings(sandbox) == []


async def test_one_that_has_ended_is_looked_at(new_client: NewClient, sandbox: Sandbox) -> None:
    """As any batch that is given again."""
    async with new_client() as client:
        await imported(client)
        await run_shard(client, "july", 0, 6)
        report = await client.batch_payout(payouts(6), batch_id="july")
    assert report.counts == {ItemStatus.PROCESSING: 6}
    assert len(bookings(sandbox)) == 6


async def test_a_batch_of_another_name_is_paid_beside_it(new_client: NewClient) -> None:
    """Or of none."""
    async with new_client() as client:
        await imported(client)
        for name in ("august", None):
            report = await client.batch_payout([payouts(20)[-1]], batch_id=name)
            assert report.counts == {ItemStatus.PROCESSING: 1}


async def test_a_ledger_that_cannot_say_it_refuses_nothing(
    new_client: NewClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each payout asks the same ledger before it is sent; its claim keeps it from being paid twice."""
    async with new_client() as client:

        async def away(*_: object) -> None:
            raise LedgerUnavailableError("It is away.")

        monkeypatch.setattr(client.ledger, "shared_batch", away)
        report = await client.batch_payout(payouts(2), batch_id="july")
    assert report.counts == {ItemStatus.PROCESSING: 2}
    assert "Whether workers pay the batch july is not known" in caplog.text
