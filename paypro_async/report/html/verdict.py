"""What a report says first: who was paid, who was not, and what to do."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType

from paypro_async._core.items import ItemStatus
from paypro_async._core.platform_codes import codes_of
from paypro_async.report.html.statistics import Cause, Statistics
from paypro_async.report.texts import counted, money

__all__ = ["all_paid", "cause_advice", "code_meaning", "headline", "known_meaning", "mood", "sums_text"]

# docs: mexico/errorcode, vietnam/errorcode, pakistan/errorcode, SouthKorea/errorcode
_MEANINGS: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        "0100019": ("the beneficiary's limit of money for a day is reached", "Pay these on another day."),
        "0100007": ("the beneficiary's limit of payments for a day is reached", "Pay these on another day."),
        "0100023": ("the beneficiary's limit of payments for a month is reached", "Pay these in another month."),
        "0100024": ("the trade number was used before", None),
        "60030": ("the beneficiary's account can hold no more", "Pay less, or to another account of the beneficiary."),
        "60019": ("the merchant's balance is too low", "Fill the account with PayPro first."),
        "00028": ("the amount is no number to the platform", "Ask PayPro which form of amount it takes."),
        "00029": ("the transaction was rejected", "Check the account with the beneficiary."),
        "00032": ("an error that the platform does not explain", None),
        "5000": ("something went wrong within the platform", None),
    }
)
_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "InvalidPayoutError": "a field is wrong",
        "IdempotencyConflictError": "the trade number belongs to another payout",
        "ReviewRequiredError": "only a person can decide",
        "OrderMissingError": "the platform knows no such order any more",
        "NotSentError": "it could not be sent",
        "PayoutUnknownError": "no answer says what became of it",
        "LedgerUnavailableError": "the ledger could not be read or written",
        "CredentialsRefusedError": "the platform refuses the merchant's access",
        "PaidMeanwhileError": "another run paid the same to the same account meanwhile",
        "BalanceTooLowError": "the merchant's balance is too low",
    }
)


def known_meaning(code: str) -> str | None:
    """What a code of the platform, or the name of an error, means in a few words; None where nobody knows."""
    return _MEANINGS.get(code, (_KINDS.get(code), None))[0]


def mood(numbers: Statistics) -> str:
    """How it went, in a word: ``good``, ``open`` if the end of some is to come, ``bad`` if some were not paid."""
    left = {status for status, _ in numbers.tally.counts} - {ItemStatus.SUCCEEDED}
    if not left:
        return "good" if numbers.count else "open"
    return "open" if all(status.is_open or status.uncertain for status in left) else "bad"


def all_paid(numbers: Statistics) -> bool:
    """Whether nothing is left to do."""
    return bool(numbers.count) and numbers.counted(ItemStatus.SUCCEEDED) == numbers.count


def headline(numbers: Statistics) -> str:
    """One sentence: how many were paid, of how many, and how much money that is."""
    everything, paid = numbers.count, numbers.counted(ItemStatus.SUCCEEDED)
    if not everything:
        return "This report holds no payouts."
    whole, sums = sums_text(numbers.sums()), sums_text(numbers.sums(ItemStatus.SUCCEEDED))
    if paid == everything:
        return f"The only payout is paid: {whole}." if paid == 1 else f"All {paid:,} payouts are paid: {whole}."
    if not paid:
        return _none_paid(everything, numbers.counted(ItemStatus.PROCESSING), whole)
    return f"{paid:,} of {counted(everything)} {'is' if paid == 1 else 'are'} paid: {sums} of {whole}."


def code_meaning(cause: Cause) -> str:
    """What a code means, where that is known, and the words that came with it; else what the status means."""
    known = _MEANINGS.get(cause.code, (_KINDS.get(cause.code, ""), None))[0]
    return " · ".join(part for part in (known, cause.message) if part) or next(iter(cause.statuses)).meaning


def cause_advice(cause: Cause) -> str:
    """What to do about payouts with that cause."""
    return " ".join(dict.fromkeys(_advice(cause)))


def sums_text(sums: Mapping[str, Decimal]) -> str:
    """Sums of one currency or of several."""
    return " + ".join(money(amount, currency) for currency, amount in sums.items())


def _advice(cause: Cause) -> Iterator[str]:
    known = _MEANINGS.get(cause.code, ("", None))[1]
    certain = codes_of(None).is_listed(cause.code)
    for status in ItemStatus:
        if cause.statuses[status]:
            # What mends a refusal says nothing about a payout that may be paid.
            yield known if known and certain and status is ItemStatus.FAILED else status.what_to_do


def _none_paid(everything: int, processing: int, whole: str) -> str:
    if processing == everything:
        if everything == 1:
            return f"The only payout is accepted by the platform, and not paid yet: {whole}."
        return f"All {everything:,} payouts are accepted by the platform, and none is paid yet: {whole}."
    yet = " yet" if processing else ""
    return (
        f"The only payout is not paid: {whole}."
        if everything == 1
        else f"None of {everything:,} payouts is paid{yet}: {whole}."
    )
