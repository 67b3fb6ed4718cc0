"""What a region file says about its country: one shape, so that one read teaches all."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from attrs import field, frozen

from paypro_async._core.field_checks import Check
from paypro_async._core.masking import mask_text

__all__ = ["Field", "RegionSpec"]


@frozen(kw_only=True, eq=False)
class Field:
    """One field of the payout request.

    Args:
        name: The field's name in the model.
        wire: The platform's name for it.
        check: What its text must be.
        mask: The text as people may see it; by default its length alone.
        required: Whether the platform wants it.
        default_by_client: Whether the client may carry one value for all payouts.
        identifies: Whether it is part of what is paid to whom. Two payouts under one trade_no that differ in such a
            field are a conflict; technical fields (the caller's IP address) may change from run to run.
        beneficiary: Whether it is part of where the money goes: the account, and not the name or the address, which
            may be written in several ways.
    """

    name: str
    wire: str
    check: Check
    mask: Callable[[object], str] = mask_text
    required: bool = True
    default_by_client: bool = False
    identifies: bool = True
    beneficiary: bool = False


@frozen(kw_only=True, eq=False)
class RegionSpec:
    """A region: its paths, its payout's fields, and how its replies name things.

    Args:
        name: As given to ``PayProClient(region=…)``.
        currency: ISO 4217.
        payout_path: Appended to the base URL; the casing counts (reference section 3).
        max_decimals: Decimals that an amount may have.
        warn_decimals: Whether the platform advises against decimals.
        utc_offset: Of the local times that its replies hold.
        echo: The platform's name of the field whose text a payout's reply repeats; None if there is none.
        fields: Every field of the payout but ``tradeNo`` and ``amount``, which all regions share.
        model: The region's ``Payout`` class.
    """

    name: str
    currency: str
    payout_path: str
    query_path: str
    balance_path: str
    max_decimals: int
    warn_decimals: bool
    utc_offset: timedelta
    echo: str | None
    fields: tuple[Field, ...]
    model: type[Any] = field(repr=False)

    def content(self, payout: Any, defaults: Mapping[str, str]) -> dict[str, Any]:
        """The payout's own values by model name, with the client's defaults where it has none."""
        content: dict[str, Any] = {}
        for one in self.fields:
            value = getattr(payout, one.name)
            absent = value is None or value == ""
            content[one.name] = defaults.get(one.name) if absent and one.default_by_client else value
        return content
