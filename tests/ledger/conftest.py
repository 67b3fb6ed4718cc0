from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from paypro_async.ledger import Ledger, open_ledger
from paypro_async.ledger.sql import SqlLedger
from tests.ledger.machine import Make
from tests.ledger.payouts import ACCOUNT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger's file is, or will be."""
    return tmp_path / "ledger.db"


@pytest.fixture(params=["memory", "sqlite"])
async def ledger(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[Ledger]:
    """Each store in turn: what holds for one holds for all."""
    ledger = open_ledger("memory" if request.param == "memory" else f"sqlite:///{path}")
    await ledger.open(ACCOUNT)
    yield ledger
    await ledger.aclose()


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Makes ledgers for URLs, and closes them."""
    made: list[SqlLedger] = []

    def one(url: str, *, busy_timeout: float = 0.05) -> SqlLedger:
        made.append(SqlLedger(url, busy_timeout=busy_timeout))
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
