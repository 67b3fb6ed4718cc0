import time
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from attrs.exceptions import FrozenInstanceError
from hypothesis import example, given
from hypothesis import strategies as st

from paypro_async._core.errors import Problem
from paypro_async._core.field_checks import (
    ACCOUNT,
    EMAIL,
    IP_ADDRESS,
    TEXT,
    TRADE_NO,
    URL,
    Check,
    amount_problem,
    amount_warning,
)
from paypro_async._core.regions.india import IFSC, MOBILE

DIGITS = set("0123456789")
CAPITALS = set("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
LETTERS = CAPITALS | set("abcdefghijklmnopqrstuvwxyz")
GOOD: dict[Check, list[str]] = {
    TEXT: ["Asha Rao", "आशा राव", "O'Brien", "x", "a\u200db", "😀", " a "],
    ACCOUNT: ["10094038292", "0", "00012345", "AB12", "a" * 40],
    IFSC: ["IDFB0043121", "HDFC0ABC123", "SBIN0000000"],
    MOBILE: ["6000000000", "7999999999", "8234567890", "9876543210"],
    EMAIL: ["asha@gmail.com", "a.b+c@x-y.co.in", "123@qq.com", "आशा@example.in", "x" * 244 + "@gmail.com"],
    IP_ADDRESS: ["203.0.113.7", "::1", "2001:db8::7", "::ffff:203.0.113.7"],
    URL: [
        "https://merchant.example/paypro",
        "http://127.0.0.1:8080",
        "HTTPS://merchant.example/a?b=c&d=%20#e",
        "https://[2001:db8::7]:8443/x",
        "https://user@merchant.example/",
    ],
    TRADE_NO: ["T-1_a", "2" * 64],
}
BAD: dict[Check, list[tuple[str, str]]] = {
    TEXT: [
        *[(blank, "REQUIRED") for blank in (" ", "\t", "\n", "\u00a0", "\u3000", "\u200b", "\u200b \u2060\ufeff")],
        *[(f"Asha{one}Rao", "CONTROL_CHARACTER") for one in "\n\r\t\0\x1b\x7f\x85\u2028\u2029"],
        ("Asha\n", "CONTROL_CHARACTER"),
        ("Asha\ud800", "NOT_UNICODE"),
        ("\udfffAsha", "NOT_UNICODE"),
    ],
    ACCOUNT: [
        *[
            (one, "ACCOUNT_FORMAT")
            for one in ("1009 4038", "1009-4038", "1009.0", "a" * 41, "1\n", "١٢٣", "\uff11", "é")
        ],
        *[(one, "ACCOUNT_SCIENTIFIC") for one in ("1.00940E+10", "1e10", "1,0094E+10", "-1.5e+3", "1E10")],
    ],
    IFSC: [
        (one, "IFSC_FORMAT")
        for one in (
            *(
                "IDFB1043121",
                "IDFB004312",
                "IDFB00431211",
                "IDF00043121",
                "idfb0043121",
                " IDFB0043121",
                "IDFB0043121\n",
            ),
            *("IDFB004312\u0661", "ÏDFB0043121", "IDFBO043121", "IDFB 043121"),
        )
    ],
    MOBILE: [
        *[
            (one, "MOBILE_COUNTRY_CODE")
            for one in ("918234567890", "+918234567890", "+91 82345 67890", "00918234567890", "91-8234567890")
        ],
        *[
            (one, "MOBILE_FORMAT")
            for one in (
                *("5234567890", "0234567890", "823456789", "82345678901", "08234567890", "82345 67890", "8234567890\n"),
                *(
                    "١٢٣٤٥٦٧٨٩٠",
                    "8\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669\u0660",
                    "abc",
                    "915234567890",
                    "8.23E+9",
                ),
            )
        ],
    ],
    EMAIL: [
        (one, "EMAIL_FORMAT")
        for one in (
            *("asha", "@gmail.com", "asha@", "asha@gmail", "asha@@gmail.com", "a@b@gmail.com", "asha@gmail..com"),
            *("a..b@gmail.com", "asha@-gmail.com", "asha@gmail-.com", "asha@gmail.c", "asha@gmail.com.", "asha@.com"),
            *("Asha <asha@gmail.com>", "a@gmail.com,b@gmail.com", "a@gmail.com;b@gmail.com", "asha rao@gmail.com"),
            *(
                "asha@gmail.com\n",
                "asha@gmail.com ",
                " asha@gmail.com",
                "asha\u00a0rao@gmail.com",
                "asha\u3000@gmail.com",
            ),
            *("asha@gmäil.com", "asha@gmail.c1", "x" * 245 + "@gmail.com", '"asha"@gmail.com'),
        )
    ],
    IP_ADDRESS: [
        (one, "IP_FORMAT")
        for one in (
            *(
                "203.0.113",
                "203.0.113.256",
                "203.0.113.07",
                "203.0.113.7 ",
                "203.0.113.7\n",
                "203.0.113.7/32",
                "0x7f.1",
            ),
            *("merchant.example", "203.0.113.7:80", "[::1]", "fe80::1%eth0", "::1%", "2130706433", "٢٠٣.0.113.7"),
        )
    ],
    URL: [
        (one, "URL_FORMAT")
        for one in (
            *(
                "xxxxxx",
                "merchant.example/paypro",
                "/paypro",
                "//merchant.example",
                "ftp://merchant.example",
                "https://",
            ),
            *("https:///paypro", "https:merchant.example", "javascript:alert(1)", "https://merchant.example/a b"),
            *(
                "https://merchant.example\n",
                " https://merchant.example",
                "https://merchant.example/\u00a0x",
                "https://:80",
            ),
            *("https://h:0/", "https://h:65536/", "https://h:x/", "https://[::1", "https://[nonsense]/", "https://?x"),
        )
    ],
    TRADE_NO: [(one, "TRADE_NO_FORMAT") for one in ("", "T 1", "T1\n", "2" * 65, "T/1", "\u0661")],
}
CHECKS = st.sampled_from(list(GOOD))
BOTH = [(check, value) for check, values in GOOD.items() for value in values]
REFUSED = [(check, *pair) for check, pairs in BAD.items() for pair in pairs]


@pytest.mark.parametrize(("check", "value"), BOTH)
def test_a_good_value_passes(check: Check, value: str):
    """And nothing is said about it."""
    assert check.wrong(value) is None


@pytest.mark.parametrize(("check", "value", "code"), REFUSED)
def test_a_bad_value_is_refused_with_a_stable_code(check: Check, value: str, code: str):
    """Programs go by the code; people by the message."""
    assert (check.wrong(value) or ("", ""))[0] == code


@pytest.mark.parametrize(
    ("check", "value", "words"),
    [
        (MOBILE, "+91 82345-67890", "drop the country code 91"),
        (IFSC, " idfb0043121", "capital letters without blanks"),
        (ACCOUNT, "1.00940E+10", "a spreadsheet has destroyed digits"),
        (IP_ADDRESS, "fe80::1%eth0", "without a zone"),
        (TEXT, "Asha\ud800", "read the text again as UTF-8"),
        (TEXT, "Asha\r\n", "take it out"),
    ],
)
def test_a_usual_mistake_is_named(check: Check, value: str, words: str):
    """The message says how to mend just that."""
    assert words in (check.wrong(value) or ("", ""))[1]


@given(CHECKS, st.text(), st.text())
def test_no_check_raises_or_repeats_what_it_was_given(check: Check, before: str, after: str):
    """Whatever the text; it may be an account number in the wrong column."""
    found = check.wrong(f"{before}S3CR3T{after}\n")
    assert found is None or "S3CR3T" not in "".join(found)


def _mobile(text: str) -> bool:
    return len(text) == 10 and set(text) <= DIGITS and text[0] in "6789"


def _ifsc(text: str) -> bool:
    return len(text) == 11 and set(text[:4]) <= CAPITALS and text[4] == "0" and set(text[5:]) <= CAPITALS | DIGITS


def _account(text: str) -> bool:
    return 1 <= len(text) <= 40 and set(text) <= LETTERS | DIGITS


@pytest.mark.parametrize(
    ("check", "rule", "good"),
    [
        (MOBILE, _mobile, "8234567890"),
        (IFSC, _ifsc, "IDFB0043121"),
        (ACCOUNT, _account, "10094038292"),
    ],
)
@given(st.data())
def test_a_number_passes_only_by_its_rule(check: Check, rule: Callable[[str], bool], good: str, data: st.DataObject):
    """Arbitrary text, and a good number with an arbitrary character put in, put over, or taken out."""
    at = data.draw(st.integers(0, len(good)))
    cut = data.draw(st.integers(0, 2))
    text = data.draw(st.sampled_from([good[:at] + data.draw(st.text(max_size=2)) + good[at + cut :], good]) | st.text())
    scientific = check is ACCOUNT and (check.wrong(text) or ("",))[0] == "ACCOUNT_SCIENTIFIC"
    assert (check.wrong(text) is None) == (rule(text) and not scientific)


@given(st.from_regex(r"[^@]{1,20}@[^@]{1,20}\.[a-z]{2,3}", fullmatch=True) | st.text())
@example("asha\u00a0rao@gmail.com")
def test_an_address_that_passes_is_one_address(value: str):
    """One at-sign, no white space of any alphabet, and a domain that can be written into a mail."""
    if EMAIL.wrong(value) is None:
        local, _, domain = value.partition("@")
        assert local
        assert domain.isascii()
        assert "@" not in domain
        assert not any(one.isspace() for one in value)


@given(st.from_regex(r"https?://[^/]{1,10}(/.*)?", fullmatch=True) | st.text())
def test_a_url_that_passes_can_be_called(value: str):
    """Scheme, host, and no white space of any alphabet."""
    if URL.wrong(value) is None:
        assert urlsplit(value).scheme in ("http", "https")
        assert urlsplit(value).hostname
        assert not any(one.isspace() for one in value)


@given(st.text())
def test_a_text_that_passes_can_be_sent_and_signed(value: str):
    """It has UTF-8, something to see, and nothing that moves a cursor."""
    if TEXT.wrong(value) is None:
        assert value.encode("utf-8")
        assert value.strip()
        assert not {unicodedata.category(one) for one in value} & {"Cc", "Zl", "Zp", "Cs"}


def test_no_check_is_slow_on_long_input():
    """A cell with a whole book in it is refused at once: no pattern backtracks."""
    began = time.process_time()
    for check in GOOD:
        for one in ("a", "a.", "a-", "9", "1e", " ", "\u00a0", "@", "a@a."):
            check.wrong("a@" + one * 20_000)
            check.wrong("https://" + one * 20_000)
    assert time.process_time() - began < 2.0


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (None, "AMOUNT_FORMAT"),
        ("0", "AMOUNT_NOT_POSITIVE"),
        ("0.00", "AMOUNT_NOT_POSITIVE"),
        ("-0", "AMOUNT_NOT_POSITIVE"),
        ("-1", "AMOUNT_NOT_POSITIVE"),
        ("0.001", "AMOUNT_DECIMALS"),
        ("300.125", "AMOUNT_DECIMALS"),
        ("1." + "0" * 60 + "1", "AMOUNT_DECIMALS"),
        ("1E-2000000", "AMOUNT_DECIMALS"),
        ("1000000000000000", "AMOUNT_TOO_LARGE"),
        ("1E+15", "AMOUNT_TOO_LARGE"),
        ("1E+999999", "AMOUNT_TOO_LARGE"),
        ("999999999999999.99", None),
        ("0.01", None),
        ("300.50", None),
        ("300.00", None),
        ("300.0", None),
        ("1.50", None),
        ("1E+2", None),
        ("1.500", "AMOUNT_DECIMALS"),
        ("100.000", "AMOUNT_DECIMALS"),
        ("300.5000", "AMOUNT_DECIMALS"),
        ("300.000000000000000000000000000", "AMOUNT_DECIMALS"),
        ("1500E-3", "AMOUNT_DECIMALS"),
        ("300", None),
    ],
)
def test_an_amount_is_positive_sane_and_has_no_more_than_two_decimals(amount: str | None, code: str | None):
    """It is never rounded; zeros at its end count, since ``1.500`` may be meant as fifteen hundred."""
    found = amount_problem(None if amount is None else Decimal(amount), max_decimals=2)
    assert (found[0] if found else None) == code


def test_a_region_without_decimals_refuses_one():
    """The number of decimals is the region's."""
    assert (amount_problem(Decimal("300.5"), max_decimals=0) or ("",))[0] == "AMOUNT_DECIMALS"
    assert (amount_problem(Decimal("300.0"), max_decimals=0) or ("",))[0] == "AMOUNT_DECIMALS"
    assert amount_problem(Decimal("3E+2"), max_decimals=0) is None


@pytest.mark.parametrize(("amount", "warned"), [("300", False), ("300.00", False), ("300.5", True), ("0.01", True)])
def test_decimals_are_advised_against(amount: str, *, warned: bool):
    """They are sent all the same (docs: india/payout)."""
    assert ((amount_warning(Decimal(amount)) or ("",))[0] == "AMOUNT_HAS_DECIMALS") == warned


def test_a_problem_cannot_be_changed():
    """It may be shown in several places."""
    problem = Problem("bank_code", "IFSC_FORMAT", "must be …")
    with pytest.raises(FrozenInstanceError):
        problem.code = "OTHER"  # type: ignore[misc]
