"""Opens the file that it is given when it is told to, claims numbers when it is told again, and never closes.

It prints those that it won. The third argument says how it ends: ``falls`` off its end or ``raises``.
"""

import asyncio
import json
import os
import sys
from random import Random

from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT, intent


async def main(url: str, count: int, end: str) -> None:
    wanted = [intent(f"T{n}") for n in range(count)]
    # Another order in each process, so that neither simply follows the other.
    Random(os.getpid()).shuffle(wanted)
    ledger = SqlLedger(url)
    print("ready", flush=True)
    sys.stdin.readline()
    await ledger.open(ACCOUNT)
    print("open", flush=True)
    sys.stdin.readline()
    won: list[str] = []
    for page in range(0, count, 5):
        answers = await asyncio.gather(*(ledger.claim(one) for one in wanted[page : page + 5]))
        won += [one.entry.trade_no for one in answers if one.done]
    print(json.dumps(won), flush=True)
    if end == "raises":
        raise RuntimeError("a script that failed")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
