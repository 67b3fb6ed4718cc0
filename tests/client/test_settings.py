"""Settings: each that cannot work is refused when the client is made, in words."""

import os
from pathlib import Path
from typing import Any

import pytest

from paypro_async import ConfigurationError, Md5Signer, MemoryLedger, PayoutStatus, PayProClient, PayProWarning
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.sandbox import Sandbox
from paypro_async.settings import nearest
from tests.support.merchant import MERCHANT_NO, SIGNER, bookings, fields, scripted_client, virtual_sandbox
from tests.support.scripted import Scripted
from tests.support.virtual_time import virtual_time

GOOD: dict[str, Any] = {"base_url": "https://paypro.example/in", "merchant_no": MERCHANT_NO, "signer": SIGNER}

BAD: list[tuple[str, Any]] = [
    ("base_url", ""),
    ("base_url", None),
    ("base_url", "paypro.example"),
    ("base_url", "ftp://paypro.example"),
    ("base_url", "https://"),
    ("base_url", "https://paypro.example:99999"),
    ("base_url", "https://user:word@paypro.example"),
    ("base_url", "https://paypro.example/?a=1"),
    ("base_url", "http://paypro.example"),
    ("merchant_no", 1),
    ("merchant_no", ""),
    ("merchant_no", "00\r\n01"),
    ("merchant_no", None),
    ("signer", "secret"),
    ("signer", None),
    ("region", "atlantis"),
    ("region", None),
    ("ledger", "mysql://x"),
    ("ledger", "sqlite://"),
    ("ledger", "sqlite:///:memory:"),
    ("ledger", Path("payouts.db")),
    ("timeout", 0),
    ("timeout", -1),
    ("timeout", float("nan")),
    ("timeout", float("inf")),
    ("timeout", "30"),
    ("timeout", None),
    ("settle_after", -1),
    ("settle_after", "60"),
    ("request_timeout", 0),
    ("request_timeout", 60),
    ("send_within", -1),
    ("send_within", 60),
    ("max_attempts", 0),
    ("max_attempts", "4"),
    ("max_connections", 0),
    ("max_connections", -1),
    ("resend", "always"),
    ("callback_signers", ["secret"]),
    ("callback_signers", "secret"),
    ("callback_signers", 1),
    ("callback_reading", "java"),
    ("codes", {"7001"}),
    ("codes", "7001"),
    ("codes", {}),
    ("unknown_callbacks", "drop"),
    ("unknown_callbacks", None),
    ("transport", "requests"),
    ("transport", None),
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=repr)
def test_a_setting_that_cannot_work_is_refused_in_words(name: str, value: Any):
    """ConfigurationError with the setting's name and what to do, and never the secret."""
    with pytest.raises(ConfigurationError) as caught:
        PayProClient(**(GOOD | {name: value}))
    text = str(caught.value)
    assert name.split("_", maxsplit=1)[0] in text
    assert text.endswith(".")
    assert "word@" not in text


@pytest.mark.parametrize(
    ("settle_after", "given"),
    [
        (20, {"request_timeout": 19}),
        (20, {"send_within": 19}),
        (20, {"request_timeout": 10, "send_within": 10}),
        (0.3, {}),
        (0, {}),
    ],
)
def test_the_settle_window_is_longer_than_what_must_fit_into_it(settle_after: float, given: dict[str, float]):
    """With the times that were not given filled in, an exchange that is still under way is never believed lost."""
    try:
        client = PayProClient(**GOOD, settle_after=settle_after, **given)
    except ConfigurationError as error:
        assert "settle_after" in str(error)  # noqa: PT017  refusing is one of two right ways
    else:
        assert client._timing.send_within + client._timing.request_timeout < settle_after


def test_plain_http_to_another_machine_must_be_asked_for_by_name():
    """Loopback may be plain; anything else only with allow_plain_http."""
    with pytest.raises(ConfigurationError, match="allow_plain_http"):
        PayProClient(**(GOOD | {"base_url": "http://paypro.example"}))
    PayProClient(**(GOOD | {"base_url": "http://paypro.example"}), allow_plain_http=True)
    for loopback in ("http://127.0.0.1:8080", "http://localhost", "http://[::1]:1"):
        PayProClient(**(GOOD | {"base_url": loopback}))


@virtual_time
async def test_the_defaults_are_sound():
    """Nothing but the three that nobody else can know."""
    client = PayProClient(**GOOD)
    timing = client._timing
    assert timing.send_within + timing.request_timeout < timing.settle_after == 60
    assert client.ledger is None


@virtual_time
async def test_without_a_ledger_nothing_is_paid_but_questions_are_answered():
    """A client that would forget refuses to pay, one by one and many, and says how to mend it."""
    async with virtual_sandbox() as sandbox:
        client = PayProClient(base_url=sandbox.base_url, merchant_no=MERCHANT_NO, signer=SIGNER)
        async with client:
            with pytest.raises(ConfigurationError, match="ledger"):
                await client.payout(**fields())
            with pytest.raises(ConfigurationError, match="ledger"):
                client.batch_payout([fields()])
            assert not (await client.query("T1")).found
            assert (await client.balance()).available
    assert bookings(sandbox) == []


@virtual_time
async def test_ledger_memory_is_a_ledger():
    """Two words are enough for a notebook."""
    async with virtual_sandbox() as sandbox:
        client = PayProClient(base_url=sandbox.base_url, merchant_no=MERCHANT_NO, signer=SIGNER, ledger="memory")
        async with client:
            assert (await client.payout(**fields())).status is PayoutStatus.PROCESSING
            assert isinstance(client.ledger, MemoryLedger)


@virtual_time
async def test_a_ledger_of_another_platform_is_refused_unless_it_is_named_the_same():
    """Test payouts and real ones do not mix; environment= says that a new address is the same platform."""
    ledger = MemoryLedger()
    settings = {"merchant_no": MERCHANT_NO, "signer": SIGNER, "ledger": ledger}
    async with PayProClient(base_url="https://sandbox.example", **settings):
        pass
    with pytest.raises(ConfigurationError, match=r"environment='sandbox\.example'"):
        await PayProClient(base_url="https://real.example", **settings).open()
    async with PayProClient(base_url="https://new.example", environment="sandbox.example", **settings):
        pass


# --- from_env


ENVIRONMENT = {
    "PAYPRO_BASE_URL": "https://paypro.example/in",
    "PAYPRO_MERCHANT_NO": "0000000042",
    "PAYPRO_SECRET": "s3cr3t",
    "PAYPRO_SECRET_POSITION": "prefix",
    "PAYPRO_REGION": "india",
    "PAYPRO_LEDGER": "memory",
    "PAYPRO_IP_ADDRESS": "198.51.100.9",
    "PAYPRO_NOTIFY_URL": "https://merchant.example/env",
    "PAYPRO_ENVIRONMENT": "staging",
    "PAYPRO_TIMEOUT": "12.5",
    "PAYPRO_SETTLE_AFTER": "90",
    "PAYPRO_REQUEST_TIMEOUT": "7",
    "PAYPRO_PROXY": "http://127.0.0.1:3128",
    "PAYPRO_TRANSPORT": "aiohttp",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_every_variable_reaches_the_client(environment):
    """All that can be set is set, and what is a number is read as one."""
    client = PayProClient.from_env()
    assert client._endpoint.base_url == "https://paypro.example/in"
    assert client._endpoint.environment == "staging"
    assert client._merchant_no == "0000000042"
    assert client._signer == Md5Signer("s3cr3t", secret_position="prefix")
    assert client._spec.name == "india"
    assert isinstance(client.ledger, MemoryLedger)
    assert client._intake.defaults == {"ip_address": "198.51.100.9", "notify_url": "https://merchant.example/env"}
    assert (client._timing.timeout, client._timing.settle_after, client._timing.request_timeout) == (12.5, 90.0, 7.0)
    assert client._transport_settings.proxy.reveal() == "http://127.0.0.1:3128"
    assert client._chosen_transport == "aiohttp"


@virtual_time
async def test_a_client_from_the_environment_pays(environment):
    """From the variables alone to a booked payout, over real HTTP."""
    async with virtual_sandbox(secret="s3cr3t", merchant_no="0000000042", secret_position="prefix") as sandbox:
        environment.setenv("PAYPRO_BASE_URL", sandbox.base_url)
        environment.delenv("PAYPRO_PROXY")
        environment.delenv("PAYPRO_TRANSPORT")
        async with PayProClient.from_env() as client:
            result = await client.payout(**fields(ip_address=None, notify_url=None))
    assert result.status is PayoutStatus.PROCESSING
    assert bookings(sandbox) == ["T1"]


def test_an_argument_beats_the_environment(environment):
    """Each variable has its argument, and what is given counts."""
    given = PayProClient.from_env(
        base_url="https://other.example", merchant_no="7", signer=SIGNER, timeout=1.5, ledger=None, environment=None
    )
    assert given._endpoint.base_url == "https://other.example"
    assert given._endpoint.environment == "other.example"
    assert (given._merchant_no, given._signer, given._timing.timeout, given.ledger) == ("7", SIGNER, 1.5, None)


def test_what_is_missing_is_listed_at_once(monkeypatch: pytest.MonkeyPatch):
    """One look at the error is enough to set everything; an empty variable counts as missing."""
    monkeypatch.setenv("PAYPRO_MERCHANT_NO", "")
    with pytest.raises(ConfigurationError) as caught:
        PayProClient.from_env()
    for name in ("PAYPRO_BASE_URL", "PAYPRO_MERCHANT_NO", "PAYPRO_SECRET", "PAYPRO_SECRET_FILE"):
        assert name in str(caught.value)


def test_the_secret_may_lie_in_a_file(environment, tmp_path: Path):
    """As container platforms do it; the line break at its end is no part of it."""
    file = tmp_path / "secret"
    file.write_bytes(b"from-file\r\n")
    environment.delenv("PAYPRO_SECRET")
    environment.setenv("PAYPRO_SECRET_FILE", str(file))
    assert PayProClient.from_env()._signer == Md5Signer("from-file", secret_position="prefix")


@pytest.mark.parametrize("content", [b"s3cr3t \n", b"\xef\xbb\xbfs3cr3t\n", b"'s3cr3t'\n", b"s3cr3t\nother\n"])
@pytest.mark.parametrize("variable", ["PAYPRO_SECRET", "PAYPRO_SECRET_FILE"])
def test_what_stands_around_a_secret_is_said_with_the_variable(
    environment, tmp_path: Path, variable: str, content: bytes
):
    """Before anything is signed with it, and without a letter of it."""
    file = tmp_path / "secret"
    file.write_bytes(content)
    environment.delenv("PAYPRO_SECRET")
    environment.setenv(variable, str(file) if variable == "PAYPRO_SECRET_FILE" else content.decode())
    with pytest.raises(ConfigurationError, match=f"The secret in {variable} (begins|stands|holds)") as caught:
        PayProClient.from_env()
    assert "s3cr3t" not in str(caught.value)


def test_two_secrets_are_one_too_many(environment, tmp_path: Path):
    """Nobody can say which one was meant."""
    environment.setenv("PAYPRO_SECRET_FILE", str(tmp_path / "secret"))
    with pytest.raises(ConfigurationError, match="Both PAYPRO_SECRET and PAYPRO_SECRET_FILE"):
        PayProClient.from_env()


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"", b"\n"])
def test_a_secret_file_that_cannot_be_read_says_so(environment, tmp_path: Path, content: bytes | None):
    """Missing, not text, or empty; and the error never quotes what is in it."""
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    environment.delenv("PAYPRO_SECRET")
    environment.setenv("PAYPRO_SECRET_FILE", str(file))
    with pytest.raises(ConfigurationError, match="PAYPRO_SECRET_FILE"):
        PayProClient.from_env()


def test_a_secret_file_that_does_not_end_or_speak_is_given_up(environment, tmp_path: Path):
    """A pipe that nobody writes to, a device; and what a vault writes into a pipe is read."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    environment.setattr("paypro_async.settings._SECRET_SECONDS", 0.02)
    environment.delenv("PAYPRO_SECRET")
    for path, why in ((pipe, "nothing came out of it"), ("/dev/zero", "larger than a secret"), (tmp_path, "directory")):
        environment.setenv("PAYPRO_SECRET_FILE", str(path))
        with pytest.raises(ConfigurationError, match=f"(?i)PAYPRO_SECRET_FILE cannot be read: .*{why}"):
            PayProClient.from_env()
    reading, writing = os.pipe()
    os.write(writing, b"from-vault\n")
    os.close(writing)
    environment.setenv("PAYPRO_SECRET_FILE", f"/dev/fd/{reading}")
    assert PayProClient.from_env()._signer == Md5Signer("from-vault", secret_position="prefix")
    os.close(reading)


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ("0000", "PAYPRO_NO_SUCH_ORDER_CODES list 0000"),
        ("7001;7002", "PAYPRO_NO_SUCH_ORDER_CODES is no list of codes"),
        ("'7001'", "PAYPRO_NO_SUCH_ORDER_CODES is no list of codes"),
    ],
)
def test_codes_of_the_environment_that_cannot_be_meant(environment, codes: str, said: str):
    """By the variable's name."""
    environment.setenv("PAYPRO_NO_SUCH_ORDER_CODES", codes)
    with pytest.raises(ConfigurationError, match=said):
        PayProClient.from_env()


@pytest.mark.parametrize(("name", "meant"), [("PAYPRO_URL", None), ("PAYPRO_SCRET", "PAYPRO_SECRET")])
def test_a_name_is_near_by_what_is_its_own(name: str, meant: str | None):
    """All of them begin alike."""
    assert nearest(name) == meant


@pytest.mark.parametrize("name", ["PAYPRO_TIMEOUT", "PAYPRO_SETTLE_AFTER", "PAYPRO_REQUEST_TIMEOUT"])
@pytest.mark.parametrize("text", ["soon", "-1", "nan", "1e999"])
def test_a_variable_that_is_no_number_of_seconds_is_refused(environment, name: str, text: str):
    """By the variable's or the argument's name."""
    environment.setenv(name, text)
    with pytest.raises(ConfigurationError, match=f"(?i){name.removeprefix('PAYPRO_')}"):
        PayProClient.from_env()


def test_a_wrong_secret_position_is_refused(environment):
    """Only suffix and prefix exist."""
    environment.setenv("PAYPRO_SECRET_POSITION", "middle")
    with pytest.raises(ConfigurationError, match="PAYPRO_SECRET_POSITION"):
        PayProClient.from_env()


@virtual_time
async def test_an_own_transport_is_used_as_it_is():
    """No httpx is made beside it."""
    transport = Scripted()
    async with scripted_client(transport) as client:
        await client.payout(**fields())
        assert client._asking().platform.transport is transport


def test_codes_of_the_environment_are_added_to_the_known_ones():
    """What nobody documents is learned by looking, also by those who only have the command line."""
    from paypro_async.settings import settings_from

    environ = {
        "PAYPRO_BASE_URL": "https://h.example",
        "PAYPRO_MERCHANT_NO": "1",
        "PAYPRO_SECRET": "s",
        "PAYPRO_NO_SUCH_ORDER_CODES": "4004, 4005,",
        "PAYPRO_DUPLICATE_CODES": "7",
    }
    codes = settings_from(environ, {})["codes"]
    assert codes.no_such_order == {"4004", "4005"}
    assert codes.duplicate == {"0100024", "7"}
    assert codes.system == {"5000", "00032"}
    assert "codes" not in settings_from({k: v for k, v in environ.items() if "CODES" not in k}, {})


HERE = {"base_url": "http://127.0.0.1:9", "merchant_no": MERCHANT_NO, "signer": SIGNER}


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9/x"])
def test_an_address_of_this_machine_over_a_ledger_that_lasts_wants_a_name(base_url: str, tmp_path: Path):
    """A sandbox and a tunnel to production have the same host there; the line that is shown is the caller's."""
    for ledger in (f"sqlite:///{tmp_path / 'payouts.db'}", SqlLedger(f"sqlite:///{tmp_path / 'payouts.db'}")):
        with pytest.warns(PayProWarning, match=r"share this ledger as 'local'.*environment='sandbox'") as caught:
            PayProClient(**HERE | {"base_url": base_url, "ledger": ledger})
        assert [one.filename for one in caught] == [__file__]


@pytest.mark.parametrize("ledger", ["memory", None, MemoryLedger()])
def test_a_ledger_that_ends_with_the_process_needs_no_name(ledger: Any):
    """Nor does a client without one; and what has a name or a host of its own raises no warning."""
    PayProClient(**HERE, ledger=ledger)
    PayProClient(**HERE, ledger="./payouts.db", environment="sandbox")
    PayProClient(**HERE | {"base_url": "https://paypro.example/in"}, ledger="./payouts.db")


async def test_a_ledger_that_was_begun_as_local_goes_on_by_that_name(tmp_path: Path):
    """The error of another name says how, and the name that is typed raises no warning."""
    async with Sandbox() as sandbox:
        here = HERE | {"base_url": sandbox.base_url, "ledger": f"sqlite:///{tmp_path / 'payouts.db'}"}
        with pytest.warns(PayProWarning, match="without a name"):
            client = PayProClient(**here)
        async with client:
            await client.payout(**fields("T1"))
        with pytest.raises(ConfigurationError, match=r"on 'local'.*'sandbox'.*give environment='local'"):
            await PayProClient(**here, environment=sandbox.environment).open()
        async with PayProClient(**here, environment="local") as client:
            assert (await client.payout(**fields("T1"))).status is PayoutStatus.PROCESSING
        assert len(sandbox.books.bookings) == 1


def test_a_misspelt_variable_warns_whoever_makes_the_client(environment):
    """It would mean nothing without a word: a ledger that is not used, a window that is not kept."""
    environment.delenv("PAYPRO_LEDGER")
    environment.setenv("PAYPRO_LEGDER", "payouts.db")
    with pytest.warns(PayProWarning, match="PAYPRO_LEGDER is set and means nothing: is it PAYPRO_LEDGER") as told:
        PayProClient.from_env()
    assert told[0].filename == __file__
