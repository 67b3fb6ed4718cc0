"""Every result becomes plain data that json.dumps takes, with amounts as text and nobody's account in the clear."""

import json
import types
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, get_args, get_origin, get_type_hints

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

import paypro_async
from paypro_async import (
    BatchItem,
    InvalidPayoutError,
    ItemStatus,
    OutcomeUnknownError,
    Payout,
    PayoutResult,
    PayoutStatus,
    PayProError,
    Problem,
    ReconcileReport,
)
from paypro_async._core.plain_data import PlainData, plain
from tests.support.valid import FIELDS
from tests.test_public_api import child

GIVEN_BY_USERS = {"Codes", "Decision", "Payout", "Problem", "StopRules", "CallbackReading"}
NOT_FOR_SHOWING = {"Batch", "Entry", "CallbackReply"}  # what runs, what the ledger holds, and what is sent as it is
PUBLIC = {name: getattr(paypro_async, name) for name in paypro_async.__all__ if name != "__version__"}
RESULTS = [one for one in PUBLIC.values() if isinstance(one, type) and issubclass(one, PlainData)]
PERSONAL = ("Asha Rao", "8234567890", "asha@gmail.com", "10094038292")

amounts = st.decimals(allow_nan=False, allow_infinity=False) | st.just(Decimal("3E+2"))
errors = st.sampled_from(
    [
        OutcomeUnknownError("Money may have moved.", trade_no="1"),
        InvalidPayoutError([Problem("bank_code", "IFSC_FORMAT", "mend it")]),
    ]
)
inputs = st.sampled_from([Payout(**FIELDS), dict(FIELDS), object()])
SIMPLE = {Decimal: amounts, Any: inputs, PayProError: errors, datetime: st.datetimes(), float: st.floats(0, 1e9)}


def values_of(kind: Any) -> st.SearchStrategy:
    """Values of a type as a field of a result is annotated with it."""
    if kind in SIMPLE:
        return SIMPLE[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if isinstance(kind, types.UnionType):
        return st.one_of(*map(values_of, arguments))
    if origin is tuple:
        if arguments[-1] is not ...:
            return st.tuples(*map(values_of, arguments))
        return st.lists(values_of(arguments[0]), max_size=2).map(tuple)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return st.dictionaries(*map(values_of, arguments), max_size=3)
    if attrs.has(kind):
        return results_of(kind)
    return st.from_type(kind)


def results_of(cls: type) -> st.SearchStrategy:
    hints = get_type_hints(cls)
    return st.builds(cls, **{one.name: values_of(hints[one.name]) for one in attrs.fields(cls) if one.init})


def numbers(value: Any) -> list[Decimal]:
    """Every amount inside a result, in order."""
    if isinstance(value, Decimal):
        return [value]
    if isinstance(value, Mapping):
        return [found for one in value.values() for found in numbers(one)]
    if isinstance(value, tuple):
        return [found for one in value for found in numbers(one)]
    if attrs.has(type(value)) and isinstance(value, PlainData):
        return [found for one in attrs.fields(type(value)) for found in numbers(getattr(value, one.name))]
    return []


def test_every_public_value_that_the_client_gives_back_becomes_plain_data():
    """A new class of results cannot be forgotten."""
    values = {name for name, one in PUBLIC.items() if isinstance(one, type) and attrs.has(one)}
    assert values - {one.__name__ for one in RESULTS} <= GIVEN_BY_USERS | NOT_FOR_SHOWING | {
        name for name in values if name.endswith("Signer")
    }


@pytest.mark.parametrize("cls", RESULTS)
@given(data=st.data())
def test_every_result_goes_through_json_and_no_amount_is_rounded(cls: type[PlainData], data: st.DataObject):
    result = data.draw(results_of(cls))
    told = result.to_dict()

    assert json.loads(json.dumps(told)) == told
    assert dict(result) == told
    texts = json.dumps(told)
    assert all(f'"{number:f}"' in texts for number in numbers(result))
    assert not [value for value in PERSONAL if value in texts]


@pytest.mark.parametrize("cls", RESULTS)
def test_pydantic_and_openapi_know_every_field_of_every_result(cls: type[PlainData]):
    """The page that FastAPI makes of an endpoint shows what it answers."""
    schema = TypeAdapter(cls).json_schema()

    assert schema["title"] == cls.__name__
    assert list(schema["properties"]) == [one.name for one in attrs.fields(cls)] + list(cls.also_told)
    assert [name for name, one in schema["properties"].items() if not one] == []
    for name, kind in get_type_hints(cls).items():
        if kind is Decimal:
            assert schema["properties"][name]["type"] == "string"


def test_a_result_is_a_field_of_a_model_and_nothing_else_passes_for_one():
    class Answer(BaseModel):
        result: PayoutResult

    result = PayoutResult(trade_no="1", status=PayoutStatus.SUCCEEDED, amount=Decimal("0.10"), currency="INR")
    answer = Answer(result=result)

    assert answer.result is result
    assert answer.model_dump(mode="json") == {"result": result.to_dict()}
    with pytest.raises(ValidationError):
        Answer(result=result.to_dict())


@pytest.mark.parametrize("cls", RESULTS)
@given(data=st.data())
def test_pydantic_writes_a_result_whose_type_it_was_not_told_as_any_other(cls: type[PlainData], data: st.DataObject):
    """In an ``Any`` or a ``dict`` it would else be an error, after the payout was made."""
    result = data.draw(results_of(cls))
    told = result.to_dict()

    assert TypeAdapter(Any).dump_python(result, mode="json") == told
    assert json.loads(TypeAdapter(dict[str, Any]).dump_json({"r": [result]})) == {"r": [told]}
    assert json.loads(TypeAdapter(dict).dump_json({"r": result})) == {"r": told}


@pytest.mark.parametrize("kind", [PayoutResult, Any])
def test_what_pydantic_is_to_leave_out_is_left_out(kind: Any):
    result = PayoutResult(trade_no="1", status=PayoutStatus.SUCCEEDED, amount=Decimal("0.10"), currency="INR")
    told, adapter = result.to_dict(), TypeAdapter(kind)

    without = adapter.dump_python(result, mode="json", exclude={"trade_no"})
    assert without == {name: value for name, value in told.items() if name != "trade_no"}
    assert adapter.dump_python(result, mode="json", include={"status"}) == {"status": "succeeded"}
    without = adapter.dump_python(result, mode="json", exclude_none=True)
    assert without == {name: value for name, value in told.items() if value is not None}


def test_without_pydantic_a_result_has_nothing_of_it():
    asked = "hasattr(paypro_async.Balance, '__pydantic_serializer__'), 'pydantic_core' in sys.modules"
    assert child(f"import sys, paypro_async; print({asked})") == "False False"


def test_an_item_of_a_batch_says_what_its_error_says_and_hides_whom_it_pays():
    item = BatchItem(
        position=3,
        trade_no=None,
        payout=Payout(**FIELDS),
        error=InvalidPayoutError([Problem("bank_code", "IFSC_FORMAT", "mend it")]),
    )

    told = item.to_dict()

    assert told["status"] == "invalid"
    assert told["error"]["kind"] == "InvalidPayoutError"
    assert told["error"]["money_may_have_moved"] is False
    assert told["error"]["problems"] == [{"field": "bank_code", "code": "IFSC_FORMAT", "message": "mend it"}]
    assert told["payout"].startswith("Payout(amount=Decimal('300')")
    assert not [value for value in PERSONAL if value in str(told)]


def test_what_is_not_ours_is_told_by_its_kind_alone():
    """A foreign error, or an object of the caller, may say anything of anybody."""
    assert plain([ValueError("Asha Rao"), object(), b"Asha Rao"]) == [{"kind": "ValueError"}, "<object>", "<bytes>"]


def test_a_step_from_one_state_to_another_is_one_name():
    counts = {"checked": 1, "still_unknown": 0, "missing": 0, "review": 0, "overdue": 0, "unanswered": 0}
    report = ReconcileReport(**counts, changed={(ItemStatus.UNKNOWN, ItemStatus.SUCCEEDED): 1}, elapsed=0.5)
    assert report.to_dict()["changed"] == {"unknown>succeeded": 1}
    assert report.to_dict()["ok"] is True
