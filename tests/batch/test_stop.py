"""Stop rules: when a batch begins no more payouts, and how each rule is turned off."""

import asyncio

import pytest

from paypro_async import Codes, ItemStatus, LedgerUnavailableError, Md5Signer, MemoryLedger, State, StopRules
from tests.support.merchant import MERCHANT_NO, client_of, fields, paid_at, payouts, scripted_client, virtual_sandbox
from tests.support.scripted import ABSENT, LOST, NOT_SENT, PAID, PROCESSING, Scripted, order, page, refusal
from tests.support.virtual_time import now, virtual_time

REFUSED = refusal("1002", "sign error")
NO_FUNDS = order("60019")


@virtual_time
async def test_wrong_credentials_stop_a_batch():
    """A thousand refusals would tell nobody more than the first; what was not begun is in no count and no ledger."""
    async with virtual_sandbox() as sandbox, client_of(sandbox, signer=Md5Signer("wrong")) as client:
        report = await client.batch_payout(payouts(1000), concurrency=5)
        assert (report.stopped, report.ok) == ("bad_credentials", False)
        assert report.total == report.counts[ItemStatus.NOT_SENT] == len(paid_at(sandbox)) <= 10
        assert report.codes == {"1002": report.total}
        assert await client.ledger.get(MERCHANT_NO, "T999") is None


@virtual_time
async def test_an_empty_balance_stops_a_batch_and_topping_up_lets_it_go_on():
    """The first refusal for lack of funds ends the run. After the balance was topped up, the same batch again pays
    everything that was not begun: an old refusal in the ledger is no news.
    """
    async with virtual_sandbox(balance="1000") as sandbox, client_of(sandbox) as client:
        first = await client.batch_payout(payouts(20), concurrency=1)
        assert (first.stopped, first.counts) == (
            "insufficient_funds",
            {ItemStatus.PROCESSING: 3, ItemStatus.FAILED: 1},
        )
        sandbox.books._balance += 100_000
        second = await client.batch_payout(payouts(20), concurrency=1)
    assert second.stopped is None
    assert second.counts == {ItemStatus.PROCESSING: 19, ItemStatus.FAILED: 1}


@virtual_time
async def test_another_code_can_mean_an_empty_balance():
    """The platform's lists are incomplete, so the rule goes by the client's codes."""
    transport = Scripted(refusal("4711"))
    async with scripted_client(transport, codes=Codes(insufficient_funds={"4711"})) as client:
        assert (await client.batch_payout(payouts(10), concurrency=1)).stopped == "insufficient_funds"
    assert len(transport.log) == 1


@virtual_time
async def test_a_broken_ledger_stops_a_batch():
    """Without a ledger nothing may be sent, so nothing more is tried."""

    class Broken(MemoryLedger):
        async def claim(self, intent):
            if intent.trade_no == "T3":
                raise LedgerUnavailableError("The disk is full.")
            return await super().claim(intent)

    transport = Scripted()
    async with scripted_client(transport, ledger=Broken()) as client:
        report = await client.batch_payout(payouts(100), concurrency=1)
    assert report.stopped == "ledger_unavailable"
    assert len(transport.payouts) == 3
    assert report.counts == {ItemStatus.PROCESSING: 3, ItemStatus.NOT_SENT: 1}


@pytest.mark.parametrize("unclear", [LOST, page(502), page(404), refusal("5000")], ids=["lost", "502", "404", "system"])
@virtual_time
async def test_unknowns_in_a_row_stop_a_batch(unclear):
    """A platform that says nothing usable fifty times: no more is begun, and what is out is still found."""
    transport = Scripted(unclear, order("0015", amount="300"))
    async with scripted_client(transport) as client:
        report = await client.batch_payout(payouts(500), concurrency=1, stop=StopRules(unknown_in_a_row=50))
    assert report.stopped == "unknown_in_a_row"
    assert 50 <= len(transport.payouts) <= 60
    assert report.counts == {ItemStatus.PROCESSING: len(transport.payouts)}


@virtual_time
async def test_one_good_reply_ends_the_row():
    """Unknowns here and there are what the client is made for: 9 in 10 lost, and the batch goes to its end."""
    transport = Scripted(
        lambda _: PROCESSING if len(transport.payouts) % 10 == 0 else LOST, order("0015", amount="300")
    )
    async with scripted_client(transport) as client:
        report = await client.batch_payout(payouts(200), stop=StopRules(unknown_in_a_row=10), concurrency=1)
    assert (report.stopped, report.accepted) == (None, 200)


@virtual_time
async def test_payouts_that_cannot_be_sent_in_a_row_stop_a_batch():
    """No connection for many payouts on end: the batch ends instead of grinding through the file."""
    transport = Scripted(NOT_SENT)
    async with scripted_client(transport) as client:
        report = await client.batch_payout(
            payouts(500), concurrency=2, max_attempts=2, stop=StopRules(not_sent_in_a_row=5)
        )
        assert report.stopped == "not_sent_in_a_row"
        assert 5 <= report.total <= 100
        assert report.counts == {ItemStatus.NOT_SENT: report.total}
        assert (await client.ledger.get(MERCHANT_NO, "T0")).state is State.NEW


@pytest.mark.parametrize(("concurrency", "most", "seconds"), [(1, 6, 300), (2, 7, 200), (20, 21, 60), (100, 101, 100)])
@virtual_time
async def test_a_batch_that_nobody_can_be_reached_for_stops_soon_and_says_so_meanwhile(
    concurrency: int, most: int, seconds: float, caplog: pytest.LogCaptureFixture
):
    """A dead proxy, an unknown host: those under way use up their tries, and the others are not begun one by one."""
    transport = Scripted(NOT_SENT)
    async with scripted_client(transport) as client:
        began, batch = now(), client.batch_payout(payouts(500), concurrency=concurrency)
        loop, told = asyncio.get_running_loop(), []
        loop.call_later(5, lambda: told.append(batch.trouble))
        report = await batch
    assert (report.stopped, report.counts) == ("not_sent_in_a_row", {ItemStatus.NOT_SENT: report.total})
    assert report.total <= most
    assert now() - began < seconds
    assert told == ["no connection could be made"]
    assert [message for message in caplog.messages if "attempts in a row were not sent: no connection" in message]


@virtual_time
async def test_a_short_outage_stops_no_batch():
    """What waits is sent when the network is back, and the trouble is over."""
    back = 10.0
    transport = Scripted(lambda _: NOT_SENT if now() < back else PROCESSING)
    async with scripted_client(transport) as client:
        batch = client.batch_payout(payouts(100))
        report = await batch
    assert (report.stopped, report.accepted, batch.trouble) == (None, 100, None)


OFF = {
    "bad_credentials": (REFUSED, {"bad_credentials": False}, ItemStatus.NOT_SENT),
    "same_refusal_in_a_row": (refusal("1777"), {"same_refusal_in_a_row": None}, ItemStatus.FAILED),
    "insufficient_funds": (NO_FUNDS, {"insufficient_funds": False}, ItemStatus.FAILED),
    "unknown_in_a_row": (LOST, {"unknown_in_a_row": None}, ItemStatus.UNKNOWN),
    "not_sent_in_a_row": (NOT_SENT, {"not_sent_in_a_row": None}, ItemStatus.NOT_SENT),
}


@pytest.mark.parametrize("rule", OFF)
@virtual_time
async def test_a_rule_can_be_turned_off_by_name(rule: str):
    """And then the batch goes to its end, whatever it meets."""
    answer, off, status = OFF[rule]
    # The other rules must not be the ones that stop it.
    others = {"not_sent_in_a_row": None, "same_refusal_in_a_row": None} if rule == "bad_credentials" else {}
    queries = {"bad_credentials": answer, "same_refusal_in_a_row": ABSENT}.get(rule, LOST)
    transport = Scripted(answer, queries)
    async with scripted_client(transport) as client:
        report = await client.batch_payout(payouts(70), timeout=5, max_attempts=1, stop=StopRules(**(others | off)))
    assert report.stopped is None
    assert report.counts == {status: 70}


@pytest.mark.parametrize("answer", [answer for answer, _, _ in OFF.values()], ids=list(OFF))
@virtual_time
async def test_all_rules_can_be_turned_off_at_once(answer):
    """StopRules.off() stops at nothing, a broken ledger included."""

    class Flaky(MemoryLedger):
        async def claim(self, intent):
            if intent.trade_no == "T3":
                raise LedgerUnavailableError("The disk is full.")
            return await super().claim(intent)

    async with scripted_client(Scripted(answer, LOST), ledger=Flaky()) as client:
        report = await client.batch_payout(payouts(70), timeout=5, max_attempts=1, stop=StopRules.off())
    assert (report.stopped, report.total) == (None, 70)


@virtual_time
async def test_a_stopped_batch_brings_to_an_end_what_it_has_begun():
    """A payout that waits for its settle window when the rule strikes is still found or sent again."""
    transport = Scripted(
        lambda sent: NO_FUNDS if sent["tradeNo"] == "T5" else PROCESSING if len(transport.payouts) > 6 else LOST, ABSENT
    )
    async with scripted_client(transport) as client:
        report = await client.batch_payout(payouts(100), concurrency=1)
    assert report.stopped == "insufficient_funds"
    assert report.counts == {ItemStatus.PROCESSING: 5, ItemStatus.FAILED: 1}


@virtual_time
async def test_a_stopped_batch_does_not_begin_those_that_wait_for_their_turn_in_the_rate():
    """Ten turns at one payout a second, and the first is refused: the other nine have not begun, so they are
    neither stored nor sent.
    """
    transport = Scripted(NO_FUNDS)
    async with scripted_client(transport) as client:
        report = await client.batch_payout(payouts(100), concurrency=10, rate=1)
        stored = [number for number in range(100) if await client.ledger.get(MERCHANT_NO, f"T{number}")]
    assert report.stopped == "insufficient_funds"
    assert len(transport.payouts) == 1
    assert stored == [0]
    assert report.total == 1
    assert now() - 1000 < 2


@virtual_time
async def test_a_stopped_batch_does_not_wait_for_the_next_turn_in_the_rate():
    """One payout in twenty seconds, and the first is refused: the batch ends then, and not when the next is due."""
    async with scripted_client(Scripted(NO_FUNDS)) as client:
        report = await client.batch_payout(payouts(100), concurrency=10, rate=0.05)
    assert (report.stopped, report.total) == ("insufficient_funds", 1)
    assert now() - 1000 < 1


@virtual_time
async def test_invalid_rows_break_no_row_of_failures_and_stop_nothing():
    """A file full of wrong rows is read to its end."""
    async with scripted_client(Scripted(PAID)) as client:
        report = await client.batch_payout([fields(f"T{number}", mobile="1") for number in range(200)])
    assert (report.stopped, report.counts) == (None, {ItemStatus.INVALID: 200})
