"""A worker on Procrastinate: python examples/engines/procrastinate_worker.py, or Procrastinate's own command::

    procrastinate --app=examples.engines.procrastinate_worker.app worker --concurrency=4 --shutdown-graceful-timeout=0

It takes the client's settings from PAYPRO_* variables, and keeps its jobs in the ledger's own database. SIGTERM ends it
with nothing lost. 'paypro worker' does the same, and looks after health besides.
"""

import asyncio
import logging
import os
import signal

from paypro_async import PayProClient
from paypro_async.integrations.procrastinate import add_payout_tasks, app_for

app = app_for(os.environ["PAYPRO_LEDGER"])
payouts = add_payout_tasks(app, PayProClient.from_env)


async def main() -> None:
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await payouts.work(stop, shards=4)


if __name__ == "__main__":
    asyncio.run(main())
