"""What must be seen nowhere is seen nowhere."""

import copy
import pickle
import traceback

import pytest
from attrs import asdict
from rich.pretty import pretty_repr

from paypro_async import ConfigurationError, HmacSha256Signer, Md5Signer, PayProClient
from paypro_async._core.secret import HiddenFields, HiddenText, Secret
from paypro_async.settings import settings_from
from paypro_async.transport import TransportSettings
from tests.support.merchant import MERCHANT_NO

SECRET = "hunter2-4711"
PROXY = f"http://user:{SECRET}@proxy.example:3128"
LEDGER = f"postgresql://user:{SECRET}@db.example/payouts"
BROKEN = [f"{SECRET}\n", f"\ufeff{SECRET}", f"'{SECRET}'", f"{SECRET}\ud800", f"{SECRET}\n".encode(), f"{SECRET}é"]


def rendered(error: BaseException) -> str:
    """A traceback of the error and of all that it came from, with the variables of each frame but this test's own."""
    texts: list[str] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None:
            continue
        texts.append(f"{one!r} {one} {vars(one)}")
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if frame.f_code.co_filename != __file__:
                texts += [f"{name}={value!r} {pretty_repr(value)}" for name, value in frame.f_locals.items()]
        waiting += [one.__cause__, one.__context__]
    return "\n".join(texts)


@pytest.mark.parametrize("holder", [Md5Signer(SECRET), HmacSha256Signer(SECRET), TransportSettings(proxy=PROXY)])
def test_holders_show_nothing(holder):
    """Neither printed, nor as a dictionary, nor by the values of its attributes."""
    shown = f"{holder!r} {holder} {asdict(holder)} {pretty_repr(holder)} {copy.deepcopy(holder)!r}"
    assert SECRET not in shown
    assert isinstance(holder, TransportSettings) or copy.copy(holder) == copy.deepcopy(holder) == holder
    with pytest.raises(TypeError, match="Make the object that holds it anew"):
        pickle.dumps(holder)


def test_a_secret_is_itself_alone():
    """Equal secrets are equal, others are not, and a hash tells nothing."""
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert hash(Secret("a")) == hash(Secret("b"))
    assert (Secret("a").reveal(), Secret(b"a").reveal()) == ("a", b"a")


def test_what_passes_through_looks_like_nothing():
    """It is what it was for every other purpose."""
    assert (repr(HiddenText("abc")), str(HiddenText("abc"))) == ("<3 characters>", "abc")
    fields = HiddenFields(name="Asha")
    assert fields == {"name": "Asha"}
    assert "Asha" not in f"{fields!r} {fields} {pretty_repr([fields])}"


@pytest.mark.parametrize("signer", [Md5Signer, HmacSha256Signer])
@pytest.mark.parametrize("secret", BROKEN)
def test_broken_secret_is_in_no_traceback(signer, secret):
    """Neither the error, nor what came before it, nor a variable of any frame holds it."""
    with pytest.raises(ConfigurationError, match="The secret") as raised:
        signer(secret)
    assert SECRET not in rendered(raised.value)


@pytest.mark.parametrize(
    "environment",
    [
        {"PAYPRO_SECRET": BROKEN[0]},
        {"PAYPRO_SECRET": SECRET, "PAYPRO_TIMEOUT": "soon"},
        {"PAYPRO_SECRET": SECRET, "PAYPRO_SECRET_FILE": "x"},
        {"PAYPRO_SECRET": SECRET, "PAYPRO_SECRET_POSITION": "middle"},
    ],
)
def test_environment_is_in_no_traceback(environment):
    """The variables hold the secret and URLs with passwords; an error about one of them shows none."""
    environment |= {
        "PAYPRO_BASE_URL": "https://x.example",
        "PAYPRO_MERCHANT_NO": MERCHANT_NO,
        "PAYPRO_PROXY": PROXY,
        "PAYPRO_LEDGER": LEDGER,
    }
    with pytest.raises(ConfigurationError) as raised:
        settings_from(environment, {"ledger": LEDGER, "proxy": PROXY})
    assert SECRET not in rendered(raised.value)


def test_secret_file_that_is_no_text_is_in_no_traceback(tmp_path):
    """The error about the bytes would hold them."""
    (tmp_path / "secret").write_bytes(SECRET.encode() + b"\xff")
    with pytest.raises(ConfigurationError, match="not UTF-8") as raised:
        settings_from({"PAYPRO_SECRET_FILE": str(tmp_path / "secret")}, {})
    assert SECRET not in rendered(raised.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"ledger": LEDGER, "proxy": PROXY, "timeout": -1},
        {"ledger": LEDGER.replace("@db", "@x@db")},
        {"ledger": LEDGER.replace("db.example", "db.example:port")},
        {"ledger": LEDGER.replace("://", "//")},
        {"ledger": LEDGER.replace("postgresql", "mysql")},
        {"ledger": f"{LEDGER}?options=nonsense"},
    ],
)
def test_settings_of_a_client_are_in_no_traceback(settings):
    """The URLs of a ledger and of a proxy hold passwords; an error about another setting, or about them, shows none."""
    with pytest.raises(ConfigurationError) as raised:
        PayProClient(base_url="https://x.example", merchant_no=MERCHANT_NO, signer=Md5Signer("x"), **settings)
    assert SECRET not in rendered(raised.value)
    assert SECRET.partition("-")[2] not in str(raised.value)
