import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from paypro_async.ledger.sql.ledger import SqlLedger
from tests.soak.payer import PROGRAM
from tests.support.fork_server import Nursery
from tests.support.postgres import Server


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery(PROGRAM, "tests.support.programs.payer", "psycopg", "paypro_async.transport.httpx") as nursery:
        yield nursery


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Tests may stop and start it."""
    with tempfile.TemporaryDirectory(prefix="paypro-pg-") as folder:
        server = Server(Path(folder))
        yield server
        server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each durable store in turn, empty and ready."""
    return await new_ledger(request.param, tmp_path, lambda: request.getfixturevalue("server"))


async def new_ledger(store: str, folder: Path, server) -> str:
    if store == "sqlite":
        return f"sqlite:///{folder / 'ledger.db'}"
    url: str = server().database()
    await SqlLedger(url).migrate()
    return url
