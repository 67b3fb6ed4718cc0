import copy
import pickle
from decimal import Decimal

import pytest
from attrs.exceptions import FrozenInstanceError

from paypro_async._core.models import Balance, PayoutResult, PayoutStatus, QueryResult
from paypro_async.errors import PayoutFailedError


def result(
    status: PayoutStatus, *, code: str | None = "60019", message: str | None = "INSUFFICIENT_FUNDS"
) -> PayoutResult:
    return PayoutResult(trade_no="T1", status=status, amount=Decimal(300), currency="INR", code=code, message=message)


@pytest.mark.parametrize("status", PayoutStatus)
def test_only_processing_and_unknown_are_not_final(status: PayoutStatus):
    """A result that is not final can change by itself."""
    assert status.is_final == (status.value not in ("processing", "unknown"))
    assert result(status).is_final == status.is_final


@pytest.mark.parametrize("status", [PayoutStatus.SUCCEEDED, PayoutStatus.PROCESSING])
def test_a_good_result_passes_through(status: PayoutStatus):
    """So that the call can be chained."""
    one = result(status)
    assert one.raise_for_status() is one


@pytest.mark.parametrize(
    ("status", "certain"),
    [(PayoutStatus.FAILED, "no money moved for it"), (PayoutStatus.REVERSED, "the money was paid and came back")],
)
def test_a_bad_result_can_be_an_exception(status: PayoutStatus, certain: str):
    """It says what is certain about the money and what to do, and carries the result."""
    one = result(status)
    with pytest.raises(PayoutFailedError, match=certain) as caught:
        one.raise_for_status()
    error = caught.value
    assert (error.result, error.trade_no, error.platform_code) == (one, "T1", "60019")
    assert not error.money_may_have_moved
    for words in ("T1", status.value, "60019", "new trade_no"):
        assert words in str(error)


def test_an_exception_without_words_from_the_platform_is_still_a_sentence():
    """It does not say None."""
    with pytest.raises(PayoutFailedError) as caught:
        result(PayoutStatus.FAILED, code=None, message=None).raise_for_status()
    assert "None" not in str(caught.value)


@pytest.mark.parametrize(("status", "found"), [(None, False), *((one, True) for one in PayoutStatus)])
def test_a_query_finds_an_order_or_not(status: PayoutStatus | None, *, found: bool):
    """No status means no such order."""
    assert QueryResult(trade_no="T1", status=status).found is found


def test_results_are_values():
    """Equal, hashable, copyable, and not to be changed."""
    one = result(PayoutStatus.SUCCEEDED)
    assert one == result(PayoutStatus.SUCCEEDED)
    assert len({one, result(PayoutStatus.SUCCEEDED)}) == 1
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one  # noqa: S301  our own bytes
    with pytest.raises(FrozenInstanceError):
        one.status = PayoutStatus.FAILED  # type: ignore[misc]
    with pytest.raises(TypeError):
        PayoutResult("T1", PayoutStatus.FAILED, Decimal(1), "INR")  # type: ignore[misc]


def test_a_status_is_its_text():
    """In JSON, in a database, in a comparison."""
    assert PayoutStatus.SUCCEEDED == "succeeded"
    assert f"{PayoutStatus.REVERSED}" == "reversed"


def test_a_balance_may_know_only_what_is_available():
    """The rest is None and not zero."""
    assert Balance(available=Decimal(1), currency="INR") == Balance(
        available=Decimal(1), frozen=None, unsettled=None, currency="INR"
    )
