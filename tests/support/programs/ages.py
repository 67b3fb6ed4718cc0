"""Prints how old the last attempt of a payout is, as this process sees it: the ledger's URL and the trade number."""

import asyncio
import sys

from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT


async def main(url: str, trade_no: str) -> None:
    ledger = SqlLedger(url)
    await ledger.open(ACCOUNT)
    entry = await ledger.get(ACCOUNT.merchant_no, trade_no)
    await ledger.aclose()
    print("none" if entry is None else entry.age)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
