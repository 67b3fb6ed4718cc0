import secrets
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async._core.trade_no import (
    RANDOM_BITS,
    TRADE_NO_PATTERN,
    derived_trade_no,
    folded,
    is_trade_no,
    lookalikes,
    make_trade_no,
    retry_trade_no,
)
from tests.support.samples import NOW

MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(9000, 1, 1), timezones=st.timezones())  # noqa: DTZ001  the strategy adds the zone
BITS = st.integers(0, 2**RANDOM_BITS - 1)


def test_a_number_begins_with_the_moment_in_utc():
    """The platform recommends YYYYMMDDHHMMSS and a random number, whatever the zone of the clock."""
    india = timezone(timedelta(hours=5, minutes=30))
    assert make_trade_no(datetime(2024, 8, 20, 3, 0, 1, tzinfo=india), 17) == "20240819213001" + "000000000000000017"


@given(MOMENTS, BITS)
def test_a_number_is_always_32_digits_that_the_platform_takes(now: datetime, bits: int):
    """Small random numbers are filled up, large ones cut."""
    number = make_trade_no(now, bits)
    assert is_trade_no(number)
    assert len(number) == 32
    assert number.isdecimal()
    assert datetime.strptime(number[:14] + "+0000", "%Y%m%d%H%M%S%z") == now.astimezone(UTC).replace(microsecond=0)


def test_ten_thousand_numbers_in_one_second_are_distinct():
    """With real randomness; the chance that this fails is 5 in 100,000,000,000."""
    assert len({make_trade_no(NOW, secrets.randbits(RANDOM_BITS)) for _ in range(10_000)}) == 10_000


def test_the_chance_of_a_collision_is_as_documented():
    """Counted exactly: the sum of the squares of each number's chance, over all pairs of 10,000."""
    space, drawn = 10**18, 2**RANDOM_BITS
    often, rest = divmod(drawn, space)
    same = (rest * (often + 1) ** 2 + (space - rest) * often**2) / drawn**2
    assert 4.9e-11 < 10_000 * 9_999 / 2 * same < 5.1e-11


@given(MOMENTS, BITS, BITS)
def test_two_draws_give_one_number_only_if_they_agree_in_18_digits(now: datetime, one: int, other: int):
    """No digit of the draw that is shown is lost on the way."""
    assert (make_trade_no(now, one) == make_trade_no(now, other)) == ((one - other) % 10**18 == 0)


@pytest.mark.parametrize("value", ["1", "T-1_a", "a" * 64, "-", "_", "123231222"])
def test_letters_digits_hyphen_and_underscore_are_a_number(value: str):
    """From 1 to 64 of them."""
    assert is_trade_no(value)


@pytest.mark.parametrize(
    "value",
    ["", " ", "T 1", "T1\n", "\nT1", "T1\0", "a" * 65, "T/1", "T.1", "Té", "١٢٣", "\uff11", "T1\ud800", "T\u200b1"],
)
def test_anything_else_is_none(value: str):
    """A line break at the end too."""
    assert not is_trade_no(value)


@given(st.text())
def test_a_number_is_ascii_and_safe_everywhere(value: str):
    """Whatever is accepted can stand in a URL, a file name and a log line as it is."""
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert is_trade_no(value) == (1 <= len(value) <= 64 and set(value) <= allowed)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 10**8))
def test_a_derived_number_is_always_the_same(digest: bytes, row: int):
    """The same row of the same file gives the same number in every run, and another row another."""
    number = derived_trade_no(digest, row)
    assert number == derived_trade_no(digest, row)
    assert is_trade_no(number)
    assert number != derived_trade_no(digest, row + 1)
    assert number != derived_trade_no(digest + b"x", row)


def test_derived_numbers_never_change():
    """They are a contract with every ledger that a run before this one has written."""
    # printf %s content | sha256sum | cut -c 1-20
    assert derived_trade_no(b"content", 1) == "ed7002b439e9ac845f22-0000001"
    assert derived_trade_no(b"content", 12_345_678) == "ed7002b439e9ac845f22-12345678"


@pytest.mark.parametrize(
    ("one", "other"),
    [("inv-1", "INV-1"), ("000123", "123"), ("1E5", "100000"), ("1e05", "100000"), ("A007", "a7"), ("0", "000")],
)
def test_numbers_that_look_alike_fold_to_one(one: str, other: str):
    """What a spreadsheet, a form or a hand makes of a number by the way."""
    assert folded(one) == folded(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "10"), ("inv-1", "inv1"), ("1-0", "1"), ("a", "b"), ("1E5", "1E6"), ("100", "1"), ("0", "a"), ("x0", "x")],
)
def test_other_numbers_do_not(one: str, other: str):
    """Zeros at the end and signs between digits tell numbers apart."""
    assert folded(one) != folded(other)


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))
def test_folding_is_total_and_folds_once(number: str):
    """What is folded stays as it is, in any case of its letters."""
    assert folded(folded(number)) == folded(number) == folded(number.upper())


@given(
    st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
    | st.from_regex(r"0{0,3}[1-9]{1,4}0{0,6}|[1-9]E[0-9]", fullmatch=True)
)
def test_what_looks_like_a_number_folds_to_the_same(number: str):
    """And is a number itself, and another one."""
    for one in lookalikes(number):
        assert one != number
        assert is_trade_no(one)
        assert folded(one) == folded(number)


@pytest.mark.parametrize(
    ("one", "other"), [("000123", "123"), ("1E5", "100000"), ("inv-1", "INV-1"), ("15e2", "1500"), ("007", "7")]
)
def test_other_writings_of_a_number_are_found_both_ways(one: str, other: str):
    """From the number that was stored to the one that is in the file now, and back."""
    assert other in lookalikes(one)
    assert one in lookalikes(other)


@pytest.mark.parametrize(
    ("failed", "next_one"),
    [
        ("INV-7", "INV-7-r2"),
        ("INV-7-r2", "INV-7-r3"),
        ("INV-7-r9", "INV-7-r10"),
        ("INV-7-r1", "INV-7-r1-r2"),
        ("INV-7-r02", "INV-7-r02-r2"),
        ("r2", "r2-r2"),
        ("-r2", "-r2-r2"),
    ],
)
def test_the_number_of_a_retry_counts_on(failed: str, next_one: str):
    """From the second try; an ending that only looks like a count is a part of the number."""
    assert retry_trade_no(failed) == next_one


NUMBERS = st.from_regex(TRADE_NO_PATTERN, fullmatch=True) | st.builds(
    "{}-r{}".format, st.text("aB1-_", min_size=1, max_size=60), st.integers(0, 120)
).map(lambda text: text[-64:])


@given(NUMBERS, NUMBERS)
def test_no_two_failures_share_the_number_of_their_retry(one: str, other: str):
    """However long they are; and each retry may fail in its turn, a hundred times."""
    assert (retry_trade_no(one) == retry_trade_no(other)) is (one == other)
    chain = [one]
    for _ in range(12):
        chain.append(retry_trade_no(chain[-1]))
    assert len(set(chain)) == len(chain)
    assert all(map(is_trade_no, chain))
