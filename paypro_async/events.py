"""What happens in a client, for metrics, traces and audits: the events, and what a hook is.

A client without hooks does none of this; with them, no payment waits for one.
"""

from paypro_async._core.events import (
    BatchEnded,
    BatchStarted,
    CallbackAnswered,
    ClientEvent,
    ClientMeasured,
    Hook,
    LedgerCommitted,
    PayoutEnded,
    PayoutStarted,
    Reconciled,
    RequestEnded,
    RequestKind,
    RequestStarted,
    StatusChanged,
)

__all__ = [
    "BatchEnded",
    "BatchStarted",
    "CallbackAnswered",
    "ClientEvent",
    "ClientMeasured",
    "Hook",
    "LedgerCommitted",
    "PayoutEnded",
    "PayoutStarted",
    "Reconciled",
    "RequestEnded",
    "RequestKind",
    "RequestStarted",
    "StatusChanged",
]
