"""India (docs: india/payout, india/payoutQuery)."""

from datetime import timedelta
from decimal import Decimal
from typing import NotRequired, TypedDict

from attrs import field, frozen

from paypro_async._core.field_checks import ACCOUNT, EMAIL, IP_ADDRESS, TEXT, URL, Check, Slip
from paypro_async._core.masking import mask_account, mask_email, mask_mobile, mask_name, mask_text
from paypro_async._core.money import parse_amount
from paypro_async._core.regions.spec import Field, RegionSpec

__all__ = ["IFSC", "MOBILE", "SPEC", "Payout", "PayoutFields"]

# docs: india/payout, an 11-digit alphanumeric code
_IFSC_PATTERN = r"[A-Z]{4}0[A-Z0-9]{6}"
IFSC = Check.matching(
    _IFSC_PATTERN,
    "IFSC_FORMAT",
    "must be 11 characters: four capital letters, a zero, six letters or digits (IDFB0043121)",
    certain=_IFSC_PATTERN,
    slips=[
        Slip(
            pattern=r"[A-Za-z]{4}0[A-Za-z0-9]{6}",
            ignoring=r"\s",
            code="IFSC_FORMAT",
            message="must be in capital letters without blanks",
        )
    ],
)
"""The code of a bank's branch in India."""

# docs: india/payout, "10 digits starting with 6-9, without 91"
_MOBILE_PATTERN = r"[6-9][0-9]{9}"
MOBILE = Check.matching(
    _MOBILE_PATTERN,
    "MOBILE_FORMAT",
    "must be 10 digits that begin with 6, 7, 8 or 9, without blanks",
    certain=_MOBILE_PATTERN,
    slips=[
        Slip(
            pattern=r"(\+|00)?91[6-9][0-9]{9}",
            ignoring=r"[\s-]",
            code="MOBILE_COUNTRY_CODE",
            message="drop the country code 91: 10 digits that begin with 6, 7, 8 or 9",
        )
    ],
)
"""An Indian mobile number."""


def _amount(value: object) -> object:
    # A float must fail where it is written, not later; text that is no number is reported with the other fields.
    parsed = parse_amount(value)
    return value if parsed is None else parsed


@frozen(kw_only=True)
class Payout:
    """One payout to an Indian bank account. Personal fields are masked in ``repr``.

    A payout is checked when it is paid, and every wrong field is reported at once.

    Args:
        amount: In rupees: text, int or Decimal. At most two decimals; the platform advises against any.
        name: The beneficiary's name.
        mobile: 10 digits that begin with 6, 7, 8 or 9, without 91.
        email: The beneficiary's; the platform suggests a gmail.com address.
        bank_number: The beneficiary's account number, as text so that leading zeros stay.
        bank_code: The IFSC of the branch, 11 characters.
        ip_address: The payer's IP address; may be given once to the client.
        notify_url: Where the platform reports; may be given once to the client.
        remark: Returned in the platform's callback.
        trade_no: The merchant's order number and idempotency key; made by the client when absent.

    Raises:
        TypeError: If *amount* is a float.
    """

    amount: Decimal | int | str = field(converter=_amount)
    name: str = field(repr=mask_name)
    mobile: str = field(repr=mask_mobile)
    email: str = field(repr=mask_email)
    bank_number: str = field(repr=mask_account)
    bank_code: str
    ip_address: str | None = None
    notify_url: str | None = None
    remark: str | None = field(default=None, repr=mask_text)
    trade_no: str | None = None


class PayoutFields(TypedDict):
    """The same as keyword arguments of ``PayProClient.payout``, for editors and type checkers."""

    amount: Decimal | int | str
    name: str
    mobile: str
    email: str
    bank_number: str
    bank_code: str
    ip_address: NotRequired[str | None]
    notify_url: NotRequired[str | None]
    remark: NotRequired[str | None]
    trade_no: NotRequired[str | None]


SPEC = RegionSpec(
    name="india",
    currency="INR",
    payout_path="/v1/paypro/payout",
    query_path="/v1/paypro/queryPayOutResult",
    balance_path="/v1/paypro/queryBalance",  # inferred: reference section 3, the path of the sister regions
    max_decimals=2,
    warn_decimals=True,
    utc_offset=timedelta(hours=5, minutes=30),
    zone_name="IST",
    echo="remark",  # docs: india/payout, "data.remark"
    fields=(
        Field(name="name", wire="name", check=TEXT, mask=mask_name),
        Field(name="mobile", wire="mobile", check=MOBILE, mask=mask_mobile),
        # The row of the page's table that has no name is this one.
        Field(name="email", wire="email", check=EMAIL, mask=mask_email),
        Field(name="bank_number", wire="bankNumber", check=ACCOUNT, mask=mask_account, beneficiary=True),
        # The table says bankNCode, the example bankCode: the example is what was run. A branch is not a person.
        Field(name="bank_code", wire="bankCode", check=IFSC, mask=str, beneficiary=True),
        # Required by the table, missing in the example: we send it.
        Field(name="ip_address", wire="ipAddress", check=IP_ADDRESS, default_by_client=True, identifies=False),
        Field(name="notify_url", wire="notifyUrl", check=URL, default_by_client=True, identifies=False),
        Field(name="remark", wire="remark", check=TEXT, required=False),
    ),
    model=Payout,
)
