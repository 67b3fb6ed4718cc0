import re

import pytest
from attrs import NOTHING, fields_dict

from paypro_async._core.regions import REGIONS, RegionSpec, region_named
from paypro_async.errors import ConfigurationError

EVERY = pytest.mark.parametrize("spec", REGIONS.values(), ids=lambda spec: spec.name)


@pytest.mark.parametrize("name", ["india", "India", "INDIA"])
def test_a_region_is_found_by_its_name(name: str):
    """In any case."""
    assert region_named(name) is REGIONS["india"]


def test_an_unknown_region_names_those_there_are():
    """So that a typing error is mended at once."""
    with pytest.raises(ConfigurationError, match=r"no region 'indai'. Known regions: india"):
        region_named("indai")


@EVERY
def test_a_region_has_the_shape_of_all(spec: RegionSpec):
    """Every field of the request is a field of its model, optional ones have a default, and names are not doubled."""
    model = fields_dict(spec.model)
    assert set(model) == {"amount", "trade_no", *(one.name for one in spec.fields)}
    assert len({one.wire for one in spec.fields}) == len({one.name for one in spec.fields}) == len(spec.fields)
    assert not {"sign", "timestamp", "tradeNo", "amount", "merchantNo"} & {one.wire for one in spec.fields}
    for one in spec.fields:
        assert (model[one.name].default is NOTHING) == (one.required and not one.default_by_client)


@EVERY
def test_a_region_has_paths_and_a_currency(spec: RegionSpec):
    """Absolute paths under the base URL, and an ISO 4217 code."""
    for path in (spec.payout_path, spec.query_path, spec.balance_path):
        assert re.fullmatch(r"(/[A-Za-z0-9]+)+", path)
    assert re.fullmatch(r"[A-Z]{3}", spec.currency)


def test_the_regions_cannot_be_changed():
    """They are the same for every client of the process."""
    with pytest.raises(TypeError):
        REGIONS["other"] = REGIONS["india"]  # type: ignore[index]
