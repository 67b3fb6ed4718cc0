"""From what a user writes to a transport."""

from typing import Any

from paypro_async.errors import ConfigurationError
from paypro_async.transport.base import Transport

__all__ = ["TRANSPORTS", "check_transport", "open_transport"]

TRANSPORTS = ("httpx", "aiohttp", "httpx2")


def check_transport(transport: str | Transport) -> None:
    """Refuse what is neither the name of a transport nor one.

    Raises:
        ConfigurationError: If it is neither.
    """
    known = transport in TRANSPORTS if isinstance(transport, str) else hasattr(transport, "send")
    if not known:
        raise ConfigurationError("The transport is not understood. Give 'httpx', 'aiohttp', 'httpx2' or a Transport.")


async def open_transport(transport: str | Transport, url: str, **settings: Any) -> Transport:
    """The transport itself, or a new one of that name, ready for *url* but not connected.

    Raises:
        ConfigurationError: If its package is not installed, or a setting cannot be used.
    """
    if not isinstance(transport, str):
        return transport
    # These cost more to import than all the rest; who only imports the package does not pay for them.
    try:
        if transport == "aiohttp":
            from paypro_async.transport.aiohttp import AiohttpTransport  # noqa: PLC0415

            made: Any = AiohttpTransport(**settings)
        else:
            from paypro_async.transport.httpx import HttpxTransport  # noqa: PLC0415

            made = HttpxTransport(library="httpx2" if transport == "httpx2" else "httpx", **settings)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"The transport {transport!r} needs {error.name}, which is not installed. Nothing was sent; install it "
            f"with: pip install 'paypro-async[{transport}]'."
        ) from error
    await made.prepare(url)
    opened: Transport = made
    return opened
