import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paypro_async._core.intent import prepare
from paypro_async._core.regions.india import Payout
from paypro_async._core.signing import HmacSha256Signer, Md5Signer, Signer, signing_string, verify
from paypro_async._core.wire import request_body
from paypro_async.errors import ConfigurationError
from tests.support.samples import INDIA, VECTORS

CASES = [pytest.param(case, id=case["about"]) for case in VECTORS["signatures"]]
FROZEN: dict[str, Any] = VECTORS["india_payout"]

NAMES = st.text(alphabet="abAB_09", min_size=1, max_size=4).filter(lambda name: name != "sign")
VALUES = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1)
FIELDS = st.dictionaries(NAMES, VALUES, max_size=6)


def signatures(fields: Mapping[str, object], secret: str | bytes) -> dict[str, str]:
    return {
        "md5_suffix": Md5Signer(secret).sign(fields),
        "md5_prefix": Md5Signer(secret, secret_position="prefix").sign(fields),
        "hmac_sha256": HmacSha256Signer(secret).sign(fields),
    }


def frozen(case: Mapping[str, Any]) -> dict[str, str]:
    return {kind: case[kind] for kind in ("md5_suffix", "md5_prefix", "hmac_sha256")}


def frozen_fields() -> dict[str, str]:
    payout = Payout(**FROZEN["payout"])
    intent = prepare(
        INDIA, payout, merchant_no=FROZEN["merchant_no"], trade_no=FROZEN["payout"]["trade_no"], defaults={}
    )
    return {**intent.content, "timestamp": str(FROZEN["timestamp_ms"])}


def flipped(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


@pytest.mark.parametrize("case", CASES)
def test_the_string_and_the_signatures_are_the_frozen_ones(case: dict[str, Any]):
    """They were made by other programs from the documentation."""
    assert signing_string(case["fields"]) == case["string"]
    if case["secret"].isascii():
        assert signatures(case["fields"], case["secret"]) == frozen(case)
    assert signatures(case["fields"], case["secret"].encode()) == frozen(case)


@pytest.mark.parametrize("case", CASES)
def test_one_changed_byte_of_the_string_breaks_every_signature(case: dict[str, Any]):
    """At any place, so the frozen string holds all that is signed and nothing else."""
    raw, secret = case["string"].encode(), case["secret"].encode()
    assert hashlib.md5(raw + secret, usedforsecurity=False).hexdigest() == case["md5_suffix"]
    for changed in (flipped(raw, at) for at in range(len(raw))):
        assert hashlib.md5(changed + secret, usedforsecurity=False).hexdigest() != case["md5_suffix"]
        assert hashlib.md5(secret + changed, usedforsecurity=False).hexdigest() != case["md5_prefix"]


@pytest.mark.parametrize("case", CASES)
def test_one_changed_character_of_any_field_breaks_every_signature(case: dict[str, Any]):
    """In its value or in its name, however long the rest is."""
    signed = {name: value for name, value in case["fields"].items() if value and name != "sign"}
    for name, value in signed.items():
        others = {key: kept for key, kept in signed.items() if key != name}
        for at in range(len(value)):
            changed = value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]
            assert not still_holding(case, others | {name: changed}, case["secret"].encode())
        for at in range(len(name)):
            renamed = name[:at] + chr(ord(name[at]) ^ 1) + name[at + 1 :]
            assert not still_holding(case, others | {renamed: value}, case["secret"].encode())
        assert not still_holding(case, others, case["secret"].encode())


@pytest.mark.parametrize("case", CASES)
def test_one_changed_byte_of_the_secret_breaks_every_signature(case: dict[str, Any]):
    """At any place of it."""
    secret = case["secret"].encode()
    for at in range(len(secret)):
        assert not still_holding(case, case["fields"], flipped(secret, at))
    assert not still_holding(case, case["fields"], secret + b"0")


def still_holding(case: Mapping[str, Any], fields: Mapping[str, object], secret: str | bytes) -> list[str]:
    """The kinds of signature that still hold."""
    made = signatures(fields, secret)
    return [kind for kind, value in frozen(case).items() if made[kind] == value]


def test_the_bytes_of_a_payout_request_are_the_frozen_ones():
    """The whole body of one payout to India, given its moment."""
    fields = frozen_fields()
    assert signing_string(fields) == FROZEN["string"]
    assert request_body(fields, Md5Signer(FROZEN["secret"]).sign(fields)) == FROZEN["body"].encode()


def test_one_changed_byte_anywhere_in_the_body_is_noticed():
    """Whoever verifies what arrives refuses it: no byte of the request is outside the signature."""
    raw = FROZEN["body"].encode()
    signer = Md5Signer(FROZEN["secret"])

    def verifies(body: bytes) -> bool:
        try:
            fields = json.loads(body)
        except ValueError:
            return False
        return isinstance(fields, dict) and verify(str(fields.get("sign")), fields, [signer])

    assert verifies(raw)
    for at in range(len(raw)):
        assert not verifies(flipped(raw, at)), raw[at : at + 20]


@given(FIELDS, st.randoms(use_true_random=False))
def test_the_order_of_the_fields_does_not_matter(fields: dict[str, str], dice: Any):
    """They are sorted by their whole names."""
    shuffled = list(fields.items())
    dice.shuffle(shuffled)
    assert signing_string(dict(shuffled)) == signing_string(fields)
    assert signing_string(fields) == "".join(f"{name}={fields[name]}" for name in sorted(fields))


@given(FIELDS, st.dictionaries(NAMES, st.sampled_from(["", None])))
def test_empty_and_absent_fields_and_the_signature_itself_change_nothing(fields: dict[str, str], empty: dict[str, Any]):
    """They are left out, wherever they would stand."""
    assert signing_string({**empty, **fields, "sign": "x"}) == signing_string(fields)


@given(FIELDS.filter(bool), st.data())
def test_two_values_of_one_field_never_make_the_same_string(fields: dict[str, str], data: st.DataObject):
    """So a signature over the one says nothing about the other."""
    name = data.draw(st.sampled_from(sorted(fields)))
    other = data.draw((VALUES | st.just("")).filter(lambda value: value != fields[name]))
    assert signing_string(fields | {name: other}) != signing_string(fields)


@given(FIELDS)
def test_values_without_the_equals_sign_can_be_read_back(fields: dict[str, str]):
    """Names in capitals and values in small letters make it one-to-one: nothing is cut, doubled or encoded."""
    plain = {name.upper(): "".join(c for c in value if c.islower()) or "x" for name, value in fields.items()}
    rest = signing_string(plain)
    for name in sorted(plain):
        assert rest.startswith(f"{name}={plain[name]}")
        rest = rest.removeprefix(f"{name}={plain[name]}")
    assert rest == ""


@given(
    FIELDS,
    # Without what a quote, or a variable that nothing has filled in, begins with.
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="'\"`\\$%{<"), min_size=1),
)
@example({}, "$ecr3t")
@example({}, "$old")
@example({}, "%25%7E")
@example({}, "a$PAYPRO_SECRET")
def test_a_signature_is_lower_case_hexadecimal_and_verifies(fields: dict[str, str], secret: str):
    """With its own secret, alone or during a rotation."""
    for signer, length in ((Md5Signer(secret), 32), (HmacSha256Signer(secret), 64)):
        signature = signer.sign(fields)
        assert len(signature) == length
        assert set(signature) <= set("0123456789abcdef")
        assert verify(signature, fields, [signer])
        assert verify(signature, fields, [Md5Signer(secret + "old"), signer])
        assert not verify(signature, fields, [Md5Signer(secret + "old")])
        assert not verify(signature, fields, [])


@pytest.mark.parametrize("received", ["", "ä", "\ud800", "1E470C5859A927642D025E04F4AE228B", "1e47", "0" * 32])
def test_what_is_no_signature_does_not_verify(received: str):
    """Upper case, a part of one, or text that has no UTF-8."""
    assert verify("1e470c5859a927642d025e04f4ae228b", {"amount": "300"}, [Md5Signer("s3cr3t")])
    assert not verify(received, {"amount": "300"}, [Md5Signer("s3cr3t")])


@pytest.mark.parametrize("kind", [Md5Signer, HmacSha256Signer])
def test_the_secret_is_shown_nowhere(kind: type[Md5Signer | HmacSha256Signer]):
    """Neither `repr` nor `str` of a signer holds it."""
    signer = kind("s3cr3t")
    assert "s3cr3t" not in f"{signer!r}{signer}"


@pytest.mark.parametrize("kind", [Md5Signer, HmacSha256Signer])
@pytest.mark.parametrize("secret", ["", b"", None, 5, ["s3cr3t"], "s3cr3t\udcff"])
def test_a_secret_that_cannot_be_one_is_a_configuration_error(kind: Any, secret: Any):
    """Also one with bytes that are no UTF-8, as the environment may hold it; the error does not quote it."""
    with pytest.raises(ConfigurationError, match="secret") as caught:
        kind(secret)
    assert "s3cr3t" not in f"{caught.value}{caught.value.args}"


@pytest.mark.parametrize("kind", [Md5Signer, HmacSha256Signer])
@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("s3cr3t\n", "begins or ends with a line break"),
        ("s3cr3t\r\n", "begins or ends with a line break"),
        (" s3cr3t", "begins or ends with a line break, a blank"),
        ("s3cr3t\t", "cannot be seen"),
        ("\xa0s3cr3t", "cannot be seen"),
        ("s3cr3t\u200b", "cannot be seen"),
        ("s3cr3t\\n", "begins or ends with a line break"),
        (b"s3cr3t\n", "begins or ends with a line break"),
        ("\ufeffs3cr3t", "byte order mark"),
        (b"\xef\xbb\xbfs3cr3t", "byte order mark"),
        ('"s3cr3t"', "in quotes"),
        (b"'s3cr3t'", "in quotes"),
        ("${PAYPRO_SECRET}", "is the name of a variable"),
        ("$SECRET", "is the name of a variable"),
        ("%SECRET%", "is the name of a variable"),
        ("{{ paypro.secret }}", "is the name of a variable"),
        ("s3cr3t # production", "goes on with a blank and a '#'"),
        ("\u201cs3cr3t\u201d", "in quotes"),
        ("PAYPRO_SECRET=s3cr3t", "name of its variable"),
        ("s3cr3t\ns3cr3t", "beyond ASCII"),
        ("s3cr3t\ts3cr3t", "a tab"),
        ("\u04553cr3t", "beyond ASCII"),
        ("\uff533cr3t", "beyond ASCII"),
    ],
)
def test_what_was_copied_along_with_a_secret_is_said_at_once(kind: Any, secret: str | bytes, said: str):
    """What came along is named, the secret is not, and it stands in no part of the error."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        kind(secret)
    assert "3cr3t" not in f"{caught.value}{caught.value.args}{caught.value.__context__!r}"


@pytest.mark.parametrize("secret", [b"\x00\xff\n", "clé".encode(), "two words"])
def test_what_may_be_a_secret_is_taken_as_it_is(secret: str | bytes):
    """A key that is no text, letters beyond ASCII as bytes, and a blank between words."""
    assert len(HmacSha256Signer(secret).sign({"amount": "300"})) == 64


def test_a_position_that_is_neither_is_a_configuration_error():
    """A typing error must not silently sign in the other way."""
    with pytest.raises(ConfigurationError, match="neither 'suffix' nor 'prefix'"):
        Md5Signer("s3cr3t", secret_position="sufix")  # type: ignore[arg-type]


def test_own_signers_need_one_method():
    """A vault or an HSM signs with a class of its own."""

    class Vault:
        async def sign(self, fields: Mapping[str, str]) -> str:
            return signing_string(fields)

    assert isinstance(Vault(), Signer)
    assert isinstance(Md5Signer("s3cr3t"), Signer)
    assert not isinstance(object(), Signer)
