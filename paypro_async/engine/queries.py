"""Questions to the platform: a payout's status, the balance. They move no money, so they may simply be asked again."""

from collections.abc import Awaitable, Callable

from attrs import frozen

from paypro_async._core.lifecycle import Cause, Entry, State
from paypro_async._core.models import Balance, PayoutStatus, QueryResult
from paypro_async._core.outcome import ACCEPTED, PROCESSING, Outcome, Verdict
from paypro_async._core.retry import RetryBudget, RetryPolicy
from paypro_async.engine.platform import Platform
from paypro_async.errors import LedgerUnavailableError, QuestionFailedError
from paypro_async.ledger import Ledger, merge
from paypro_async.log import logger
from paypro_async.runtime import Runtime

__all__ = ["Questions"]


@frozen(kw_only=True, eq=False)
class Questions:
    """Asks, and lets the ledger know what it did not know yet."""

    platform: Platform
    ledger: Ledger | None
    policy: RetryPolicy
    budget: RetryBudget
    runtime: Runtime
    request_timeout: float

    async def query(self, trade_no: str, *, timeout: float, max_attempts: int) -> QueryResult:
        """Ask for one payout."""
        entry = await self._known(trade_no)
        amount = entry.amount if entry else None

        async def ask(patience: float) -> Outcome:
            return await self.platform.query(trade_no, amount=amount, timeout=patience)

        outcome = await self._until_answered(ask, timeout=timeout, max_attempts=max_attempts)
        if outcome.verdict in (Verdict.UNKNOWN, Verdict.BAD_CREDENTIALS):
            raise self._failed(f"The platform could not be asked for payout {trade_no}", outcome, trade_no=trade_no)
        status = _status(outcome)
        if self.ledger and entry and (await self._merge(self.ledger, entry, outcome)).state is State.REVERSED:
            status = PayoutStatus.REVERSED
        return QueryResult(
            trade_no=trade_no,
            status=status,
            platform_trade_no=outcome.platform_trade_no,
            code=outcome.code,
            message=outcome.message,
            amount=outcome.amount,
            success_time=outcome.success_time,
            utr=outcome.utr,
        )

    async def balance(self, *, timeout: float, max_attempts: int) -> Balance:
        """Ask for the balance."""
        found: list[Balance] = []

        async def ask(patience: float) -> Outcome:
            outcome, balance = await self.platform.balance(timeout=patience)
            if balance is not None:
                found[:] = [balance]
            return outcome

        outcome = await self._until_answered(ask, timeout=timeout, max_attempts=max_attempts)
        if not found:
            raise self._failed("The platform could not be asked for the balance", outcome)
        return found[0]

    async def _until_answered(
        self, ask: Callable[[float], Awaitable[Outcome]], *, timeout: float, max_attempts: int
    ) -> Outcome:
        deadline = self.runtime.steady() + timeout
        tries = 0
        while True:
            now = self.runtime.steady()
            outcome = await ask(max(0.0, min(self.request_timeout, deadline - now)))
            tries += 1
            if outcome.verdict is not Verdict.UNKNOWN:
                self.budget.answered()
                return outcome
            # A refusal with a code will be the same next time.
            if outcome.code is not None or tries >= max_attempts:
                return outcome
            now = self.runtime.steady()
            backoff = self.policy.backoff(tries - 1, self.runtime.chance())
            delay = max(backoff, outcome.retry_after or 0.0, self.budget.take(now))
            if now + delay >= deadline:
                self.budget.give_back()
                return outcome
            await self.runtime.sleep(delay)

    def _failed(self, what: str, outcome: Outcome, *, trade_no: str | None = None) -> QuestionFailedError:
        code, words = outcome.code, outcome.message
        why = outcome.cause or "no usable answer came"
        told = f" ({words}, code {code})" if words else f" (code {code})"
        next_step = "ask again later"
        if code is not None and self.platform.codes.refuses_credentials(code, words):
            next_step = "check the merchant number, the secret and the secret's position"
        return QuestionFailedError(
            f"{what}: {why}{told if code is not None else ''}. Asking moves no money; {next_step}.",
            trade_no=trade_no,
            platform_code=code,
            platform_message=words,
        )

    async def _known(self, trade_no: str) -> Entry | None:
        try:
            return await self.ledger.get(self.platform.merchant_no, trade_no) if self.ledger else None
        except LedgerUnavailableError as error:
            # The question does not depend on it; what the platform says is worth having all the same.
            logger.warning("Payout %s is asked about without the ledger: %s", trade_no, error)
            return None

    async def _merge(self, ledger: Ledger, entry: Entry, outcome: Outcome) -> Entry:
        try:
            return await merge(ledger, entry, outcome, cause=Cause.QUERY)
        except LedgerUnavailableError as error:
            logger.warning("The answer about payout %s could not be stored: %s", entry.trade_no, error)
            return entry


def _status(outcome: Outcome) -> PayoutStatus | None:
    if outcome.verdict is Verdict.NO_SUCH_ORDER:
        return None
    by_code = {ACCEPTED: PayoutStatus.SUCCEEDED, PROCESSING: PayoutStatus.PROCESSING}
    return by_code.get(outcome.code or "", PayoutStatus.FAILED)
