"""One payout as reports tell of it, whether it was an item of a batch or the row of a file."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Self

from attrs import evolve, field, frozen

from paypro_async._core.beneficiary import beneficiary_of
from paypro_async._core.intent import Intent
from paypro_async._core.items import BatchItem, ItemStatus
from paypro_async._core.lifecycle import Entry
from paypro_async._core.masking import mask_account, mask_name
from paypro_async._core.plain_data import PlainData
from paypro_async._core.regions import REGIONS

__all__ = ["Kept", "ReportRow", "kept_item"]

Kept = tuple[Any, ...]
"""A row as it is kept: its fields in their order, as a database takes them."""

_LONGEST_GIVEN = 200
_WIRE_NAMES = {region: {one.name: one.wire for one in spec.fields} for region, spec in REGIONS.items()}
_PAYEE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {region: (wire.get("name", ""), wire.get("bank_number", "")) for region, wire in _WIRE_NAMES.items()}
)
_NO_PAYEE = ("", "")


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
        changed_at: When the ledger had the last news of it, also such as left its status as it was.
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

    def masked(self) -> Self:
        """The row with the beneficiary masked, as its repr shows it."""
        if self.name is None and self.bank_number is None:
            return self
        return evolve(
            self,
            name=None if self.name is None else mask_name(self.name),
            bank_number=None if self.bank_number is None else mask_account(self.bank_number),
        )

    def kept(self) -> Kept:
        """The row as it is kept."""
        return (
            self.row,
            self.trade_no,
            self.status.value,
            None if self.amount is None else str(self.amount),
            self.currency,
            self.name,
            self.bank_number,
            self.code,
            self.message,
            self.platform_trade_no,
            self.utr,
            self.attempts,
            None if self.begun_at is None else self.begun_at.timestamp(),
            None if self.changed_at is None else self.changed_at.timestamp(),
        )

    @classmethod
    def of_kept(cls, kept: Kept) -> Self:
        """The row that was kept."""
        number, trade_no, status, amount, currency, name, bank_number, code, message, *told = kept
        platform_trade_no, utr, attempts, begun_at, changed_at = told
        return cls(
            row=number,
            trade_no=trade_no,
            status=ItemStatus(status),
            amount=None if amount is None else Decimal(amount),
            currency=currency,
            name=name,
            bank_number=bank_number,
            code=code,
            message=message,
            platform_trade_no=platform_trade_no,
            utr=utr,
            attempts=attempts,
            begun_at=_moment(begun_at),
            changed_at=_moment(changed_at),
        )


def kept_item(item: BatchItem, intent: Intent | None, entry: Entry | None, *, currency: str) -> Kept:
    """One payout of a batch as it is kept, in one step, since every payout takes it.

    Args:
        item: What became of it.
        intent: What was to be paid; None if the item was not valid, or if that is kept already.
        entry: The ledger's, as it was last seen.
        currency: Of what is not valid.
    """
    result, error = item.result, item.error
    if result is not None:
        told = (result.status.value, result.code, result.message, result.platform_trade_no, result.utr, result.attempts)
    else:
        number, utr, attempts = (entry.platform_trade_no, entry.utr, entry.attempt) if entry else (None, None, 0)
        told = (item.status.value, item.code, str(error) if error else None, number, utr, attempts)
    status, *told_more = told
    paid: tuple[str | None, ...]
    if intent is not None:
        name, bank_number = _PAYEE.get(intent.region, _NO_PAYEE)
        paid = (str(intent.amount), intent.currency, intent.content.get(name), intent.content.get(bank_number))
    else:
        paid = (None, currency, _given(item.payout, "name"), _given(item.payout, "bank_number"))
    times = (entry.created_at.timestamp(), entry.updated_at.timestamp()) if entry is not None else (None, None)
    return (item.position + 1, item.trade_no, status, *paid, *told_more, *times)


def _given(payout: Any, name: str) -> str | None:
    """A field of an item that is not valid, so that a person finds it again."""
    value = payout.get(name) if isinstance(payout, Mapping) else getattr(payout, name, None)
    return value[:_LONGEST_GIVEN] if isinstance(value, str) else None


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
