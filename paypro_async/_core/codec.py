"""JSON to values, without coercion; and values to JSON, the same bytes with or without orjson.

cattrs by default turns ``1.5`` into ``1`` and ``None`` into ``'None'``; here a value of another type is a reading
error, and a reading error never becomes a result. Numbers are read as Decimal, so ``9998989.0000`` survives.

- ``str``, ``int``, ``bool``: exactly that type (``True`` is no int).
- ``Decimal``: from a JSON number or from plain decimal text; the pages show both. Empty text is no amount.
- :data:`Note`: words that decide nothing. Text stays, a number becomes its text, anything else is dropped.

orjson is optional: it makes a request's body in a tenth of the time, which is one part in fifteen of a payout, and
there are machines for which it has no wheel. Replies are always read by the standard library: orjson knows neither
exact numbers nor things that are said twice.
"""

import json
import re
from collections.abc import Callable, Container, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, NewType, TypeVar

from attrs import fields

orjson: Any
try:
    import orjson
except ImportError:
    orjson = None  # nothing else depends on it

__all__ = ["Note", "NumberText", "ReadingError", "json_bytes", "read", "read_json"]

Note = NewType("Note", str)
T = TypeVar("T")
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


class ReadingError(ValueError):
    """The bytes are not what the platform documents. The text says where it differs, and never quotes a value."""


def _refuse_constant(name: str) -> None:
    raise ReadingError(f"the JSON holds {name}")


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except ArithmeticError:
        raise ReadingError("the JSON holds a number beyond all bounds") from None
    if not number.is_finite():  # as an application's context without traps has it
        raise ReadingError("the JSON holds a number beyond all bounds")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ReadingError("the JSON says a thing twice")
    return members


_BLANKS = " \t\n\r"
_DECODER = json.JSONDecoder(parse_float=_number, parse_constant=_refuse_constant, object_pairs_hook=_object)


class NumberText(str):
    """A number of the JSON, as it is written there."""

    __slots__ = ()


_AS_WRITTEN = json.JSONDecoder(
    parse_int=NumberText, parse_float=NumberText, parse_constant=_refuse_constant, object_pairs_hook=_object
)


def read_json(body: bytes, *, as_written: bool = False) -> dict[str, Any]:
    """Parse a reply's body: a JSON object, as UTF-8, with exact numbers.

    Args:
        body: As it came.
        as_written: Whether each number is a :class:`NumberText`, since its writing was signed.

    Raises:
        ReadingError: If it is anything else.
    """
    try:
        # The same as a decoding of "utf-8-sig" and a decode() of JSON, which are functions of Python.
        text = body.decode().removeprefix("\ufeff").strip(_BLANKS)
        value, end = (_AS_WRITTEN if as_written else _DECODER).raw_decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False, default=str).encode()  # half a character could not be stored
    except ReadingError:
        raise
    except (ValueError, RecursionError):
        # The parser's own words quote the text.
        raise ReadingError("the body is not JSON") from None
    if end < len(text):
        raise ReadingError("the body is not JSON")
    if not isinstance(value, dict):
        raise ReadingError("the JSON is not an object")
    return value


def _exactly(kind: type) -> Any:
    def structure(value: Any, _: type) -> Any:
        if type(value) is not kind:
            raise TypeError(f"is not {kind.__name__}")
        return value

    return structure


_MOST_DIGITS = 30  # before and behind the point; a number of 1e999999 would be written out as a megabyte


def _decimal(value: Any, _: type) -> Decimal:
    if not (type(value) is int or isinstance(value, Decimal) or (isinstance(value, str) and _NUMBER.fullmatch(value))):
        raise TypeError("is not an amount")
    amount = Decimal(value)
    parts = amount.as_tuple()
    if not isinstance(parts.exponent, int) or max(len(parts.digits), abs(parts.exponent)) > _MOST_DIGITS:
        raise TypeError("is not an amount")
    return amount


def _maybe_decimal(value: Any, _: type) -> Decimal | None:
    return None if value is None or value == "" else _decimal(value, Decimal)


def _note(value: Any, _: type) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


@cache
def _converter() -> Any:
    # Imported with the first reply: `import paypro_async` stays cheap.
    from cattrs import Converter  # noqa: PLC0415

    converter = Converter(forbid_extra_keys=False)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    converter.register_structure_hook(Decimal, _decimal)
    converter.register_structure_hook(Decimal | None, _maybe_decimal)
    converter.register_structure_hook(Note | None, _note)
    return converter


_OF_TEXT = (str, str | None, Note | None, Any)


def read(value: Any, into: type[T]) -> T:
    """Structure *value* (from :func:`read_json`) as *into*.

    Raises:
        ReadingError: If a member is missing or of another type.
    """
    readers, of_text = _members(into)  # type: ignore[arg-type]
    try:
        # Only what a reply holds is looked at, which is little of what it may hold; most of it is text.
        return into(
            **{
                name: one if type(one) is str and name in of_text else readers[name](one)
                for name, one in value.items()
                if name in readers
            }
        )
    except Exception:  # noqa: BLE001  whatever is wrong with it, the converter finds the words for it
        return _read_carefully(value, into)


@cache
def _members(into: Any) -> tuple[Mapping[str, Callable[[Any], Any]], Container[str]]:
    """How each member of *into* is read, and those of which a text stays as it is."""
    readers = {one.name: _reader(one.type) for one in fields(into)}
    return readers, frozenset(one.name for one in fields(into) if one.type in _OF_TEXT)


def _reader(kind: Any) -> Callable[[Any], Any]:
    structure = _converter().get_structure_hook(kind)
    return lambda value: structure(value, kind)


def _read_carefully(value: Any, into: type[T]) -> T:
    """The same at a quarter of the speed, knowing which member is wrong."""
    try:
        structured: T = _converter().structure(value, into)
    except ExceptionGroup as error:  # cattrs gathers what is wrong with each member
        names = sorted(
            {note.name for one in error.exceptions for note in getattr(one, "__notes__", ()) if hasattr(note, "name")}
        )
        raise ReadingError(f"missing or of another type: {', '.join(names) or 'the object'}") from None
    except (TypeError, ValueError, KeyError, AttributeError):
        raise ReadingError(f"it is not what {into.__name__} holds") from None
    return structured


def json_bytes(value: Any) -> bytes:
    """JSON without blanks, as UTF-8.

    Args:
        value: Texts, and lists and dictionaries of them.
    """
    return orjson.dumps(value) if orjson is not None else _ENCODER.encode(value).encode("utf-8")
