"""What was meant, and what became of it, kept so that no crash can make the client forget."""

from paypro_async.ledger.base import Account, BatchRecord, Ledger, Turns, Written
from paypro_async.ledger.changes import merge
from paypro_async.ledger.memory import MemoryLedger
from paypro_async.ledger.opening import open_ledger

__all__ = ["Account", "BatchRecord", "Ledger", "MemoryLedger", "Turns", "Written", "merge", "open_ledger"]
