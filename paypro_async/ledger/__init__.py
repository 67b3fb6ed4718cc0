"""What was meant, and what became of it, kept so that no crash can make the client forget."""

from paypro_async.ledger.base import Account, BatchRecord, KeptCallback, Ledger, Payment, Turns, Written
from paypro_async.ledger.changes import merge
from paypro_async.ledger.memory import MemoryLedger
from paypro_async.ledger.opening import open_ledger, warn_of_no_name

__all__ = [
    "Account",
    "BatchRecord",
    "KeptCallback",
    "Ledger",
    "MemoryLedger",
    "Payment",
    "Turns",
    "Written",
    "merge",
    "open_ledger",
    "warn_of_no_name",
]
