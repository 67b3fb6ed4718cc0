"""Which payouts pay the same to the same account, whatever else is said of them."""

import pytest

from paypro_async._core.payment_key import payment_key

SENT = {"amount": "300", "bankNumber": "0010094038292", "bankCode": "IDFB0043121", "name": "Asha Rao", "remark": "July"}


@pytest.mark.parametrize(
    "edit",
    [
        {"name": "ASHA  RAO"},
        {"remark": "August"},
        {"remark": ""},
        {"mobile": "9234567890", "email": "asha@other.example"},
        {"tradeNo": "INV-1"},
        {"bankNumber": "10094038292"},
        {"bankNumber": " 0010 0940-38292"},
        {"bankCode": "idfb0043121"},
    ],
)
def test_what_is_edited_by_the_way_is_the_same_payment(edit: dict[str, str]):
    assert payment_key("india", SENT | edit) == payment_key("india", SENT)


@pytest.mark.parametrize(
    "other", [{"amount": "301"}, {"amount": "3000"}, {"bankNumber": "0010094038293"}, {"bankCode": "IDFB0043122"}]
)
def test_another_amount_or_account_is_another_payment(other: dict[str, str]):
    assert payment_key("india", SENT | other) != payment_key("india", SENT)


def test_what_is_not_known_has_no_key():
    """Its content was erased, or its region is another release's."""
    assert payment_key("india", {}) is None
    assert payment_key("atlantis", SENT) is None


def test_the_key_never_changes():
    """Ledgers hold it."""
    assert payment_key("india", SENT) == "c85c219f27dc58a9f0176ffa0c624f41"
