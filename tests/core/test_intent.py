import string
import traceback
import warnings
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve, fields_dict
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from paypro_async._core.errors import Problem
from paypro_async._core.intent import Intent, fields_of, prepare
from paypro_async._core.regions.india import Payout
from paypro_async.errors import InvalidPayoutError
from tests.support.samples import FIELDS, INDIA, TRADE_NO, VECTORS, intent, payout

TEXT_FIELDS = [one.name for one in INDIA.fields]
WEIRD: list[Any] = [
    7,
    8234567890,
    1.5,
    float("nan"),
    True,
    b"8234567890",
    ["a"],
    {"a": 1},
    Decimal(1),
    3j,
    0,
    False,
]
SECRETS = {
    "name": "Zyxw\nVutsrq",
    "mobile": "918765012345",
    "email": "zyxwvu@tsrq",
    "bank_number": "9876 5432 1012",
    "bank_code": "ZYXW1098765",
    "ip_address": "999.888.777.666",
    "notify_url": "zyxw://vutsrq.example",
    "remark": "zyx\twvutsrq",
    "amount": "98,765.43",
}


def problems_of(one: Payout, *, trade_no: Any = TRADE_NO, **defaults: str) -> dict[str, str]:
    with pytest.raises(InvalidPayoutError) as caught:
        prepare(INDIA, one, merchant_no="0000000001", trade_no=trade_no, defaults=defaults)
    assert len({problem.field for problem in caught.value.problems}) == len(caught.value.problems)
    return {problem.field: problem.code for problem in caught.value.problems}


def test_a_good_payout_becomes_an_intent():
    """Complete, frozen, and without a word to say."""
    assert intent() == Intent(
        merchant_no="0000000001",
        trade_no=TRADE_NO,
        region="india",
        amount=Decimal(300),
        currency="INR",
        content={
            "tradeNo": TRADE_NO,
            "amount": "300",
            "name": "Asha Rao",
            "mobile": "8234567890",
            "email": "asha@gmail.com",
            "bankNumber": "10094038292",
            "bankCode": "IDFB0043121",
            "ipAddress": "203.0.113.7",
            "notifyUrl": "https://merchant.example/paypro",
            "remark": "invoice 17",
        },
        fingerprint=intent().fingerprint,
        warnings=(),
    )


def test_an_intent_cannot_be_changed():
    """What was checked is what is sent."""
    with pytest.raises(FrozenInstanceError):
        intent().amount = Decimal(1)  # type: ignore[misc]


def test_every_wrong_field_is_reported_at_once():
    """With its name and a stable code."""
    assert problems_of(payout(**SECRETS), trade_no="T 1") == {
        "trade_no": "TRADE_NO_FORMAT",
        "amount": "AMOUNT_FORMAT",
        "name": "CONTROL_CHARACTER",
        "mobile": "MOBILE_COUNTRY_CODE",
        "email": "EMAIL_FORMAT",
        "bank_number": "ACCOUNT_FORMAT",
        "bank_code": "IFSC_FORMAT",
        "ip_address": "IP_FORMAT",
        "notify_url": "URL_FORMAT",
        "remark": "CONTROL_CHARACTER",
    }


@pytest.mark.parametrize("amount", ["1.500", "100.000", Decimal("1.500"), Decimal("100.000"), Decimal("1500E-3")])
def test_more_decimals_than_the_region_has_are_refused_also_where_they_are_zeros(amount: Decimal | str):
    """However the amount comes: a dot may have been meant as a thousands separator."""
    assert problems_of(payout(amount=amount)) == {"amount": "AMOUNT_DECIMALS"}


def test_every_missing_field_is_reported_at_once():
    """A payout without anything has all required fields in its error, and not the optional one."""
    missing = fields_of(INDIA, {})
    assert problems_of(missing) == dict.fromkeys({"amount", *TEXT_FIELDS} - {"remark"}, "REQUIRED")


@given(
    st.dictionaries(st.sampled_from([*TEXT_FIELDS, "amount"]), st.sampled_from(["\n", "\ud800", "\0", " ", *WEIRD[:2]]))
)
def test_each_wrong_field_is_reported_whichever_others_are_wrong(wrong: dict[str, Any]):
    """No problem hides another."""
    wrong = {name: value for name, value in wrong.items() if name != "amount" or isinstance(value, str)}
    if wrong:
        assert set(problems_of(payout(**wrong))) == set(wrong)
    else:
        assert intent(**wrong)


@pytest.mark.parametrize("name", TEXT_FIELDS)
@pytest.mark.parametrize("value", WEIRD, ids=repr)
def test_a_value_that_is_no_text_is_never_let_through(name: str, value: object):
    """Nothing is turned into text, dropped, or replaced by the client's own value; zero and False are no exception."""
    code = problems_of(payout(**{name: value}), ip_address="203.0.113.7", notify_url="https://m.example/")
    assert set(code) == {name}


@pytest.mark.parametrize("value", [None, "", 17, b"T1", ["T1"], "T1\n", "T\u0661", "T" * 65])
def test_a_trade_number_that_is_none_is_never_let_through(value: Any):
    """The client makes one before; here it must be there."""
    assert set(problems_of(payout(), trade_no=value)) == {"trade_no"}


@pytest.mark.parametrize("name", [name for name in TEXT_FIELDS if name not in ("name", "remark")])
@pytest.mark.parametrize("junk", ["\n", "\r", "\t", "\0", " ", "\u00a0", "\u2028", "\x85", "\ud800", "\u3000"])
def test_junk_at_any_place_of_a_field_is_never_let_through(name: str, junk: str):
    """A line break at the end of a cell, a non-breaking space from a web page, a broken character."""
    good = FIELDS[name]
    for at in range(len(good) + 1):
        assert set(problems_of(payout(**{name: good[:at] + junk + good[at:]}))) == {name}


@pytest.mark.parametrize("name", ["name", "remark"])
@pytest.mark.parametrize("junk", ["\n", "\r", "\t", "\0", "\x1b", "\u2028", "\x85", "\ud800"])
def test_junk_at_any_place_of_free_text_is_never_let_through(name: str, junk: str):
    """Free text has blanks, but no line breaks, no control characters and no broken ones."""
    for at in range(4):
        assert set(problems_of(payout(**{name: "abc"[:at] + junk + "abc"[at:]}))) == {name}


@given(st.text(alphabet=st.characters() | st.sampled_from(string.printable)))
def test_whatever_is_let_through_can_be_sent_as_it_is(text: str):
    """Arbitrary free text is refused or arrives unchanged; leading and trailing blanks too."""
    try:
        found = intent(name=text)
    except InvalidPayoutError:
        return
    assert found.content["name"] == text
    text.encode("utf-8")


def test_no_value_appears_in_an_error():
    """Neither in its text nor in its arguments, its problems or its traceback."""
    wrong, number = payout(**SECRETS), "T 1 zyxw"
    with pytest.raises(InvalidPayoutError) as caught:
        prepare(INDIA, wrong, merchant_no="1", trade_no=number, defaults={})
    error = caught.value
    said = f"{error}{error!r}{error.args}{error.problems}{''.join(traceback.format_exception(error))}"
    assert not [value for value in SECRETS.values() if value in said or repr(value)[1:-1] in said]
    assert "zyxw" not in said.lower()


@given(st.data())
def test_no_arbitrary_value_appears_in_an_error(data: st.DataObject):
    """Whatever stands in whichever field."""
    secret = "Q7" + data.draw(st.text(alphabet="0123456789abc\n\t /@:", min_size=6, max_size=12)) + "Q\n7"
    wrong = data.draw(st.lists(st.sampled_from(TEXT_FIELDS), min_size=1, unique=True))
    with pytest.raises(InvalidPayoutError) as caught:
        intent(**dict.fromkeys(wrong, secret))
    said = f"{caught.value}{caught.value.args}{caught.value.problems}"
    assert "Q7" not in said
    assert secret not in said


def test_the_error_knows_the_trade_number():
    """For whoever pays a file and wants the row; one that is no text is left out."""
    with pytest.raises(InvalidPayoutError) as caught:
        intent(mobile="1")
    assert caught.value.trade_no == TRADE_NO
    with pytest.raises(InvalidPayoutError) as caught:
        intent(trade_no=17)  # type: ignore[arg-type]
    assert caught.value.trade_no is None


@pytest.mark.parametrize("absent", [None, ""])
def test_what_most_payouts_share_comes_from_the_client(absent: str | None):
    """The payer's address and the callback URL; what a payout has itself goes first."""
    shared = {"ip_address": "198.51.100.1", "notify_url": "https://shared.example/", "remark": "not shared"}
    bare = payout(ip_address=absent, notify_url=absent, remark=absent)
    found = prepare(INDIA, bare, merchant_no="1", trade_no="T1", defaults=shared)
    assert (found.content["ipAddress"], found.content["notifyUrl"]) == ("198.51.100.1", "https://shared.example/")
    assert "remark" not in found.content
    own = prepare(INDIA, payout(), merchant_no="1", trade_no="T1", defaults=shared)
    assert own.content["ipAddress"] == "203.0.113.7"


def test_what_the_client_shares_is_checked_too():
    """And a value that neither has is missing in both places."""
    assert problems_of(payout(ip_address=None), ip_address="here") == {"ip_address": "IP_FORMAT"}
    with pytest.raises(InvalidPayoutError, match="notify_url: is missing here and in the client"):
        intent(notify_url=None)


@pytest.mark.parametrize("absent", [None, ""])
def test_an_optional_field_without_a_value_is_not_sent(absent: str | None):
    """Neither null nor an empty text, which a signature would have to explain."""
    assert "remark" not in intent(remark=absent).content


@pytest.mark.parametrize(
    ("amount", "sent", "warned"),
    [
        ("300", "300", False),
        ("300.00", "300", False),
        (300, "300", False),
        ("300.5", "300.50", True),
        ("0.01", "0.01", True),
    ],
)
def test_decimals_are_sent_with_a_warning(amount: Any, sent: str, *, warned: bool):
    """The platform advises against them (docs: india/payout). The core itself warns nobody."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = intent(amount=amount)
    assert found.content["amount"] == sent
    assert [(one.field, one.code) for one in found.warnings] == [("amount", "AMOUNT_HAS_DECIMALS")] * warned


def test_a_region_without_the_advice_warns_of_nothing():
    """The warning is the region's."""
    calm = evolve(INDIA, warn_decimals=False)
    assert prepare(calm, payout(amount="300.5"), merchant_no="1", trade_no="T1", defaults={}).warnings == ()


def test_the_fingerprint_is_the_frozen_one():
    """It is a contract with every ledger ever written."""
    frozen = VECTORS["india_payout"]
    made = prepare(INDIA, Payout(**frozen["payout"]), merchant_no="1", trade_no="T1", defaults={})
    assert made.fingerprint == frozen["fingerprint"]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("amount", "300.01"),
        ("name", "Asha Rāo"),
        ("mobile", "8234567891"),
        ("email", "asha@gmail.co"),
        ("bank_number", "10094038293"),
        ("bank_code", "IDFB0043122"),
        ("remark", "invoice 18"),
        ("remark", None),
    ],
)
def test_another_amount_or_beneficiary_is_another_fingerprint(name: str, other: str | None):
    """The same trade number with it is a conflict."""
    assert intent(**{name: other}).fingerprint != intent().fingerprint


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("ip_address", "198.51.100.1"),
        ("notify_url", "https://other.example/"),
        ("trade_no", "T-other"),
        ("amount", "300.00"),
        ("amount", Decimal("3E+2")),
    ],
)
def test_what_is_technical_or_written_differently_is_the_same_fingerprint(name: str, other: Any):
    """A second run from another machine, or with the amount in another form, pays the same to the same."""
    assert intent(**{name: other}).fingerprint == intent().fingerprint


def test_names_that_are_no_fields_are_reported_with_those_that_are():
    """A typing error in a keyword or a column says what there is."""
    with pytest.raises(InvalidPayoutError) as caught:
        fields_of(INDIA, FIELDS | {"bank_codee": "S3CR3T", "acount": "S3CR3T"})
    assert [(one.field, one.code) for one in caught.value.problems] == [
        ("acount", "UNKNOWN_FIELD"),
        ("bank_codee", "UNKNOWN_FIELD"),
    ]
    assert "bank_number" in str(caught.value)
    assert "S3CR3T" not in f"{caught.value}{caught.value.args}"


def test_a_payout_is_built_from_its_fields():
    """The same as by its class."""
    built = fields_of(INDIA, FIELDS)
    assert prepare(INDIA, built, merchant_no="1", trade_no="T1", defaults={}) == prepare(
        INDIA, payout(), merchant_no="1", trade_no="T1", defaults={}
    )
    assert set(fields_dict(Payout)) == {"amount", "trade_no", *TEXT_FIELDS}


def test_a_float_is_a_type_error_when_it_is_written():
    """Not later, with the other fields: it is a mistake in a program, not in a file."""
    with pytest.raises(TypeError, match="cannot hold money exactly"):
        fields_of(INDIA, FIELDS | {"amount": 300.0})


def test_personal_values_do_not_appear_in_an_intent():
    """`repr` shows what is paid under which number, not to whom."""
    shown = repr(intent())
    assert TRADE_NO in shown
    assert not [name for name in TEXT_FIELDS if FIELDS[name] in shown]


def test_problems_are_values():
    """Equal if they say the same."""
    assert Problem("a", "B", "c") == Problem("a", "B", "c")
