"""What was meant, and what became of it, kept so that no crash can make the client forget."""

from paypro_async.ledger.base import Account, BatchRecord, Ledger, Moved, Slots
from paypro_async.ledger.changes import merge
from paypro_async.ledger.memory import MemoryLedger
from paypro_async.ledger.opening import open_ledger

__all__ = ["Account", "BatchRecord", "Ledger", "MemoryLedger", "Moved", "Slots", "merge", "open_ledger"]
