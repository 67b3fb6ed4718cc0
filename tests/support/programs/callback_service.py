"""A worker of a service: receives callbacks under uvicorn, and writes each change that it is told to a file.

Arguments: port, ledger, file of changes, consumer, and a planted defect or "-".
"""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import uvicorn

from paypro_async import Md5Signer, PayoutChange, PayProClient
from paypro_async.integrations.asgi import CallbackApp
from paypro_async.ledger import Written
from paypro_async.ledger.outbox import Lent
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.tracking import delivery


class _TellsFirst(SqlLedger):
    """A defect: what is lent counts as told before its handler has run."""

    async def take(self, merchant_no: str, consumer: str, *, owner: str, limit: int, seconds: float) -> list[Lent]:
        lent = await super().take(merchant_no, consumer, owner=owner, limit=limit, seconds=seconds)
        await self.told(merchant_no, consumer, [one.number for one in lent], owner=owner)
        return lent


class _AnswersFirst(SqlLedger):
    """A defect: it is answered before it is stored."""

    async def learn(self, merchant_no: str, trade_no: str, decide: Any) -> Any:
        entry = await self.get(merchant_no, trade_no)
        self._later = getattr(self, "_later", set())
        task = asyncio.ensure_future(_slowly(super().learn(merchant_no, trade_no, decide)))
        self._later.add(task)
        return None if entry is None else Written(entry, done=False)


async def _slowly(storing: Any) -> None:
    await asyncio.sleep(0.3)
    await storing


LEDGERS = {"-": SqlLedger, "tells first": _TellsFirst, "answers first": _AnswersFirst}


def main(arguments: Sequence[str]) -> None:
    port, url, told, consumer, defect = arguments
    delivery._LEASE_SECONDS, delivery._RENEW_SECONDS = 3.0, 1.0
    file = os.open(told, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def on_change(change: PayoutChange) -> None:
        await asyncio.sleep(0.01)  # as a handler takes its time
        os.write(file, f"{time.monotonic_ns()} {change.trade_no} {change.id}\n".encode())

    def client() -> PayProClient:
        return PayProClient(
            base_url="http://127.0.0.1:9/",
            environment="sandbox.example",
            merchant_no="0000000001",
            signer=Md5Signer("sandbox-secret"),
            ledger=LEDGERS[defect](url),
            on_change=on_change,
            consumer=consumer,
        )

    uvicorn.run(CallbackApp(client), port=int(port), log_level="error", access_log=False, loop="asyncio", http="h11")


if __name__ == "__main__":
    main(sys.argv[1:])
