"""From what a user writes to a transport."""

from typing import Literal, Protocol, get_args

from paypro_async.errors import ConfigurationError
from paypro_async.transport.base import Transport, TransportSettings

__all__ = ["TRANSPORTS", "TransportName", "check_transport", "open_transport"]

TransportName = Literal["httpx", "aiohttp", "httpx2"]
TRANSPORTS: tuple[str, ...] = get_args(TransportName)


def check_transport(transport: str | Transport) -> None:
    """Refuse what is neither the name of a transport nor one.

    Raises:
        ConfigurationError: If it is neither.
    """
    known = transport in TRANSPORTS if isinstance(transport, str) else hasattr(transport, "send")
    if not known:
        raise ConfigurationError(
            "The transport is not understood. Give 'httpx', 'aiohttp', 'httpx2' or a "
            "Transport, by transport= or PAYPRO_TRANSPORT."
        )


class _Preparable(Transport, Protocol):
    async def prepare(self, url: str) -> None: ...


async def open_transport(transport: str | Transport, url: str, settings: TransportSettings | None = None) -> Transport:
    """The transport itself, or a new one of that name and with *settings*, ready for *url* but not connected.

    Raises:
        ConfigurationError: If its package is not installed, or a setting cannot be used.
    """
    if not isinstance(transport, str):
        return transport
    try:
        made = _make(transport, settings or TransportSettings())
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"The transport {transport!r} needs {error.name}, which is not installed. Nothing was sent; install it "
            f"with: pip install 'paypro-async[{transport}]'."
        ) from error
    await made.prepare(url)
    return made


def _make(name: str, settings: TransportSettings) -> _Preparable:
    # These cost more to import than all the rest; a program that imports the package alone does not pay for them.
    if name == "aiohttp":
        from paypro_async.transport.aiohttp import AiohttpTransport  # noqa: PLC0415

        return AiohttpTransport(settings)
    from paypro_async.transport.httpx import HttpxTransport  # noqa: PLC0415

    return HttpxTransport(settings, library="httpx2" if name == "httpx2" else "httpx")
