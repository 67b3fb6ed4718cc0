"""What a caller hands in: nothing that is wrong reaches the ledger or the network."""

import re
import warnings
from decimal import Decimal
from typing import Any

import pytest

from paypro_async import (
    InvalidPayoutError,
    ItemStatus,
    NotSentError,
    Payout,
    PayoutFailedError,
    PayoutStatus,
    PayProError,
    PayProWarning,
)
from tests.support.merchant import (
    MERCHANT_NO,
    PERSONAL,
    client_of,
    fields,
    payout,
    requests,
    scripted_client,
    virtual_sandbox,
)
from tests.support.scripted import Scripted, order
from tests.support.virtual_time import virtual_time


@virtual_time
async def test_a_payout_is_paid_from_keyword_arguments():
    """The fields as keyword arguments are enough, and the result holds what the platform said."""
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        result = await client.payout(**fields(remark="invoice 17"))
        booked = sandbox.books.orders["T1"]
    assert result.trade_no == "T1"
    assert result.status is PayoutStatus.PROCESSING
    assert not result.is_final
    assert (result.amount, result.currency) == (Decimal(300), "INR")
    assert result.platform_trade_no == booked.platform_trade_no
    assert (booked.amount, booked.remark, booked.payee.name) == (Decimal(300), "invoice 17", "Asha Rao")


@virtual_time
async def test_a_payout_is_paid_from_a_model_or_a_mapping():
    """A Payout and a mapping of its fields mean the same."""
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        first = await client.payout(payout("T1"))
        second = await client.payout(fields("T2"))
    assert (first.status, second.status) == (PayoutStatus.PROCESSING, PayoutStatus.PROCESSING)
    assert set(sandbox.books.orders) == {"T1", "T2"}


@virtual_time
async def test_a_payout_is_not_taken_from_two_places():
    """A model together with keyword arguments is ambiguous, and so is anything that is no payout."""
    transport = Scripted()
    async with scripted_client(transport) as client:
        with pytest.raises(TypeError, match="not both"):
            await client.payout(payout(), amount="1")
        with pytest.raises(TypeError, match="india Payout"):
            await client.payout(17)
    assert transport.log == []


WRONG: dict[str, tuple[Any, str]] = {
    "trade_no": ("T 1", "TRADE_NO_FORMAT"),
    "amount": ("-1", "AMOUNT_FORMAT"),
    "name": ("  ", "REQUIRED"),
    "mobile": ("+918234567890", "MOBILE_COUNTRY_CODE"),
    "email": ("asha", "EMAIL_FORMAT"),
    "bank_number": ("1.23E+10", "ACCOUNT_SCIENTIFIC"),
    "bank_code": ("idfb0043121", "IFSC_FORMAT"),
    "ip_address": ("203.0.113", "IP_FORMAT"),
    "notify_url": ("/callback", "URL_FORMAT"),
    "remark": ("a\nb", "CONTROL_CHARACTER"),
}


@virtual_time
async def test_every_wrong_field_is_reported_at_once():
    """One error names each wrong field with its code, and never a value."""
    transport = Scripted()
    async with scripted_client(transport) as client:
        with pytest.raises(InvalidPayoutError) as caught:
            await client.payout(**{name: value for name, (value, _) in WRONG.items()})
    assert {one.field: one.code for one in caught.value.problems} == {name: code for name, (_, code) in WRONG.items()}
    assert all(one.message for one in caught.value.problems)
    for value in ("8234567890", "1.23E+10", "idfb0043121"):
        assert value not in str(caught.value)
    assert caught.value.money_may_have_moved is False
    assert isinstance(caught.value, ValueError)
    assert transport.log == []


@virtual_time
async def test_every_missing_field_is_reported_at_once():
    """Called with nothing, the error lists every required field; the optional ones are not asked for."""
    transport = Scripted()
    async with scripted_client(transport) as client:
        with pytest.raises(InvalidPayoutError) as caught:
            await client.payout()
    assert {one.field for one in caught.value.problems} == set(WRONG) - {"trade_no", "remark"}
    assert {one.code for one in caught.value.problems} == {"REQUIRED"}
    assert "client" in next(one.message for one in caught.value.problems if one.field == "notify_url")


@pytest.mark.parametrize("number", ["", 0, False, (), float("nan")], ids=repr)
@virtual_time
async def test_only_none_means_that_a_payout_has_no_number(number: Any):
    """An empty cell or an unset variable was meant to be one: under a new number each call would pay again."""
    transport = Scripted()
    async with scripted_client(transport) as client:
        with pytest.raises(InvalidPayoutError) as caught:
            await client.payout(fields() | {"trade_no": number})
        with pytest.raises(InvalidPayoutError):
            await client.payout(Payout(**fields() | {"trade_no": number}))
        report = await client.batch_payout([fields() | {"trade_no": number}])
        assert (await client.payout(**fields(None), trade_no=None)).trade_no
    assert [one.field for one in caught.value.problems] == ["trade_no"]
    assert dict(report.counts) == {ItemStatus.INVALID: 1}
    assert len(transport.payouts) == 1


@virtual_time
async def test_an_unknown_field_is_reported_together_with_the_others():
    """A misspelt name, a missing field and a wrong value come in one error, so that one look mends them all."""
    transport = Scripted()
    async with scripted_client(transport) as client:
        with pytest.raises(InvalidPayoutError) as caught:
            await client.payout(**fields(bank_number=None, mobile="1"), bank_nubmer="10094038292")
    found = {one.field: one.code for one in caught.value.problems}
    assert found == {"bank_nubmer": "UNKNOWN_FIELD", "bank_number": "REQUIRED", "mobile": "MOBILE_FORMAT"}


@virtual_time
async def test_a_number_where_text_is_needed_is_refused():
    """An account number as an int would lose its leading zeros."""
    async with scripted_client(Scripted()) as client:
        with pytest.raises(InvalidPayoutError) as caught:
            await client.payout(**fields(bank_number=10094038292))
    assert [(one.field, one.code) for one in caught.value.problems] == [("bank_number", "NOT_TEXT")]


@virtual_time
async def test_the_error_of_an_invalid_payout_holds_no_personal_value():
    """Neither the text nor the repr of the error quotes who was to be paid."""
    async with scripted_client(Scripted()) as client:
        with pytest.raises(InvalidPayoutError) as caught:
            await client.payout(**fields(bank_code="x"))
    said = f"{caught.value} {caught.value!r} {caught.value.args} {caught.value.problems}"
    assert not [value for value in PERSONAL if value in said]


@virtual_time
async def test_the_client_fills_in_what_all_payouts_share():
    """ip_address and notify_url may be given once; a payout's own value beats them."""
    transport = Scripted()
    shared = {"ip_address": "198.51.100.1", "notify_url": "https://shared.example/"}
    async with scripted_client(transport, **shared) as client:
        await client.payout(**fields("T1", ip_address=None, notify_url=None))
        await client.payout(**fields("T2"))
    first, second = (sent.fields for sent in transport.payouts)
    assert (first["ipAddress"], first["notifyUrl"]) == ("198.51.100.1", "https://shared.example/")
    assert (second["ipAddress"], second["notifyUrl"]) == ("203.0.113.7", "https://merchant.example/paypro")


@pytest.mark.parametrize("amount", [300.0, float("nan"), True])
@virtual_time
async def test_a_float_is_a_type_error_before_any_io(amount: Any):
    """A float cannot hold money: nothing is stored and nothing sent, wherever it is given."""
    transport = Scripted()
    async with scripted_client(transport) as client:
        with pytest.raises(TypeError, match="amount"):
            await client.payout(**fields(amount=amount))
        with pytest.raises(TypeError, match="amount"):
            await client.payout(fields(amount=amount))
        with pytest.raises(TypeError, match="amount"):
            Payout(**fields(amount=amount))
        assert await client.ledger.get(MERCHANT_NO, "T1") is None
    assert transport.log == []


@pytest.mark.parametrize(
    ("amount", "sent"),
    [("300", "300"), (300, "300"), (Decimal("300.00"), "300"), ("0300", "300"), (Decimal("3E+2"), "300")],
)
@virtual_time
async def test_an_amount_goes_out_as_canonical_text(amount: Any, sent: str):
    """However a whole amount is written, the platform gets the same digits."""
    transport = Scripted()
    async with scripted_client(transport) as client:
        await client.payout(**fields(amount=amount))
    assert transport.payouts[0].fields["amount"] == sent


@virtual_time
async def test_decimals_are_sent_with_a_warning():
    """The platform advises against decimals: allowed, exact, and warned about at the caller's line."""
    transport = Scripted()
    async with scripted_client(transport) as client:
        with pytest.warns(PayProWarning, match=re.escape("AMOUNT_HAS_DECIMALS")) as caught:
            result = await client.payout(**fields(amount="300.5"))
    assert transport.payouts[0].fields["amount"] == "300.50"
    assert result.amount == Decimal("300.5")
    assert caught[0].filename == __file__


@virtual_time
async def test_a_whole_amount_is_not_warned_about():
    """300.00 has no decimals worth a warning."""
    async with scripted_client(Scripted()) as client:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await client.payout(**fields(amount="300.00"))


@virtual_time
async def test_a_trade_no_is_made_when_there_is_none():
    """Numbers in the platform's form, UTC time and 18 digits, different for each payout and stored in the ledger."""
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        first = await client.payout(**fields(None))
        second = await client.payout(**fields(None))
        assert set(sandbox.books.orders) == {first.trade_no, second.trade_no}
        assert await client.ledger.get(MERCHANT_NO, first.trade_no)
    assert first.trade_no != second.trade_no
    assert re.fullmatch(r"20250101\d{24}", first.trade_no)


@virtual_time
async def test_ten_thousand_generated_numbers_are_all_different():
    """In one moment, when the time part is the same for all."""
    async with scripted_client(Scripted()) as client:
        assert len({client.new_trade_no() for _ in range(10_000)}) == 10_000


@virtual_time
async def test_each_request_is_signed_over_its_own_timestamp():
    """The sandbox, which checks the signature by code of its own, accepts the first request and the repeated one."""
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        await client.payout(**fields())
        await client.payout(**fields())
    assert {one.code for one in sandbox.books.requests} == {"0000"}
    assert [path for path, _ in requests(sandbox)] == ["payout", "queryPayOutResult"]


@virtual_time
async def test_a_failed_payout_is_a_value_until_somebody_wants_an_exception():
    """FAILED comes back as a result; raise_for_status turns it into PayoutFailedError and passes good ones on."""
    async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
        failed = await client.payout(**fields("T1", remark="sandbox:fail:00029"))
        paid = await client.payout(**fields("T2", remark="sandbox:paid"))
        waiting = await client.payout(**fields("T3"))
    assert (failed.status, failed.code, failed.is_final) == (PayoutStatus.FAILED, "00029", True)
    assert (paid.status, paid.is_final) == (PayoutStatus.SUCCEEDED, True)
    with pytest.raises(PayoutFailedError) as caught:
        failed.raise_for_status()
    assert caught.value.result is failed
    assert (caught.value.trade_no, caught.value.platform_code) == ("T1", "00029")
    assert caught.value.money_may_have_moved is False
    assert not isinstance(caught.value, NotSentError)
    assert isinstance(caught.value, PayProError)
    assert paid.raise_for_status() is paid
    assert waiting.raise_for_status() is waiting


@pytest.mark.parametrize("code", ["00029", "99999", ""])
@virtual_time
async def test_a_status_that_is_neither_paid_nor_processing_is_failed_only_if_a_page_lists_it(code: str):
    """A code that no page lists is asked about, and so is an order without a status."""
    transport = Scripted(order(code), order("0015"))
    async with scripted_client(transport) as client:
        result = await client.payout(**fields())
    expected = (PayoutStatus.FAILED, code) if code == "00029" else (PayoutStatus.PROCESSING, "0015")
    assert (result.status, result.code) == expected
