from decimal import Context, Decimal, Inexact, localcontext
from enum import IntEnum
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paypro_async._core.field_checks import amount_problem
from paypro_async._core.money import amount_text, parse_amount

CENTS = st.integers(min_value=1, max_value=10**17 - 1)
CONTEXTS = st.builds(Context, prec=st.integers(1, 60))


class Rupees(IntEnum):
    THREE_HUNDRED = 300


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("300", "300"),
        ("300.50", "300.50"),
        ("0.01", "0.01"),
        ("007", "7"),
        (300, "300"),
        (Decimal("300.10"), "300.10"),
        (Rupees.THREE_HUNDRED, "300"),
        (10**40, "1" + "0" * 40),
    ],
)
def test_text_whole_numbers_and_decimals_are_money(value: object, amount: str):
    """They are read exactly, with every digit."""
    assert str(parse_amount(value)) == amount


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "300 ", " 300", "300\n", "\t300", "300\0", "300\ud800", "300\u00a0", "+300", "-300", "3e2", "3E+2"),
        *("1,000", "1,5", "1_000", ".5", "5.", "3.0.0", "₹300", "Rs 300", "0x12", "NaN", "Infinity", "sNaN"),
        *("١٢٣", "\uff13\uff10\uff10", "½"),
        *(None, b"300", Fraction(1, 2), object(), [], {}, (3,), 3j),
        *(Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity")),
    ],
)
def test_what_is_no_plain_number_is_no_money(value: object):
    """Nothing is repaired: what a spreadsheet did to a number is not undone by guessing."""
    assert parse_amount(value) is None


@pytest.mark.parametrize("value", [300.0, 0.1, float("nan"), float("inf"), True, False])
def test_a_float_or_a_bool_is_a_type_error(value: object):
    """It could pay another amount, so it fails where it is written, and the text does not repeat it."""
    with pytest.raises(TypeError, match="cannot hold money exactly; nothing was sent") as caught:
        parse_amount(value)
    assert str(value) not in str(caught.value)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("300", "300"),
        ("300.00", "300"),
        ("300.5", "300.50"),
        ("300.50", "300.50"),
        ("300.500", "300.50"),
        ("0.01", "0.01"),
        ("3E+2", "300"),
        ("1E-2", "0.01"),
        ("100", "100"),
        ("999999999999999.99", "999999999999999.99"),
    ],
)
def test_an_amount_has_one_text(amount: str, text: str):
    """However it was written, it goes out without exponent and with no or two decimals."""
    assert amount_text(Decimal(amount)) == text


@given(CENTS)
def test_an_amount_survives_the_round_trip(cents: int):
    """Text to Decimal to text loses no paisa."""
    written = f"{cents // 100}.{cents % 100:02}"
    amount = parse_amount(written)
    assert amount is not None
    assert amount * 100 == cents
    assert amount_text(amount) == written.removesuffix(".00")
    assert parse_amount(amount_text(amount)) == amount


@given(st.text() | st.from_regex(r"[0-9]{1,40}(\.[0-9]{1,40})?"))
def test_any_text_is_read_exactly_or_not_at_all(text: str):
    """Reading never raises and never rounds."""
    amount = parse_amount(text)
    assert amount is None or f"{amount:f}".lstrip("0") == text.lstrip("0")


@given(st.decimals(allow_nan=False, allow_infinity=False), CONTEXTS)
@example(Decimal("1." + "0" * 40 + "1"), Context())
@example(Decimal("1E-2000000"), Context())
@example(Decimal("12345.67"), Context(prec=4))
@example(Decimal("999999999999999.99"), Context(prec=1))
def test_what_passes_the_check_goes_out_to_the_last_digit(amount: Decimal, ambient: Context):
    """However many digits it has, and whatever precision the application has set for its own sums."""
    with localcontext(ambient):
        problem = amount_problem(amount, max_decimals=2)
        text = amount_text(amount) if problem is None else None
    assert text is None or Decimal(text) == amount


def test_an_application_that_forbids_rounding_can_pay():
    """A context that raises on inexact sums is none of our business."""
    with localcontext(Context(prec=4, traps=[Inexact])):
        amount = parse_amount("12345.67")
        assert amount is not None
        assert amount_problem(amount, max_decimals=2) is None
        assert amount_text(amount) == "12345.67"
