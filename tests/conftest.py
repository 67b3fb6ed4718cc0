"""What holds for every test: the machine's own settings do not reach it."""

import os
from collections.abc import Iterator

import pytest

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


@pytest.fixture(scope="session", autouse=True)
def _clean_environment() -> Iterator[None]:
    """Take proxies, TLS settings and PAYPRO_* out of the environment, which the tests' own processes inherit."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.lower() in _PROXY_AND_TLS or name.upper().startswith("PAYPRO_"):
                patch.delenv(name)
        yield
