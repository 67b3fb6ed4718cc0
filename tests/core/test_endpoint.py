from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paypro_async import Md5Signer, PayProClient
from paypro_async._core.endpoint import Endpoint, is_loopback, read_endpoint
from paypro_async.errors import ConfigurationError
from tests.support.secrecy import shown_by


def read(base_url: Any, *, environment: str | None = None, allow_plain_http: bool = False) -> Endpoint:
    return read_endpoint(base_url, environment=environment, allow_plain_http=allow_plain_http)


@pytest.mark.parametrize(
    ("base_url", "endpoint"),
    [
        ("https://h.example", Endpoint("https://h.example", "h.example")),
        ("https://h.example/", Endpoint("https://h.example", "h.example")),
        ("https://h.example/pak-pay/", Endpoint("https://h.example/pak-pay", "h.example")),
        (" https://h.example/in\n", Endpoint("https://h.example/in", "h.example")),
        ("HTTPS://H.Example:8443/x", Endpoint("HTTPS://H.Example:8443/x", "h.example")),
        ("https://203.0.113.7", Endpoint("https://203.0.113.7", "203.0.113.7")),
        ("http://127.0.0.1:8080", Endpoint("http://127.0.0.1:8080", "local")),
        ("http://localhost:1/", Endpoint("http://localhost:1", "local")),
        ("http://[::1]:8080", Endpoint("http://[::1]:8080", "local")),
        ("https://127.0.0.9", Endpoint("https://127.0.0.9", "local")),
    ],
)
def test_a_base_url_is_a_place_and_an_environment(base_url: str, endpoint: Endpoint):
    """The host names the environment; on loopback, where ports come and go, it is `local`."""
    assert read(base_url) == endpoint


@pytest.mark.parametrize("base_url", ["https://sandbox-api.paypro.tech/…", "https://h.example/..."])
def test_the_dots_of_an_example_are_no_path(base_url: str):
    """They stand for what PayPro writes there."""
    with pytest.raises(ConfigurationError, match="holds the dots of an example"):
        read(base_url)


@pytest.mark.parametrize("name", ["production ", " ", "a\nb", "\ufeffsandbox"])
def test_an_environment_is_what_it_looks_like(name: str):
    """The ledger would take the same platform for another one."""
    with pytest.raises(ConfigurationError, match="PAYPRO_ENVIRONMENT"):
        read("https://h.example", environment=name)


def test_an_environment_can_be_named():
    """So that a ledger survives a move of the platform to another host."""
    assert read("https://new.example", environment="old.example").environment == "old.example"
    assert read("http://127.0.0.1:1", environment="staging").environment == "staging"


@pytest.mark.parametrize(
    "base_url",
    [
        *("", " ", "h.example", "/v1", "//h.example", "ftp://h.example", "https://", "https:///x", "https:h.example"),
        *(
            "https://h.example:0",
            "https://h.example:99999",
            "https://h.example:x",
            "https://[::1",
            "https://[x]",
            "ws://h",
        ),
        *("https://a..example", f"https://{'a' * 64}.example", "https://h.example\\v1", '"https://h.example"'),
        *("https://h.example/a b", "https://pay\npro.tech", "https://h.example\t/x", "file:///etc/passwd"),
        *(None, 7, b"https://h.example", ["https://h.example"]),
    ],
)
def test_what_is_no_absolute_url_is_a_configuration_error(base_url: Any):
    """Before anything is sent anywhere."""
    with pytest.raises(ConfigurationError, match="base_url is not an absolute http or https URL"):
        read(base_url)


@pytest.mark.parametrize(
    "base_url",
    [
        *("https://user:hunter2@h.example", "https://hunter2@h.example/v1/paypro", "https://h.example/?token=hunter2"),
        *("http://user:hunter2@h.example", "https://user:hunter2@[h", "https://user:hunter2@h.example:port"),
    ],
)
def test_a_traceback_shows_no_credentials(base_url: str):
    """Of the address that is refused, with the variables of the frames."""
    with pytest.raises(ConfigurationError) as refused:
        PayProClient(base_url=base_url, merchant_no="1", signer=Md5Signer("kept-to-itself-4711"), ledger="memory")
    assert "hunter2" not in shown_by(refused.value)


@pytest.mark.parametrize(
    "base_url",
    [
        *("https://h.example/?a=1", "https://h.example/#x", "https://user@h.example", "https://user:pw@h.example"),
        *("https://:pw@h.example", "https://@h.example", "https://h.example/p?", "https://h.example/p#"),
    ],
)
def test_a_query_a_fragment_or_credentials_do_not_belong_there(base_url: str):
    """Paths are appended to it; an empty query would swallow them. The password is not repeated."""
    with pytest.raises(ConfigurationError, match="must not hold a query, a fragment or credentials") as caught:
        read(base_url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "base_url",
    [
        "http://h.example",
        "http://203.0.113.7",
        "http://localhost.example",
        "http://127.0.0.1.example",
        "http://10.0.0.1",
    ],
)
def test_plain_http_leaves_the_machine_only_if_the_caller_says_so(base_url: str):
    """It would send names and account numbers in the clear."""
    with pytest.raises(ConfigurationError, match="allow_plain_http=True"):
        read(base_url)
    assert read(base_url, allow_plain_http=True).base_url == base_url


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.255.255.254", "::1"])
def test_loopback_is_this_machine(host: str):
    """By address, or by the one name that can only mean it."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "localhost.", "localhost.example", "0.0.0.1", "128.0.0.1", "::", "::2", "127.1", "x"]
)
def test_anything_else_may_be_another_machine(host: str):
    """Names are not looked up."""
    assert not is_loopback(host)


@example("https://h.example/p?")
@given(st.text() | st.from_regex(r"https?://[^/]*(/.*)?", fullmatch=True))
def test_any_text_is_an_endpoint_or_a_configuration_error(base_url: str):
    """And what is read can have a path appended."""
    try:
        found = read(base_url, allow_plain_http=True)
    except ConfigurationError:
        return
    assert found.base_url == base_url.strip().rstrip("/")
    assert not any(one.isspace() for one in found.base_url)
    assert "?" not in found.base_url
    assert "#" not in found.base_url
    assert found.environment


@pytest.mark.parametrize(
    "base_url",
    [
        *("https://h.example/v1/paypro/payout", "https://h.example/v1/paypro/payout/", "https://h.example/v1/paypro"),
        *("https://h.example/in/v1/paypro/queryPayOutResult?x=1", "https://h.example/v1/PayPro/querybalance#top"),
        *(
            "https://h.example//v1//paypro//payout//",
            "https://h.example/%761/paypro/payout",
            "https://h.example/queryBalance",
        ),
        "https://user:hunter2@h.example/v1/paypro/payout",
    ],
)
def test_the_path_of_an_endpoint_is_no_base_url(base_url: str):
    """The client would put it there twice, and every payout would end unknown; the text says what to give instead."""
    with pytest.raises(ConfigurationError, match="ends in the path of an endpoint") as refused:
        read(base_url)
    assert "https://h.example and" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "base_url", ["https://h.example/v1", "https://h.example/paypro", "https://h.example/v1/paypros"]
)
def test_a_path_of_ones_own_may_look_alike(base_url: str):
    """A gateway in front of the platform has whatever path it likes."""
    assert read(base_url).base_url == base_url


@pytest.mark.parametrize("environment", [5, b"x", ["x"], float("nan"), " e", "e\n"])
def test_a_name_that_is_none_is_refused(environment: Any):
    """Also what is no text at all."""
    with pytest.raises(ConfigurationError, match=r"environment= \(PAYPRO_ENVIRONMENT\)"):
        read_endpoint("https://paypro.example", environment=environment, allow_plain_http=False)
