from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from paypro_async.ledger import Ledger, open_ledger
from paypro_async.ledger.sql.encryption.keys import new_key
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.disk import Disk
from tests.support.intents import ACCOUNT
from tests.support.machine_faults import Make
from tests.support.vfs import disk_under

STORES = ["memory", "sqlite", "encrypted", "postgresql"]
KEY = new_key()


@pytest.fixture
def disk(path: Path) -> Iterator[Disk]:
    """The disk under the ledger's folder. Ask for it before the ledger, which must be closed first."""
    with disk_under(path.parent.resolve()) as disk:
        yield disk


@pytest.fixture(params=STORES)
async def ledger(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[Ledger]:
    """Each store in turn: what holds for one holds for all."""
    file = f"sqlite:///{path}"
    url = {"memory": "memory", "sqlite": file, "encrypted": file}.get(request.param)
    key = KEY if request.param == "encrypted" else None
    ledger = open_ledger(url or await request.getfixturevalue("server").ledger(), key=key)
    await ledger.open(ACCOUNT)
    yield ledger
    await ledger.aclose()


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Makes ledgers for URLs, and closes them."""
    made: list[SqlLedger] = []

    def one(url: str, *, busy_timeout: float = 0.05, **settings: Any) -> SqlLedger:
        made.append(SqlLedger(url, busy_timeout=busy_timeout, **settings))
        return made[-1]

    yield one
    for ledger in made:
        await ledger.aclose()


@pytest.fixture
def closed(path: Path, make: Make) -> SqlLedger:
    """A ledger that a test opens itself, since opening is what it is about. It waits for no lock for long."""
    return make(f"sqlite:///{path}")


@pytest.fixture
async def durable(closed: SqlLedger) -> SqlLedger:
    """An open ledger in a file."""
    await closed.open(ACCOUNT)
    return closed
