import asyncio
import os
import signal
import sys

import psycopg
import pytest

from paypro_async.errors import ConfigurationError
from paypro_async.integrations import executors
from paypro_async.integrations.executors import Executors
from tests.support.pooler import Pooler, needs_pgbouncer
from tests.support.postgres import Server

_HOLDER = """
import sys
from paypro_async.integrations.executors import Executors
doomed = Executors(sys.argv[1], "doomed", dead_after=0)
doomed.hold()
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def url(server: Server) -> str:
    return server.database()


@pytest.fixture(autouse=True)
def old_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server of the tests may have started just now, and then nothing is decided."""
    monkeypatch.setattr(executors, "_IS_YOUNG", "SELECT false")


def dead(one: Executors, *names: str) -> list[str]:
    with one.dead(names) as found:
        return found


async def test_a_process_that_is_killed_is_dead_and_one_that_lives_is_not(url: str) -> None:
    """The session ends with the process, and with it the lock."""
    one = Executors(url, "one", dead_after=0.2)
    one.hold()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _HOLDER, url), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    for _ in range(3):
        assert dead(one, "one", "doomed") == []
        await asyncio.sleep(0.2)
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    async with asyncio.timeout(10):
        while dead(one, "one", "doomed") != ["doomed"]:  # noqa: ASYNC110  the server sets no event
            await asyncio.sleep(0.05)
    one.close()


def test_one_whose_session_was_cut_has_time_to_come_back(url: str) -> None:
    """A process lives on when its session ends, and has a new one a moment later."""
    one, two = Executors(url, "one", dead_after=60), Executors(url, "two", dead_after=60)
    one.hold()
    two.hold()
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> %s",
            [one._connection.info.backend_pid if one._connection else 0],
        )
    assert dead(one, "two") == []
    with pytest.raises(psycopg.Error):
        two.hold()
    two.hold()
    assert dead(one, "two") == []
    assert one._free_since == {}
    one.close()
    two.close()


def test_two_processes_never_decide_at_one_time(url: str) -> None:
    one, two = Executors(url, "one", dead_after=0), Executors(url, "two", dead_after=0)
    one.hold()
    two.hold()
    with one.dead(["gone"]) as first, two.dead(["gone"]) as second:
        assert first == ["gone"]
        assert second == []
    assert dead(two, "gone") == ["gone"]
    one.close()
    two.close()


def test_one_that_is_judged_cannot_come_back_meanwhile(url: str) -> None:
    """Or it would go on with what another one is just being given."""
    one, late = Executors(url, "one", dead_after=0), Executors(url, "late", dead_after=0)
    one.hold()
    with one.dead(["late"]) as found:
        assert found == ["late"]
        with pytest.raises(ConfigurationError, match="'late'"):
            late.hold()
    late.hold()
    assert dead(one, "late") == []
    one.close()
    late.close()


def test_nobody_is_dead_just_because_the_server_was_restarted() -> None:
    """All locks go with it, and those that live need a second to come back."""
    with Server() as server:
        one = Executors(server.url(), "one", dead_after=0)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(executors, "_IS_YOUNG", "SELECT now() - pg_postmaster_start_time() < interval '1 minute'")
            one.hold()
            assert dead(one, "gone") == []
        assert dead(one, "gone") == ["gone"]
        one.close()


async def test_a_database_that_is_away_is_waited_for(url: str, server: Server) -> None:
    with Server() as own:
        own.stop()
        one = Executors(own.url(), "one", dead_after=0)
        waiting = asyncio.create_task(one.wait())
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await asyncio.to_thread(own.start)
        async with asyncio.timeout(20):
            await waiting
        one.close()


async def test_what_a_person_must_mend_is_told_and_not_waited_for(url: str) -> None:
    one = Executors(url.replace("/ledger_", "/no_such_"), "one", dead_after=0)
    with pytest.raises(ConfigurationError, match="cannot be used"):
        await one.wait()


@needs_pgbouncer
async def test_a_pooler_in_transaction_mode_is_named(url: str, server: Server) -> None:
    """Behind it a dead worker's lock would be held for ever."""
    with Pooler(server, pool_mode="transaction") as pooler:
        one = Executors(pooler.url(url), "one", dead_after=0)
        with pytest.raises(ConfigurationError, match="pooler in transaction mode"):
            await one.wait()
    with Pooler(server, pool_mode="session") as pooler:
        one = Executors(pooler.url(url), "one", dead_after=0)
        await one.wait()
        one.close()
