"""Looks for values where none may be: in what was logged, in errors, and in the variables of our own frames."""

import base64
import io
import logging
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.pretty import pretty_repr

import paypro_async

_OURS = str(Path(paypro_async.__file__).parent)


@contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    """What all libraries together log at DEBUG, with their tracebacks."""
    said = io.StringIO()
    handler, root = logging.StreamHandler(said), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield said
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


def shown_by(error: BaseException) -> str:
    """What an error tracker would show of *error* and of all that it came from, with the variables of our frames."""
    texts: list[str] = []
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        texts += [repr(one), str(one)]
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if frame.f_code.co_filename.startswith(_OURS):
                texts += [f"{name}={value!r} {pretty_repr(value)}" for name, value in frame.f_locals.items()]
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
    return "\n".join(texts)


def held_by(thing: object) -> str:
    """Every text that is reached from *thing* over the attributes of our own objects, and how each of them prints."""
    texts: list[str] = []
    waiting, seen = [thing], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, str | bytes):
            texts.append(one if isinstance(one, str) else one.decode("latin-1"))
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | set | frozenset):
            waiting += one
        elif type(one).__module__.startswith("paypro_async"):
            texts.append(repr(one))
            slots = [name for kind in type(one).__mro__ for name in _slots(kind)]
            waiting += [getattr(one, name, None) for name in (*vars_of(one), *slots) if not name.startswith("__")]
    return "\n".join(texts)


def vars_of(thing: object) -> Sequence[str]:
    return tuple(getattr(thing, "__dict__", ()))


def _slots(kind: type) -> Sequence[str]:
    slots = kind.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def spellings(secret: str) -> list[str]:
    """How a password looks in a header and in a URL as well."""
    return [secret, base64.b64encode(f"user:{secret}".encode()).decode()]
