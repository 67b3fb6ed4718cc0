"""The transport that a client makes for itself."""

from typing import Any

from paypro_async.runtime import Runtime
from paypro_async.transport.base import Transport

__all__ = ["open_transport"]


async def open_transport(settings: dict[str, Any], *, base_url: str, runtime: Runtime) -> Transport:
    """An httpx transport, ready for *base_url*."""
    # httpx costs more to import than all the rest; who only imports the package does not pay for it.
    from paypro_async.transport.httpx import HttpxTransport  # noqa: PLC0415

    transport = HttpxTransport(**settings, runtime=runtime)
    await transport.prepare(base_url)
    return transport
