"""Values as plain data: what ``json.dumps`` takes, amounts as text, times in ISO 8601."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import attrs

__all__ = ["plain", "plain_dict"]


def plain_dict(value: Any) -> dict[str, Any]:
    """The public fields of an attrs *value* by name, each as plain data."""
    return {one.name: plain(getattr(value, one.name)) for one in attrs.fields(type(value)) if one.name[0] != "_"}


def plain(value: Any) -> Any:
    """*value* as ``json.dumps`` takes it: no number of it is rounded, and nothing of it is lost but its class."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, BaseException):
        return {"kind": type(value).__name__, "message": str(value)}
    if attrs.has(type(value)):
        return value.to_dict() if hasattr(value, "to_dict") else plain_dict(value)
    if isinstance(value, Mapping):
        return {_name(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    return value


def _name(key: Any) -> str:
    # A pair of states is a step from one to the other.
    return ">".join(map(_name, key)) if isinstance(key, tuple) else str(plain(key))
