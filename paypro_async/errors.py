"""Every error that paypro-async raises.

An exception means "the SDK could not tell you"; a payout that the platform refused is a value
(:class:`~paypro_async.PayoutResult`) unless ``raise_for_status()`` is called on it.

::

    PayProError                       .money_may_have_moved, .trade_no
    ├── ConfigurationError            the client is set up or used in a wrong way
    │   └── ClientStateError          not opened, closed, or used from another event loop or process
    ├── InvalidPayoutError            every wrong field at once; nothing was sent
    │   ├── InvalidBatchError         those of payouts that were to be imported
    │   └── InvalidFrameError         every wrong column and cell of a data frame
    ├── NotSentError                  nothing was accepted; the same payout may be sent again
    │   ├── ConnectionFailedError     no connection, or the send deadline passed first
    │   ├── PoolTimeoutError          every connection was busy for too long
    │   ├── LedgerUnavailableError    the intent could not be stored, so nothing was sent
    │   ├── BatchStoppedError         its batch is paused or cancelled in the ledger
    │   ├── PaidMeanwhileError        another run has paid the same since the file was looked up
    │   ├── RateLimitedError          the platform said "too many requests"
    │   └── CredentialsRefusedError   the platform refuses whatever this merchant asks
    ├── OutcomeUnknownError           money may have moved; ask, never use a new trade_no
    │   ├── ReplyLostError            no reply, or only a part of one
    │   ├── ReplyUnreadableError      a reply that does not say what happened
    │   ├── OrderMissingError         it was accepted, and then the platform knew no such order
    │   └── ReviewRequiredError       only a person can decide what happened
    ├── OutcomeNotRecordedError       the platform answered, the ledger could not store it; carries the result
    ├── IdempotencyConflictError      the trade_no belongs to another payout; nothing was sent
    ├── DecisionRefusedError          a person's decision does not fit what is known; nothing was changed
    ├── QuestionFailedError           a query or a balance got no usable answer; it moves no money
    ├── NotFinalError                 a payout was not final when the time to wait for it was over
    ├── PayoutNotFoundError           the ledger holds no such payout
    ├── RowsNotKeptError              the rows of a report are lost; its counts and the ledger are right
    ├── CallbackError                 a callback was not believed; nothing was stored
    │   ├── CallbackSignatureError    no secret that was given has signed it
    │   └── CallbackPayloadError      it is not what the platform documents
    └── PayoutFailedError             only from raise_for_status()

Each text says what happened, what is certain about the money, and what to do next. None quotes a
secret or a personal value.
"""

from paypro_async._core.errors import (
    BatchStoppedError,
    CallbackError,
    CallbackPayloadError,
    CallbackSignatureError,
    ClientStateError,
    ConfigurationError,
    ConnectionFailedError,
    CredentialsRefusedError,
    DecisionRefusedError,
    IdempotencyConflictError,
    InvalidBatchError,
    InvalidFrameError,
    InvalidPayoutError,
    LedgerUnavailableError,
    NotSentError,
    OrderMissingError,
    OutcomeUnknownError,
    PaidMeanwhileError,
    PayoutNotFoundError,
    PayProDeprecationWarning,
    PayProError,
    PayProWarning,
    PoolTimeoutError,
    Problem,
    QuestionFailedError,
    RateLimitedError,
    ReplyLostError,
    ReplyUnreadableError,
    ReviewRequiredError,
    RowsNotKeptError,
)
from paypro_async._core.known import NotFinalError
from paypro_async._core.models import OutcomeNotRecordedError, PayoutFailedError

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
    "NotFinalError",
    "NotSentError",
    "OrderMissingError",
    "OutcomeNotRecordedError",
    "OutcomeUnknownError",
    "PaidMeanwhileError",
    "PayProDeprecationWarning",
    "PayProError",
    "PayProWarning",
    "PayoutFailedError",
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

for _error in (globals()[_name] for _name in __all__):
    _error.__module__ = __name__  # a traceback says where users import it from
