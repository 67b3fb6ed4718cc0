"""Callbacks received: what they change, what the platform is asked about, and what it is answered."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from paypro_async import (
    CallbackReading,
    CallbackReply,
    Cause,
    ClientStateError,
    ConfigurationError,
    Ledger,
    LedgerUnavailableError,
    Md5Signer,
    MemoryLedger,
    OutcomeUnknownError,
    PayoutStatus,
    PayProClient,
    State,
)
from paypro_async._core.lifecycle import Entry
from paypro_async._core.transitions import Decision, next_attempt
from paypro_async.errors import NotSentError
from paypro_async.ledger import Written, open_ledger
from paypro_async.ledger.changes import decide
from tests.support import callbacks
from tests.support.merchant import MERCHANT_NO, SIGNER, payout, scripted_client
from tests.support.postgres import Server
from tests.support.scripted import ABSENT, LOST, NOT_SENT, PAID, PROCESSING, Answer, Scripted, order, page, refusal
from tests.support.virtual_time import VirtualRuntime, now, virtual_time

OK = CallbackReply(status=200, body=b"OK", content_type="text/plain")
FAILED = order("00029")
UNLISTED = order("77777")
IN_PART = order("0000", orderAmount="300", payAmount="200")
LESS, PART, NOTHING = order("0000", amount="200"), order("0001", amount="200"), order("0000", amount="0")


def callback(status: str = "0000", trade_no: str = "T1", **more: Any) -> bytes:
    return callbacks.callback(status, trade_no, **{"signer": SIGNER, **more})


class World:
    """A client whose platform answers a question with what *answer* is just then."""

    def __init__(self, client: PayProClient, transport: Scripted, answers: list[Answer]) -> None:
        self.client, self.transport, self._answers = client, transport, answers

    def answer(self, answer: Answer) -> None:
        self._answers[:] = [answer]

    @property
    def ledger(self) -> Any:
        return self.client.ledger

    @property
    def asked(self) -> int:
        return len(self.transport.queries)

    async def entry(self, trade_no: str = "T1") -> Entry:
        found = await self.ledger.get(MERCHANT_NO, trade_no)
        assert found is not None
        return found

    async def receive(self, *arguments: Any, **more: Any) -> CallbackReply:
        return await self.client.receive_callback(callback(*arguments, **more))


@asynccontextmanager
async def world(
    reply: Answer = PROCESSING, *, pays: bool = True, keeps_time: bool = True, **settings: Any
) -> AsyncIterator[World]:
    """A payout T1 whose request was answered with *reply*."""
    answers: list[Answer] = [page(502)]

    def answer(fields: Mapping[str, Any]) -> Any:
        now_said = answers[0]
        return now_said if not callable(now_said) else now_said(dict(fields))

    transport = Scripted(payouts=reply, queries=answer)
    transport.keeps_time = keeps_time
    async with scripted_client(transport, **settings) as client:
        if pays:
            with suppress(OutcomeUnknownError, NotSentError):
                await client.payout(payout(), timeout=0.5, max_attempts=1)
        transport.log.clear()
        yield World(client, transport, answers)


# state after the payout's own reply | callback | what the platform answers when asked | state then | how often asked
RULES: dict[str, tuple[Answer, dict[str, Any], Answer, State, int]] = {
    "paid": (PROCESSING, {}, PAID, State.SUCCEEDED, 0),
    "failed": (PROCESSING, {"status": "00029"}, PAID, State.FAILED, 0),
    "processing": (PROCESSING, {"status": "0015"}, PAID, State.PROCESSING, 0),
    "paid in part": (PROCESSING, {"status": "0001"}, PAID, State.REVIEW, 0),
    "another amount": (PROCESSING, {"amount": "301"}, PAID, State.REVIEW, 0),
    "the same amount, written otherwise": (PROCESSING, {"amount": "300.00"}, PAID, State.SUCCEEDED, 0),
    "ordered and paid otherwise": (PROCESSING, {"orderAmount": "300", "payAmount": "200"}, IN_PART, State.REVIEW, 1),
    "the reply was lost": (LOST, {}, PAID, State.SUCCEEDED, 0),
    "the reply was lost, and it failed": (LOST, {"status": "00029"}, PAID, State.FAILED, 0),
    "the reply was lost, and it is taken": (LOST, {"status": "0015"}, PAID, State.PROCESSING, 0),
    "nothing of it was sent": (NOT_SENT, {}, PAID, State.REVIEW, 0),
    "again": (PAID, {}, page(502), State.SUCCEEDED, 0),
    "failed, again": (FAILED, {"status": "00029"}, page(502), State.FAILED, 0),
    "failed, under another code": (FAILED, {"status": "60019"}, page(502), State.FAILED, 0),
    "paid, then processing": (PAID, {"status": "0015"}, page(502), State.SUCCEEDED, 0),
    "failed, then processing": (FAILED, {"status": "0015"}, page(502), State.FAILED, 0),
    "paid, then failed, and so it is": (PAID, {"status": "00029"}, FAILED, State.REVERSED, 1),
    "paid, then failed, and the platform says paid": (PAID, {"status": "00029"}, PAID, State.SUCCEEDED, 1),
    "failed, then paid, and so it is": (FAILED, {}, PAID, State.REVIEW, 1),
    "failed, then paid, and the platform says failed": (FAILED, {}, FAILED, State.FAILED, 1),
    "paid, and nothing was": (PROCESSING, {"amount": "0"}, PAID, State.REVIEW, 0),
    "paid in full with nothing": (PROCESSING, {"orderAmount": "300", "payAmount": "0"}, NOTHING, State.REVIEW, 1),
    "failed, and nothing was paid": (PROCESSING, {"status": "00029", "amount": "0"}, PAID, State.FAILED, 0),
    "failed, then paid over less, and so it is": (FAILED, {"amount": "200"}, LESS, State.REVIEW, 1),
    "failed, then paid in part, and so it is": (FAILED, {"status": "0001", "amount": "200"}, PART, State.REVIEW, 1),
    "failed, then paid over less, and it failed": (FAILED, {"amount": "200"}, FAILED, State.FAILED, 1),
    "paid, then another amount": (PAID, {"amount": "1"}, PAID, State.SUCCEEDED, 1),
    "paid, then paid under another number": (PAID, {"platFormTradeNo": "P-9"}, PAID, State.SUCCEEDED, 1),
    "paid, then an unlisted failure, twice": (PAID, {"status": "77777"}, UNLISTED, State.REVERSED, 1),
    "paid, then an unlisted failure, once": (PAID, {"status": "77777"}, PAID, State.SUCCEEDED, 1),
    "refused, then processing": (refusal("00029"), {"status": "0015"}, PROCESSING, State.REVIEW, 1),
    "an unlisted failure, said twice": (PROCESSING, {"status": "77777"}, UNLISTED, State.FAILED, 1),
    "an unlisted failure, said once": (PROCESSING, {"status": "77777"}, PROCESSING, State.PROCESSING, 1),
    "an unlisted failure of which the platform says paid": (PROCESSING, {"status": "77777"}, PAID, State.SUCCEEDED, 1),
    "something went wrong": (PROCESSING, {"status": "5000"}, PAID, State.SUCCEEDED, 1),
    "no code": (PROCESSING, {"status": "success"}, PROCESSING, State.PROCESSING, 1),
    "a failure of another order": (PROCESSING, {"status": "00029", "platFormTradeNo": "P-9"}, PAID, State.SUCCEEDED, 1),
    "paid under another number": (PROCESSING, {"platFormTradeNo": "P-9"}, PAID, State.SUCCEEDED, 0),
    "ambiguous": (PROCESSING, {"remark": "a=b"}, PROCESSING, State.PROCESSING, 1),
    "ambiguous, and so it is": (PROCESSING, {"remark": "a=b"}, PAID, State.SUCCEEDED, 1),
    "ambiguous, and no news": (PAID, {"remark": "a=b"}, page(502), State.SUCCEEDED, 0),
}


@pytest.mark.parametrize(("reply", "said", "answer", "state", "asked"), RULES.values(), ids=RULES.keys())
@virtual_time
async def test_a_callback_is_taken_as_a_query_is_and_where_it_proves_too_little_the_platform_is_asked(
    reply: Answer, said: dict[str, Any], answer: Answer, state: State, asked: int
):
    """Once and then again: the second one changes nothing."""
    async with world(reply) as at:
        at.answer(answer)
        assert await at.receive(**said) == OK
        entry = await at.entry()
        assert (entry.state, at.asked) == (state, asked)
        history = await at.ledger.history(MERCHANT_NO, "T1")

        assert await at.receive(**said) == OK
        assert (await at.entry()).state is state
        assert len(await at.ledger.history(MERCHANT_NO, "T1")) == len(history)


@virtual_time
async def test_what_a_callback_has_changed_stands_in_the_history_and_in_the_result():
    async with world() as at:
        await at.receive(utr="412345678901", message="all done")
        entry = await at.entry()
        assert (entry.utr, entry.message, entry.code) == ("412345678901", "all done", "0000")
        assert (await at.ledger.history(MERCHANT_NO, "T1"))[-1].cause is Cause.CALLBACK
        result = await at.client.payout(payout())
        assert (result.status, at.transport.log) == (PayoutStatus.SUCCEEDED, [])


@virtual_time
async def test_personal_values_that_a_callback_repeats_are_not_stored():
    async with world() as at:
        name = payout().name
        await at.receive(message=f"paid to {name}")
        assert name not in str(await at.entry())


ASKING = [name for name, rule in RULES.items() if rule[4]]


@pytest.mark.parametrize("name", ASKING)
@pytest.mark.parametrize(
    "silence", [page(502), LOST, NOT_SENT, refusal("99999")], ids=["502", "lost", "down", "refused"]
)
@virtual_time
async def test_what_cannot_be_asked_about_now_comes_again(name: str, silence: Answer):
    """The answer is 503, nothing public has changed, and the next one asks again."""
    reply, said, answer, state, _ = RULES[name]
    async with world(reply) as at:
        before = await at.entry()
        at.answer(silence)
        assert (await at.receive(**said)).status == 503
        assert (await at.entry()).state is before.state
        at.answer(answer)
        assert await at.receive(**said) == OK
        assert (await at.entry()).state is state


@virtual_time
async def test_one_witness_stays_one_however_often_it_comes():
    """Only the platform can say it the second time."""
    async with world() as at:
        for _ in range(5):
            assert (await at.receive("77777")).status == 503
        assert (await at.entry()).state is State.PROCESSING
        assert at.asked == 5
        at.answer(UNLISTED)
        assert await at.receive("88888") == OK
        assert (await at.entry()).state is State.PROCESSING


@virtual_time
async def test_the_reply_to_the_payout_is_another_witness_than_a_callback():
    """It was refused under a code that no page lists, and the callback says the same."""
    async with world(refusal("77777")) as at:
        assert (await at.entry()).state is State.SENDING
        assert await at.receive("77777") == OK
        assert ((await at.entry()).state, at.asked) == (State.FAILED, 0)


async def second_attempt(at: World) -> None:
    """Two questions have found nothing, so it is sent again; the attempt is out."""
    await at.ledger.move(next_attempt(await at.entry(), settle_after=60.0))


@pytest.mark.parametrize("answer", [FAILED, UNLISTED, page(502)], ids=["failed", "unlisted", "silent"])
@virtual_time
async def test_an_old_failure_does_not_end_a_payout_whose_second_attempt_is_out(answer: Answer):
    """It was genuine once. The platform may show the old order too, as long as the second attempt is on its way."""
    async with world(LOST) as at:
        old = callback("00029")
        await second_attempt(at)
        at.answer(answer)
        for _ in range(3):
            assert (await at.client.receive_callback(old)).status == 503
        assert (await at.entry()).state is State.SENDING
        await asyncio.sleep(61)
        at.answer(PROCESSING)
        assert await at.client.receive_callback(old) == OK
        assert (await at.entry()).state is State.PROCESSING


@virtual_time
async def test_a_failure_ends_a_payout_of_two_attempts_once_the_platform_says_so_after_the_settle_window():
    async with world(LOST) as at:
        await second_attempt(at)
        at.answer(FAILED)
        assert (await at.receive("00029")).status == 503
        await asyncio.sleep(61)
        assert await at.receive("00029") == OK
        assert (await at.entry()).state is State.FAILED


@virtual_time
async def test_a_payment_is_believed_whichever_attempt_it_was():
    async with world(LOST) as at:
        await second_attempt(at)
        assert await at.receive() == OK
        assert ((await at.entry()).state, at.asked) == (State.SUCCEEDED, 0)


@virtual_time
async def test_a_review_is_a_persons_and_a_callback_is_noted_for_that_person():
    async with world() as at:
        await decide(at.ledger, MERCHANT_NO, "T1", Decision.HOLD, by="asha", note="look first")
        for status in ("0000", "00029", "77777", "5000"):
            assert await at.receive(status) == OK
        assert ((await at.entry()).state, at.asked) == (State.REVIEW, 0)


@virtual_time
async def test_what_a_person_decided_is_asked_about_if_a_callback_says_otherwise():
    async with world(LOST) as at:
        await decide(at.ledger, MERCHANT_NO, "T1", Decision.HOLD, by="asha", note="look first")
        await asyncio.sleep(61)
        await decide(at.ledger, MERCHANT_NO, "T1", Decision.NOT_PAID, by="asha", note="not there")
        at.answer(PAID)
        assert await at.receive() == OK
        assert ((await at.entry()).state, at.asked) == (State.REVIEW, 1)


# --- kept apart -------------------------------------------------------------------------------------------------------


async def kept(at: World) -> list[tuple[str, str, str, int]]:
    found = await at.ledger.kept_callbacks(MERCHANT_NO)
    return [(one.trade_no, one.why, one.status, one.count) for one in found]


@pytest.mark.parametrize("number", ["T9", "order#9/1", "X" * 100])
@virtual_time
async def test_a_callback_of_another_system_is_kept_apart_and_answered_as_configured(number: str):
    """The collection side, whose numbers may have another form, sends its callbacks here too."""
    async with world() as at:
        assert await at.receive("0000", number) == OK
        assert await at.receive("0000", number) == OK
        assert await kept(at) == [(number, "unknown", "0000", 2)]
    async with world(unknown_callbacks="refuse") as at:
        assert (await at.receive("0000", number)).status == 404
        assert await kept(at) == [(number, "unknown", "0000", 1)]
        assert at.transport.log == []


@virtual_time
async def test_what_came_back_and_was_paid_again_goes_to_a_person():
    """Whoever was told that it came back may have paid it anew."""
    async with world(PAID) as at:
        for said, answer, state in (
            ("00029", FAILED, State.REVERSED),
            ("0000", FAILED, State.REVERSED),
            ("0015", PROCESSING, State.REVERSED),
            ("0000", PAID, State.REVIEW),
        ):
            at.answer(answer)
            assert await at.receive(said) == OK
            assert (await at.entry()).state is state
        assert (await at.client.reconcile()).ok is False


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({"platFormTradeNo": "P-9"}, order("0000", platFormTradeNo="P-9")),
        ({"amount": "200"}, order("0000", amount="200")),
        ({"status": "0001", "amount": "200"}, order("0001", amount="200")),
    ],
    ids=["paid twice", "paid over less", "paid in part"],
)
@virtual_time
async def test_a_contradiction_that_the_platform_confirms_says_so(
    said: dict[str, Any], answer: Answer, caplog: pytest.LogCaptureFixture
):
    """What was paid stays paid; the other order is a person's."""
    async with world(PAID) as at:
        at.answer(answer)
        assert await at.receive(**said) == OK
        assert ((await at.entry()).state, at.asked) == (State.SUCCEEDED, 1)
        assert [one[1] for one in await kept(at)] == ["confirmed contradiction"]
    assert "PayPro says the same when asked" in caplog.text


@virtual_time
async def test_a_contradiction_that_the_platform_denies_is_kept_apart_and_told(caplog: pytest.LogCaptureFixture):
    async with world(PAID) as at:
        for answer in (PAID, ABSENT):
            at.answer(answer)
            assert await at.receive("00029") == OK
        assert await kept(at) == [("T1", "contradiction", "00029", 2)]
    told = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "T1" in told[0].getMessage()
    assert "dashboard" in told[0].getMessage()


@virtual_time
async def test_an_order_number_of_another_payout_is_kept_apart_and_the_platform_is_asked():
    async with world() as at:
        await at.client.payout(payout("T2"))
        at.transport.log.clear()
        at.answer(order("0015"))
        assert await at.receive("0000", "T2", platFormTradeNo="P-1") == OK
        assert await kept(at) == [("T2", "order number of another payout", "0000", 1)]
        assert ((await at.entry("T2")).state, at.asked) == (State.PROCESSING, 1)


class Plain(MemoryLedger):
    """A ledger as a user may have written one: it knows nothing of callbacks."""

    learn = None  # type: ignore[assignment]
    keep_callback = None  # type: ignore[assignment]


@virtual_time
async def test_a_ledger_that_keeps_no_callbacks_and_has_no_step_of_its_own_serves_too(caplog: pytest.LogCaptureFixture):
    async with world(ledger=Plain(runtime=VirtualRuntime())) as at:
        assert await at.receive("0000", "T9") == OK
        assert "T9" in caplog.text
        assert await at.receive() == OK
        assert (await at.entry()).state is State.SUCCEEDED


# --- answers ----------------------------------------------------------------------------------------------------------


@virtual_time
async def test_what_is_not_the_platforms_is_answered_alike_whatever_is_wrong_with_it(caplog: pytest.LogCaptureFixture):
    bodies = [
        b"",
        b"{",
        b"{}",
        b"[" * 60_000,
        callback()[:-1],
        callback(signer=Md5Signer("another")),
        callback(raw={"sign": "[]"}),
        callback(raw={"amount": "NaN"}),
        callback(amount=None),
    ]
    async with world() as at:
        answers = {await at.client.receive_callback(body) for body in bodies}
        assert answers == {CallbackReply(status=400, body=b"REFUSED")}
        assert (await at.client.receive_callback(b"x" * 65_537)).status == 413
        assert ((await at.entry()).state, at.transport.log) == (State.PROCESSING, [])
    assert len(caplog.records) == len(bodies) + 1


@virtual_time
async def test_a_client_without_a_ledger_or_that_is_not_open_says_so():
    async with scripted_client(Scripted(), ledger=None) as client:
        with pytest.raises(ConfigurationError, match="no ledger"):
            await client.receive_callback(callback())
    with pytest.raises(ClientStateError, match="not open"):
        await scripted_client(Scripted()).receive_callback(callback())


@virtual_time
async def test_a_client_that_is_closed_tells_the_platform_to_come_again():
    """A server stops its clients last; what comes meanwhile is for the next process."""
    async with world() as at:
        pass
    assert (await at.receive()).status == 503


class Sealed(MemoryLedger):
    """A ledger that cannot be reached for a while."""

    is_sealed = False

    async def learn(self, merchant_no: str, trade_no: str, decide: Any) -> Written | None:
        if self.is_sealed:
            raise LedgerUnavailableError("The ledger is away.")
        return await super().learn(merchant_no, trade_no, decide)

    async def keep_callback(self, merchant_no: str, trade_no: str, **kept: Any) -> None:
        if self.is_sealed:
            raise LedgerUnavailableError("The ledger is away.")
        await super().keep_callback(merchant_no, trade_no, **kept)


@pytest.mark.parametrize("number", ["T1", "no#number"])
@virtual_time
async def test_what_cannot_be_stored_is_never_answered_ok(number: str):
    ledger = Sealed(runtime=VirtualRuntime())
    async with world(ledger=ledger) as at:
        ledger.is_sealed = True
        assert (await at.receive("0000", number)).status == 503
        ledger.is_sealed = False
        assert await at.receive("0000", number) == OK


class Slow(MemoryLedger):
    """A ledger that stands still."""

    seconds = 0.0

    async def learn(self, merchant_no: str, trade_no: str, decide: Any) -> Written | None:
        await asyncio.sleep(self.seconds)
        return await super().learn(merchant_no, trade_no, decide)


@virtual_time
async def test_everything_together_is_answered_within_ten_seconds():
    """A ledger that is slow, and a platform that answers late."""
    ledger = Slow(runtime=VirtualRuntime())
    async with world(PAID, ledger=ledger, keeps_time=False) as at:

        async def late(fields: Any) -> Any:
            await asyncio.sleep(30)
            return PAID

        for seconds, number in ((3600.0, "T1"), (4.9, "T9"), (4.0, "T1")):
            ledger.seconds, began = seconds, now()
            at.answer(late)
            assert (await at.receive("00029", number)).status in (503, 200)
            assert now() - began <= 10.5


@virtual_time
async def test_a_callback_that_is_played_back_makes_no_flood_of_questions():
    """A genuine failure of before the success, a thousand times at once."""
    async with world(PAID) as at:

        async def slow(fields: Any) -> Any:
            await asyncio.sleep(1)
            return PAID

        at.answer(slow)
        body = callback("00029")
        answers = await asyncio.gather(*(at.client.receive_callback(body) for _ in range(1000)))
        assert {answer.status for answer in answers} == {200, 503}
        assert at.transport.most_under_way <= 20
        assert at.asked <= 120
        assert (await at.entry()).state is State.SUCCEEDED


@virtual_time
async def test_a_sender_who_is_gone_loses_nothing_of_what_is_being_stored():
    """And the client waits for it when it is closed."""
    ledger = Slow(runtime=VirtualRuntime())
    async with world(ledger=ledger) as at:
        ledger.seconds = 1.0
        receiving = asyncio.ensure_future(at.receive())
        await asyncio.sleep(0.5)
        receiving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiving
        assert (await at.entry()).state is State.PROCESSING
    assert (await at.entry()).state is State.SUCCEEDED


@virtual_time
async def test_a_callback_that_comes_before_its_claim_can_be_seen_is_not_lost():
    async with world(pays=False) as at:
        receiving = asyncio.ensure_future(at.receive())
        await asyncio.sleep(0.1)
        await at.client.payout(payout())
        assert await receiving == OK
        assert (await at.entry()).state is State.SUCCEEDED


@pytest.mark.parametrize(
    ("status", "state"), [("0000", State.SUCCEEDED), ("00029", State.FAILED), ("0015", State.PROCESSING)]
)
@virtual_time
async def test_a_callback_may_overtake_the_reply_to_its_own_payout(status: str, state: State):
    """The reply says "processing" of the same order, and is the older one."""
    async with world(pays=False) as at:

        async def overtaken(fields: Any) -> Any:
            assert await at.receive(status) == OK
            return PROCESSING

        at.transport._scripts["payout"] = [overtaken]
        result = await at.client.payout(payout())
        assert (await at.entry()).state is state
        assert result.status.value == state.value


@virtual_time
async def test_a_failure_that_overtakes_the_answer_to_a_question_is_not_brought_back_into_doubt():
    async with world(LOST) as at:

        async def overtaken(fields: Any) -> Any:
            assert await at.receive("00029") == OK
            return PROCESSING

        at.answer(overtaken)
        await at.client.query("T1")
        assert (await at.entry()).state is State.FAILED


# --- signers ----------------------------------------------------------------------------------------------------------


class Vault:
    """Signs after a while, or not at all."""

    def __init__(self, secret: str, *, seconds: float = 1.0, error: Exception | None = None) -> None:
        self._signer, self._seconds, self.error = Md5Signer(secret), seconds, error

    async def sign(self, fields: Mapping[str, str]) -> str:
        await asyncio.sleep(self._seconds)
        if self.error is not None:
            raise self.error
        return self._signer.sign(fields)


@virtual_time
async def test_all_signers_are_believed_also_those_that_must_be_waited_for():
    signers = [Md5Signer("next"), Vault("third")]
    async with world(callback_signers=signers) as at:
        for number, signer in enumerate([SIGNER, Md5Signer("next"), Md5Signer("third")]):
            assert await at.receive("0000", f"X-{number}", signer=signer) == OK
        assert (await at.receive(signer=Md5Signer("fourth"))).status == 400


@pytest.mark.parametrize(
    "broken",
    [Vault("x", error=OSError("sealed")), Vault("x", seconds=3600.0), Vault("x", error=LedgerUnavailableError("away"))],
    ids=["raises", "stands still", "raises one of ours"],
)
@virtual_time
async def test_a_signature_that_could_not_be_checked_is_neither_right_nor_wrong(broken: Vault):
    """Unless another secret has made it."""
    async with world(callback_signers=[broken]) as at:
        began = now()
        assert (await at.receive(signer=Md5Signer("x"))).status == 503
        assert await at.receive() == OK if broken._seconds < 10 else now() - began <= 10.5


@pytest.mark.parametrize("variable", ["PAYPRO_CALLBACK_SECRET", "PAYPRO_CALLBACK_SECRET_FILE"])
@virtual_time
async def test_the_secret_of_before_comes_from_the_environment_too(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "old").write_text("old-secret\n", encoding="utf-8")
    monkeypatch.setenv("PAYPRO_SECRET", "new-secret")
    monkeypatch.setenv(variable, "old-secret" if variable.endswith("SECRET") else str(tmp_path / "old"))
    monkeypatch.setenv("PAYPRO_UNKNOWN_CALLBACKS", "refuse")
    async with PayProClient.from_env(
        base_url="https://paypro.example/in", merchant_no=MERCHANT_NO, ledger="memory", transport=Scripted()
    ) as client:
        for secret, status in (("new-secret", 404), ("old-secret", 404), ("another", 400)):
            assert (await client.receive_callback(callback(signer=Md5Signer(secret)))).status == status


@virtual_time
async def test_a_reading_that_is_chosen_is_used():
    body = callbacks.signed(callbacks.MEMBERS | {"amount": "300.0"}, signer=SIGNER, raw={"amount": "300.00"})
    async with world(callback_reading=CallbackReading(numbers="java")) as at:
        assert await at.client.receive_callback(body) == OK
        assert (await at.entry()).state is State.SUCCEEDED
    async with world() as at:
        assert (await at.client.receive_callback(body)).status == 400


# --- the ledgers ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def ledger(request: pytest.FixtureRequest, path: Any) -> AsyncIterator[Ledger]:
    url = {"memory": "memory", "sqlite": f"sqlite:///{path}"}.get(request.param)
    server: Server | None = None if url else request.getfixturevalue("server")
    ledger = open_ledger(url or await server.ledger())  # type: ignore[union-attr]
    yield ledger
    await ledger.aclose()


@asynccontextmanager
async def real(ledger: Ledger, transport: Scripted) -> AsyncIterator[PayProClient]:
    async with PayProClient(
        base_url="https://paypro.example/in",
        merchant_no=MERCHANT_NO,
        signer=SIGNER,
        ledger=ledger,
        transport=transport,
    ) as client:
        yield client


async def test_many_callbacks_at_one_time_each_have_their_effect_in_each_ledger(ledger: Ledger):
    """Each comes three times, together with an older "processing"; some contradict, and some are of nobody."""
    transport = Scripted(payouts=PROCESSING, queries=lambda fields: FAILED)
    async with real(ledger, transport) as client:
        await asyncio.gather(*(client.payout(payout(f"T{number}")) for number in range(20)))
        entries = await ledger.get_many(MERCHANT_NO, [f"T{number}" for number in range(20)])
        bodies = []
        for number, entry in enumerate(entries.values()):
            told = {"platFormTradeNo": entry.platform_trade_no}
            end = "00029" if number % 4 == 0 else "0000"
            bodies += [callback(end, entry.trade_no, **told)] * 3 + [callback("0015", entry.trade_no, **told)]
        bodies += [callback("0000", "T99")] * 2
        answers = await asyncio.gather(*map(client.receive_callback, bodies))
        assert {answer.status for answer in answers} == {200}
        after = await ledger.get_many(MERCHANT_NO, list(entries))
        states = {one: State.FAILED if int(one[1:]) % 4 == 0 else State.SUCCEEDED for one in entries}
        first = {one.trade_no: index for index, one in enumerate(entries.values())}
        expected = {one: State.FAILED if first[one] % 4 == 0 else State.SUCCEEDED for one in states}
        assert {one: entry.state for one, entry in after.items()} == expected
        for one in after:
            history = await ledger.history(MERCHANT_NO, one)
            assert [event.cause for event in history if event.to is expected[one]] == [Cause.CALLBACK]
        kept = await ledger.kept_callbacks(MERCHANT_NO)  # type: ignore[attr-defined]
        assert [(one.trade_no, one.count, one.amount) for one in kept] == [("T99", 2, "300")]


async def test_success_then_failure_is_reversed_in_each_ledger(ledger: Ledger):
    transport = Scripted(payouts=PROCESSING, queries=lambda fields: FAILED)
    async with real(ledger, transport) as client:
        await client.payout(payout())
        for status, state in (("0000", State.SUCCEEDED), ("00029", State.REVERSED), ("0000", State.REVERSED)):
            assert await client.receive_callback(callback(status)) == OK
            found = await ledger.get(MERCHANT_NO, "T1")
            assert found is not None
            assert found.state is state
        causes = [event.cause for event in await ledger.history(MERCHANT_NO, "T1")]
        assert causes == [Cause.ATTEMPT, Cause.ATTEMPT, Cause.CALLBACK, Cause.QUERY]
