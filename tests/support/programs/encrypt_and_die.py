"""Encrypts a ledger and kills itself after so many pages."""

import asyncio
import os
import signal

from paypro_async.ledger.admin.encrypt import encrypt
from paypro_async.ledger.sql.ledger import SqlLedger


def main(path: str, key: str, pages: int) -> None:
    told = 0

    def die(_: int) -> None:
        nonlocal told
        told += 1
        if told == pages:
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(encrypt(SqlLedger(f"sqlite:///{path}", key=key), tell=die))
