"""Parks the change of a payout in a ledger, which a handler that fails does after twenty minutes: ``FILE TRADE_NO``."""

import asyncio
import sys

from paypro_async._core.lifecycle import State
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT, MERCHANT, change, intent


async def main(file: str, trade_no: str) -> None:
    ledger = SqlLedger(f"sqlite:///{file}")
    await ledger.open(ACCOUNT)
    await ledger.register(MERCHANT, "mails")
    await ledger.claim(intent(trade_no))
    await ledger.move(change(State.PROCESSING, trade_no))
    for lent in await ledger.take(MERCHANT, "mails", owner="one", limit=10, seconds=60):
        await ledger.put_off(MERCHANT, "mails", lent.number, owner="one", seconds=None, error="KeyError")
    await ledger.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
