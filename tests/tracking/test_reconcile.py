"""Reconciling: everything that is open is asked about, what is said is stored, and nothing is ever sent."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from attrs import evolve

from paypro_async import (
    ConfigurationError,
    Decision,
    ItemStatus,
    LedgerUnavailableError,
    MemoryLedger,
    OutcomeUnknownError,
    PayProClient,
    ReconcileReport,
    State,
    StopRules,
    decide,
)
from paypro_async._core.lifecycle import Cause, Entry
from paypro_async.sandbox import Fault, FaultPlan
from tests.support.merchant import MERCHANT_NO, SIGNER, bookings, client_of, payouts, scripted_client, virtual_sandbox
from tests.support.scripted import ABSENT, LOST, NOT_SENT, PAID, PROCESSING, Scripted, order, page, refusal
from tests.support.virtual_time import VirtualRuntime, freeze, now, virtual_time


async def leave_unknown(ledger: MemoryLedger, count: int = 1) -> None:
    """Payouts whose replies were lost, by a client that gives up at once."""
    async with scripted_client(Scripted(payouts=LOST), ledger=ledger) as client:
        await client.batch_payout(payouts(count), timeout=1, concurrency=count, stop=StopRules.off())


def a_ledger() -> MemoryLedger:
    return MemoryLedger(runtime=VirtualRuntime())


async def states(client: PayProClient, count: int = 1) -> list[State]:
    entries = await client.ledger.get_many(MERCHANT_NO, [f"T{number}" for number in range(count)])
    return [entries[f"T{number}"].state for number in range(count)]


@virtual_time
async def test_lost_replies_are_found_out():
    """Payouts that were booked and whose replies were lost: asked about, stored, and booked once."""
    ledger, kinds = a_ledger(), frozenset({Fault.RESET_AFTER})
    async with virtual_sandbox(faults=FaultPlan(rate=1, kinds=kinds)) as sandbox:
        async with client_of(sandbox, ledger=ledger) as paying:
            await paying.batch_payout(payouts(7), timeout=0.01, max_attempts=1)
        for number in range(7):
            sandbox.books.set_status(f"T{number}", "0000" if number else "0100007")
        async with client_of(sandbox, ledger=ledger) as client:
            report = await client.reconcile(concurrency=3)
            stored = await states(client, 7)
            history = await ledger.history(MERCHANT_NO, "T1")
        assert bookings(sandbox) == [f"T{number}" for number in range(7)]
    assert stored == [State.FAILED] + [State.SUCCEEDED] * 6
    assert report.changed == {
        (ItemStatus.UNKNOWN, ItemStatus.SUCCEEDED): 6,
        (ItemStatus.UNKNOWN, ItemStatus.FAILED): 1,
    }
    assert (report.checked, report.still_unknown, report.unanswered, report.ok) == (7, 0, 0, True)
    assert history[-1].cause is Cause.RECONCILE


@virtual_time
async def test_what_never_arrived_may_be_sent_again_and_is_not_sent():
    """Two questions, spaced, after the settle window: then it may be paid again, and until then it is unknown."""
    ledger, transport = a_ledger(), Scripted()
    await leave_unknown(ledger, 3)
    freeze(100)
    async with scripted_client(transport, ledger=ledger) as client:
        report = await client.reconcile()
        assert await states(client, 3) == [State.NEW] * 3
        assert (await client.get("T0")).status is ItemStatus.UNKNOWN
    assert transport.kinds == ["query"] * 6
    assert transport.log[-1].at - transport.log[0].at >= 2
    assert report == ReconcileReport(
        checked=3,
        changed={},
        still_unknown=3,
        absent=3,
        missing=0,
        review=0,
        overdue=0,
        unanswered=0,
        elapsed=3.0,
    )


@virtual_time
async def test_with_resend_never_a_person_decides():
    """What never arrived waits, and the report is not ok."""
    ledger = a_ledger()
    await leave_unknown(ledger)
    freeze(100)
    async with scripted_client(Scripted(), ledger=ledger, resend="never") as client:
        report = await client.reconcile()
        assert await states(client) == [State.REVIEW]
    assert (report.review, report.ok) == (1, False)


@virtual_time
async def test_a_young_attempt_stays_unknown():
    """Within the settle window "no such order" proves nothing; one question, and it is left."""
    ledger, transport = a_ledger(), Scripted()
    await leave_unknown(ledger)
    async with scripted_client(transport, ledger=ledger) as client:
        report = await client.reconcile()
        assert await states(client) == [State.SENDING]
    assert len(transport.queries) == 1
    assert (report.checked, report.still_unknown, report.ok) == (1, 1, False)


@virtual_time
async def test_a_young_attempt_is_waited_for_if_that_is_wanted():
    """The first question that counts comes when the window has passed, the second some time later."""
    ledger, transport = a_ledger(), Scripted()
    began = now()
    await leave_unknown(ledger)
    async with scripted_client(transport, ledger=ledger) as client:
        report = await client.reconcile(wait=True)
        assert await states(client) == [State.NEW]
    assert [sent.at - began for sent in transport.queries][1:] == pytest.approx([60, 63])
    assert (report.still_unknown, report.absent, report.unanswered) == (1, 1, 0)


@virtual_time
async def test_two_absences_count_only_in_a_row():
    """A question without an answer between them: the platform may only just be coming back."""
    ledger, transport = a_ledger(), Scripted(queries=[ABSENT, page(502), ABSENT, PAID])
    await leave_unknown(ledger)
    freeze(100)
    async with scripted_client(transport, ledger=ledger) as client:
        assert (await client.reconcile()).ok
        assert await states(client) == [State.SUCCEEDED]


@pytest.mark.parametrize(("answer", "questions"), [(LOST, 4), (page(502), 4), (refusal("1002", "sign error"), 1)])
@virtual_time
async def test_a_platform_that_does_not_answer_changes_nothing(answer: Any, questions: int):
    """Asked as often as the client's attempts allow; a refusal with a code would be the same next time."""
    ledger, transport = a_ledger(), Scripted(queries=answer)
    await leave_unknown(ledger, 2)
    freeze(100)
    async with scripted_client(transport, ledger=ledger) as client:
        report = await client.reconcile()
        assert await states(client, 2) == [State.SENDING] * 2
    assert len(transport.log) == 2 * questions
    assert (report.checked, report.unanswered, report.still_unknown, report.ok) == (2, 2, 2, False)


@virtual_time
async def test_new_and_final_payouts_are_not_asked_about():
    """Nothing of a new one is out, and a final one does not change by itself."""
    ledger = a_ledger()
    async with scripted_client(Scripted([PAID, NOT_SENT, PROCESSING]), ledger=ledger) as client:
        await client.batch_payout(payouts(3), max_attempts=1, concurrency=1)
        assert await states(client, 3) == [State.SUCCEEDED, State.NEW, State.PROCESSING]
    transport = Scripted(queries=order("0000", platFormTradeNo="P-3"))
    async with scripted_client(transport, ledger=ledger) as client:
        report = await client.reconcile()
        assert await states(client, 3) == [State.SUCCEEDED, State.NEW, State.SUCCEEDED]
    assert [sent.trade_no for sent in transport.queries] == ["T2"]
    assert (report.checked, report.ok) == (1, True)


@virtual_time
async def test_what_waits_for_a_person_goes_on_waiting_and_news_are_noted():
    """Only a person ends a review; what the platform says meanwhile is in its history."""
    ledger = a_ledger()
    await leave_unknown(ledger)
    freeze(100)
    async with scripted_client(Scripted(), ledger=ledger, resend="never") as client:
        await client.reconcile()
    async with scripted_client(Scripted(queries=PAID), ledger=ledger) as client:
        report = await client.reconcile()
        again = await client.reconcile()
        entry = await ledger.get(MERCHANT_NO, "T0")
        history = await ledger.history(MERCHANT_NO, "T0")
    assert (entry.state, entry.code, report.review) == (State.REVIEW, "0000", 1)
    assert [event.to for event in history].count(State.REVIEW) == 2
    assert report.changed == again.changed == {}


@virtual_time
async def test_another_merchants_payouts_are_left_alone():
    """One ledger may hold several."""
    ledger, transport = a_ledger(), Scripted()
    await leave_unknown(ledger)
    freeze(100)
    other = PayProClient(
        base_url="https://paypro.example/in",
        merchant_no="0000000002",
        signer=SIGNER,
        transport=transport,
        ledger=ledger,
        runtime=VirtualRuntime(),
    )
    async with other as client:
        assert (await client.reconcile()).checked == 0
    assert transport.log == []


class Failing(MemoryLedger):
    """Refuses to write once it is told to."""

    refuses = False

    async def move(self, change):
        if self.refuses:
            raise LedgerUnavailableError("The disk is full.")
        return await super().move(change)


@virtual_time
async def test_a_ledger_that_fails_ends_it():
    """With the ledger's own error, which says that nothing was sent."""
    ledger = Failing(runtime=VirtualRuntime())
    await leave_unknown(ledger, 30)
    ledger.refuses = True
    async with scripted_client(Scripted(queries=PAID), ledger=ledger) as client:
        with pytest.raises(LedgerUnavailableError, match=r"disk is full.*sends nothing"):
            await client.reconcile()


@virtual_time
async def test_pages_concurrency_and_budget():
    """Each page after the other, so many questions at one time, and a silent platform is not flooded."""
    ledger, transport = a_ledger(), Scripted(queries=PAID, takes=0.1)
    await leave_unknown(ledger, 1100)
    async with scripted_client(transport, ledger=ledger) as client:
        report = await client.reconcile(concurrency=7)
    assert (report.checked, transport.most_under_way) == (1100, 7)

    await leave_unknown(dark := a_ledger(), 150)
    transport, began = Scripted(queries=LOST), now()
    async with scripted_client(transport, ledger=dark) as client:
        assert (await client.reconcile()).unanswered == 150
    assert len(transport.log) <= 100 + 10 * (now() - began) + 1.001


@virtual_time
async def test_another_process_pays_meanwhile():
    """An attempt that was announced between the two questions is not taken back."""
    ledger = a_ledger()
    await leave_unknown(ledger)
    freeze(100)

    async def pay_again(_: object) -> Any:
        if not paying.payouts:
            async with scripted_client(paying, ledger=ledger) as other:
                with pytest.raises(OutcomeUnknownError):
                    await other.payout(payouts(1)[0], timeout=5)
        return ABSENT

    paying = Scripted(payouts=LOST)
    async with scripted_client(Scripted(queries=[ABSENT, pay_again, ABSENT]), ledger=ledger) as client:
        report = await client.reconcile()
        assert await states(client) == [State.SENDING]
        assert (await ledger.get(MERCHANT_NO, "T0")).attempt == 2
    assert len(paying.payouts) == 1
    assert report.still_unknown == 1


@virtual_time
async def test_a_contradiction_goes_to_a_person():
    """An order of that number over another amount is not this payout."""
    ledger = a_ledger()
    await leave_unknown(ledger)
    async with scripted_client(Scripted(queries=order("0000", amount=17)), ledger=ledger) as client:
        report = await client.reconcile()
    assert report.changed == {(ItemStatus.UNKNOWN, ItemStatus.REVIEW): 1}


@virtual_time
async def test_it_needs_a_ledger_and_a_number():
    """Without a ledger there is nothing to go through."""
    async with scripted_client(Scripted(), ledger=None) as client:
        with pytest.raises(ConfigurationError, match="no ledger"):
            await client.reconcile()
    async with scripted_client(Scripted()) as client:
        with pytest.raises(ConfigurationError, match="concurrency"):
            await client.reconcile(concurrency=0)


@virtual_time
async def test_a_run_that_had_no_time_for_all_is_gone_on_with():
    """No payout waits for ever behind the others, and none is asked twice before all were."""
    ledger = a_ledger()
    transport = Scripted(payouts=PROCESSING, queries=order("0015"), takes=1.0)
    async with scripted_client(transport, ledger=ledger) as client:
        await client.batch_payout(payouts(7), concurrency=7)
        asked: list[str] = []
        for _ in range(4):
            del transport.log[:]
            report = await client.reconcile(concurrency=1, deadline=2.5)
            asked += [sent.fields["tradeNo"] for sent in transport.queries]
            assert not report.ended or not report.open
    assert asked[:7] == [f"T{number}" for number in range(7)]
    assert asked[7:] == [f"T{number}" for number in range(len(asked) - 7)]


@virtual_time
async def test_young_payouts_are_passed_over_when_it_is_said():
    """Their end is still to be expected."""
    ledger, transport = a_ledger(), Scripted(payouts=PROCESSING, queries=order("0015"))
    async with scripted_client(transport, ledger=ledger) as client:
        await client.batch_payout(payouts(1))
        freeze(600)
        await client.batch_payout(payouts(2))
        report = await client.reconcile(older_than=300)
        assert [sent.fields["tradeNo"] for sent in transport.queries] == ["T0"]
        assert dict(report.open) == {"processing": 1}
        assert [(one.trade_no, round(one.age)) for one in report.longest_open] == [("T0", 600)]
        assert report.passed_over == {ItemStatus.PROCESSING: 1}
        report = await client.reconcile(older_than=timedelta(minutes=20))
        assert (report.checked, report.passed_over, report.ok) == (0, {ItemStatus.PROCESSING: 2}, True)


@virtual_time
async def test_none_is_too_young_for_a_run_without_an_age(monkeypatch: pytest.MonkeyPatch):
    """Also if the ledger's clock was set back since it was sent, and its age is less than nothing."""
    ledger, transport = a_ledger(), Scripted(payouts=PROCESSING, queries=order("0015"))
    async with scripted_client(transport, ledger=ledger) as client:
        await client.batch_payout(payouts(1))
        read = ledger.open_entries

        async def of_an_earlier_time(*given: Any, **more: Any) -> list[Entry]:
            return [evolve(one, age=-60.0) for one in await read(*given, **more)]

        monkeypatch.setattr(ledger, "open_entries", of_an_earlier_time)
        assert (await client.reconcile()).checked == 1


@virtual_time
async def test_what_wants_attention_wants_it_at_any_age():
    """What is passed over as too young is not asked about, and is not called well either."""
    ledger, transport = a_ledger(), Scripted(payouts=[PROCESSING, PROCESSING, PROCESSING, LOST], queries=ABSENT)
    async with scripted_client(transport, ledger=ledger) as client:
        await client.batch_payout(payouts(3), concurrency=1)
        await decide(ledger, MERCHANT_NO, "T0", Decision.HOLD, by="Meera", note="looks odd")
        await client.query("T1")
        freeze(100)
        with pytest.raises(OutcomeUnknownError):
            await client.payout(payouts(4)[3], timeout=1)
        del transport.log[:]
        report = await client.reconcile(older_than=timedelta(days=2), overdue_after=50)
        quiet = await client.reconcile(older_than=timedelta(days=2))
    assert (transport.log, report.checked, report.changed) == ([], 0, {})
    assert report.passed_over == {
        ItemStatus.REVIEW: 1,
        ItemStatus.MISSING: 1,
        ItemStatus.PROCESSING: 1,
        ItemStatus.UNKNOWN: 1,
    }
    assert (report.review, report.missing, report.overdue, report.still_unknown, report.ok) == (1, 1, 1, 0, False)
    assert (quiet.overdue, quiet.ok) == (0, False)


@virtual_time
async def test_a_run_that_stops_counts_what_it_passed_over_until_there():
    """And the next one goes on with the rest, so that together they count each once."""
    ledger, transport = a_ledger(), Scripted(payouts=PROCESSING, queries=order("0015"), takes=1.0)
    async with scripted_client(transport, ledger=ledger) as client:
        await client.batch_payout(payouts(8)[::2], concurrency=1)
        freeze(600)
        await client.batch_payout(payouts(8)[1::2], concurrency=1)
        runs = [await client.reconcile(concurrency=1, deadline=2.5, older_than=300) for _ in range(2)]
    assert sum(sum(run.passed_over.values()) for run in runs) >= 4
    assert runs[0].passed_over == {ItemStatus.PROCESSING: 3}


@virtual_time
async def test_questions_keep_the_rate():
    """All who reconcile with one ledger share it."""
    ledger, transport = a_ledger(), Scripted(payouts=PROCESSING, queries=order("0015"))
    async with scripted_client(transport, ledger=ledger) as client:
        await client.batch_payout(payouts(12), concurrency=12)
        await asyncio.gather(*(client.reconcile(rate=4) for _ in range(2)))
    times = [sent.at for sent in transport.queries]
    assert len(times) == 24
    assert times[-1] - times[0] >= 22 / 4
    assert all(later - earlier >= 0.2 for earlier, later in pairwise(times))


@virtual_time
async def test_what_a_person_decided_is_asked_about_for_some_days():
    """A person may have looked at the wrong order; seen paid, it goes back to a person."""
    ledger, transport = a_ledger(), Scripted(payouts=PROCESSING, queries=[ABSENT, ABSENT, PAID])
    async with scripted_client(transport, ledger=ledger) as client:
        await client.batch_payout(payouts(1))
        freeze(100)
        for decision in (Decision.HOLD, Decision.NOT_PAID):
            await decide(ledger, MERCHANT_NO, "T0", decision, by="Meera", note="not in the dashboard")
        for expected in (State.FAILED, State.FAILED, State.REVIEW):
            await client.reconcile()
            assert await states(client) == [expected]
        await decide(ledger, MERCHANT_NO, "T0", Decision.NOT_PAID, by="Meera", note="another order")
        freeze(8 * 86_400)
        assert (await client.reconcile()).checked == 0


@virtual_time
async def test_spans_that_make_no_sense_are_refused():
    """Before anything is asked."""
    async with scripted_client(Scripted(), ledger=a_ledger()) as client:
        for name, unit in (("older_than", "seconds"), ("overdue_after", "seconds"), ("deadline", "seconds")):
            for wrong in (-1, float("nan"), float("inf"), True, "10m"):
                with pytest.raises(ConfigurationError, match=f"{name} must be a .*{unit}"):
                    await client.reconcile(**{name: wrong})
        for name in ("older_than", "overdue_after", "concurrency"):
            with pytest.raises(ConfigurationError, match=name):
                await client.reconcile(**{name: None})


@pytest.mark.parametrize("wrong", [0, -1, True, float("nan"), float("inf"), 1e300, 1e9, 1e-300, "10"])
@virtual_time
async def test_rates_that_make_no_sense_are_refused(wrong: Any):
    """Before anything is asked or sent, and before a list of turns fills the memory."""
    transport = Scripted()
    async with scripted_client(transport, ledger=a_ledger()) as client:
        with pytest.raises(ConfigurationError, match=r"rate must be a number from .* a second"):
            await client.reconcile(rate=wrong)
        with pytest.raises(ConfigurationError, match=r"rate must be a number from .* a second"):
            client.batch_payout(payouts(1), rate=wrong)
    assert transport.log == []


@pytest.mark.parametrize("rate", [1e-6, 1e5])
@virtual_time
async def test_the_slowest_and_the_fastest_rate(rate: float):
    """They are kept as any other."""
    ledger, transport = a_ledger(), Scripted(payouts=PROCESSING, queries=order("0015"))
    async with scripted_client(transport, ledger=ledger) as client:
        await client.batch_payout(payouts(2))
        assert (await client.reconcile(rate=rate, deadline=5)).checked == min(2, round(rate) + 1)
        freeze(10)
        assert (await client.batch_payout(payouts(2), rate=1e5, refresh=True)).ok


@virtual_time
async def test_no_payout_starves_when_the_rate_ends_before_the_deadline():
    """A run whose next turn comes after its deadline is over there: what it did not get to is next, and uncounted."""
    ledger, transport = a_ledger(), Scripted(payouts=PROCESSING, queries=order("0015"))
    async with scripted_client(transport, ledger=ledger) as client:
        await client.batch_payout(payouts(7))
        asked: list[str] = []
        for _ in range(4):
            freeze(60)
            del transport.log[:]
            report = await client.reconcile(concurrency=1, rate=0.5, deadline=5)
            asked += [sent.fields["tradeNo"] for sent in transport.queries]
            assert (report.unanswered, report.checked) == (0, len(transport.queries))
    assert {f"T{number}" for number in range(7)} <= set(asked)


@virtual_time
async def test_refused_payouts_do_not_starve_the_open_ones():
    """Every list is gone on with where the last run stopped, and not begun again each time."""
    ledger, transport = a_ledger(), Scripted(payouts=LOST, queries=order("0015"))
    async with scripted_client(Scripted(payouts=PROCESSING), ledger=ledger) as client:
        await client.batch_payout(payouts(8))
        for number in range(4):
            entry = (await ledger.get_many(MERCHANT_NO, [f"T{number}"]))[f"T{number}"]
            assert entry.state is State.PROCESSING
    async with scripted_client(transport, ledger=ledger) as client:
        first = ledger.open_entries

        async def refused(merchant_no: str, *, after: str = "", limit: int = 1000) -> Any:
            return [one for one in await first(merchant_no, after=after, limit=limit) if one.trade_no < "T4"]

        async def opened(merchant_no: str, *, after: str = "", limit: int = 1000) -> Any:
            return await first(merchant_no, after=max(after, "T3"), limit=limit)

        ledger.recent_refusals, ledger.open_entries = refused, opened  # type: ignore[method-assign]
        for _ in range(6):
            freeze(60)
            await client.reconcile(concurrency=1, rate=0.5, deadline=5)
    assert {sent.fields["tradeNo"] for sent in transport.queries} == {f"T{number}" for number in range(8)}


def test_a_report_is_a_line_and_a_table_for_people():
    """In place of a dump of its fields."""
    report = ReconcileReport(
        checked=3,
        changed={(ItemStatus.UNKNOWN, ItemStatus.SUCCEEDED): 2},
        still_unknown=1,
        missing=0,
        review=0,
        overdue=0,
        unanswered=0,
        elapsed=0.5,
        ended=False,
    )
    told = "3 payouts asked about: 2 changed, 1 still unknown; 0.5 s; its time was over before the end of the ledger"
    assert str(report) == told
    assert told in report._repr_html_()
    assert "<td" in report._repr_html_().partition("succeeded")[0]
