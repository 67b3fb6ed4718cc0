"""The names of the trade: the table in the docs is the one in the code, and means what it says."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paypro_async.bulk.header.column_names import TRADE_NAMES, ColumnNames, key
from tests.support.payout_files import INDIA

DOCS = Path(__file__).parents[2] / "docs" / "bulk.md"
NAMES = ColumnNames(INDIA)
SURE = [(one, name) for one, names in TRADE_NAMES.items() for name in names.sure]
POSSIBLE = [(one, name) for one, names in TRADE_NAMES.items() for name in names.possible]


def test_the_docs_have_the_same_names() -> None:
    """Each field has its row."""
    found = {}
    for line in DOCS.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0] in TRADE_NAMES:
            found[cells[0]] = tuple(tuple(re.findall(r"`([^`]+)`", cell)) for cell in cells[2:])
    assert found == {one: (names.sure, names.possible) for one, names in TRADE_NAMES.items()}


@pytest.mark.parametrize(("field", "name"), SURE + POSSIBLE, ids=lambda one: one)
def test_every_name_means_its_field(field: str, name: str) -> None:
    """However it is spelt."""
    for spelt in (
        name,
        name.upper(),
        name.replace(" ", "_"),
        name.replace(" ", ""),
        f" {name}* ",
        name.replace("No", "No."),
    ):
        found = NAMES.field_of(spelt)
        assert found is not None, spelt
        assert found[0] == field


@pytest.mark.parametrize(
    ("field", "names"),
    [
        (
            "bank_number",
            ["A/c Number", "Account #", "Acct. No.", "BENEFICIARY A/C NO", "Bene Account Num", "Account\u00a0No"],
        ),
        ("amount", ["Amount (INR)", "Amount (Rs.)", "Amount in \u20b9", "Amt(\u20b9)", "INR Amount", "Net Pay (Rs)"]),
        ("bank_code", ["IFSC", "ifsc code", "Bene IFSC Code", "bankNCode", "Beneficiary Bank IFSC"]),
        ("name", ["Beneficiary's Name", "Bene Name", "Payee"]),
        ("mobile", ["Mobile No.", "Mob No", "Mobile Number*"]),
    ],
)
def test_short_forms_and_signs_make_no_difference(field: str, names: list[str]) -> None:
    """As banks and people write them."""
    assert [(NAMES.field_of(name) or ("none", 0))[0] for name in names] == [field] * len(names)


@pytest.mark.parametrize(
    "name",
    [
        "Debit Account No",
        "Remitter Account",
        "Reference No",
        "Amount Paid",
        "Tax Amount",
        "Balance",
        "Date",
        "Bank Name",
        "",
    ],
)
def test_other_columns_are_no_fields(name: str) -> None:
    """The payer's own account above all."""
    assert NAMES.field_of(name) is None


@pytest.mark.parametrize(
    "name", ["Amount (paise)", "Amount in USD", "Amount ($)", "Amount (in lakhs)", "Amount ('000)"]
)
def test_another_unit_is_no_amount(name: str) -> None:
    """Whoever wrote it meant a hundredth, or a hundred thousand times as much."""
    assert NAMES.field_of(name) is None
    assert NAMES.wrong_unit(name)


@given(st.text(st.characters(max_codepoint=127)))
@example("".join(map(chr, range(128))))
def test_a_plain_name_is_read_as_beside_a_letter_that_is_not_plain(name: str) -> None:
    """The short way for ASCII says what the long one says."""
    assert "é" + key(name) == key("é" + name)
