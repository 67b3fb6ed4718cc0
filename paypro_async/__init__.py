"""Pay through PayPro: each payout at most once, and none is ever lost."""

from paypro_async._core.callback import CallbackReply, PayoutCallback, verify_callback
from paypro_async._core.callback_body import CallbackReading
from paypro_async._core.items import BatchItem, ItemStatus
from paypro_async._core.known import KnownPayout, PayoutChange
from paypro_async._core.lifecycle import Cause, Entry, State
from paypro_async._core.models import Balance, PayoutResult, PayoutStatus, QueryResult
from paypro_async._core.platform_codes import Codes
from paypro_async._core.regions.india import Payout
from paypro_async._core.signing import HmacSha256Signer, Md5Signer, Signer, signing_string
from paypro_async._core.stopping import StopRules
from paypro_async._core.transitions import Decision
from paypro_async.batch.batch import Batch
from paypro_async.batch.shards import (
    ShardReport,
    batch_progress,
    cancel_batch,
    enqueue_open_shards,
    import_batch,
    open_shards,
    pause_batch,
    resume_batch,
    run_shard,
    set_batch_rate,
    unfinished_batches,
)
from paypro_async.client import PayProClient
from paypro_async.errors import (
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
    NotFinalError,
    NotSentError,
    OrderMissingError,
    OutcomeNotRecordedError,
    OutcomeUnknownError,
    PaidMeanwhileError,
    PayoutFailedError,
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
from paypro_async.ledger import Ledger, MemoryLedger
from paypro_async.ledger.changes import decide
from paypro_async.ledger.shared import BatchStatus, Shard, SharedBatch, SharedProgress
from paypro_async.report.batch_report import BatchProgress, BatchReport
from paypro_async.report.rows import ReportRow
from paypro_async.tracking.reconcile_report import OpenPayout, ReconcileReport
from paypro_async.transport import Transport

__all__ = [
    "Balance",
    "Batch",
    "BatchItem",
    "BatchProgress",
    "BatchReport",
    "BatchStatus",
    "BatchStoppedError",
    "CallbackError",
    "CallbackPayloadError",
    "CallbackReading",
    "CallbackReply",
    "CallbackSignatureError",
    "Cause",
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
    "InvalidBatchError",
    "InvalidFrameError",
    "InvalidPayoutError",
    "ItemStatus",
    "KnownPayout",
    "Ledger",
    "LedgerUnavailableError",
    "Md5Signer",
    "MemoryLedger",
    "NotFinalError",
    "NotSentError",
    "OpenPayout",
    "OrderMissingError",
    "OutcomeNotRecordedError",
    "OutcomeUnknownError",
    "PaidMeanwhileError",
    "PayProClient",
    "PayProDeprecationWarning",
    "PayProError",
    "PayProWarning",
    "Payout",
    "PayoutCallback",
    "PayoutChange",
    "PayoutFailedError",
    "PayoutNotFoundError",
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
    "ReportRow",
    "ReviewRequiredError",
    "RowsNotKeptError",
    "Shard",
    "ShardReport",
    "SharedBatch",
    "SharedProgress",
    "Signer",
    "State",
    "StopRules",
    "Transport",
    "__version__",
    "batch_progress",
    "cancel_batch",
    "decide",
    "enqueue_open_shards",
    "import_batch",
    "open_shards",
    "pause_batch",
    "resume_batch",
    "run_shard",
    "set_batch_rate",
    "signing_string",
    "unfinished_batches",
    "verify_callback",
]


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  reading the metadata takes longer than all the rest

        return version("paypro-async")
    raise AttributeError(f"module 'paypro_async' has no attribute {name!r}")
