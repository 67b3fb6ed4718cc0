"""``paypro doctor`` about a ledger in PostgreSQL: directly, behind a pooler, and where no server is."""

import pytest
from attrs import evolve

from paypro_async.cli.doctor import ledger_checks
from paypro_async.cli.doctor.evidence import Evidence, LedgerFacts, gather
from paypro_async.cli.doctor.variables import read_settings, read_variables
from tests.support.pooler import Pooler, needs_pgbouncer
from tests.support.postgres import Server


async def looked(url: str) -> Evidence:
    return await gather({"ledger": url})


@pytest.fixture
async def url(server: Server) -> str:
    return await server.ledger()


async def test_a_server_and_what_it_keeps(url: str) -> None:
    """Its release, that it waits for its disk or not, and that nothing stands before it."""
    found = await looked(url)
    database = ledger_checks.server(found)
    assert database is not None
    assert database.found.startswith("PostgreSQL ")
    # The tests' server does not wait for its disk, so that they end sooner.
    assert (database.level, "fsync = on" in str(database.advice)) == ("problem", True)
    assert ledger_checks.pooler(found).found == "The server is reached directly."
    assert ledger_checks.ledger(found).ok
    assert ledger_checks.disk(found) is None
    waits = evolve(found.ledger, server={**found.ledger.server, "fsync": "on"})
    assert ledger_checks.server(evolve(found, ledger=waits)).level == "ok"


@needs_pgbouncer
@pytest.mark.parametrize("mode", ["session", "transaction"])
async def test_a_pooler_is_named_with_its_mode(server: Server, url: str, mode: str) -> None:
    with Pooler(server, pool_mode=mode) as pooler:
        found = ledger_checks.pooler(await looked(pooler.url(url)))
    assert found.ok
    assert f"A pooler in {mode} mode" in found.found


async def test_a_server_that_is_not_there(unused_tcp_port: int) -> None:
    """Two lines with what to mend, and in time."""
    found = await looked(f"postgresql://nobody@127.0.0.1:{unused_tcp_port}/x")
    assert not ledger_checks.ledger(found).ok
    assert not ledger_checks.pooler(found).ok
    assert ledger_checks.server(found) is None


@pytest.mark.parametrize(
    ("kind", "level"),
    [("nfs4", "problem"), ("tmpfs", "problem"), ("overlay", "warning"), ("ext4", "ok"), (None, "ok")],
)
async def test_kinds_of_file_systems(tmp_path, kind: str | None, level: str) -> None:
    """Of another machine, in memory, of a container, and a disk."""
    found = await looked(str(tmp_path / "p.db"))
    disk = evolve(found.ledger.disk, kind=kind, free=10**12)
    assert ledger_checks.disk(evolve(found, ledger=evolve(found.ledger, disk=disk))).level == level


async def test_room_and_folders(tmp_path) -> None:
    """Little room is a warning and hardly any a problem; a folder that is not there, or open to all, is told."""
    found = await looked(str(tmp_path / "p.db"))

    def level(**changes) -> str:
        disk = evolve(found.ledger.disk, kind="ext4", **{"free": 10**12} | changes)
        return ledger_checks.disk(evolve(found, ledger=evolve(found.ledger, disk=disk))).level

    assert (level(), level(free=10**8), level(free=10**6), level(shared=True)) == (
        "ok",
        "warning",
        "problem",
        "warning",
    )
    missing = await looked(str(tmp_path / "none" / "p.db"))
    assert "is not there" in ledger_checks.disk(missing).found
    assert "Make the folder" in ledger_checks.disk(missing).advice
    assert LedgerFacts().disk is None
    assert read_variables({}).ours == ()
    assert set(read_settings({}, {}).wrong) == {"address", "merchant", "secret"}
