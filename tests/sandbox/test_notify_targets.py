"""To whom callbacks may go: this machine, and hosts that are allowed by name. Pure."""

import pytest

from paypro_async.sandbox.callbacks.sender import Refused, Target, find_target


@pytest.mark.parametrize(
    ("url", "hosts", "port", "path"),
    [
        ("http://127.0.0.1:8000/paypro", ("127.0.0.1",), 8000, "/paypro"),
        ("http://127.8.9.1", ("127.8.9.1",), 80, "/"),
        ("http://[::1]:8000/a?b=c", ("::1",), 8000, "/a?b=c"),
        ("HTTP://LocalHost:8000/x", ("127.0.0.1", "::1"), 8000, "/x"),
        ("http://shop.localhost:8000/x", ("127.0.0.1", "::1"), 8000, "/x"),
        ("https://127.0.0.1/x#part", ("127.0.0.1",), 443, "/x"),
        ("http://user:word@127.0.0.1:8000/x", ("127.0.0.1",), 8000, "/x"),
        ("http://app:8000/paypro", ("app",), 8000, "/paypro"),
    ],
)
def test_this_machine_and_what_is_allowed(url: str, hosts: tuple[str, ...], port: int, path: str):
    """Names of this machine are never looked up."""
    target = find_target(url, frozenset({"app"}))
    assert isinstance(target, Target)
    assert (target.hosts, target.port, target.path) == (hosts, port, path)
    assert "word" not in target.shown + target.authority
    assert "b=c" not in target.shown


@pytest.mark.parametrize(
    "url",
    [
        "https://merchant.example/paypro",
        "http://203.0.113.7:8000/paypro",
        "http://127.0.0.1.example/paypro",
        "http://127.0.0.1@merchant.example/paypro",
        "http://localhost.merchant.example/",
        "http://0.0.0.0:8000/",
        "http://127.1:8000/",
        "http://2130706433/",
        "http://[::ffff:203.0.113.7]/",
        "http://app.example/",
        "http://127.0.0.1:9/paypro",
        "http://127.0.0.1:99999/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "//127.0.0.1/",
        "http://",
        "",
        "http://[::1",
        "http://127.0.0.1:8000/a b",
        "http://127.0.0.1:8000/\r\nX: y",
        "http://127.0.0.1:8000/ü",
        f"http://127.0.0.1:8000/{'a' * 3000}",
    ],
)
def test_nothing_goes_anywhere_else(url: str):
    """Another machine, the port where by convention nobody listens, and what is no URL."""
    assert isinstance(find_target(url, frozenset({"app"})), Refused)
