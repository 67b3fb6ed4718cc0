"""What holds for every test: the machine's own settings do not reach it."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.fork_server import ForkServer
from tests.support.postgres import Server, memory

try:
    import uvloop
except ImportError:  # Windows, where there is none
    uvloop = None

# What a test copies is not for others to read: of a ledger that is, every user is warned.
os.umask(0o077)

# Here pytest makes its folders. Whether a disk has what was written shows when the power fails, and the tests of that
# have a disk of their own (tests/support/disk.py).
if (_memory := memory()) is not None:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", _memory)

# The same examples in each run, and no deadline that a busy machine would break.
settings.register_profile(
    "ci",
    max_examples=30,
    derandomize=True,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("trials", settings.get_profile("ci"), max_examples=60)
settings.register_profile("properties", settings.get_profile("ci"), max_examples=300)
settings.load_profile("ci")

_PROXY_AND_TLS = {
    "all_proxy",
    "curl_ca_bundle",
    "ftp_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "requests_ca_bundle",
    "ssl_cert_dir",
    "ssl_cert_file",
    "sslkeylogfile",
    "ws_proxy",
    "wss_proxy",
}


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loops that a test runs in: asyncio's, and where it is marked ``each_loop`` uvloop's as well."""
    loops = {"asyncio": asyncio.new_event_loop}
    if uvloop is not None and item.get_closest_marker("each_loop"):
        loops["uvloop"] = uvloop.new_event_loop
    return loops


def pytest_collection_finish() -> None:
    """What is loaded is no garbage: a test that asks for a collection waits for its own objects alone."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Hear Ctrl-C, which a shell's background job ignores, and so would all processes that the tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _clean_environment() -> Iterator[None]:
    """Take proxies, TLS settings and PAYPRO_* out of the environment, which the tests' own processes inherit."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.lower() in _PROXY_AND_TLS or name.upper().startswith("PAYPRO_"):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """Starts the processes that a test wants beside itself."""
    with ForkServer() as fork_server:
        yield fork_server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL that stays up; a test that stops one starts its own."""
    with Server() as server:
        yield server


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger's file is, or will be."""
    return tmp_path / "ledger.db"


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(request: pytest.FixtureRequest, path: Path) -> str:
    """Each durable store in turn, empty and ready."""
    if request.param == "sqlite":
        return f"sqlite:///{path}"
    server: Server = request.getfixturevalue("server")
    return await server.ledger()
