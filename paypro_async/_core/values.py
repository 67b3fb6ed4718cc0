"""Frozen values that are made as quickly as those that may be changed.

attrs fills a frozen object by a call for each field, which for all the values of a payout is a tenth of what it costs.
Here the constructor fills a *draft*, of a class that has the same fields and may be changed, and makes it one of the
frozen class at its end. Nobody but the constructor ever holds a draft.
"""

from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import attrs

__all__ = ["frozen"]

_FACTORY: Any = attrs.Factory


def _frozen(cls: type | None = None, /, **options: Any) -> Any:
    """As ``attrs.frozen``. A class with a field that is not just what the constructor is given keeps that of attrs."""
    if cls is None:
        return partial(_frozen, **options)
    made: Any = attrs.frozen(cls, **options)
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(made)
    if not any(one.converter or one.validator or not one.init or isinstance(one.default, _FACTORY) for one in fields):
        by_attrs = made.__init__

        @wraps(by_attrs)
        def make_first(self: Any, *arguments: Any, **named: Any) -> None:
            # Not before: made for each class, constructors would take a quarter of the time of an import.
            made.__init__ = wraps(by_attrs)(_constructor(made, fields))
            made.__init__(self, *arguments, **named)

        made.__init__ = make_first
    return made


def _constructor(made: Any, fields: "tuple[attrs.Attribute[Any], ...]") -> Any:
    may_change = {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    names = {
        "made": made,
        "draft": type("Draft", (made,), may_change),
        "become": object.__dict__["__class__"].__set__,
        "by_attrs": made.__init__.__wrapped__,
        "defaults": {one.alias: one.default for one in fields},
    }
    given = [one.alias if one.default is attrs.NOTHING else f"{one.alias}=defaults['{one.alias}']" for one in fields]
    by_place = sum(not one.kw_only for one in fields)
    parameters = ["self", *given[:by_place], *(["*"] if by_place < len(given) else ()), *given[by_place:]]
    lines = [
        f"def __init__({', '.join(parameters)}):",
        "    if self.__class__ is not made:",  # but a class that is made of it, whose objects may be of another layout
        f"        return by_attrs(self, {', '.join(f'{one.alias}={one.alias}' for one in fields)})",
        "    become(self, draft)",
        *(f"    self.{one.name} = {one.alias}" for one in fields),
        "    self.__class__ = made",
        *(["    self.__attrs_post_init__()"] if hasattr(made, "__attrs_post_init__") else []),
    ]
    code = compile("\n".join(lines), f"<attrs generated init {made.__module__}.{made.__qualname__}>", "exec")
    exec(code, names)  # noqa: S102  as attrs does; it is made of the names of our own fields
    return names["__init__"]


# To whoever checks types it is attrs' own.
if TYPE_CHECKING:
    from attrs import frozen
else:
    frozen = _frozen
