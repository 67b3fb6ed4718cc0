"""When a batch begins no more payouts."""

from attrs import define, field, frozen

from paypro_async._core.errors import (
    BatchStoppedError,
    CredentialsRefusedError,
    LedgerUnavailableError,
    PaidMeanwhileError,
)
from paypro_async._core.items import BatchItem, ItemStatus
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.platform_codes import Codes
from paypro_async._core.wire import Fault

__all__ = ["StopRules", "Watch"]

_ATTEMPTS = 50
"""So many attempts in a row at least are an outage, and no bad moment of the network."""
_TROUBLE = 3
_FORBIDDEN = 5
_LASTING = 5


@frozen(kw_only=True)
class StopRules:
    """When a batch begins no more payouts. What is under way is brought to its end.

    Args:
        bad_credentials: Stop when the platform refuses whatever this merchant asks (signature, merchant number, list
            of addresses), or answers HTTP 401 or 403 five times in a row.
        same_refusal_in_a_row: Stop after so many attempts in a row that were refused under one code that no page
            lists: what is wrong is then hardly the row; None for never.
        insufficient_funds: Stop when the platform says that the balance is too low.
        ledger_unavailable: Stop when the ledger cannot be written.
        unknown_in_a_row: Stop after so many attempts in a row without a reply that could be used; None for never.
        not_sent_in_a_row: Stop after so many payouts in a row that could not be sent at all; None for never. As soon as
            one has used up its tries, so many attempts in a row count as well, from 50 on: those that wait hold back
            all others meanwhile, which would take many minutes.
        wrong_setting: Stop after five payouts in a row that could not be sent, or asked about, for a cause that lasts
            until somebody has mended a setting: a certificate that is not trusted, a proxy that refuses.
        low_balance: Do not begin to pay a file if the balance is lower than the sum that is still to be paid. A batch
            does not know its sum, so only :class:`~paypro_async.bulk.Disbursement` looks at it.
    """

    bad_credentials: bool = True
    same_refusal_in_a_row: int | None = 5
    insufficient_funds: bool = True
    ledger_unavailable: bool = True
    unknown_in_a_row: int | None = 50
    not_sent_in_a_row: int | None = 50
    wrong_setting: bool = True
    low_balance: bool = True

    @classmethod
    def off(cls) -> "StopRules":
        """No rule at all."""
        return cls(
            bad_credentials=False,
            same_refusal_in_a_row=None,
            insufficient_funds=False,
            ledger_unavailable=False,
            unknown_in_a_row=None,
            not_sent_in_a_row=None,
            wrong_setting=False,
            low_balance=False,
        )


@define(kw_only=True, eq=False)
class Watch:
    """Applies the rules to what happens, one thing after the other.

    Args:
        rules: The rules.
        codes: Which codes mean what.
        unsent_in_a_row: Attempts in a row that the platform did not take, in whatever way.
        trouble: Why the last ones did not get through, and what mends that; None once one did.
    """

    rules: StopRules
    codes: Codes
    unsent_in_a_row: int = field(default=0, init=False)
    trouble: str | None = field(default=None, init=False)
    _unknown: int = field(default=0, init=False)
    _not_sent: int = field(default=0, init=False)
    _forbidden: int = field(default=0, init=False)
    _lasting: int = field(default=0, init=False)
    _unasked: int = field(default=0, init=False)
    _refusal: str | None = field(default=None, init=False)
    _refused: int = field(default=0, init=False)

    def attempt(self, outcome: Outcome) -> str | None:
        """An attempt has ended; the name of the rule that says stop, or None."""
        verdict = outcome.verdict
        # Without a readable reply these prove nothing of one payout, but so many in a row do of the credentials.
        self._forbidden = self._forbidden + 1 if outcome.http_status in (401, 403) else 0
        if self.rules.bad_credentials and self._forbidden >= _FORBIDDEN:
            return "bad_credentials"
        unlisted = verdict in (Verdict.UNLISTED, Verdict.DUPLICATE) and not self._is_listed(outcome.code or "")
        refusal = outcome.code if unlisted else None
        self._refused = self._refused + 1 if refusal is not None and refusal == self._refusal else refusal is not None
        self._refusal = refusal
        if _reached(self._refused, self.rules.same_refusal_in_a_row):
            return "same_refusal_in_a_row"
        self._lasting = self._lasting + 1 if outcome.fault is not None and outcome.lasting else 0
        if self.rules.wrong_setting and self._lasting >= _LASTING:
            return "wrong_setting"
        unsent = verdict in (Verdict.NOT_SENT, Verdict.RATE_LIMITED)
        self.unsent_in_a_row = self.unsent_in_a_row + 1 if unsent else 0
        in_trouble = unsent and self.unsent_in_a_row >= _TROUBLE
        self.trouble = str(outcome.fault or outcome.cause or "the platform is too busy") if in_trouble else None
        self._unknown = self._unknown + 1 if verdict is Verdict.UNKNOWN else 0
        return "unknown_in_a_row" if _reached(self._unknown, self.rules.unknown_in_a_row) else None

    def _is_listed(self, code: str) -> bool:
        return code in self.codes.duplicate or self.codes.is_listed(code)

    def item(self, item: BatchItem, *, sent: bool, silence: Fault | None = None) -> str | None:
        """A payout has ended; the name of the rule that says stop, or None.

        Args:
            item: The payout.
            sent: Whether this run sent it. What an earlier run learned stops nothing: the account may have been
                filled since.
            silence: Why the last question about it got no answer, if it got none.
        """
        if isinstance(item.error, PaidMeanwhileError | BatchStoppedError):
            return None  # Another run pays it, or nobody shall: that says nothing of the network.
        status = item.status
        self._not_sent = self._not_sent + 1 if status is ItemStatus.NOT_SENT else 0
        if self.rules.bad_credentials and isinstance(item.error, CredentialsRefusedError):
            return "bad_credentials"
        if self.rules.ledger_unavailable and isinstance(item.error, LedgerUnavailableError):
            return "ledger_unavailable"
        self._unasked = self._unasked + 1 if silence is not None and silence.lasting else 0
        if self.rules.wrong_setting and self._unasked >= _LASTING:
            return "wrong_setting"
        empty = sent and status is ItemStatus.FAILED and item.code in self.codes.insufficient_funds
        if self.rules.insufficient_funds and empty:
            return "insufficient_funds"
        return "not_sent_in_a_row" if self._not_sent and self._nothing_is_sent() else None

    def _nothing_is_sent(self) -> bool:
        most = self.rules.not_sent_in_a_row
        return most is not None and (self._not_sent >= most or self.unsent_in_a_row >= max(most, _ATTEMPTS))


def _reached(count: int, most: int | None) -> bool:
    return most is not None and count >= most
