"""What pydantic and OpenAPI are told of a result. pydantic itself is imported only when it asks."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs

__all__ = ["instance_schema", "object_schema"]

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
    from pydantic_core import core_schema  # noqa: PLC0415  only who has pydantic comes here

    return core_schema.is_instance_schema(
        cls,
        # By its name it is one model of an OpenAPI page, however many answers hold it.
        ref=f"{cls.__module__}.{cls.__qualname__}:{id(cls)}",
        serialization=core_schema.plain_serializer_function_ser_schema(to_dict),
    )


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
