"""The recipes of docs/many-machines.md carry a batch through faults and a killed worker, each as it stands there."""

import asyncio
import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from examples.engines.repair import repair
from tests.engines import services
from tests.engines.workplace import BATCH, Workplace, workplace
from tests.support.postgres import Server

_FOLDER = "examples/engines"
_CELERY = ("-m", "celery", "-A", "examples.engines.celery_worker", "worker", "--pool", "threads", "--concurrency", "4")
_TASKIQ = (
    "-m",
    "taskiq",
    "worker",
    "--workers",
    "1",
    "--max-async-tasks",
    "4",
    "examples.engines.taskiq_worker:broker",
)


def recipe(name: str, *needs: str) -> ModuleType:
    for library in needs:
        pytest.importorskip(library, reason="'nox -s engines' has it, or 'nox -s ray'")
    return importlib.import_module(f"examples.engines.{name}")


@contextmanager
def variables(place: Workplace, **more: str) -> Iterator[None]:
    """What a recipe reads where it enqueues, and in each of its processes."""
    place.environment |= more
    with pytest.MonkeyPatch.context() as patch:
        for name, value in place.environment.items():
            patch.setenv(name, value)
        yield


async def carry(place: Workplace, module: ModuleType, *command: str, repaired: bool = False) -> None:
    """Two workers, one of which is killed while it pays and is not replaced."""
    shards: list = []
    await place.import_batch(lambda _, announced: shards.extend(announced))
    await module.enqueue(shards)
    doomed, _ = await place.start(*command), await place.start(*command)
    await place.until(place.count // 4)
    await place.kill(doomed)
    repairing = asyncio.create_task(_repair(module)) if repaired else None
    try:
        await place.until_done()
    finally:
        if repairing is not None:
            repairing.cancel()
    place.check()


async def _repair(module: ModuleType) -> None:
    while True:
        await asyncio.sleep(1)
        await repair(module.enqueue, idle_for=4)


async def test_pgqueuer(server: Server, tmp_path: Path) -> None:
    module = recipe("pgqueuer_worker", "pgqueuer")
    async with workplace(server, tmp_path, count=400) as place:
        with variables(place):
            async with await module.AsyncConnection.connect(place.ledger, autocommit=True) as connection:
                await module.Queries(module.PsycopgDriver(connection)).install()
            await carry(place, module, f"{_FOLDER}/pgqueuer_worker.py")


async def test_nats(server: Server, tmp_path: Path) -> None:
    module = recipe("nats_worker", "nats")
    with services.nats(tmp_path) as url:
        async with workplace(server, tmp_path, count=400) as place:
            with variables(place, NATS_URL=url):
                await carry(place, module, f"{_FOLDER}/nats_worker.py")


async def test_taskiq(server: Server, tmp_path: Path) -> None:
    with services.redis(tmp_path) as url:
        async with workplace(server, tmp_path, count=400) as place:
            with variables(place, REDIS_URL=url):
                await carry(place, recipe("taskiq_worker", "taskiq_redis"), *_TASKIQ, repaired=True)


async def test_celery(server: Server, tmp_path: Path) -> None:
    with services.redis(tmp_path) as url:
        async with workplace(server, tmp_path, count=400) as place:
            with variables(place, REDIS_URL=url):
                await carry(place, recipe("celery_worker", "celery"), *_CELERY, repaired=True)


async def test_temporal(server: Server, tmp_path: Path) -> None:
    """No server is to be had here: what a worker does is run in Temporal's own environment for tests."""
    module = recipe("temporal_worker", "temporalio")
    from temporalio.testing import ActivityEnvironment

    async with workplace(server, tmp_path, count=50) as place:
        with variables(place):
            await place.import_batch()
            both = await asyncio.gather(*(ActivityEnvironment().run(module.pay, BATCH, 0, 50) for _ in range(2)))
            again_in = max(one or 0.0 for one in both)
            while again_in is not None:
                await asyncio.sleep(again_in)
                again_in = await ActivityEnvironment().run(module.pay, BATCH, 0, 50)
        place.check()


@pytest.mark.parametrize("library", ["ray", "dask"])
async def test_what_forgets_all_is_run_again(library: str, server: Server, tmp_path: Path) -> None:
    """A worker is killed, and then the process that all hangs on; the same command goes on with what is open."""
    recipe(f"{library}_batch", library)
    command = (f"{_FOLDER}/{library}_batch.py", BATCH)
    async with workplace(server, tmp_path) as place:
        await place.import_batch(rate=60)
        driver = await place.start(*command)
        await place.until(40)
        os.kill(next(workers_of(place)), 9)
        await place.until(150)
        await place.kill(driver)
        again = await place.start(*command)
        await place.until_done()
        async with asyncio.timeout(60):
            assert await again.wait() == 0, place.logs()
        place.check()


def workers_of(place: Workplace) -> Iterator[int]:
    """The processes that pay: those of this test, by its ledger in their environment and their command."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:
            continue
        pays = b"ray::pay" in command or b"spawn_main" in command
        if pays and f"PAYPRO_LEDGER={place.ledger}\0".encode() in environment:
            yield int(folder.name)
