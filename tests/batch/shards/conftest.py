"""A sandbox in real time, and clients that share one ledger: a file, or a server's."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from paypro_async import PayProClient
from paypro_async.runtime import SystemRuntime
from paypro_async.sandbox import Sandbox
from tests.support.merchant import QUICK, client_of

NewClient = Callable[..., PayProClient]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """It books what is sent twice, so that it shows."""
    async with Sandbox(deduplicate=False) as sandbox:
        yield sandbox


@pytest.fixture
def new_client(sandbox: Sandbox, database_url: str) -> NewClient:
    """Makes clients on the ledger, each as a process of its own would have it."""

    def make(**settings: Any) -> PayProClient:
        usual = {"ledger": database_url, "runtime": SystemRuntime(), "environment": "sandbox"} | QUICK
        return client_of(sandbox, **(usual | settings))

    return make
