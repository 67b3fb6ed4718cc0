from collections.abc import AsyncIterator

import pytest

from paypro_async.sandbox import Sandbox
from tests.cli.terminal import SECRET, Terminal


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(secret=SECRET) as sandbox:
        yield sandbox


@pytest.fixture
async def terminal(tmp_path, sandbox: Sandbox) -> AsyncIterator[Terminal]:
    terminal = Terminal(tmp_path, sandbox.base_url)
    yield terminal
    await terminal.aclose()
