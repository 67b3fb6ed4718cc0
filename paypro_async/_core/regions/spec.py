"""What a region file says about its country: one shape, so that one read teaches all."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta, timezone, tzinfo
from functools import cached_property
from operator import attrgetter, itemgetter
from typing import Any

from attrs import field, frozen

from paypro_async._core.field_checks import TRADE_NO, Check, certain_amount
from paypro_async._core.masking import mask_text
from paypro_async._core.secret import HiddenFields

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
        utc_offset: Of the local times that its replies hold, and that people read.
        zone_name: What people call that time.
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
    zone_name: str
    echo: str | None
    fields: tuple[Field, ...]
    model: type[Any] = field(repr=False)

    def content(self, trade_no: Any, payout: Any, defaults: Mapping[str, str]) -> HiddenFields[str, Any]:
        """A payout's values by the platform's names, with the client's defaults where it has none.

        Args:
            payout: The model, or all its fields by their names.
            defaults: By the model's names.
        """
        values_of = self._attributes if isinstance(payout, self.model) else self._items
        content: HiddenFields[str, Any] = HiddenFields(zip(self._wires, (trade_no, *values_of(payout)), strict=True))
        for one in self.maybe_absent:
            value = content[one.wire]
            if value is None or value == "":
                content[one.wire] = defaults.get(one.name, "") if one.default_by_client else ""
        return content

    def is_certain(self, content: Mapping[str, Any]) -> bool:
        """Whether all of a payout's *content* is right beyond doubt, at one look. What is not may be right too."""
        try:
            return self._certain.fullmatch("\n".join(content.values())) is not None
        except TypeError:
            return False  # something of it is no text

    @cached_property
    def zone(self) -> tzinfo:
        """The time that people in the region go by."""
        return timezone(self.utc_offset, self.zone_name)

    @cached_property
    def unset(self) -> dict[str, None]:
        """Every field of the model, without a value."""
        return dict.fromkeys(["amount", *(one.name for one in self.fields), "trade_no"])

    @cached_property
    def identifying(self) -> tuple[str, ...]:
        """The platform's names of what is paid to whom, sorted."""
        return tuple(sorted(["amount", *(one.wire for one in self.fields if one.identifies)]))

    @cached_property
    def maybe_absent(self) -> tuple[Field, ...]:
        """What a payout may leave out."""
        return tuple(one for one in self.fields if one.default_by_client or not one.required)

    @cached_property
    def _wires(self) -> tuple[str, ...]:
        return ("tradeNo", "amount", *(one.wire for one in self.fields))

    @cached_property
    def _attributes(self) -> Callable[[Any], tuple[Any, ...]]:
        return attrgetter("amount", *(one.name for one in self.fields))

    @cached_property
    def _items(self) -> Callable[[Any], tuple[Any, ...]]:
        return itemgetter("amount", *(one.name for one in self.fields))

    @cached_property
    def _certain(self) -> re.Pattern[str]:
        # A line for each; no text that matches has a line break in it, so each meets its own pattern.
        lines = [TRADE_NO.certainly(), certain_amount(self.max_decimals)]
        lines += [one.check.certainly(required=one.required) for one in self.fields]
        return re.compile("\n".join(lines))
