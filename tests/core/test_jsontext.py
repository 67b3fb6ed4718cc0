"""The bytes of requests and fingerprints do not depend on what is installed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async._core import codec
from paypro_async._core.codec import json_bytes
from tests.support.samples import intent

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(TEXTS, lambda one: st.lists(one) | st.dictionaries(TEXTS, one), max_leaves=20)


@given(VALUES)
def test_orjson_and_the_standard_library_write_the_same_bytes(value: object):
    """Every character of Unicode, as name or as value; a fingerprint of an old ledger must still be found."""
    with pytest.MonkeyPatch.context() as patch:
        assert codec.orjson is not None, "the tests install it"
        with_orjson = json_bytes(value)
        patch.setattr(codec, "orjson", None)
        assert json_bytes(value) == with_orjson
    assert json.loads(with_orjson) == value


def test_a_fingerprint_is_the_same_without_orjson(monkeypatch: pytest.MonkeyPatch):
    """The contract with every ledger ever written."""
    before = intent(name="आशा राव").fingerprint
    monkeypatch.setattr(codec, "orjson", None)
    assert intent(name="आशा राव").fingerprint == before
