"""What pydantic and OpenAPI are told of a result. pydantic itself is imported only when it asks."""

import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs

__all__ = ["SerializerForPydantic", "instance_schema", "object_schema"]

_SIMPLE: Mapping[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    NoneType: {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    Decimal: {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
}
_ERROR = {
    "type": "object",
    "properties": {"kind": {"type": "string"}, "message": {"type": "string"}},
    "required": ["kind"],
    "additionalProperties": True,
}


def instance_schema(cls: type, to_dict: Callable[[Any], dict[str, Any]]) -> Any:
    """The pydantic core schema of a class whose objects are taken as they are, and written by *to_dict*."""
    from pydantic_core import core_schema, to_jsonable_python  # noqa: PLC0415  only who has pydantic comes here

    def told(value: Any, info: Any) -> Any:
        whole = _without_none(to_dict(value)) if info.exclude_none else to_dict(value)
        return to_jsonable_python(whole, include=info.include, exclude=info.exclude)

    return core_schema.is_instance_schema(
        cls,
        # By its name it is one model of an OpenAPI page, however many answers hold it.
        ref=f"{cls.__module__}.{cls.__qualname__}:{id(cls)}",
        serialization=core_schema.plain_serializer_function_ser_schema(told, info_arg=True),
    )


class SerializerForPydantic:
    """Of a class with ``__get_pydantic_core_schema__``: what pydantic looks for on a value whose type nobody told it.

    It finds it as ``__pydantic_serializer__``, when it writes what an ``Any`` or a ``dict`` holds.
    """

    def __get__(self, value: object, cls: Any) -> Any:
        if "pydantic_core" not in sys.modules:
            raise AttributeError("__pydantic_serializer__")
        return _serializer(cls)


@cache
def _serializer(cls: Any) -> Any:
    from pydantic_core import SchemaSerializer  # noqa: PLC0415  it is there, since pydantic asks

    return SchemaSerializer(cls.__get_pydantic_core_schema__(cls, None))


def _without_none(told: Any) -> Any:
    if isinstance(told, dict):
        return {name: _without_none(one) for name, one in told.items() if one is not None}
    return [_without_none(one) for one in told] if isinstance(told, list) else told


def object_schema(cls: type, *, also: tuple[str, ...]) -> dict[str, Any]:
    """The JSON schema of the plain data of an attrs class, and of its properties *also*."""
    types = get_type_hints(cls)
    told = {one.name: _masked(one) or _schema(types[one.name]) for one in attrs.fields(cls)}
    told |= {name: _schema(get_type_hints(getattr(cls, name).fget)["return"]) for name in also}
    return {
        "title": cls.__name__,
        "description": (cls.__doc__ or "").partition("\n")[0],
        "type": "object",
        "properties": told,
        "required": list(told),
    }


def _masked(field: "attrs.Attribute[Any]") -> dict[str, Any] | None:
    return {"type": "string"} if callable(field.repr) else None


def _schema(kind: Any) -> dict[str, Any]:
    if kind in _SIMPLE:
        return dict(_SIMPLE[kind])
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return {"anyOf": [_schema(one) for one in arguments]}
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0])}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"type": "string", "enum": [one.value for one in kind]}
    if isinstance(kind, type) and issubclass(kind, BaseException):
        return _ERROR
    if attrs.has(kind):
        return object_schema(kind, also=getattr(kind, "also_told", ()))
    return {}
