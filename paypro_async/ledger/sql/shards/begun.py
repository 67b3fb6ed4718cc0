"""Taking payouts from the plan of their batch: in the transaction that claims them, and only while the batch may run.

So what is planned and what was begun never overlap, and once a batch is paused or cancelled nothing more of it begins,
whatever a worker has read before.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from paypro_async._core.codec import json_bytes
from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import Entry
from paypro_async._core.money import amount_text
from paypro_async.errors import BatchStoppedError, PaidMeanwhileError
from paypro_async.ledger.base import Written
from paypro_async.ledger.sql.encryption.values import Cipher, cipher_of
from paypro_async.ledger.sql.schema import NOT_ASIDE, planned
from paypro_async.ledger.sql.statements import ONCE, Insert, driven

__all__ = ["INSERT_PLANNED", "PLANNED", "Begun", "planned_row", "withdrawn"]

PLANNED = tuple(planned.c)
"""The columns of a planned payout, as :func:`planned_row` has them."""
INSERT_PLANNED = Insert(PLANNED, ONCE)
"""Rows of :func:`planned_row`; one that is there stays as it is."""

_MINE = f"merchant_no = %s AND batch_id = %s AND position = ANY(%s) AND {NOT_ASIDE.compile()}"
_READY = "EXISTS (SELECT 1 FROM batch WHERE merchant_no = %s AND batch_id = %s AND status = 'ready')"
_FIND = f"SELECT position FROM planned WHERE {_MINE} AND {_READY}"  # noqa: S608  nothing but what stands here
_TAKE = f"DELETE FROM planned WHERE {_MINE}"  # noqa: S608  as above


class Begun:
    """The planned payouts that one transaction has taken from their plans.

    Args:
        connection: In whose transaction that is.
        intents: Those that it wants to claim.
    """

    def __init__(self, connection: Connection, intents: Sequence[Intent]) -> None:
        self._connection = connection
        self._cipher = cipher_of(connection)
        self._taken: set[tuple[str, str, int]] = set()
        positions: dict[tuple[str, str], list[int]] = {}
        for intent in intents:
            if intent.batch_id is not None and intent.position is not None:
                positions.setdefault((intent.merchant_no, intent.batch_id), []).append(intent.position)
        # In one order in every process, as all that is locked.
        for (merchant_no, batch_id), wanted in sorted(positions.items()):
            found = _take(connection, merchant_no, batch_id, sorted(set(wanted)))
            self._taken |= {(merchant_no, batch_id, position) for position in found}

    def has(self, intent: Intent) -> bool:
        """Whether this payout was planned, and is begun now."""
        return (intent.merchant_no, intent.batch_id, intent.position) in self._taken

    def settle(self, answers: Sequence[tuple[Intent, object]]) -> None:
        """Put those back that were not claimed for their batch, with why they will not be begun.

        Args:
            answers: What each caller is answered.
        """
        aside = [
            planned_row(intent, self._cipher, aside=why)
            for intent, answer in answers
            if intent.planned and self.has(intent) and (why := _why_aside(intent, answer)) is not None
        ]
        if aside:
            INSERT_PLANNED.run(self._connection, aside)


def withdrawn(intent: Intent) -> BatchStoppedError:
    """Why a planned payout is not claimed that could not be taken from its plan."""
    return BatchStoppedError(
        f"The batch {intent.batch_id} is paused or cancelled, or payout {intent.trade_no} was taken from its plan. "
        "Nothing was sent for it by this call. 'paypro status' says how the batch stands.",
        trade_no=intent.trade_no,
    )


def planned_row(intent: Intent, cipher: Cipher, *, aside: str | None = None) -> tuple[Any, ...]:
    """The values of ``PLANNED``."""
    return (
        intent.merchant_no,
        intent.batch_id,
        intent.position,
        intent.trade_no,
        intent.region,
        cipher.encrypt(intent.fingerprint, "planned.fingerprint", intent.merchant_no, intent.trade_no),
        amount_text(intent.amount),
        intent.currency,
        cipher.encrypt(
            json_bytes(dict(intent.content)).decode(), "planned.content", intent.merchant_no, intent.trade_no
        ),
        intent.others,
        aside,
    )


def _why_aside(intent: Intent, answer: object) -> str | None:
    if isinstance(answer, PaidMeanwhileError):
        return "paid_meanwhile"
    if not isinstance(answer, Written):
        return None
    entry: Entry = answer.entry
    if entry.fingerprint != intent.fingerprint:
        return "conflict"
    if entry.batch_id != intent.batch_id:
        return "elsewhere"
    return None if entry.position == intent.position else "repeated"


def _take(connection: Connection, merchant_no: str, batch_id: str, positions: Sequence[int]) -> list[int]:
    # A list as one value, so that the text is the same however long it is, and the index of the table's key serves.
    batch, wanted = (merchant_no, batch_id), list(positions)
    if connection.dialect.name != "sqlite":
        taken = driven(connection, f"{_TAKE} AND {_READY} RETURNING position", (*batch, wanted, *batch))
        return [position for (position,) in taken.fetchall()]
    # While this transaction writes, no other one does.
    found = [position for (position,) in driven(connection, _lite(_FIND), (*batch, json.dumps(wanted), *batch))]
    if found:
        driven(connection, _lite(_TAKE), (*batch, json.dumps(found)))
    return found


def _lite(text: str) -> str:
    return text.replace("= ANY(%s)", "IN (SELECT value FROM json_each(?))").replace("%s", "?")
