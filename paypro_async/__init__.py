"""Pay through PayPro: each payout at most once, and none is ever lost."""

from importlib import import_module as _import_module
from types import MappingProxyType as _MappingProxyType
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

if _TYPE_CHECKING:
    from paypro_async._core.field_checks import Problem
    from paypro_async._core.lifecycle import Entry, State
    from paypro_async._core.models import Balance, PayoutResult, PayoutStatus, QueryResult
    from paypro_async._core.outcome import Codes
    from paypro_async._core.regions.india import Payout
    from paypro_async._core.report import BatchItem, BatchProgress, BatchReport, ItemStatus
    from paypro_async._core.signing import HmacSha256Signer, Md5Signer, Signer, signing_string
    from paypro_async._core.stopping import StopRules
    from paypro_async._core.transitions import Decision
    from paypro_async.batch.batch import Batch
    from paypro_async.client import PayProClient
    from paypro_async.engine.reconcile import ReconcileReport
    from paypro_async.errors import (
        ClientStateError,
        ConfigurationError,
        ConnectionFailedError,
        CredentialsRefusedError,
        DecisionRefusedError,
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
    from paypro_async.ledger.changes import decide
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
    "Decision",
    "DecisionRefusedError",
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
    "ReconcileReport",
    "ReplyLostError",
    "ReplyUnreadableError",
    "ReviewRequiredError",
    "Signer",
    "State",
    "StopRules",
    "Transport",
    "__version__",
    "decide",
    "signing_string",
]

# Where each name lives. It is imported when it is first asked for: `import paypro_async` costs hardly anything, and the
# block above tells type checkers the same (a test compares the two).
_HOMES = _MappingProxyType(
    {
        "paypro_async._core.field_checks": ("Problem",),
        "paypro_async._core.transitions": ("Decision",),
        "paypro_async._core.lifecycle": (
            "Entry",
            "State",
        ),
        "paypro_async._core.models": (
            "Balance",
            "PayoutResult",
            "PayoutStatus",
            "QueryResult",
        ),
        "paypro_async._core.outcome": ("Codes",),
        "paypro_async._core.regions.india": ("Payout",),
        "paypro_async._core.report": (
            "BatchItem",
            "BatchProgress",
            "BatchReport",
            "ItemStatus",
        ),
        "paypro_async._core.signing": (
            "HmacSha256Signer",
            "Md5Signer",
            "Signer",
            "signing_string",
        ),
        "paypro_async._core.stopping": ("StopRules",),
        "paypro_async.batch.batch": ("Batch",),
        "paypro_async.client": ("PayProClient",),
        "paypro_async.errors": (
            "ClientStateError",
            "ConfigurationError",
            "ConnectionFailedError",
            "CredentialsRefusedError",
            "DecisionRefusedError",
            "IdempotencyConflictError",
            "InvalidPayoutError",
            "LedgerUnavailableError",
            "NotSentError",
            "OutcomeNotRecordedError",
            "OutcomeUnknownError",
            "PayoutFailedError",
            "PayProError",
            "PayProWarning",
            "PoolTimeoutError",
            "QuestionFailedError",
            "RateLimitedError",
            "ReplyLostError",
            "ReplyUnreadableError",
            "ReviewRequiredError",
        ),
        "paypro_async.ledger": (
            "Ledger",
            "MemoryLedger",
        ),
        "paypro_async.engine.reconcile": ("ReconcileReport",),
        "paypro_async.ledger.changes": ("decide",),
        "paypro_async.transport": ("Transport",),
    }
)
_HOME_OF = _MappingProxyType({name: home for home, names in _HOMES.items() for name in names})


def __getattr__(name: str) -> _Any:
    if name == "__version__":
        # Reading the metadata takes longer than all the rest, and hardly anybody asks.
        from importlib.metadata import version

        return version("paypro-async")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'paypro_async' has no attribute {name!r}")
    value = globals()[name] = getattr(_import_module(_HOME_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return list(__all__)
