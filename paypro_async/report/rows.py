"""One payout as reports tell of it, whether it was an item of a batch or the row of a file."""

from datetime import datetime
from decimal import Decimal
from typing import Self

from attrs import field, frozen

from paypro_async._core.beneficiary import beneficiary_of
from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import Entry
from paypro_async._core.masking import mask_account, mask_name
from paypro_async._core.plain_data import PlainData

__all__ = ["ReportRow"]


@frozen(kw_only=True)
class ReportRow(PlainData):
    """One payout of a report.

    Args:
        row: The row of a file, or the item of a batch, counted from 1.
        trade_no: Its order number; None if it was not valid and had none.
        status: What is known of it.
        amount: In major units of *currency*; None if it was not valid.
        currency: ISO 4217.
        name: The beneficiary's.
        bank_number: The beneficiary's account.
        code: The platform's code, or the kind of the error.
        message: What the platform or the error said.
        platform_trade_no: The platform's number.
        utr: The bank's number of the transfer.
        attempts: How often it was sent.
        begun_at: When it was stored in the ledger.
        changed_at: When what is known of it changed for the last time.
    """

    row: int
    trade_no: str | None
    status: ItemStatus
    amount: Decimal | None
    currency: str
    name: str | None = field(default=None, repr=mask_name)
    bank_number: str | None = field(default=None, repr=mask_account)
    code: str | None = None
    message: str | None = None
    platform_trade_no: str | None = None
    utr: str | None = None
    attempts: int = 0
    begun_at: datetime | None = None
    changed_at: datetime | None = None

    @classmethod
    def of_entry(cls, entry: Entry, *, row: int) -> Self:
        """What the ledger holds of a payout."""
        beneficiary = beneficiary_of(entry.region, entry.content, unmasked=True)
        return cls(
            row=row,
            trade_no=entry.trade_no,
            status=ItemStatus.of_entry(entry),
            amount=entry.amount,
            currency=entry.currency,
            name=beneficiary.get("name"),
            bank_number=beneficiary.get("bank_number"),
            code=entry.code,
            message=entry.message,
            platform_trade_no=entry.platform_trade_no,
            utr=entry.utr,
            attempts=entry.attempt,
            begun_at=entry.created_at,
            changed_at=entry.updated_at,
        )
