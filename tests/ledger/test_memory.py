"""What is so of the ledger in memory alone."""

import asyncio

from paypro_async.ledger import MemoryLedger, open_ledger
from paypro_async.runtime import SystemRuntime
from tests.support.intents import intent


async def test_a_ledger_in_memory_goes_by_the_runtime_that_it_was_given():
    """So a test can hold time still."""

    class Still(SystemRuntime):
        moment = SystemRuntime().now()

        def now(self):
            return self.moment

    ledger = open_ledger("memory", runtime=Still())
    entry = (await ledger.claim(intent())).entry
    await asyncio.sleep(0.01)
    assert entry.sent_at == Still.moment
    assert (await ledger.claim(intent())).entry.age == 0.0


async def test_a_ledger_in_memory_keeps_its_entries_for_the_next_client():
    """Closing it ends a client, not the process."""
    ledger = MemoryLedger()
    await ledger.claim(intent())
    await ledger.aclose()
    assert not (await ledger.claim(intent())).done
