"""The errors, but for those that carry a result (``_core/models.py``). ``paypro_async.errors`` shows their tree."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

__all__ = [
    "BatchStoppedError",
    "CallbackError",
    "CallbackPayloadError",
    "CallbackSignatureError",
    "ClientStateError",
    "ConfigurationError",
    "ConnectionFailedError",
    "CredentialsRefusedError",
    "DecisionRefusedError",
    "IdempotencyConflictError",
    "InvalidBatchError",
    "InvalidFrameError",
    "InvalidPayoutError",
    "LedgerUnavailableError",
    "NotSentError",
    "OutcomeUnknownError",
    "PaidMeanwhileError",
    "PayProDeprecationWarning",
    "PayProError",
    "PayProWarning",
    "PayoutNotFoundError",
    "PoolTimeoutError",
    "Problem",
    "QuestionFailedError",
    "RateLimitedError",
    "ReplyLostError",
    "ReplyUnreadableError",
    "ReviewRequiredError",
    "RowsNotKeptError",
]


class PayProWarning(UserWarning):
    """Something is allowed but advised against, such as an amount with decimals."""


class PayProDeprecationWarning(PayProWarning, DeprecationWarning):
    """Something still works and will go: the text says until when, and what to use in its place."""


class PayProError(Exception):
    """The base of every error of this package.

    Attributes:
        trade_no: The merchant's order number, if the error is about one payout.
        reason: What kept the platform from answering, alike for every payout that it keeps; None where that is not
            the matter.
        money_may_have_moved: False only when it is certain that this call moved no money.
    """

    money_may_have_moved: bool = False
    reason: str | None = None

    def __init__(self, message: str, *, trade_no: str | None = None) -> None:
        super().__init__(message)
        self.trade_no = trade_no

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions cross process pools; keyword-only data would be lost by the default.
        return _rebuild, (type(self), self.args, self.__dict__.copy())


def _rebuild(cls: type[PayProError], args: tuple[Any, ...], state: Mapping[str, Any]) -> PayProError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(PayProError):
    """The client is set up in a way that cannot work. Nothing was sent; mend the setting that the text names."""


class ClientStateError(ConfigurationError, RuntimeError):
    """The client was used before it was opened, after it was closed, from a second event loop, or after a fork.

    Nothing was sent by this call. Open one client per event loop and process with ``async with`` and keep it.
    """


@frozen
class Problem:
    """One wrong field.

    Args:
        field: The field's name in the model, such as ``bank_code``.
        code: Stable, for programs: ``IFSC_FORMAT``, ``AMOUNT_DECIMALS``, …
        message: How to mend it. It never holds the value.
    """

    field: str
    code: str
    message: str


class InvalidPayoutError(PayProError, ValueError):
    """The payout has wrong fields. Nothing was sent; mend every field in *problems* and call again.

    Attributes:
        problems: Every wrong field, each with ``field``, ``code`` and ``message``; never the value.
    """

    def __init__(self, problems: Sequence[Problem], *, trade_no: str | None = None) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        listed = "; ".join(f"{p.field}: {p.message} [{p.code}]" for p in self.problems)
        super().__init__(f"The payout is not valid and nothing was sent: {listed}.", trade_no=trade_no)


class InvalidFrameError(InvalidPayoutError):
    """A data frame has wrong columns or cells. Nothing was sent; mend all *problems* and call again.

    Attributes:
        problems: Every kind of problem once. Its ``field`` is the column, and its ``message`` names the first rows that
            have it, counted from 1; never a value.
    """

    def __init__(self, problems: Sequence[Problem], *, advice: str = "", trade_no: str | None = None) -> None:
        super().__init__(problems, trade_no=trade_no)
        lines = [f"- {one.field}: {one.message} [{one.code}]" for one in self.problems]
        first = "The data frame is not valid and nothing was sent:"
        self.args: tuple[Any, ...] = ("\n".join([first, *lines, *([advice] if advice else [])]),)


class InvalidBatchError(InvalidPayoutError):
    """Payouts of a batch that is imported have wrong fields. Nothing was sent; mend them and import the whole again.

    Attributes:
        problems: Every wrong field of the first payouts that have any; the ``message`` begins with the position.
    """

    def __init__(self, problems: Sequence[Problem], *, advice: str = "", trade_no: str | None = None) -> None:
        super().__init__(problems, trade_no=trade_no)
        lines = [f"- {one.field} {one.message} [{one.code}]" for one in self.problems]
        first = "Payouts of the batch are not valid; nothing of it was sent, and it is not ready:"
        last = "Mend them and import the whole batch again: what is stored already is kept."
        self.args: tuple[Any, ...] = ("\n".join([first, *lines, *([advice] if advice else []), last]),)


class NotSentError(PayProError):
    """The platform did not take the payout, and that is certain. The same payout may be sent again.

    Attributes:
        attempts: How often it was tried.
        elapsed: Seconds since the call began.
    """

    def __init__(self, message: str, *, trade_no: str | None = None, attempts: int = 0, elapsed: float = 0.0) -> None:
        super().__init__(message, trade_no=trade_no)
        self.attempts = attempts
        self.elapsed = elapsed


class ConnectionFailedError(NotSentError):
    """No byte of the payout left: no connection, or its send deadline passed. Call again with the same trade_no."""


class BatchStoppedError(NotSentError):
    """The batch that the payout belongs to is paused or cancelled in the ledger. Nothing was sent; resume the batch."""


class PaidMeanwhileError(NotSentError):
    """The ledger holds a payment of this amount to this account that was not there when the file was looked up.

    Another run has it, of the same rows under other trade numbers, say. Nothing was sent; look at that one before this
    payout is paid as well.

    Attributes:
        other: The trade number of the other payment, or of one of them.
    """

    def __init__(
        self,
        message: str,
        *,
        trade_no: str | None = None,
        attempts: int = 0,
        elapsed: float = 0.0,
        other: str | None = None,
    ) -> None:
        super().__init__(message, trade_no=trade_no, attempts=attempts, elapsed=elapsed)
        self.other = other


class PoolTimeoutError(NotSentError):
    """Every connection was busy until no reply could come in time any more, as long as replies have lately taken.

    Nothing was sent. Call again with the same trade_no; raise ``max_connections`` or ``timeout``, or pay fewer at once.
    """


class LedgerUnavailableError(NotSentError):
    """The ledger could not be read or written, so nothing was sent. Mend the ledger, then call again."""


class RateLimitedError(NotSentError):
    """The platform answered HTTP 429 until the deadline, by which nothing was accepted; call again later, more slowly.

    The same trade_no is asked about before it goes out again: a gateway may answer so of a payout that was taken.

    Attributes:
        retry_after: Seconds that the platform asked to wait, if it said so.
    """

    def __init__(
        self,
        message: str,
        *,
        trade_no: str | None = None,
        attempts: int = 0,
        elapsed: float = 0.0,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, trade_no=trade_no, attempts=attempts, elapsed=elapsed)
        self.retry_after = retry_after


class CredentialsRefusedError(NotSentError):
    """The platform refused the payout and every question about it alike: it refuses this caller. Nothing was accepted.

    Mend the signature, the merchant number or the platform's list of addresses, and call again with the same trade_no:
    the platform is asked before the payout goes out again.

    Attributes:
        platform_code: The platform's code, as text.
        platform_message: The platform's own words.
    """

    def __init__(
        self,
        message: str,
        *,
        trade_no: str | None = None,
        attempts: int = 0,
        elapsed: float = 0.0,
        platform_code: str | None = None,
        platform_message: str | None = None,
    ) -> None:
        super().__init__(message, trade_no=trade_no, attempts=attempts, elapsed=elapsed)
        self.platform_code = platform_code
        self.platform_message = platform_message


class OutcomeUnknownError(PayProError):
    """The payout may have been made, and no answer came in time that says so.

    Money may have moved. The ledger remembers the payout as unknown: call ``payout`` again with the same
    ``trade_no`` and content, or ``query``. Never send it under a new ``trade_no``.

    Attributes:
        attempts: How often it was sent.
        elapsed: Seconds since the call began.
    """

    money_may_have_moved = True

    def __init__(self, message: str, *, trade_no: str | None = None, attempts: int = 0, elapsed: float = 0.0) -> None:
        super().__init__(message, trade_no=trade_no)
        self.attempts = attempts
        self.elapsed = elapsed


class ReplyLostError(OutcomeUnknownError):
    """The payout left, and no whole reply came back. Money may have moved; ask under the same trade_no."""


class ReplyUnreadableError(OutcomeUnknownError):
    """A reply came that does not say what happened. Money may have moved; ask under the same trade_no."""


class ReviewRequiredError(OutcomeUnknownError):
    """The payout waits for a person: what the platform says cannot be brought together with what was sent.

    Money may have moved. Look the order up in PayPro's dashboard and say what it shows with ``paypro ledger decide`` or
    :func:`decide`; until then nothing is sent for this trade_no.
    """


class OrderMissingError(OutcomeUnknownError):
    """The platform had accepted the payout, and now it knows no such order.

    Money may have moved. Ask again later, or look the order up in PayPro's dashboard; never use a new trade_no.
    """


class IdempotencyConflictError(PayProError):
    """The trade_no was used before with other content. Nothing was sent; use a new trade_no for a new payout."""


class DecisionRefusedError(PayProError):
    """A person's decision does not fit what the ledger knows of the payout. Nothing was changed and nothing was sent.

    Attributes:
        state: The payout's state, if the ledger holds it.
        allowed: The decisions that can be made about it now.
    """

    def __init__(
        self,
        message: str,
        *,
        trade_no: str | None = None,
        state: str | None = None,
        allowed: Sequence[str] = (),
    ) -> None:
        super().__init__(message, trade_no=trade_no)
        self.state = state
        self.allowed: tuple[str, ...] = tuple(allowed)


class QuestionFailedError(PayProError):
    """A query or a balance got no usable answer. Asking moves no money; ask again.

    Attributes:
        platform_code: The platform's code, as text, if it refused the question.
        platform_message: The platform's own words, if it refused the question.
    """

    def __init__(
        self,
        message: str,
        *,
        trade_no: str | None = None,
        platform_code: str | None = None,
        platform_message: str | None = None,
    ) -> None:
        super().__init__(message, trade_no=trade_no)
        self.platform_code = platform_code
        self.platform_message = platform_message


class PayoutNotFoundError(PayProError, LookupError):
    """The ledger holds no payout of this trade_no. Nothing was asked and nothing was sent; check the number."""


class RowsNotKeptError(PayProError):
    """The rows of a report could not be kept, as on a full disk. That moves no money; its counts and sums are right.

    Make room where temporary files go. The ledger holds every payout that was begun.
    """


class CallbackError(PayProError):
    """A callback was not believed. Nothing was stored and no money moved; answer it with HTTP 400.

    A genuine one comes again, and a query or a reconciliation learns the same without it.
    """


class CallbackSignatureError(CallbackError):
    """No secret that was given has made the callback's signature, or it has none: it is not the platform's.

    Nothing was stored. If it should be: check the secret, its position, and which secrets are valid during a rotation.
    """


class CallbackPayloadError(CallbackError):
    """The callback is not what the platform documents: no JSON object, a thing said twice, a value of another type.

    Nothing was stored. If it should be genuine, the text says which setting reads it.
    """
