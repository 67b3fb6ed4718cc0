"""Between an entry or a step of history and its row.

Every payout comes through here several times, so a row to be written is a tuple, whose values stand here one by one in
the order of the columns that are named above them: a loop over their names costs twice as much.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from sqlalchemy import Column, Row, Select, select

from paypro_async._core.codec import json_bytes
from paypro_async._core.lifecycle import Cause, Entry, Event, Reply, State
from paypro_async._core.money import amount_text
from paypro_async._core.payment_key import payment_key
from paypro_async._core.secret import HiddenFields
from paypro_async._core.wire import Phase
from paypro_async.ledger.sql.encryption.values import ERASED, Cipher, opened
from paypro_async.ledger.sql.identity import boot_id, steady
from paypro_async.ledger.sql.schema import clock, event, payout

__all__ = [
    "EVENT",
    "FIXED",
    "MUTABLE",
    "SEEN",
    "SELECT_ENTRY",
    "Stamp",
    "age_of",
    "announced",
    "entry_of",
    "event_of_row",
    "event_row",
    "fixed",
    "mutable",
    "seen_of",
]

Stamp = tuple[str | None, str | None, float | None]
"""By whom an attempt was announced; and when, on the machine's steady clock, and which start of it that counts from."""

_Columns = tuple[Column[Any], ...]


def _columns(table: Any, names: str) -> _Columns:
    return tuple(table.c[name] for name in names.split())


FIXED: _Columns = _columns(
    payout,
    "merchant_no trade_no region fingerprint amount currency content batch_id position payment_key resend created_at",
)
"""The columns of a payout that never change, as :func:`fixed` has them."""
MUTABLE: _Columns = _columns(
    payout,
    "state attempt owner doubt phase reply code message platform_trade_no utr"
    " sent_at sent_boot sent_steady settle_after updated_at",
)
"""Those that do, as :func:`mutable` has them."""
SEEN: _Columns = MUTABLE[:10]
"""Those of them by which a change is told that another process has made: each but the times."""
EVENT: _Columns = _columns(
    event, "merchant_no trade_no at from_state to_state cause attempt code phase person note was_uncertain uncertain"
)
"""The columns of a step of history, as :func:`event_row` has them."""

SELECT_ENTRY: Select[Any] = select(payout, clock().label("clock"))
"""The rows that :func:`entry_of` reads."""

seen_of: Callable[[Row[Any]], tuple[Any, ...]] = attrgetter(*(column.name for column in SEEN))
"""The values of ``SEEN`` in a row of ``payout``."""


def entry_of(row: Row[Any], cipher: Cipher) -> Entry:
    """The entry of a row of ``payout``, read together with the database's clock as ``clock``.

    Raises:
        LedgerUnavailableError: If it is encrypted and cannot be read.
    """
    merchant_no, trade_no = row.merchant_no, row.trade_no
    content = opened(cipher, row.content, "payout.content", merchant_no, trade_no)
    return Entry(
        merchant_no=merchant_no,
        trade_no=trade_no,
        region=row.region,
        fingerprint=opened(cipher, row.fingerprint, "payout.fingerprint", merchant_no, trade_no),
        amount=Decimal(row.amount),
        currency=row.currency,
        content=HiddenFields(json.loads(content or ERASED)),
        state=State(row.state),
        attempt=row.attempt,
        sent_at=_utc(row.sent_at),
        age=age_of((row.owner, row.sent_boot, row.sent_steady), row.sent_at, row.clock),
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


def age_of(stamp: Stamp, sent_at: float, clock: float) -> float:
    """Seconds since the attempt was announced, *clock* being the database's time now."""
    _, sent_boot, sent_steady = stamp
    # On the machine that announced the attempt, and since it was started, a clock that cannot be set.
    if sent_boot is not None and sent_steady is not None and sent_boot == boot_id():
        return steady() - sent_steady
    return clock - sent_at


def fixed(entry: Entry, cipher: Cipher) -> tuple[Any, ...]:
    """The values of ``FIXED``."""
    merchant_no, trade_no = entry.merchant_no, entry.trade_no
    return (
        merchant_no,
        trade_no,
        entry.region,
        cipher.encrypt(entry.fingerprint, "payout.fingerprint", merchant_no, trade_no),
        amount_text(entry.amount),
        entry.currency,
        cipher.encrypt(json_bytes(dict(entry.content)).decode(), "payout.content", merchant_no, trade_no),
        entry.batch_id,
        entry.position,
        cipher.keyed_hash(payment_key(entry.region, entry.content)),
        entry.resend,
        entry.created_at.timestamp(),
    )


def mutable(entry: Entry, stamp: Stamp) -> tuple[Any, ...]:
    """The values of ``MUTABLE``; *stamp* is by whom and when the attempt was announced."""
    owner, sent_boot, sent_steady = stamp
    return (
        entry.state.value,
        entry.attempt,
        owner,
        entry.doubt,
        entry.phase.value if entry.phase else None,
        entry.reply.value if entry.reply else None,
        *_storable(entry.code, entry.message, entry.platform_trade_no, entry.utr),
        entry.sent_at.timestamp(),
        sent_boot,
        sent_steady,
        entry.settle_after,
        entry.updated_at.timestamp(),
    )


def event_row(entry: Entry, event: Event) -> tuple[Any, ...]:
    """The values of ``EVENT`` of one step of an entry's history."""
    code, person, note = _storable(event.code, event.by, event.note)
    return (
        entry.merchant_no,
        entry.trade_no,
        event.at.timestamp(),
        event.before.value if event.before else None,
        event.to.value,
        event.cause.value,
        event.attempt,
        code,
        event.phase.value if event.phase else None,
        person,
        note,
        event.was_uncertain,
        event.uncertain,
    )


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
        was_uncertain=bool(row.was_uncertain),
        uncertain=bool(row.uncertain),
    )


def announced(owner: str, *, shared: bool) -> Stamp:
    """By whom and when an attempt is announced that is announced now."""
    # A server is shared by machines, and its own clock decides; a file is used by one, whose wall clock may be set.
    boot = None if shared else boot_id()
    return owner, boot, steady() if boot else None


def _storable(*texts: str | None) -> Sequence[str | None]:
    together = "".join(filter(None, texts))
    if together.isascii() and "\0" not in together:
        return texts
    # The platform's texts may hold what no database takes: half of a surrogate pair, or a zero.
    return [text and text.replace("\0", "").encode("utf-8", "replace").decode() for text in texts]


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
