"""A worker on DBOS: python examples/engines/dbos_worker.py. It takes the client's settings from PAYPRO_* variables.

DATABASE_URL is where DBOS has its tables, best the ledger's own database. SIGTERM ends it with nothing lost.
"""

import asyncio
import logging
import os
import signal

from paypro_async import PayProClient
from paypro_async.integrations.dbos import add_payout_workflows

payouts = add_payout_workflows(os.environ["DATABASE_URL"], PayProClient.from_env)


async def main() -> None:
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s")
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with payouts.launch():
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(main())
