"""Between an entry or a step of history and its row.

Every payout comes through here several times, so the fields stand here one by one: a loop over their names costs twice
as much. A column that is forgotten fails the first insert.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from paypro_async._core.codec import json_bytes
from paypro_async._core.lifecycle import Cause, Entry, Event, Reply, State
from paypro_async._core.money import amount_text
from paypro_async._core.payment_key import payment_key
from paypro_async._core.secret import HiddenFields
from paypro_async._core.wire import Phase
from paypro_async.ledger.sql.identity import boot_id, steady
from paypro_async.ledger.sql.schema import FIXED, payout

__all__ = ["MUTABLE", "Stamp", "announced", "entry_of", "event_of_row", "event_row", "fixed", "mutable"]

Stamp = tuple[str | None, str | None, float | None]
"""By whom an attempt was announced; and when, on the machine's steady clock, and which start of it that counts from."""

MUTABLE: tuple[str, ...] = tuple(column.name for column in payout.c if FIXED not in column.info)
"""The columns of a payout that change."""


def entry_of(row: Row[Any]) -> Entry:
    """The entry of a row of ``payout``, read together with the database's clock as ``clock``."""
    return Entry(
        merchant_no=row.merchant_no,
        trade_no=row.trade_no,
        region=row.region,
        fingerprint=row.fingerprint,
        amount=Decimal(row.amount),
        currency=row.currency,
        content=HiddenFields(json.loads(row.content)),
        state=State(row.state),
        attempt=row.attempt,
        sent_at=_utc(row.sent_at),
        age=_age(row),
        doubt=bool(row.doubt),
        phase=Phase(row.phase) if row.phase else None,
        reply=Reply(row.reply) if row.reply else None,
        code=row.code,
        message=row.message,
        platform_trade_no=row.platform_trade_no,
        utr=row.utr,
        batch_id=row.batch_id,
        position=row.position,
        settle_after=row.settle_after,
        resend=row.resend is None or bool(row.resend),
        created_at=_utc(row.created_at),
        updated_at=_utc(row.updated_at),
    )


def _age(row: Row[Any]) -> float:
    # On the machine that announced the attempt, and since it was started, a clock that cannot be set.
    if row.sent_boot is not None and row.sent_boot == boot_id():
        return float(steady() - row.sent_steady)
    return float(row.clock - row.sent_at)


def fixed(entry: Entry) -> dict[str, Any]:
    """The columns that never change."""
    return {
        "merchant_no": entry.merchant_no,
        "trade_no": entry.trade_no,
        "region": entry.region,
        "fingerprint": entry.fingerprint,
        "amount": amount_text(entry.amount),
        "currency": entry.currency,
        "content": json_bytes(dict(entry.content)).decode(),
        "batch_id": entry.batch_id,
        "position": entry.position,
        "payment_key": payment_key(entry.region, entry.content),
        "resend": entry.resend,
        "created_at": entry.created_at.timestamp(),
    }


def mutable(entry: Entry, stamp: Stamp) -> dict[str, Any]:
    """The columns of ``MUTABLE``; *stamp* is by whom and when the attempt was announced."""
    owner, sent_boot, sent_steady = stamp
    return {
        "state": entry.state.value,
        "attempt": entry.attempt,
        "sent_at": entry.sent_at.timestamp(),
        "sent_boot": sent_boot,
        "sent_steady": sent_steady,
        "owner": owner,
        "doubt": entry.doubt,
        "phase": entry.phase.value if entry.phase else None,
        "reply": entry.reply.value if entry.reply else None,
        "code": _storable(entry.code),
        "message": _storable(entry.message),
        "platform_trade_no": _storable(entry.platform_trade_no),
        "utr": _storable(entry.utr),
        "settle_after": entry.settle_after,
        "updated_at": entry.updated_at.timestamp(),
    }


def event_row(entry: Entry, event: Event) -> dict[str, Any]:
    """The row of one step of an entry's history."""
    return {
        "merchant_no": entry.merchant_no,
        "trade_no": entry.trade_no,
        "at": event.at.timestamp(),
        "from_state": event.before.value if event.before else None,
        "to_state": event.to.value,
        "cause": event.cause.value,
        "attempt": event.attempt,
        "code": _storable(event.code),
        "phase": event.phase.value if event.phase else None,
        "person": _storable(event.by),
        "note": _storable(event.note),
    }


def event_of_row(row: Row[Any]) -> Event:
    """The step of history in a row of ``event``."""
    return Event(
        at=_utc(row.at),
        before=State(row.from_state) if row.from_state else None,
        to=State(row.to_state),
        cause=Cause(row.cause),
        attempt=row.attempt,
        phase=Phase(row.phase) if row.phase else None,
        code=row.code,
        by=row.person,
        note=row.note,
    )


def announced(owner: str, *, shared: bool) -> Stamp:
    """By whom and when an attempt is announced that is announced now."""
    # A server is shared by machines, and its own clock decides; a file is used by one, whose wall clock may be set.
    boot = None if shared else boot_id()
    return owner, boot, steady() if boot else None


def _storable(text: str | None) -> str | None:
    # The platform's texts may hold what no database takes: half of a surrogate pair, or a zero.
    return text and text.replace("\0", "").encode("utf-8", "replace").decode()


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
