"""Whose signature under a certificate is believed, and the TLS context that says so."""

import os
import ssl
from collections.abc import Callable

import anyio
import anyio.to_thread
import certifi

from paypro_async.errors import ConfigurationError

__all__ = ["TlsContext", "default_context"]


class TlsContext:
    """The one TLS context of a transport: the user's, or one that is made when it is first needed.

    Args:
        given: The user's.
        make: Makes one, where the user gave none; it reads files.
    """

    def __init__(self, given: ssl.SSLContext | None, *, make: Callable[[], ssl.SSLContext]) -> None:
        self._context = given
        self._make = make
        self._lock = anyio.Lock(fast_acquire=True)

    async def get(self) -> ssl.SSLContext:
        """The context that connections are checked with, made at the first call.

        Raises:
            ConfigurationError: If the authorities cannot be read.
        """
        async with self._lock:
            if self._context is None:
                # Reading the list of authorities takes some 50 ms, which would stop every other task.
                try:
                    self._context = await anyio.to_thread.run_sync(self._make)
                except OSError as error:
                    raise ConfigurationError(
                        "The authorities for TLS cannot be read. Nothing was sent; mend SSL_CERT_FILE or SSL_CERT_DIR."
                    ) from error
            return self._context


def default_context() -> ssl.SSLContext:
    """Verify by certifi's list, or by ``SSL_CERT_FILE`` or ``SSL_CERT_DIR``: as httpx does.

    Raises:
        OSError: If the list cannot be read.
    """
    if file := os.environ.get("SSL_CERT_FILE"):
        context = ssl.create_default_context(cafile=file)
    elif folder := os.environ.get("SSL_CERT_DIR"):
        context = ssl.create_default_context(capath=folder)
    else:
        context = ssl.create_default_context(cafile=certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context
