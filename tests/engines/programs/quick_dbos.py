"""The worker of examples/engines/dbos_worker.py, which looks for open shards that nobody carries each second."""

import asyncio
import logging
import os

from paypro_async import PayProClient
from paypro_async.integrations.dbos import add_payout_workflows

payouts = add_payout_workflows(os.environ["DATABASE_URL"], PayProClient.from_env, repair_every=1, idle_for=3)


async def main() -> None:
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s")
    async with payouts.launch():
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
