"""Callbacks: what is believed, how what the documentation leaves open is read, and that nothing else gets through."""

import contextlib
import json
import traceback
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paypro_async import (
    CallbackError,
    CallbackPayloadError,
    CallbackReading,
    CallbackSignatureError,
    Codes,
    ConfigurationError,
    HmacSha256Signer,
    Md5Signer,
    PayoutCallback,
    PayoutStatus,
    signing_string,
    verify_callback,
)
from paypro_async._core.callback_body import LONGEST_CALLBACK, CallbackTooLongError, java_text
from tests.support import callbacks
from tests.support.callbacks import MEMBERS, callback, signed

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "callbacks.json").read_text("utf-8"))["callbacks"]
CASES = [pytest.param(case, id=case["about"]) for case in VECTORS]
SIGNER = Md5Signer("s3cr3t")
JAVA = CallbackReading(numbers="java")
WRITTEN = CallbackReading(numbers="as_written")
FORMS = CallbackReading(forms="accepted")


def read(body: Any, reading: CallbackReading | None = None, signer: Any = SIGNER) -> PayoutCallback:
    return verify_callback(body, signer, reading=reading, ambiguous="mark")


def refusal(body: Any, reading: CallbackReading | None = None) -> CallbackError:
    with pytest.raises(CallbackError) as caught:
        read(body, reading)
    return caught.value


@pytest.mark.parametrize("case", CASES)
def test_the_frozen_callbacks_are_read_as_they_say(case: dict[str, Any]):
    """Their signatures were made by another program from the documentation."""
    read_as = read(case["body"].encode(), CallbackReading(**case["reading"]), Md5Signer(case["secret"]))
    expected = {"trade_no": "T-1", **case["expected"]}
    assert {
        name: str(value) if (value := getattr(read_as, name)) is not None else None for name in expected
    } == expected
    assert signing_string(read_as.members) == case["string"]
    assert read_as.ambiguous is case.get("ambiguous", False)


@pytest.mark.parametrize("case", [case for case in VECTORS if case["reading"]], ids=lambda case: case["about"])
def test_what_is_left_open_is_read_only_if_it_is_asked_for_and_the_error_says_how(case: dict[str, Any]):
    """A null is the exception: nothing was signed for it, as a rule, so only the signature can tell."""
    error = refusal(case["body"].encode())
    name, value = next(iter(case["reading"].items()))
    assert f"{name}={value!r}" in str(error) if name != "nulls" else isinstance(error, CallbackSignatureError)


@pytest.mark.parametrize("as_what", [bytes, bytearray, memoryview, bytes.decode])
def test_a_body_may_be_any_bytes_or_text(as_what: Callable[[bytes], Any]):
    """Frameworks give it in one way or another."""
    assert read(as_what(callback())).trade_no == "T1"
    assert isinstance(refusal(as_what(b"\xc3\xa9" * (LONGEST_CALLBACK // 2) + b" ")), CallbackTooLongError)


def test_a_body_that_a_framework_has_read_is_the_programs_mistake():
    with pytest.raises(TypeError, match=r"given as a mapping, such as a dict\. Give the raw body .* request\.body\(\)"):
        read({"status": "0000"})
    with pytest.raises(TypeError, match=r"given as list\."):
        read([])


@pytest.mark.parametrize(
    "options", [{"codes": {"7001"}}, {"codes": {}}, {"reading": "java"}, {"reading": {}}, {"ambiguous": "accept"}]
)
def test_an_option_that_is_none_is_refused_and_not_passed_over(options: dict[str, Any]):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        verify_callback(callback(), SIGNER, **options)


def test_the_longest_body_is_read_and_a_byte_more_is_not():
    body = callback()
    assert read(body + b" " * (LONGEST_CALLBACK - len(body))).trade_no == "T1"
    assert isinstance(refusal(body + b" " * (LONGEST_CALLBACK - len(body) + 1)), CallbackTooLongError)


@pytest.mark.parametrize("position", ["suffix", "prefix"])
def test_each_of_several_signers_is_believed_during_a_rotation(position: Any):
    old, new = Md5Signer("old", secret_position=position), Md5Signer("new", secret_position=position)
    for one in (old, new, hmac := HmacSha256Signer("third")):
        assert read(callback(signer=one), signer=[old, new, hmac]).trade_no == "T1"
    with pytest.raises(CallbackSignatureError):
        read(callback(), signer=[old, new, hmac])


def test_every_signer_is_asked_although_the_first_one_made_it():
    """Or the time would tell which secret is the one in use."""
    asked: list[str] = []

    class Counting:
        def sign(self, fields: Any) -> str:
            asked.append("asked")
            return SIGNER.sign(fields)

    read(callback(), signer=[SIGNER, Counting(), Counting()])
    assert len(asked) == 2


@pytest.mark.parametrize("signer", [[], "s3cr3t", ["s3cr3t"], None, b"s3cr3t"])
def test_what_cannot_sign_is_a_configuration_error(signer: Any):
    with pytest.raises(ConfigurationError):
        read(callback(), signer=signer)


def test_a_signer_that_must_be_waited_for_says_where_it_can_be_used():
    class Vault:
        async def sign(self, fields: Any) -> str:
            return SIGNER.sign(fields)

    with pytest.raises(ConfigurationError, match=r"client\.receive_callback"):
        read(callback(), signer=Vault())


def test_a_signer_that_fails_is_no_callback_error():
    """Nothing is known of the callback then."""

    class Broken:
        def sign(self, fields: Any) -> str:
            raise OSError("the vault is sealed")

    with pytest.raises(OSError, match="sealed"):
        read(callback(), signer=Broken())


VALID = callback().decode()
BAD_BODIES = {
    "nothing": b"",
    "blanks": b"  \n",
    "no object": b"[]",
    "a text": b'"0000"',
    "a number": b"1",
    "null": b"null",
    "NaN": callback(raw={"amount": "NaN"}),
    "infinity": callback(raw={"amount": "Infinity"}),
    "minus infinity": callback(raw={"amount": "-Infinity"}),
    "a float": callback(raw={"amount": "300.5"}),
    "an integer": callback(raw={"amount": "300"}),
    "an endless number": callback(raw={"amount": "1e999999999"}),
    "five thousand digits": callback(raw={"amount": "9" * 5000}),
    "true": callback(raw={"x": "true"}),
    "false": callback(raw={"x": "false"}),
    "a list": callback(raw={"x": "[]"}),
    "an object": callback(raw={"x": "{}"}),
    "a deep one": callback(raw={"x": "[" * 20_000 + "]" * 20_000}),
    "a deep one that does not end": b'{"a":' * 10_000,
    "a name twice": VALID[:-1].encode() + b',"amount":"300"}',
    "the signature twice": VALID[:-1].encode() + b',"sign":"x"}',
    "a name twice by escapes": VALID[:-1].encode() + b',"\\u0061mount":"300"}',
    "what follows": VALID.encode() + b"{}",
    "cut off": VALID.encode()[:-1],
    "a mark": b"\xef\xbb\xbf" + VALID.encode(),
    "UTF-16": VALID.encode("utf-16"),
    "UTF-16 without a mark": VALID.encode("utf-16-le"),
    "UTF-32": VALID.encode("utf-32"),
    "no UTF-8": VALID.replace("SUCCESS", "SUCC\udcff").encode("utf-8", "surrogateescape"),
    "a surrogate in UTF-8": VALID.replace("SUCCESS", "\ud800").encode("utf-8", "surrogatepass"),
    "half a character": VALID.replace("SUCCESS", "\\ud800").encode(),
    "a zero": VALID.encode() + b"\x00",
    "a control character in a text": VALID.replace("SUCCESS", "A\x01").encode(),
    "a remark of JSON5": VALID.encode() + b"// ok",
    "quotes of another kind": VALID.replace('"', "'").encode(),
    "a form": b"status=0000&tradeNo=T1",
    "a page": b"<html>",
    "no signature": json.dumps(MEMBERS).encode(),
    "an empty signature": json.dumps(MEMBERS | {"sign": ""}).encode(),
    "a list of signatures": json.dumps(MEMBERS | {"sign": [SIGNER.sign(MEMBERS)]}).encode(),
    "a null signature": json.dumps(MEMBERS | {"sign": None}).encode(),
    "a signature that is a number": json.dumps(MEMBERS | {"sign": 1}).encode(),
    "a signature with half a character": json.dumps(MEMBERS | {"sign": "\ud800"}).encode(),
    "a signature in capitals": json.dumps(MEMBERS | {"sign": SIGNER.sign(MEMBERS).upper()}).encode(),
    "a signature beyond ASCII": json.dumps(MEMBERS | {"sign": "é" * 32}).encode(),
    "a name with an equals sign": callback(**{"a=b": "c"}),
    "a name without letters": callback(**{"": "c"}),
    "a name beyond the first plane": callback(**{"\U0001f600": "c"}),
    "an endless name": callback(**{"n" * 65: "c"}),
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
@pytest.mark.parametrize("as_text", [False, True])
def test_what_is_no_callback_is_an_error_that_quotes_nothing(body: bytes, as_text: bool):
    error = refusal(body.decode("utf-8", "surrogateescape") if as_text else body)
    assert error.__cause__ is None
    assert "Nothing was stored" in str(error)
    assert not [value for value in MEMBERS.values() if len(value) > 3 and value in str(error)]


@pytest.mark.parametrize(
    "body",
    [
        VALID.replace("SUCCESS", "someone else").encode(),
        VALID[:-1],
        BAD_BODIES["a name twice"],
        BAD_BODIES["a number"],
        callback(amount="", remark="invoice of Asha Rao"),
        callback(amount="x", remark="invoice of Asha Rao"),
        "status=0000&remark=Asha&remark=Rao&tradeNo=T1",
        "status=0000&remark=%zz&tradeNo=T1&message=Asha",
        bytearray(callback(raw={"x": "[]"}, remark="invoice of Asha Rao")),
    ],
)
def test_a_traceback_with_variables_shows_neither_the_body_nor_the_right_signature(body: Any):
    """Error trackers show the variables of each frame; the right signature would let a forger in."""
    for reading in (None, FORMS):
        error = refusal(body, reading)
        frames = traceback.TracebackException.from_exception(error, capture_locals=True, compact=True).stack
        shown = str([frame.locals for frame in frames if "paypro_async" in frame.filename])
        assert "Asha" not in shown
        assert "SUCCESS" not in shown
        assert "1724740395968" not in shown
        right = SIGNER.sign(MEMBERS | {"message": "someone else"})
        assert right not in shown


@pytest.mark.parametrize("as_null", [None, ""])
@pytest.mark.parametrize("name", ["status", "tradeNo", "amount", "timestamp"])
def test_a_rightly_signed_callback_that_lacks_what_decides_is_refused(name: str, as_null: str | None):
    missing = {one: value for one, value in MEMBERS.items() if one != name}
    for members in (missing, missing | {name: as_null}):
        error = refusal(signed(members))
        assert isinstance(error, CallbackPayloadError)
        assert name in str(error)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", " 0000"),
        ("status", "0000\n"),
        ("status", "\u0660\u0660\u0660\u0660"),
        ("status", "0000=1"),
        ("tradeNo", "T1 "),
        ("tradeNo", "T1=2"),
        ("tradeNo", "Té"),
        ("tradeNo", "T\x00"),
        ("tradeNo", "T" * 129),
        ("amount", "-300"),
        ("amount", "+300"),
        ("amount", "3e2"),
        ("amount", "300,00"),
        ("amount", "\u0663\u0660\u0660"),
        ("amount", "300."),
        ("amount", ".5"),
        ("amount", "0x12C"),
        ("amount", "NaN"),
        ("amount", "9" * 21),
        ("orderAmount", "abc"),
        ("payAmount", "1 000"),
        ("timestamp", "2024-08-27"),
        ("timestamp", "-1"),
        ("timestamp", "1724740395968.0"),
        ("platFormTradeNo", "P=1"),
        ("serialNumber", "a b"),
        ("kiliTradeNo", "\u202eP"),
    ],
)
def test_a_rightly_signed_member_of_another_form_is_refused_by_its_name(name: str, value: str):
    error = refusal(callback(**{name: value}))
    assert isinstance(error, CallbackPayloadError)
    assert name in str(error)
    assert value not in str(error)


@pytest.mark.parametrize(
    ("status", "known"),
    [
        ("0000", PayoutStatus.SUCCEEDED),
        ("0015", PayoutStatus.PROCESSING),
        ("00029", PayoutStatus.FAILED),
        ("60019", PayoutStatus.FAILED),
        ("0001", PayoutStatus.UNKNOWN),
        ("77777", PayoutStatus.UNKNOWN),
        ("5000", PayoutStatus.UNKNOWN),
        ("hello", PayoutStatus.UNKNOWN),
    ],
)
def test_a_status_means_what_it_means_in_a_query(status: str, known: PayoutStatus):
    found = read(callback(status=status))
    assert (found.status, found.code) == (known, status)
    assert found.is_final == known.is_final


def test_codes_that_are_given_have_their_meaning():
    found = verify_callback(callback(status="77777"), SIGNER, codes=Codes(refused={"77777"}))
    assert found.status is PayoutStatus.FAILED


def test_an_amount_under_another_name_is_one():
    members = {name: value for name, value in MEMBERS.items() if name != "amount"}
    assert read(signed(members | {"payAmount": "12.50"})).amount == Decimal("12.50")
    both = read(signed(members | {"payAmount": "12.50", "orderAmount": "20.00"}))
    assert (both.amount, both.status) == (Decimal("12.50"), PayoutStatus.UNKNOWN)
    assert read(signed(members | {"orderAmount": "20.00"})).amount == Decimal("20.00")
    assert read(signed(members | {"orderAmount": "20.00", "amount": "12.50"})).amount == Decimal("12.50")
    assert read(signed(MEMBERS | {"payAmount": "0", "orderAmount": "20.00"})).amount == 0


@pytest.mark.parametrize("name", ["platFormTradeNo", "kiliTradeNo", "serialNumber"])
def test_the_platforms_number_comes_under_three_names(name: str):
    members = {one: value for one, value in MEMBERS.items() if one != "platFormTradeNo"}
    assert read(signed(members)).platform_trade_no is None
    assert read(signed(members | {name: "N-7"})).platform_trade_no == "N-7"


def test_words_and_references_are_made_fit_for_people():
    found = read(callback(message="paid\x1b[2J to 10094038292", utr="\u202e1"))
    assert found.message == r"paid\x1b[2J to ••••92"
    assert found.utr == r"\u202e1"
    assert found.members["message"].endswith("10094038292")
    assert "10094038292" not in repr(found) + str(found.to_dict())


@pytest.mark.parametrize(
    ("number", "text"),
    [
        # By the rules and the examples in the documentation of Java's Double.toString and Long.toString.
        ("300", "300"),
        ("-0", "0"),
        ("1724740395968", "1724740395968"),
        ("300.00", "300.0"),
        ("0.5", "0.5"),
        ("-0.0", "-0.0"),
        ("0.0", "0.0"),
        ("100.25", "100.25"),
        ("0.001", "0.001"),
        ("0.0009", "9.0E-4"),
        ("0.000123", "1.23E-4"),
        ("9999999.0", "9999999.0"),
        ("9999999.5", "9999999.5"),
        ("10000000.0", "1.0E7"),
        ("12345678.9", "1.23456789E7"),
        ("1e5", "100000.0"),
        ("1E7", "1.0E7"),
        ("1e-3", "0.001"),
        ("123e-2", "1.23"),
        ("1e308", "1.0E308"),
        ("5e-324", "4.9E-324"),
        ("0.1", "0.1"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("1234567.0", "1234567.0"),
        ("2e2", "200.0"),
    ],
)
def test_a_number_becomes_the_text_that_java_writes(number: str, text: str):
    assert java_text(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_java_writes_is_the_same_double(value: float):
    assert float(java_text(json.dumps(value))) == value


@pytest.mark.parametrize("reading", [JAVA, WRITTEN])
@pytest.mark.parametrize("number", ["1e400", "-1e400", "-5", "-0.0", "1e999999999", "9" * 500])
def test_a_number_that_is_no_amount_is_none_in_any_reading(reading: CallbackReading, number: str):
    text = java_text(number) if reading is JAVA and "e" not in number else number
    assert isinstance(
        refusal(signed(MEMBERS | {"amount": text}, raw={"amount": number}), reading), CallbackPayloadError
    )


def test_the_amount_is_the_one_that_was_signed_and_not_the_one_that_is_written():
    """Other digits are read as the same double: they are not signed."""
    for written in ("300.0", "300.00000000000000001"):
        body = signed(MEMBERS | {"amount": "300.0"}, raw={"amount": written})
        assert str(read(body, JAVA).amount) == "300.0"


@pytest.mark.parametrize("broken", ["%", "%4", "%zz", "%ff", "\u00e9", "a b"])
def test_a_form_that_is_broken_is_refused(broken: str):
    assert isinstance(refusal(f"status=0000&x={broken}".encode(), FORMS), CallbackPayloadError)


def test_a_form_says_nothing_twice_and_json_is_read_beside_it():
    assert isinstance(refusal(b"status=0000&status=0000&sign=x", FORMS), CallbackPayloadError)
    assert isinstance(refusal(b"&".join(b"a%d=1" % number for number in range(101)), FORMS), CallbackPayloadError)
    assert read(callback(), FORMS).trade_no == "T1"


@pytest.mark.parametrize("wrong", [{"numbers": "any"}, {"nulls": True}, {"forms": None}])
def test_a_reading_that_does_not_exist_is_a_configuration_error(wrong: dict[str, Any]):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        CallbackReading(**wrong)


# --- cut anew ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("genuine", "cut"),
    [
        # The payee's remark is given back, and holds the end of another callback.
        pytest.param(
            {"status": "00029", "remark": "xstatus=0000successTime"},
            {"remark": "x", "status": "0000", "successTimestatus": "00029"},
            id="a failure becomes a success, its status hidden in a name",
        ),
        pytest.param(
            {"status": "0000", "remark": "xstatus=00029successTime"},
            {"remark": "x", "status": "00029", "successTimestatus": "0000"},
            id="a success becomes a failure",
        ),
        pytest.param(
            {"tradeNo": "T1", "wayCode": "a"},
            {"tradeNo": "T1wayCode=a", "wayCode": None},
            id="a member is hidden in the number",
        ),
        pytest.param(
            {"message": "m", "remark": "r"},
            {"message": "mplatFormTradeNo=P-1remark=r", "platFormTradeNo": None, "remark": None},
            id="the platform's number is hidden in the words",
        ),
        pytest.param(
            {"tradeNo": "T1x", "yours": "1"},
            {"tradeNo": "T1", "xyours": "1", "yours": None},
            id="a number loses its end",
        ),
        pytest.param(
            {"tradeNo": "T1", "utr": "1"}, {"tradeNo": "T1u", "tr": "1", "utr": None}, id="a number wins a letter"
        ),
        pytest.param(
            {"amount": "300"}, {"amount": "3", "00message": "SUCCESS", "message": None}, id="an amount loses its end"
        ),
        pytest.param(
            {"amount": "300"}, {"amount": "300m", "essage": "SUCCESS", "message": None}, id="an amount wins a letter"
        ),
    ],
)
def test_a_callback_that_is_cut_anew_is_not_believed(genuine: dict[str, str], cut: dict[str, str | None]):
    """The signature of both is the same wherever the text is: it must show otherwise."""
    before = MEMBERS | genuine
    after = {name: value for name, value in (before | cut).items() if value is not None}
    body = json.dumps(after | {"sign": SIGNER.sign(before)}).encode()
    with contextlib.suppress(CallbackError):
        assert read(body).ambiguous
    with pytest.raises(CallbackError):
        verify_callback(body, SIGNER)


@pytest.mark.parametrize(
    "more",
    [
        {"currency": "INR"},
        {"successMark": "1"},
        {"fee": "1.5", "merchantNo": "0000000001", "attach": "", "type": "payout", "version": "1.0"},
        {"bankName": "HDFC", "outTradeNo": "T1"},
        {"remark": "a remark with blanks", "utr": "4123", "channelCode": "IMPS", "wayCode": "x"},
    ],
)
def test_members_that_no_page_knows_make_no_callback_ambiguous(more: dict[str, str]):
    assert not read(callback(**more)).ambiguous


@pytest.mark.parametrize(
    "more",
    [
        {"remark": "a=b"},
        {"message": "="},
        {"x": "y=z"},
        {"xstatus": "1"},
        {"No": "1"},
        {"orderAmount": "300"},
        {"remark": "x", "serialNumber": "1"},
    ],
)
def test_what_could_have_been_cut_is_ambiguous(more: dict[str, str]):
    assert read(callback(**more)).ambiguous


TEXTS = st.text(alphabet=st.sampled_from("astTrmok019=N. "), max_size=8)
NAMES = st.sampled_from([*MEMBERS, "remark", "utr", "successTime", "currency", "zed", "fee", "orderAmount"])
DECISIVE = ("status", "tradeNo", "amount", "timestamp", "platFormTradeNo")


@given(genuine=st.dictionaries(NAMES, TEXTS.filter(bool), max_size=4), data=st.data())
def test_no_other_cut_of_a_genuine_text_is_believed_to_say_something_else(genuine: dict[str, str], data: st.DataObject):
    """Cut at random places: what is not ambiguous decides the same as the genuine one did."""
    before = MEMBERS | genuine
    after = callbacks.cut_anew(signing_string(before), lambda options: data.draw(st.sampled_from(options)))
    if after is None:
        return
    try:
        found = read(json.dumps(after | {"sign": SIGNER.sign(before)}).encode())
    except CallbackError:
        return
    assert found.ambiguous or [after.get(name) for name in DECISIVE] == [before.get(name) for name in DECISIVE]


# --- no mutation that changes what is said is accepted ----------------------------------------------------------------


@given(position=st.integers(0, len(VALID) - 1), byte=st.integers(0, 255), insert=st.booleans())
def test_one_byte_more_or_another_one_never_changes_what_is_said(position: int, byte: int, insert: bool):
    raw = VALID.encode()
    changed = raw[:position] + bytes([byte]) + raw[position + (not insert) :]
    try:
        found = read(changed)
    except CallbackError:
        return
    assert found.members == MEMBERS


@given(
    st.dictionaries(
        st.text(max_size=6) | NAMES, st.none() | st.booleans() | st.integers() | TEXTS | st.text(), max_size=4
    )
)
def test_no_other_members_fit_the_signature(changes: dict[str, Any]):
    members = MEMBERS | changes
    body = json.dumps({**members, "sign": SIGNER.sign(MEMBERS)}).encode()
    try:
        found = read(body)
    except CallbackError:
        return
    assert found.members == MEMBERS


@given(st.permutations(list(MEMBERS)), st.sampled_from(["", " ", "\n\t"]), st.booleans())
def test_the_order_and_the_blanks_of_the_json_say_nothing(order: list[str], blank: str, ascii_only: bool):
    members = {name: MEMBERS[name] for name in order}
    body = json.dumps(
        {"sign": SIGNER.sign(MEMBERS), **members}, ensure_ascii=ascii_only, separators=(f",{blank}", f"{blank}:{blank}")
    )
    assert read(body) == read(callback())


@given(st.binary(max_size=200) | st.text(max_size=200))
@example(b'{"sign":"x","a":"\\u0000"}')
def test_whatever_comes_is_refused_with_an_error_of_its_own(body: bytes | str):
    for reading in (None, FORMS, JAVA, CallbackReading(nulls="text", numbers="as_written", forms="accepted")):
        refusal(body, reading)
