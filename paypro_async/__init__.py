"""Pay through PayPro: each payout at most once, and none is ever lost."""

import logging

from paypro_async._core.checks import Problem
from paypro_async._core.lifecycle import Entry, State
from paypro_async._core.models import Balance, PayoutResult, PayoutStatus, QueryResult
from paypro_async._core.outcome import Codes
from paypro_async._core.regions.india import Payout
from paypro_async._core.report import BatchItem, BatchProgress, BatchReport, ItemStatus
from paypro_async._core.signing import HmacSha256Signer, Md5Signer, Signer, signing_string
from paypro_async._core.stopping import StopRules
from paypro_async.batch import Batch
from paypro_async.client import PayProClient
from paypro_async.errors import (
    ClientStateError,
    ConfigurationError,
    ConnectionFailedError,
    CredentialsRefusedError,
    IdempotencyConflictError,
    InvalidPayoutError,
    LedgerUnavailableError,
    NotSentError,
    OutcomeNotRecordedError,
    OutcomeUnknownError,
    PayoutFailedError,
    PayProError,
    PayProWarning,
    PoolTimeoutError,
    QuestionFailedError,
    RateLimitedError,
    ReplyLostError,
    ReplyUnreadableError,
    ReviewRequiredError,
)
from paypro_async.ledger import Ledger, MemoryLedger
from paypro_async.transport import Transport

__all__ = [
    "Balance",
    "Batch",
    "BatchItem",
    "BatchProgress",
    "BatchReport",
    "ClientStateError",
    "Codes",
    "ConfigurationError",
    "ConnectionFailedError",
    "CredentialsRefusedError",
    "Entry",
    "HmacSha256Signer",
    "IdempotencyConflictError",
    "InvalidPayoutError",
    "ItemStatus",
    "Ledger",
    "LedgerUnavailableError",
    "Md5Signer",
    "MemoryLedger",
    "NotSentError",
    "OutcomeNotRecordedError",
    "OutcomeUnknownError",
    "PayProClient",
    "PayProError",
    "PayProWarning",
    "Payout",
    "PayoutFailedError",
    "PayoutResult",
    "PayoutStatus",
    "PoolTimeoutError",
    "Problem",
    "QueryResult",
    "QuestionFailedError",
    "RateLimitedError",
    "ReplyLostError",
    "ReplyUnreadableError",
    "ReviewRequiredError",
    "Signer",
    "State",
    "StopRules",
    "Transport",
    "__version__",
    "signing_string",
]

# A library is silent until the application says where its log goes.
logging.getLogger("paypro_async").addHandler(logging.NullHandler())


def __getattr__(name: str) -> str:
    if name != "__version__":
        raise AttributeError(f"module 'paypro_async' has no attribute {name!r}")
    # Reading the metadata costs as much as a third of the whole import, and hardly anybody asks.
    from importlib.metadata import version

    return version("paypro-async")
