"""Whose signature under a certificate is believed, where the user says nothing."""

import os
import ssl

import certifi

__all__ = ["default_context"]


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
