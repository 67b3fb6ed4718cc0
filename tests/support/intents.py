"""Intents and changes for the tests of ledgers."""

from typing import Any

from attrs import evolve

from paypro_async._core.intent import Intent, fields_of, prepare
from paypro_async._core.lifecycle import Cause, Change, Entry, State
from paypro_async._core.regions import region_named
from paypro_async.ledger import Account
from tests.support.valid import FIELDS

MERCHANT = "0000000001"
OTHER_MERCHANT = "0000000002"
ACCOUNT = Account(merchant_no=MERCHANT, region="india", environment="sandbox.example")
PERSONAL = tuple(FIELDS[name] for name in ("name", "mobile", "email", "bank_number", "bank_code", "ip_address"))


def intent(trade_no: str = "T1", *, merchant_no: str = MERCHANT, **changes: str) -> Intent:
    spec = region_named("india")
    payout = fields_of(spec, {**FIELDS, **changes})
    return prepare(spec, payout, merchant_no=merchant_no, trade_no=trade_no, defaults={})


def change(to: State, trade_no: str = "T1", **details: Any) -> Change:
    """A change from attempt 1 in SENDING, learned from its reply, unless the details say otherwise."""
    seen: dict[str, Any] = {"merchant_no": MERCHANT, "state": State.SENDING, "attempt": 1, "cause": Cause.ATTEMPT}
    return Change(trade_no=trade_no, to=to, **seen | details)


def again(trade_no: str = "T1", *, attempt: int = 1, **details: Any) -> Change:
    """The announcement of the attempt after *attempt*."""
    return change(State.SENDING, trade_no, attempt=attempt, begins=True, **details)


def ageless(entry: Entry | None) -> Entry | None:
    """The entry without its age, which is another at each reading."""
    return entry and evolve(entry, age=0.0)
