"""Queries: a payout's status, the balance. They move no money, so they may simply be asked again."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

from attrs import frozen

from paypro_async._core.lifecycle import Cause, Entry, Reply, State
from paypro_async._core.models import Balance, PayoutStatus, QueryResult
from paypro_async._core.outcome import Outcome, Verdict
from paypro_async._core.trade_no import is_trade_no
from paypro_async._core.wire import Phase
from paypro_async.engine.limits import RECORDING_SECONDS
from paypro_async.engine.session import Session
from paypro_async.errors import ConfigurationError, LedgerUnavailableError, QuestionFailedError
from paypro_async.ledger import Ledger, merge
from paypro_async.ledger.patience import answer_within
from paypro_async.log import logger

__all__ = ["Queries", "check_trade_no", "why_unanswered"]

T = TypeVar("T")

_REFUSED = (Verdict.BAD_CREDENTIALS, Verdict.QUESTION_REFUSED)
_NO_ANSWER = (Verdict.UNKNOWN, *_REFUSED)
_CHECK = "check the merchant number, the secret and the secret's position"
_STATUSES: Mapping[Verdict, PayoutStatus | None] = MappingProxyType(
    {
        Verdict.PAID: PayoutStatus.SUCCEEDED,
        Verdict.PROCESSING: PayoutStatus.PROCESSING,
        Verdict.FAILED: PayoutStatus.FAILED,
        Verdict.NO_SUCH_ORDER: None,
    }
)
# The states in which an answer leaves a payout that it is about.
_FOLLOWS: Mapping[Verdict, tuple[State, ...]] = MappingProxyType(
    {
        Verdict.PAID: (State.SUCCEEDED, State.REVERSED, State.REVIEW),
        Verdict.PROCESSING: (State.PROCESSING, State.SUCCEEDED, State.REVERSED, State.REVIEW),
        Verdict.FAILED: (State.FAILED, State.REVERSED, State.REVIEW),
    }
)
_FAILED = MappingProxyType({State.FAILED: PayoutStatus.FAILED, State.REVERSED: PayoutStatus.REVERSED})


@frozen(kw_only=True, eq=False)
class Queries:
    """Asks the platform, and lets the ledger know what it did not know yet.

    Args:
        session: What the client's parts share; it may be without a ledger.
    """

    session: Session

    async def query(self, trade_no: str, *, timeout: float, max_attempts: int) -> QueryResult:
        """Ask for one payout, within *timeout* seconds in all."""
        check_trade_no(trade_no)
        with self.session.closing:
            return await self._query(trade_no, timeout=timeout, max_attempts=max_attempts)

    async def _query(self, trade_no: str, *, timeout: float, max_attempts: int) -> QueryResult:
        deadline = self.session.runtime.steady() + timeout
        # Half of the time at most: what the platform says is worth having without the ledger too.
        ledger, entry = self.session.ledger, await self._known(trade_no, within=timeout / 2)

        async def ask(patience: float) -> tuple[Outcome, None]:
            return await self.session.platform.query(trade_no, entry=entry, timeout=patience), None

        outcome, _ = await self._until_answered(ask, deadline=deadline, max_attempts=max_attempts)
        if outcome.verdict in _NO_ANSWER:
            raise self._failed(f"The platform could not be asked for payout {trade_no}", outcome, trade_no=trade_no)
        merged = await self._merge(ledger, entry, outcome) if ledger and entry else None
        return QueryResult(
            trade_no=trade_no,
            status=_status(outcome, merged),
            platform_trade_no=outcome.platform_trade_no,
            code=outcome.code,
            message=outcome.message,
            amount=outcome.amount,
            success_time=outcome.success_time,
            utr=outcome.utr,
        )

    async def balance(self, *, timeout: float, max_attempts: int) -> Balance:
        """Ask for the balance, within *timeout* seconds in all."""

        async def ask(patience: float) -> tuple[Outcome, Balance | None]:
            return await self.session.platform.balance(timeout=patience)

        deadline = self.session.runtime.steady() + timeout
        with self.session.closing:
            outcome, balance = await self._until_answered(ask, deadline=deadline, max_attempts=max_attempts)
        if balance is None:
            raise self._failed("The platform could not be asked for the balance", outcome)
        return balance

    async def _until_answered(
        self, ask: Callable[[float], Awaitable[tuple[Outcome, T]]], *, deadline: float, max_attempts: int
    ) -> tuple[Outcome, T]:
        """The first usable answer, or the last one that was none."""
        session = self.session
        tries = 0
        while True:
            now = session.runtime.steady()
            outcome, found = await ask(max(0.0, min(session.times.request_timeout, deadline - now)))
            tries += 1
            if outcome.verdict not in _NO_ANSWER:
                session.budget.answered()
                return outcome, found
            # A refusal with a code will be the same next time.
            if outcome.code is not None or outcome.lasting or tries >= max_attempts:
                return outcome, found
            backoff = session.policy.backoff(tries - 1, session.runtime.chance())
            delay = max(backoff, outcome.retry_after or 0.0)
            if not await session.may_try_again(after=delay, deadline=deadline):
                return outcome, found

    def _failed(self, what: str, outcome: Outcome, *, trade_no: str | None = None) -> QuestionFailedError:
        mend = outcome.fault.mend if outcome.fault is not None else None
        next_step = "ask again later" if mend is None else "mend that and ask again"
        # Nothing is asked about with a balance: what is refused there is who asks.
        code = outcome.code
        asked_alone = trade_no is None and code is not None and not self.session.platform.codes.proves_nothing(code)
        if asked_alone or outcome.verdict in _REFUSED:
            next_step = _CHECK
        error = QuestionFailedError(
            f"{what}: {_told(outcome)}.{f' {mend}' if mend else ''} Asking moves no money; {next_step}.",
            trade_no=trade_no,
            platform_code=code,
            platform_message=outcome.message,
        )
        error.__cause__ = outcome.fault.error if outcome.fault is not None else None
        return error

    async def _known(self, trade_no: str, *, within: float) -> Entry | None:
        ledger = self.session.ledger
        if ledger is None:
            return None
        try:
            return await answer_within(within, ledger, ledger.get(self.session.platform.merchant_no, trade_no))
        except LedgerUnavailableError as error:
            # The query does not depend on it; what the platform says is worth having all the same.
            logger.warning("Payout %s is asked about without the ledger: %s", trade_no, error)
            return None

    async def _merge(self, ledger: Ledger, entry: Entry, outcome: Outcome) -> Entry | None:
        try:
            adopt = self.session.policy.adopt_duplicates
            told = self.session.news.on_written
            merging = merge(ledger, entry, outcome, cause=Cause.QUERY, adopt_duplicates=adopt, on_written=told)
            merged = await answer_within(RECORDING_SECONDS, ledger, merging)
        except LedgerUnavailableError as error:
            logger.warning("The answer about payout %s could not be stored: %s", entry.trade_no, error)
            return None
        self.session.news.tell(merged)
        return merged


def why_unanswered(outcome: Outcome) -> str:
    """Why a question got no usable answer, with the platform's code and words, and what to do if waiting mends it not.

    Args:
        outcome: What was answered.
    """
    mend = outcome.fault.mend if outcome.fault is not None else None
    advice = f"; {_CHECK}" if outcome.verdict in _REFUSED else f". {mend}" if mend is not None else ""
    return f"{_told(outcome)}{advice}"


def _told(outcome: Outcome) -> str:
    why, code, message = outcome.cause or "no usable answer came", outcome.code, outcome.message
    if code is None:
        return why
    return f"{why} ({message}, code {code})" if message else f"{why} (code {code})"


def check_trade_no(trade_no: object) -> None:
    """Refuse what cannot be a trade number.

    Raises:
        ConfigurationError: If it cannot.
    """
    if not is_trade_no(trade_no):
        raise ConfigurationError("trade_no must be 1 to 64 characters of letters, digits, '-' and '_'.")


def _status(outcome: Outcome, entry: Entry | None) -> PayoutStatus | None:
    """What a query tells its caller.

    Args:
        outcome: What the platform said.
        entry: What the ledger made of that; None if it holds nothing of the payout, or could not be written.
    """
    said = _STATUSES.get(outcome.verdict, PayoutStatus.UNKNOWN)
    if entry is None:
        return said
    if outcome.verdict in (Verdict.FAILED, Verdict.UNLISTED) and entry.state in _FAILED:
        return _FAILED[entry.state]
    # Where the ledger did not follow, the order is another payout's, or another system's.
    followed = entry.state in _FOLLOWS.get(outcome.verdict, State)
    of_another = entry.state is State.REVIEW and (entry.reply is Reply.DUPLICATE or entry.phase is Phase.NOT_SENT)
    return said if followed and not of_another else PayoutStatus.UNKNOWN
