"""What a spreadsheet shows of an amount: the amount itself, or something else that a person has agreed to."""

from decimal import Decimal

import pytest

from paypro_async.bulk.readers.number_formats import BUILT_IN, Shown, shown_as, shows_text


def shown(code: str) -> Shown:
    """Of a code, or of a built-in format by its number."""
    return shown_as(f"{BUILT_IN}{code}" if code.isdecimal() and code != "0" else code)


RUPEES = "[$\u20b9-4009]"


@pytest.mark.parametrize(
    "code",
    [
        "2",
        "4",
        "44",
        "49",
        "General",
        "0.00",
        "#,##0.00",
        "#,##,##0.00",
        f"{RUPEES}\\ #,##0.00",
        '"Rs."\\ 0.00',
        "@",
        '_ * #,##0.00_ ;_ * \\-#,##0.00_ ;_ * "-"??_ ;_ @_ ',
        "[Red]0.00;[Blue]-0.00",
        "[>=10000000]##\\,##\\,##\\,##0.00;[>=100000]##\\,##\\,##0.00;##,##0.00",
        '"Rs. "#,##0.00"/-"',
        '0.00" Rs. only"',
        "0.00\\ \\R\\s\\.",
        '#,##0.00" Dr"',
        "#\\ ##0.00",
        "* #,##0.00",
        "[$INR]\\ 0.00",
        "[<1000]0,;0.00",
        "General;-General",
        "[>9999999]##\\,##\\,##\\,##0.00",
    ],
)
def test_an_amount_is_shown_as_it_is(code: str) -> None:
    """With or without a sign for rupees, a colour, separators."""
    found = shown(code)
    assert not found.is_date
    assert found.problem(Decimal("1500.50")) is None


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1", "rounded"),
        ("0", "rounded"),
        ("#,##0", "rounded"),
        ("0.0", None),
        ("9", "percentage"),
        ("0.00,", "scaled"),
        ('0.0,,"M"', "scaled"),
        ('0.00"0"', "scaled"),
        ('"$"#,##0.00', "currency"),
        ("[$USD] 0.00", "currency"),
        ("[$\u20ac-407]0.00", "currency"),
        (";;;", "hides"),
        ('"paid"', "hides"),
        ("0\\.00", "split"),
        ('0"."000', "split"),
        ("0\\,00", "split"),
        ("0\\ 00", "split"),
        ("0.0\\.0", "split"),
        ('0.00" lakhs"', "words"),
        ('0.00 "Lac"', "words"),
        ('#,##0.00 "Cr"', "words"),
        ('General" Lakh"', "words"),
        ('@" Lakh"', "words"),
        ('0.00 "dollars"', "words"),
        ("[$kr-41D]0.00", "currency"),
        ("[$\u09f3-845]0.00", "currency"),
        ('[<1000]0.00;0.0,"K"', "scaled"),
        ('[<1000]0.00;[>1000]0.00"K";0.00', "words"),
        ("0.00E+00", "exponent"),
        ("# ?/?", "fraction"),
        ("12", "fraction"),
        ("48", "exponent"),
        ('"-"0.00', "less than nothing"),
        ("(0.00)", "less than nothing"),
        ("*10.00", "digits"),
        ("[>1000]yyyy;0.00", "day"),
    ],
)
def test_an_amount_that_is_shown_otherwise_is_refused(code: str, said: str | None) -> None:
    """With what is wrong about it."""
    problem = shown(code).problem(Decimal("1500.50"))
    assert (problem is None) if said is None else (problem is not None and said in problem)


@pytest.mark.parametrize("code", ["14", "22", "46", "dd/mm/yyyy", "[$-409]d\\-mmm\\-yy", "hh:mm", "[h]:mm"])
def test_days_and_times_are_no_amounts(code: str) -> None:
    """Whatever their form."""
    assert shown(code).is_date


@pytest.mark.parametrize("code", ["General", f"{BUILT_IN}49", "0.00", '"paid"', "0.00;-0.00;0;@", "_(@_)"])
def test_a_text_is_shown_as_it_is(code: str) -> None:
    """Whatever a format does with numbers."""
    assert shows_text(code)


@pytest.mark.parametrize("code", [";;;", '0.00;-0.00;0;"paid"', '@"00"', "0.00;@;0;0"])
def test_a_text_that_is_not_shown_as_it_is(code: str) -> None:
    """An account that nobody sees, or sees with more digits."""
    assert not shows_text(code)
