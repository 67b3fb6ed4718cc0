"""Brings rows of a file to states in a ledger, as runs would have."""

from collections.abc import Mapping

from attrs import evolve

from paypro_async._core.lifecycle import Cause, Change, State
from paypro_async.bulk.payout_file import PayoutFile
from paypro_async.ledger import MemoryLedger
from tests.support.payout_files import MERCHANT_NO, rows_of


async def learn(
    ledger: MemoryLedger, file: PayoutFile, states: Mapping[int, State], *, batch_id: str | None = None, **said: str
) -> None:
    """Bring rows, by number, to states."""
    for one, intent in rows_of(file):
        if one.number not in states:
            continue
        await ledger.claim(evolve(intent, batch_id=batch_id))
        to = states[one.number]
        if to is not State.SENDING:
            await ledger.move(
                Change(
                    merchant_no=MERCHANT_NO,
                    trade_no=intent.trade_no,
                    state=State.SENDING,
                    attempt=1,
                    to=to,
                    cause=Cause.QUERY,
                    **{"platform_trade_no": f"p{one.number}"} | said,
                )
            )
