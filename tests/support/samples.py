"""Payouts, replies and ledger entries for the tests of the core."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from attrs import evolve

from paypro_async._core.intent import Intent, prepare
from paypro_async._core.lifecycle import Entry, first_entry
from paypro_async._core.outcome import Outcome, Verdict, classify_payout, classify_query
from paypro_async._core.platform_codes import Codes
from paypro_async._core.regions import region_named
from paypro_async._core.regions.india import Payout
from paypro_async._core.wire import Exchange, Phase
from tests.support import valid

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "signatures.json").read_text("utf-8"))
INDIA = region_named("india")
NOW = datetime(2024, 8, 20, 10, 28, 22, tzinfo=UTC)
TRADE_NO = "20240820102822-0017"

FIELDS: dict[str, Any] = {**valid.FIELDS, "remark": "invoice 17"}


def payout(**changes: Any) -> Payout:
    return Payout(**FIELDS | changes)


def intent(*, trade_no: str = TRADE_NO, **changes: Any) -> Intent:
    return prepare(INDIA, payout(**changes), merchant_no="0000000001", trade_no=trade_no, defaults={})


def entry(**changes: Any) -> Entry:
    return evolve(first_entry(intent(), NOW), **changes)


def outcome(verdict: Verdict, **more: Any) -> Outcome:
    return Outcome(verdict=verdict, **more)


def answered(body: object, *, status: int = 200, **more: Any) -> Exchange:
    """A whole reply: bytes as they are, anything else as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Exchange(phase=Phase.ANSWERED, status=status, body=raw, **more)


def reply(data: object = None, *, code: str = "0000", msg: str | None = None) -> dict[str, Any]:
    """The platform's envelope; what is not 0000 is refused, and `success` says so too."""
    success = code == "0000"
    words = ("success" if success else "refused") if msg is None else msg
    return {"msg": words, "code": code, "timestamp": 1719829933893, "success": success, "data": data}


def order(status: str = "0000", **more: Any) -> dict[str, Any]:
    return {"platFormTradeNo": "32e936de", "status": status, "desc": "WORDS", "remark": "000000", **more}


def paid(
    body: object,
    *,
    status: int = 200,
    codes: Codes | None = None,
    amount: Decimal | None = None,
    echo: str | None = None,
    **more: Any,
) -> Outcome:
    """What a payout request that was answered so proves."""
    exchange = answered(body, status=status, **more)
    return classify_payout(exchange, codes or Codes(), trade_no=TRADE_NO, amount=amount, echo=echo)


def asked(
    body: object, *, status: int = 200, codes: Codes | None = None, amount: Decimal | None = None, **more: Any
) -> Outcome:
    """What a query that was answered so proves."""
    exchange = answered(body, status=status, **more)
    return classify_query(exchange, codes or Codes(), trade_no=TRADE_NO, amount=amount)
