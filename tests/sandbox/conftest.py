from collections.abc import AsyncIterator

import pytest

from paypro_async.sandbox import Sandbox
from tests.sandbox.merchant import Merchant


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def merchant(sandbox: Sandbox) -> AsyncIterator[Merchant]:
    async with Merchant(sandbox) as merchant:
        yield merchant
