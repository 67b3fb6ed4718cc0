from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from paypro_async._core.regions.india import SPEC, Payout
from tests.support.samples import FIELDS, payout


def test_india_is_as_its_pages_say():
    """Paths, casing included, currency and decimals."""
    assert (SPEC.name, SPEC.currency, SPEC.max_decimals, SPEC.warn_decimals) == ("india", "INR", 2, True)
    assert SPEC.payout_path == "/v1/paypro/payout"
    assert SPEC.query_path == "/v1/paypro/queryPayOutResult"
    assert SPEC.balance_path == "/v1/paypro/queryBalance"


def test_every_field_of_the_page_is_there():
    """All are required but the remark; `sign`, `timestamp`, `tradeNo` and `amount` are every region's."""
    assert {one.wire: one.required for one in SPEC.fields} == {
        "name": True,
        "mobile": True,
        "email": True,
        "bankNumber": True,
        "bankCode": True,
        "ipAddress": True,
        "notifyUrl": True,
        "remark": False,
    }


def test_what_the_client_may_carry_is_what_identifies_nothing():
    """The payer's address and the callback URL may change from run to run."""
    shared = {one.name for one in SPEC.fields if one.default_by_client}
    assert shared == {"ip_address", "notify_url"} == {one.name for one in SPEC.fields if not one.identifies}


def test_a_payout_masks_personal_fields():
    """Enough to recognise it in a log."""
    assert repr(payout(trade_no="T1")) == (
        "Payout(amount=Decimal('300'), name=A••••, mobile=••••90, email=••••@gmail.com, bank_number=••••8292, "
        "bank_code='IDFB0043121', ip_address='203.0.113.7', notify_url='https://merchant.example/paypro', "
        "remark=<10 characters>, trade_no='T1')"
    )


# The mark keeps a value from being, by chance, a part of what is shown anyway.
LONG = st.text(min_size=9).map("§".__add__)


@given(st.fixed_dictionaries(dict.fromkeys(("name", "mobile", "bank_number", "remark"), LONG)))
def test_no_personal_value_is_shown_whole(values: dict[str, str]):
    """Whatever stands in the field, valid or not."""
    shown = repr(Payout(amount="1", email="x", bank_code="x", **values))
    rest = shown.replace("Payout(amount=Decimal('1'), ", "")
    assert not [value for value in values.values() if value.isprintable() and value in rest]


@pytest.mark.parametrize("value", [None, 8234567890, b"8234567890", ["8234567890"], 1.5])
def test_values_of_another_type_are_masked_too(value: Any):
    """A number read from a spreadsheet is as personal as its text."""
    shown = repr(payout(name=value, mobile=value, email=value, bank_number=value, remark=value))
    assert "82345678" not in shown


def test_a_payout_cannot_be_changed_and_is_keyword_only():
    """Two account numbers cannot be swapped by position."""
    with pytest.raises(FrozenInstanceError):
        payout().name = "x"  # type: ignore[misc]
    with pytest.raises(TypeError):
        Payout("300", *list(FIELDS.values())[1:])  # type: ignore[misc]
    with pytest.raises(AttributeError):
        object.__setattr__(payout(), "nmae", "x")


@pytest.mark.parametrize("amount", ["300", 300, Decimal(300)])
def test_an_amount_becomes_a_decimal(amount: Any):
    """As text, int or Decimal."""
    assert isinstance(payout(amount=amount).amount, Decimal)
    assert payout(amount=amount).amount == 300


@pytest.mark.parametrize("amount", [300.0, float("nan"), True])
def test_a_float_is_a_type_error(amount: Any):
    """At the line where it is written."""
    with pytest.raises(TypeError, match="cannot hold money exactly"):
        payout(amount=amount)


@pytest.mark.parametrize("amount", ["", None, "1,000", "x", b"300", Decimal("NaN"), Fraction(1, 3), [300]])
def test_what_is_no_amount_waits_to_be_reported_with_the_other_fields(amount: Any):
    """The payout can be made and shown, and is refused when it is paid."""
    assert payout(amount=amount).amount is amount


def test_a_field_is_masked_in_the_same_way_everywhere():
    """In the payout's repr, and by the region's own word for it, which ledgers and reports go by."""
    shown = {name: one.repr for name, one in attrs.fields_dict(Payout).items() if callable(one.repr)}
    assert {one.name: one.mask for one in SPEC.fields if one.name in shown} == shown
    assert {one.name for one in SPEC.fields if one.mask is str} == {"bank_code"}
