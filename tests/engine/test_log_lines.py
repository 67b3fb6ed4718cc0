"""The log: one line for each thing that happens, and nothing personal in any."""

import asyncio
import logging
import re

import pytest

from paypro_async import NotSentError, OutcomeUnknownError, ReviewRequiredError, StopRules
from paypro_async._core.wire import Exchange, Fault, Phase
from tests.support.merchant import PERSONAL, fields, scripted_client
from tests.support.scripted import ABSENT, LOST, NOT_SENT, PAID, PROCESSING, Scripted, order, refusal
from tests.support.virtual_time import virtual_time


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, logger="paypro_async")
    return caplog


def lines(told: pytest.LogCaptureFixture, level: int) -> list[str]:
    """What was said at one level, without how long it took; the wait before a retry is drawn by lot, and left out."""
    messages = [re.sub(r"; \d+ ms$", "", record.getMessage()) for record in told.records if record.levelno == level]
    assert not any(value in "\n".join(messages) for value in PERSONAL)
    return [message for message in messages if " in " not in message or "send" not in message]


@virtual_time
async def test_one_line_an_attempt_and_one_an_outcome(told):
    """At DEBUG each attempt with its phase, code and time; at INFO one line for the payout."""
    async with scripted_client(Scripted([NOT_SENT, PROCESSING])) as client:
        await client.payout(**fields())
    assert lines(told, logging.DEBUG) == [
        "Payout T1, attempt 1: not sent, not sent (no connection could be made)",
        "Payout T1, attempt 2: answered, processing (HTTP 200, code 0015)",
    ]
    (outcome,) = lines(told, logging.INFO)
    assert outcome.startswith("Payout T1: processing after 2 attempt(s) and ")
    assert outcome.endswith(" ms, code 0015")
    assert any(record.getMessage().startswith("Payout T1: send in ") for record in told.records)


@virtual_time
async def test_questions_are_told(told):
    """A lost reply is asked about, and the line says what the platform answered."""
    async with scripted_client(Scripted(LOST, PAID)) as client:
        await client.payout(**fields())
    assert lines(told, logging.DEBUG)[0] == (
        "Payout T1, attempt 1: maybe sent, unknown (the connection broke while waiting for the reply)"
    )
    assert "Payout T1, question: paid (HTTP 200, code 0000)" in lines(told, logging.DEBUG)


@virtual_time
async def test_unknown_outcome_warns_once_and_says_what_happens_next(told):
    """Who reads only warnings learns of it, of where it is kept, and of when it is asked about."""
    async with scripted_client(Scripted(LOST, LOST)) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields(), timeout=5)
    (warning,) = lines(told, logging.WARNING)
    assert "Money may have moved" in warning
    assert "What happens next: the ledger keeps it, and PayPro is asked at the next call with this trade_no" in warning
    assert "from 60 s after attempt 1" in warning
    assert lines(told, logging.INFO) == []


@virtual_time
async def test_payout_that_waits_for_a_person_is_not_said_to_be_asked_about(told):
    """Nothing that PayPro answers decides over it any more: the warning names the command that does."""
    async with scripted_client(Scripted(order("0001"))) as client:
        with pytest.raises(ReviewRequiredError, match="paypro ledger decide"):
            await client.payout(**fields())
    (warning,) = lines(told, logging.WARNING)
    assert "paypro ledger decide" in warning
    assert "What happens next: it stays so until a person has decided" in warning
    assert "PayPro is asked" not in warning


@virtual_time
async def test_cancelled_call_warns(told):
    """A call that is cancelled while its payout may be out has no error of ours: the log says what is known."""

    async def never(_: dict) -> Exchange:
        await asyncio.sleep(1000)
        raise AssertionError

    async with scripted_client(Scripted(never)) as client:
        calling = asyncio.create_task(client.payout(**fields()))
        await asyncio.sleep(1)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
    (warning,) = lines(told, logging.WARNING)
    assert "The call for payout T1 was cancelled" in warning


@virtual_time
async def test_batch_at_info_is_one_line_a_payout(told):
    """A hundred thousand payouts are a hundred thousand lines and not more; those with wrong fields have one too."""
    told.set_level(logging.INFO, logger="paypro_async")
    rows = [fields(f"T{n}", **({"bank_code": "wrong"} if n == 3 else {})) for n in range(10)]
    async with scripted_client(Scripted([LOST, *[order()] * 20], ABSENT)) as client:
        await client.batch_payout(rows, batch_id="b", concurrency=1)
    said = lines(told, logging.INFO)
    assert len(said) == 11
    assert sum(message.startswith("Payout T") for message in said) == 9
    (invalid,) = (message for message in said if message.startswith("Item 3 of batch b:"))
    assert "bank_code" in invalid
    assert said[-1].startswith("Batch b ended after ")


@virtual_time
async def test_code_that_is_none_is_not_repeated(told):
    """The platform may write anything where its code belongs."""
    async with scripted_client(Scripted(refusal("Asha Rao 10094038292 " * 100), LOST)) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields(), timeout=5)
    assert "Asha" not in told.text


@virtual_time
async def test_reconciling_and_the_balance_are_told(told):
    """Questions that belong to no call of a payout have lines too."""
    async with scripted_client(Scripted(LOST, [LOST] * 20 + [PAID])) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields(), timeout=1)
        await client.reconcile()
        with pytest.raises(Exception, match="balance"):
            await client.balance(timeout=1)
    assert any(line.startswith("Reconciled in ") for line in lines(told, logging.INFO))
    assert any(line.startswith("The balance, question: ") for line in lines(told, logging.DEBUG))


LASTING = Exchange(
    phase=Phase.NOT_SENT,
    cause="the certificate is not trusted",
    fault=Fault(
        cause="the certificate is not trusted",
        mend="Set SSL_CERT_FILE.",
        lasting=True,
        error=ConnectionError("certificate verify failed"),
    ),
)


@virtual_time
async def test_what_lasts_is_not_tried_again():
    """A cause that a person must mend fails at once, with the mend in its text and the library's error as its cause."""
    transport = Scripted(LASTING, LASTING)
    async with scripted_client(transport) as client:
        with pytest.raises(NotSentError, match=r"was not sent \(the certificate is not trusted\)") as raised:
            await client.payout(**fields())
        with pytest.raises(Exception, match=r"not trusted\. Set SSL_CERT_FILE\. Asking moves no money") as asked:
            await client.query("T1")
    assert "No money moved. Set SSL_CERT_FILE. Then call again with the same trade_no." in str(raised.value)
    assert raised.value.reason == "the certificate is not trusted. Set SSL_CERT_FILE."
    assert raised.value.__cause__ is asked.value.__cause__ is LASTING.fault.error
    assert not raised.value.money_may_have_moved
    assert transport.kinds == ["payout", "query"]


@virtual_time
async def test_payout_that_is_out_stays_unknown_when_it_cannot_be_asked_about():
    """Nothing that keeps questions back says anything of the money."""
    transport = Scripted(LOST, LASTING)
    async with scripted_client(transport) as client:
        with pytest.raises(
            OutcomeUnknownError, match=r"PayPro could not be asked: the certificate is not trusted\. Set"
        ):
            await client.payout(**fields())
        report = await client.reconcile()
        assert (report.unanswered, report.reasons) == (1, {str(LASTING.fault): 1})
    assert transport.kinds == ["payout", "query", "query"]


@virtual_time
async def test_batch_stops_where_a_setting_is_wrong():
    """Five in a row are enough; the report says why, and how many it kept."""
    transport = Scripted(LASTING)
    async with scripted_client(transport) as client:
        rows = [fields(f"T{n}") for n in range(50)]
        report = await client.batch_payout(rows, concurrency=2)
        assert report.stopped == "wrong_setting"
        assert len(transport.payouts) < 10
        assert report.reasons == {str(LASTING.fault): report.total}
        entry = await client.ledger.get("0000000001", "T0")
        assert (entry.code, entry.message) == (None, f"Not sent: {LASTING.fault}")
        going_on = await client.batch_payout(rows, stop=StopRules.off())
        assert (going_on.stopped, going_on.total) == (None, 50)


@virtual_time
async def test_batch_stops_where_nothing_can_be_asked():
    """A second run of payouts that are unknown is no more use while the setting is wrong."""
    transport = Scripted(LOST, LOST)
    async with scripted_client(transport) as client:
        rows = [fields(f"T{n}") for n in range(30)]
        await client.batch_payout(rows, timeout=1, stop=StopRules.off())
        transport._scripts["query"] = [LASTING]
        asked = len(transport.queries)
        report = await client.batch_payout(rows, concurrency=2)
    assert report.stopped == "wrong_setting"
    assert len(transport.queries) - asked < 10


@virtual_time
async def test_words_of_an_attempt_end_with_it():
    """What kept one attempt back says nothing of the next one, which is announced without them."""
    seen = []

    async def look(sent: dict) -> Exchange:
        seen.append((await client.ledger.get("0000000001", sent["tradeNo"])).message)
        return NOT_SENT if len(seen) == 1 else LOST

    async with scripted_client(Scripted(look, LOST)) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields(), timeout=10)
        entry = await client.ledger.get("0000000001", "T1")
    assert seen == [None, None]
    assert entry.message == "No usable answer: the connection broke while waiting for the reply"
    assert entry.code is None
