"""Values as plain data: what ``json.dumps`` takes, amounts as text, times in ISO 8601."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar

import attrs

from paypro_async._core.errors import InvalidPayoutError, PayProError
from paypro_async._core.json_schema import SerializerForPydantic, instance_schema, object_schema

__all__ = ["PlainData", "plain"]


class PlainData:
    """A result that becomes plain data, also in the answers of FastAPI and in the models of pydantic.

    Iterating over it gives its names and plain values, as of a pydantic model, so that ``dict(result)`` is the same as
    ``result.to_dict()``. FastAPI makes its answer of a value without a response model so.
    """

    __slots__ = ()
    also_told: ClassVar[tuple[str, ...]] = ()
    """Properties that belong into its plain data beside the fields."""
    __pydantic_serializer__: ClassVar[SerializerForPydantic] = SerializerForPydantic()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for ``json.dumps``; amounts are text."""
        cls: Any = type(self)
        told = {one.name: _told(one, getattr(self, one.name)) for one in attrs.fields(cls)}
        return told | {name: plain(getattr(self, name)) for name in self.also_told}

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(self.to_dict().items())

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return instance_schema(cls, cls.to_dict)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        return object_schema(cls, also=cls.also_told)


def plain(value: Any) -> Any:
    """*value* as ``json.dumps`` takes it: no number of it is rounded, and nothing of it is lost but its class."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, PlainData | BaseException):
        return value.to_dict() if isinstance(value, PlainData) else _error(value)
    if isinstance(value, Mapping):
        return {_name(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if value is None or isinstance(value, str | int | float):
        return value
    # What it would show is not known, and may be personal.
    return f"<{type(value).__name__}>"


def _told(field: "attrs.Attribute[Any]", value: Any) -> Any:
    # What a repr masks is masked here, too.
    return field.repr(value) if callable(field.repr) else plain(value)


def _error(error: BaseException) -> dict[str, Any]:
    """What an error says, and what programs ask of it. Our errors hold no personal value; others may."""
    if not isinstance(error, PayProError):
        return {"kind": type(error).__name__}
    told: dict[str, Any] = {
        "kind": type(error).__name__,
        "message": str(error),
        "money_may_have_moved": error.money_may_have_moved,
    }
    if (code := getattr(error, "platform_code", None)) is not None:
        told["platform_code"] = code
    if isinstance(error, InvalidPayoutError):
        told["problems"] = [{"field": one.field, "code": one.code, "message": one.message} for one in error.problems]
    return told


def _name(key: Any) -> str:
    # A pair of states is a step from one to the other.
    return ">".join(map(_name, key)) if isinstance(key, tuple) else str(plain(key))
