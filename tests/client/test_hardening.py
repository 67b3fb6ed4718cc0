"""Corners in which a payout could have been told wrong."""

import asyncio
import logging
from datetime import timedelta

import pytest

from paypro_async import (
    Codes,
    LedgerUnavailableError,
    MemoryLedger,
    OutcomeUnknownError,
    PayoutStatus,
    QuestionFailedError,
    ReplyLostError,
    ReviewRequiredError,
    State,
)
from paypro_async.errors import ConfigurationError
from tests.support.merchant import MERCHANT_NO, fields, scripted_client
from tests.support.scripted import ABSENT, LOST, PAID, PROCESSING, Scripted, order, refusal
from tests.support.virtual_time import VirtualRuntime, now, virtual_time


@virtual_time
async def test_a_question_refused_for_who_asks_ends_the_call():
    """With these credentials every question will be refused; waiting for a better one wastes the caller's time."""
    transport, codes = Scripted(LOST, refusal("1002", "sign error")), Codes(credentials={"1002"})
    async with scripted_client(transport, timeout=600, codes=codes) as client:
        began = now()
        with pytest.raises(ReplyLostError):
            await client.payout(**fields())
        assert now() - began < 5
        with pytest.raises(QuestionFailedError, match="check the merchant number, the secret") as caught:
            await client.query("T1")
        assert caught.value.platform_code == "1002"


@virtual_time
async def test_a_duplicate_with_an_unknown_code_is_found_by_asking():
    """A proxy that delivers twice, or another system with the same number: the order is there, and that is no failure.

    Whose it is, a person finds out, unless the client was told to take it for its own.
    """
    for adopt in (False, True):
        transport = Scripted(refusal("1013", "Duplicate merchant order number"), order("0015", amount="300"))
        async with scripted_client(transport, adopt_duplicates=adopt) as client:
            if adopt:
                assert (await client.payout(**fields())).status is PayoutStatus.PROCESSING
            else:
                with pytest.raises(ReviewRequiredError):
                    await client.payout(**fields())
        assert transport.kinds == ["payout", "query"]


@virtual_time
async def test_a_jump_of_the_wall_clock_shortens_no_settle_window():
    """The attempt was announced by this process, which knows on its steady clock how old it is."""

    class Jumping(VirtualRuntime):
        ahead = timedelta(0)

        def now(self):
            return super().now() + self.ahead

    runtime = Jumping()
    transport = Scripted([LOST, PROCESSING], ABSENT)
    async with scripted_client(transport, runtime=runtime, ledger=MemoryLedger(runtime=runtime)) as client:
        with pytest.raises(ReplyLostError):
            await client.payout(**fields(), timeout=5)
        runtime.ahead = timedelta(hours=1)
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields(), timeout=10)
        assert len(transport.payouts) == 1
        assert (await client.payout(**fields(), timeout=100)).attempts == 2
    assert transport.payouts[1].at - transport.payouts[0].at >= 60


@virtual_time
async def test_the_words_of_the_platform_stand_in_no_error_and_no_log(caplog: pytest.LogCaptureFixture):
    """Platforms echo what they were sent; the code says enough, and the words stay in the ledger."""
    echo = "amount=300bankNumber=10094038292name=Asha Rao"
    duplicate = Scripted(refusal("0100024", echo), order("0015", amount="7", message=echo))
    with caplog.at_level(logging.DEBUG):
        async with scripted_client(duplicate) as client:
            with pytest.raises(ReviewRequiredError) as caught:
                await client.payout(**fields())
    assert "10094038292" not in f"{caught.value} {caught.value.args} {caplog.text}"


class Failing(MemoryLedger):
    """Cannot be read or written while *failing*."""

    failing = False

    async def get(self, merchant_no, trade_no):
        if self.failing:
            raise LedgerUnavailableError("gone")
        return await super().get(merchant_no, trade_no)

    async def move(self, change):
        if self.failing:
            raise LedgerUnavailableError("gone")
        return await super().move(change)


@virtual_time
async def test_an_answer_is_worth_having_without_the_ledger(caplog: pytest.LogCaptureFixture):
    """What the platform says of a payout reaches whoever asked, and the ledger's trouble is in the log."""
    ledger = Failing(runtime=VirtualRuntime())
    async with scripted_client(Scripted(PROCESSING, PAID), ledger=ledger) as client:
        await client.payout(**fields())
        ledger.failing = True
        assert (await client.query("T1")).status is PayoutStatus.SUCCEEDED
        assert "without the ledger" in caplog.text
        ledger.failing = False
        assert (await ledger.get(MERCHANT_NO, "T1")).state is State.PROCESSING


@virtual_time
async def test_a_batch_with_a_ledger_that_hangs_can_be_closed():
    """It ends soon after its drain, whatever its payouts may take, and what it sent is in its counts."""

    class Hanging(MemoryLedger):
        async def move(self, change):
            await asyncio.sleep(100_000)
            return await super().move(change)

    async with scripted_client(Scripted(PROCESSING), ledger=Hanging(runtime=VirtualRuntime())) as client:
        batch = client.batch_payout([fields("T1"), fields("T2")], timeout=86_400)
        waiting = asyncio.create_task(batch._wait())
        await asyncio.sleep(1)
        began = now()
        await batch.aclose()
        assert now() - began < 60
        assert batch.report.total == 2
        await asyncio.wait({waiting})


@pytest.mark.parametrize("url", ["sqlite:///q.db?timeout=30", "sqlite:///file:q.db?uri=true", "sqlite:///file:q.db"])
def test_a_ledger_is_a_plain_file(url: str):
    """Anything else would name a file that the next command does not find again."""
    from paypro_async.ledger import open_ledger

    with pytest.raises(ConfigurationError):
        open_ledger(url)
