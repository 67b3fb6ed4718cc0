"""Fixtures for tests of code that pays through PayPro; pytest finds them where paypro-async is installed.

A package of its own, since pytest loads it at each start: it loads the SDK only for the first test that needs it.
"""

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from paypro_async import PayProClient
    from paypro_async.testing import FakePayPro

__all__ = ["fake_paypro", "paypro_client", "paypro_env"]


@pytest.fixture
def fake_paypro() -> "Iterator[FakePayPro]":
    """A :class:`paypro_async.testing.FakePayPro` that is open: a PayPro whose outcomes the test decides."""
    from paypro_async.testing import FakePayPro  # noqa: PLC0415  loaded when it is needed

    with FakePayPro() as paypro:
        yield paypro


@pytest.fixture
def paypro_env(fake_paypro: "FakePayPro", monkeypatch: pytest.MonkeyPatch) -> "FakePayPro":
    """The same, with the environment's variables set so that ``PayProClient.from_env()`` reaches it."""
    from paypro_async import client  # noqa: PLC0415  loaded when it is needed
    from paypro_async._core.variables import ALL  # noqa: PLC0415

    for variable in ALL:  # A developer's own settings must not reach a test, above all not a ledger.
        monkeypatch.delenv(variable.name, raising=False)
    for name, value in fake_paypro.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(client, "SystemRuntime", lambda: fake_paypro.time)
    return fake_paypro


@pytest.fixture
def paypro_client(request: pytest.FixtureRequest) -> "PayProClient":
    """A client of ``fake_paypro`` that is open, in the event loop of the test."""
    plugin = "anyio" if "anyio_backend" in request.fixturenames else "asyncio"
    if not request.config.pluginmanager.has_plugin(plugin):
        pytest.fail(
            "paypro_client is open in an event loop, so it needs pytest-asyncio or anyio, and a test "
            "that is marked for it. A test without an event loop can use fake_paypro or paypro_env.",
            pytrace=False,
        )
    client: PayProClient = request.getfixturevalue(f"_paypro_client_of_{plugin}")
    return client


async def _open_client(fake_paypro: "FakePayPro") -> "AsyncIterator[PayProClient]":
    async with fake_paypro.client() as client:
        yield client


def pytest_configure(config: pytest.Config) -> None:
    """Offer the open client by the plugins for async tests that are there."""
    fixtures: dict[str, object] = {}
    if config.pluginmanager.has_plugin("asyncio"):
        import pytest_asyncio  # noqa: PLC0415  loaded already, by pytest

        fixtures["_paypro_client_of_asyncio"] = pytest_asyncio.fixture(_open_client, name="_paypro_client_of_asyncio")
    if config.pluginmanager.has_plugin("anyio"):
        fixtures["_paypro_client_of_anyio"] = pytest.fixture(_open_client, name="_paypro_client_of_anyio")
    if fixtures:
        config.pluginmanager.register(type("OpenClients", (), fixtures), "paypro-async-clients")
