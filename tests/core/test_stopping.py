from decimal import Decimal

import pytest
from attrs import evolve

from paypro_async._core.items import BatchItem
from paypro_async._core.models import PayoutResult, PayoutStatus
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.platform_codes import Codes
from paypro_async._core.stopping import StopRules, Watch
from paypro_async.errors import ConnectionFailedError, CredentialsRefusedError, LedgerUnavailableError, PayProError


def watch(rules: StopRules | None = None, *, codes: Codes | None = None) -> Watch:
    return Watch(rules=rules or StopRules(), codes=codes or Codes())


def failed(error: PayProError) -> BatchItem:
    return BatchItem(position=0, trade_no="T1", payout=None, error=error)


def ended(code: str, status: PayoutStatus = PayoutStatus.FAILED) -> BatchItem:
    known = PayoutResult(trade_no="T1", status=status, amount=Decimal(300), currency="INR", code=code)
    return BatchItem(position=0, trade_no="T1", payout=None, result=known)


@pytest.mark.parametrize(
    ("item", "rule"),
    [
        (failed(CredentialsRefusedError("x")), "bad_credentials"),
        (failed(LedgerUnavailableError("x")), "ledger_unavailable"),
        (ended("60019"), "insufficient_funds"),
    ],
)
def test_what_will_be_so_for_every_payout_stops_the_batch_at_once(item: BatchItem, rule: str):
    """Each rule by its name, and each can be switched off by it."""
    assert watch().item(item, sent=True) == rule
    assert watch(evolve(StopRules(), **{rule: False})).item(item, sent=True) is None
    assert watch(StopRules.off()).item(item, sent=True) is None


@pytest.mark.parametrize("item", [ended("00029"), ended("60019", PayoutStatus.SUCCEEDED), ended("0000")])
def test_what_is_about_one_payout_stops_nothing(item: BatchItem):
    """A rejected beneficiary is no reason to keep the others waiting."""
    assert watch().item(item, sent=True) is None


def test_what_an_earlier_run_learned_about_the_balance_stops_nothing():
    """The account may have been filled since."""
    assert watch().item(ended("60019"), sent=False) is None


def test_the_codes_for_an_empty_account_can_be_extended():
    """India's list is not known."""
    assert watch(codes=Codes(insufficient_funds={"7"})).item(ended("7"), sent=True) == "insufficient_funds"


def test_many_unknowns_in_a_row_stop_the_batch():
    """One usable reply in between starts the count again."""
    one = watch(StopRules(unknown_in_a_row=3))
    verdicts = [Verdict.UNKNOWN, Verdict.UNKNOWN, Verdict.PAID, Verdict.UNKNOWN, Verdict.UNKNOWN, Verdict.UNKNOWN]
    assert [one.attempt(Outcome(verdict=verdict)) for verdict in verdicts] == [None] * 5 + ["unknown_in_a_row"]


def test_many_not_sent_in_a_row_stop_the_batch():
    """One payout that went out starts the count again."""
    one = watch(StopRules(not_sent_in_a_row=2))
    lost = failed(ConnectionFailedError("x"))
    found = [one.item(item, sent=True) for item in (lost, ended("0000", PayoutStatus.SUCCEEDED), lost, lost)]
    assert found == [None, None, None, "not_sent_in_a_row"]


def test_without_a_rule_nothing_stops():
    """However long it goes on."""
    one = watch(StopRules.off())
    assert not any(one.attempt(Outcome(verdict=Verdict.UNKNOWN)) for _ in range(200))
    assert not any(one.item(failed(ConnectionFailedError("x")), sent=True) for _ in range(200))


def test_fifty_in_a_row_is_the_usual_limit():
    """Of either kind."""
    one = watch()
    assert [one.attempt(Outcome(verdict=Verdict.UNKNOWN)) for _ in range(50)] == [None] * 49 + ["unknown_in_a_row"]
    lost = failed(ConnectionFailedError("x"))
    assert [one.item(lost, sent=True) for _ in range(50)] == [None] * 49 + ["not_sent_in_a_row"]


def refusal(code: str, verdict: Verdict = Verdict.UNLISTED) -> Outcome:
    return Outcome(verdict=verdict, code=code, http_status=200)


def test_five_equal_unlisted_refusals_in_a_row_stop_the_batch():
    """What is wrong is then hardly the row; another code, or any other reply, starts the count again."""
    one = watch()
    rows = [refusal("1001")] * 4 + [refusal("1002")] + [refusal("1001")] * 4 + [refusal("0000", Verdict.PAID)]
    assert [one.attempt(row) for row in rows] == [None] * 10
    assert [one.attempt(refusal("1001")) for _ in range(5)] == [None] * 4 + ["same_refusal_in_a_row"]


@pytest.mark.parametrize("verdict", sorted(set(Verdict) - {Verdict.UNLISTED}, key=str))
def test_only_codes_that_no_page_lists_stop_a_batch_by_being_equal(verdict: Verdict):
    """Fifty closed accounts in a row are fifty rows."""
    one = watch(StopRules(unknown_in_a_row=None))
    assert not any(one.attempt(refusal("60030", verdict)) for _ in range(50))


def test_how_many_equal_refusals_stop_is_for_the_user_to_say():
    """Or none at all."""
    one, never = watch(StopRules(same_refusal_in_a_row=2)), watch(StopRules(same_refusal_in_a_row=None))
    assert [one.attempt(refusal("1001")) for _ in range(2)] == [None, "same_refusal_in_a_row"]
    assert not any(never.attempt(refusal("1001")) for _ in range(50))
    assert not any(watch(StopRules.off()).attempt(refusal("1001")) for _ in range(50))


@pytest.mark.parametrize("status", [401, 403])
def test_a_platform_that_forbids_every_attempt_stops_the_batch(status: int):
    """One such page proves nothing, five in a row are the credentials; any other reply starts the count again."""
    one = watch()
    forbidden, other = (Outcome(verdict=Verdict.UNKNOWN, http_status=code) for code in (status, 502))
    found = [one.attempt(outcome) for outcome in [forbidden] * 4 + [other] + [forbidden] * 5]
    assert found == [None] * 9 + ["bad_credentials"]
    off = watch(StopRules(bad_credentials=False))
    assert [off.attempt(forbidden) for _ in range(9)] == [None] * 9
