import gc
import ssl
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import trustme

from paypro_async.transport import TRANSPORTS, Transport
from tests.support.transports import transport_named


@pytest.fixture(params=TRANSPORTS)
def kind(request: pytest.FixtureRequest) -> str:
    """Whatever stands here holds for every transport."""
    return request.param


@pytest.fixture
def new_transport(kind: str) -> Callable[..., Transport]:
    """Makes a transport of this kind, with the settings that are given."""
    return transport_named(kind)


@pytest.fixture
async def transport(new_transport: Callable[..., Transport]) -> AsyncIterator[Transport]:
    """Four connections: a slot that leaks is missed soon."""
    transport = new_transport(max_connections=4)
    yield transport
    await transport.aclose()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """An authority that nobody knows."""
    return trustme.CA()


@pytest.fixture(scope="session")
def certificate(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("127.0.0.1", "payouts.example")


@pytest.fixture
def theirs(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """The context of a server on loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture
def ours(authority: trustme.CA) -> ssl.SSLContext:
    """The context of a client that knows the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Without the collector of garbage a connection that nobody closed stays open, and is seen."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.collect()  # what was left open warns here, and a warning is an error
