from decimal import Context, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async._core.items import BatchItem, ItemStatus
from paypro_async._core.lifecycle import State
from paypro_async._core.models import PayoutResult, PayoutStatus
from paypro_async.errors import (
    ClientStateError,
    ConfigurationError,
    ConnectionFailedError,
    CredentialsRefusedError,
    IdempotencyConflictError,
    InvalidPayoutError,
    LedgerUnavailableError,
    OrderMissingError,
    OutcomeNotRecordedError,
    OutcomeUnknownError,
    PayoutFailedError,
    PayProError,
    RateLimitedError,
    ReplyLostError,
    ReviewRequiredError,
)
from paypro_async.report.batch_report import BatchProgress, BatchTally
from tests.support.samples import FIELDS, payout


def result(status: PayoutStatus = PayoutStatus.SUCCEEDED, *, code: str | None = "0000") -> PayoutResult:
    return PayoutResult(trade_no="T1", status=status, amount=Decimal(300), currency="INR", code=code)


def item(**what: Any) -> BatchItem:
    return BatchItem(**{"position": 0, "trade_no": "T1", "payout": None} | what)


ITEMS = st.builds(
    item,
    result=st.none()
    | st.builds(result, st.sampled_from(PayoutStatus), code=st.none() | st.sampled_from(["0000", "7"])),
    error=st.sampled_from([None, ReplyLostError("x"), ConnectionFailedError("x"), IdempotencyConflictError("x")]),
)
AMOUNTS = st.none() | st.integers(1, 10**17 - 1).map(lambda paise: Decimal(paise).scaleb(-2, Context(prec=60)))


@pytest.mark.parametrize("status", PayoutStatus)
def test_an_item_with_a_result_has_its_status_and_code(status: PayoutStatus):
    """Whatever else happened on the way."""
    one = item(result=result(status, code="C"), error=ReplyLostError("x"))
    assert (one.status.value, one.code) == (status.value, "C")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidPayoutError([]), ItemStatus.INVALID),
        (IdempotencyConflictError("x"), ItemStatus.CONFLICT),
        (ReviewRequiredError("x"), ItemStatus.REVIEW),
        (ConnectionFailedError("x"), ItemStatus.NOT_SENT),
        (LedgerUnavailableError("x"), ItemStatus.NOT_SENT),
        (RateLimitedError("x"), ItemStatus.NOT_SENT),
        (CredentialsRefusedError("x"), ItemStatus.NOT_SENT),
        (OutcomeUnknownError("x"), ItemStatus.UNKNOWN),
        (ReplyLostError("x"), ItemStatus.UNKNOWN),
        (OrderMissingError("x"), ItemStatus.MISSING),
        (OutcomeNotRecordedError("x", result=result()), ItemStatus.UNKNOWN),
        (None, ItemStatus.UNKNOWN),
    ],
)
def test_an_item_without_a_result_has_the_status_of_its_error(error: PayProError | None, status: ItemStatus):
    """What is not certain counts as unknown."""
    assert item(error=error).status is status


@pytest.mark.parametrize("error", [ConfigurationError("x"), ClientStateError("x"), PayProError("x")])
def test_an_error_that_moved_no_money_is_not_counted_as_unknown(error: PayProError):
    """UNKNOWN says that money may have moved, and sends somebody to look for it."""
    assert not error.money_may_have_moved
    assert item(error=error).status is ItemStatus.NOT_SENT


def test_the_code_of_an_item_is_the_platforms_or_the_kind_of_error():
    """So that a report can count what went wrong."""
    refused = CredentialsRefusedError("x")
    refused.platform_code = "1002"
    assert item(error=refused).code == "1002"
    assert item(error=CredentialsRefusedError("x")).code == "CredentialsRefusedError"
    assert item(error=ReplyLostError("x")).code == "ReplyLostError"
    assert item().code is None


def test_an_item_can_be_an_exception():
    """The result passes through if it is good; else whatever kept it from being so is raised."""
    assert item(result=result()).raise_for_status() == result()
    with pytest.raises(PayoutFailedError):
        item(result=result(PayoutStatus.FAILED)).raise_for_status()
    with pytest.raises(ReplyLostError):
        item(error=ReplyLostError("x")).raise_for_status()
    with pytest.raises(PayProError, match="neither a result nor an error") as caught:
        item().raise_for_status()
    assert caught.value.trade_no == "T1"


@pytest.mark.parametrize("given", [payout(), FIELDS], ids=["payout", "mapping"])
def test_an_item_does_not_show_personal_values(given: Any):
    """Its input may be a plain mapping, a row of a file, which masks nothing."""
    shown = repr(item(payout=given))
    assert not [name for name in ("name", "mobile", "email", "bank_number", "remark") if FIELDS[name] in shown]


@given(st.lists(st.tuples(ITEMS, AMOUNTS), max_size=30))
def test_a_report_counts_and_sums_everything_once(ended: list[tuple[BatchItem, Decimal | None]]):
    """Counts and sums per status, and a code for each item that is neither paid nor processing."""
    tally = BatchTally()
    for one, amount in ended:
        tally.add(one, amount)
    report = tally.report(elapsed=2.0, stopped=None)
    assert report.total == len(ended)
    assert report.rate == len(ended) / 2
    for status in ItemStatus:
        mine = [amount or 0 for one, amount in ended if one.status is status]
        assert report.counts.get(status, 0) == len(mine)
        assert report.amounts.get(status, 0) == sum(mine)
    good = [one for one, _ in ended if one.status in (ItemStatus.SUCCEEDED, ItemStatus.PROCESSING)]
    assert report.accepted == len(good)
    assert sum(report.codes.values()) == len(report.failures) == len(ended) - len(good)
    assert report.ok == (report.accepted == report.total)


def test_sums_are_exact_whatever_precision_the_application_has_set():
    """A hundred thousand payouts of odd amounts add up to the last paisa."""
    tally = BatchTally()
    with localcontext(Context(prec=3)):
        for _ in range(100):
            tally.add(item(result=result()), Decimal("999999999999999.99"))
    assert tally.report(elapsed=1, stopped=None).amounts[ItemStatus.SUCCEEDED] == Decimal("99999999999999999.00")


def test_a_report_keeps_only_the_first_hundred_failures():
    """A batch may be of any length, and the counts are complete."""
    tally = BatchTally()
    for position in range(250):
        tally.add(item(position=position, error=ReplyLostError("x")), None)
    report = tally.report(elapsed=1, stopped=None)
    assert [one.position for one in report.failures] == list(range(100))
    assert report.codes == {"ReplyLostError": 250}


def test_an_item_without_any_code_is_counted_too():
    """Under a question mark."""
    tally = BatchTally()
    tally.add(item(result=result(PayoutStatus.FAILED, code=None)), Decimal(1))
    assert tally.report(elapsed=1, stopped=None).codes == {"?": 1}


def test_a_stopped_batch_is_never_ok():
    """Also if everything that was begun went well."""
    tally = BatchTally()
    tally.add(item(result=result()), Decimal(1))
    assert tally.report(elapsed=1, stopped=None).ok
    assert not tally.report(elapsed=1, stopped="cancelled").ok


def test_an_empty_batch_has_a_report():
    """With a rate of zero and nothing wrong."""
    report = BatchTally().report(elapsed=0.0, stopped=None)
    assert (report.total, report.rate, report.ok) == (0, 0.0, True)


def test_a_report_is_a_picture_of_its_moment():
    """What is counted later does not change it, and neither can its reader."""
    tally = BatchTally()
    before = tally.report(elapsed=1, stopped=None)
    tally.add(item(error=ReplyLostError("x")), Decimal(1))
    assert (before.total, before.codes, before.failures) == (0, {}, ())
    with pytest.raises(TypeError):
        before.counts[ItemStatus.FAILED] = 1  # type: ignore[index]


def test_progress_is_a_value():
    """Two pictures of the same moment are equal."""
    made = [BatchProgress(done=1, in_flight=2, waiting=3, counts={}, elapsed=4.0) for _ in range(2)]
    assert made[0] == made[1]


def test_a_state_of_the_ledger_has_one_status():
    """And back; `sending` may well be paid. A ledger never holds what is in conflict or not valid."""
    assert ItemStatus.of(State.SENDING) is ItemStatus.UNKNOWN
    assert ItemStatus.of(State.NEW) is ItemStatus.NOT_SENT
    assert [ItemStatus.of(state).state for state in State] == list(State)
    assert [status for status in ItemStatus if status.state is None] == [ItemStatus.CONFLICT, ItemStatus.INVALID]


def test_each_status_says_what_it_means_for_the_money():
    """No two mean the same, and none is both accepted and uncertain."""
    assert len({status.meaning for status in ItemStatus}) == len(ItemStatus)
    assert {status for status in ItemStatus if status.accepted} == {ItemStatus.SUCCEEDED, ItemStatus.PROCESSING}
    assert {status for status in ItemStatus if status.uncertain} == {
        *(ItemStatus.UNKNOWN, ItemStatus.MISSING, ItemStatus.REVIEW)
    }
