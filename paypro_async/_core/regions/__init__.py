"""The regions, one file each, all with the same three names: ``SPEC``, ``Payout`` and ``PayoutFields``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from paypro_async._core.errors import ConfigurationError
from paypro_async._core.regions import india
from paypro_async._core.regions.spec import Field, RegionSpec

__all__ = ["REGIONS", "Field", "Payable", "Region", "RegionSpec", "region_named"]

Region = Literal["india"]
"""The names of the regions."""

Payable = india.Payout | Mapping[str, Any]
"""What callers give to be paid: a region's ``Payout``, or a mapping of its fields."""

REGIONS: Mapping[str, RegionSpec] = MappingProxyType({spec.name: spec for spec in (india.SPEC,)})


def region_named(name: str) -> RegionSpec:
    """The spec of a region.

    Raises:
        ConfigurationError: If there is no such region.
    """
    try:
        return REGIONS[name.lower()]
    except (KeyError, AttributeError):
        known = ", ".join(sorted(REGIONS))
        raise ConfigurationError(f"There is no region {name!r}. Known regions: {known}.") from None
