"""Values that are made quickly are as frozen as those of attrs, and in all else like them."""

import copy
import inspect
import pickle
from typing import Any

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError

from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import Change, Entry, Event
from paypro_async._core.models import Balance, PayoutResult, PayoutStatus, QueryResult
from paypro_async._core.outcome import Outcome
from paypro_async._core.values import frozen
from paypro_async._core.wire import Exchange, Fault, WireRequest
from paypro_async.ledger import Written

QUICK = (
    Balance,
    Change,
    Entry,
    Event,
    Exchange,
    Fault,
    Intent,
    Outcome,
    PayoutResult,
    QueryResult,
    WireRequest,
    Written,
)


@frozen
class Point:
    """By place, and with a step of its own at the end."""

    x: int
    _y: int = 2
    name: str = attrs.field(default="P", kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("negative")
        object.__setattr__(self, "name", self.name.lower())


class Named(Point):
    """One whose objects have a dictionary."""


@attrs.frozen
class Deep(Point):
    """One that attrs makes of it."""

    z: int = 3


@pytest.mark.parametrize("kind", QUICK)
def test_the_values_of_a_payout_cannot_be_changed(kind: Any):
    """No field can be set or deleted, and the class is the one that was asked for."""
    given = {one.alias: one.name for one in attrs.fields(kind)} | {"state": "new", "to": "sending", "cause": "attempt"}
    value = kind(**{one.alias: given[one.alias] for one in attrs.fields(kind)})
    assert type(value) is kind
    for one in attrs.fields(kind):
        assert getattr(value, one.name) == given[one.alias]
        with pytest.raises(FrozenInstanceError):
            setattr(value, one.name, None)
        with pytest.raises(FrozenInstanceError):
            delattr(value, one.name)
    with pytest.raises(AttributeError):
        value.another = 1
    assert attrs.evolve(value) == value
    assert copy.copy(value) == value


def test_a_constructor_takes_what_that_of_attrs_takes():
    """Defaults, names without an underline, fields by place and by name, and a wrong call is a TypeError."""
    assert attrs.asdict(Point(1)) == {"x": 1, "_y": 2, "name": "p"}
    assert Point(1, 5, name="Q") == Point(x=1, y=5, name="q")
    assert list(inspect.signature(Point).parameters) == ["x", "y", "name"]
    for wrong in ((), (1, 2, "Q"), (1, 2, 3, 4)):
        with pytest.raises(TypeError):
            Point(*wrong)
    with pytest.raises(ValueError, match="negative"):
        Point(-1)


def test_a_class_that_is_made_of_one_makes_its_own_objects():
    """Whatever else these hold."""
    named = Named(1, name="N")
    assert (type(named), named.x, named.name) == (Named, 1, "n")
    named.__dict__["more"] = 1
    assert (type(Deep(1)), Deep(1, z=4).z) == (Deep, 4)


def test_a_value_that_was_pickled_is_the_same_and_frozen():
    """As a program hands it to another process."""
    result = PayoutResult(trade_no="T1", status=PayoutStatus.FAILED, amount=1, currency="INR")
    again = pickle.loads(pickle.dumps(result))  # noqa: S301  our own
    assert again == result
    with pytest.raises(FrozenInstanceError):
        again.trade_no = "T2"


def test_what_is_made_of_a_given_value_is_still_made():
    """A class with a converter, a validator or a factory keeps attrs' constructor."""

    @frozen
    class Made:
        number: int = attrs.field(converter=int)
        more: list[int] = attrs.field(factory=list)

    assert (Made("1").number, Made(1).more) == (1, [])
