"""Values that must be seen nowhere: secrets and passwords, and what people are called and where their money goes.

A traceback may show the variables of its frames, a debugger and an error tracker do so, and a log prints what it is
given. So what is secret is held by a :class:`Secret`; what only passes through, as an argument or as the fields of a
payout, passes as one of the others, which look like nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, NoReturn, Self, TypeVar

__all__ = ["HiddenBytes", "HiddenFields", "HiddenText", "Secret", "hidden"]

S = TypeVar("S")
K = TypeVar("K")
V = TypeVar("V")


class Secret(Generic[S]):
    """Holds a value in a closure, so that ``repr``, ``vars``, ``asdict`` and a traceback with locals do not show it.

    It is copied as itself and not pickled: what is read from a file or sent to another process would hold it in the
    clear.

    Args:
        value: What :meth:`reveal` gives back.
    """

    __slots__ = ("reveal",)

    reveal: Callable[[], S]

    def __init__(self, value: S) -> None:
        # A signature is made with bytes, and their own method costs no call of a function.
        reveal: Any = value.__bytes__ if isinstance(value, bytes) else lambda: value
        self.reveal = reveal

    def __repr__(self) -> str:
        return "<secret>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and bool(self.reveal() == other.reveal())

    def __hash__(self) -> int:
        return hash(Secret)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret cannot be pickled. Make the object that holds it anew in the other process.")


class HiddenText(str):
    """A text whose ``repr`` shows only its length. What is made of it is plain text again."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} characters>"


class HiddenBytes(bytes):
    """Bytes whose ``repr`` shows only how many they are. What is made of them are plain bytes again."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


class HiddenFields(dict[K, V]):
    """A dictionary whose ``repr`` shows only how many fields it has."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} fields>"

    def __rich_repr__(self) -> Iterator[Any]:
        # rich looks into dictionaries, whatever their repr.
        yield len(self)


def hidden(value: S) -> S:
    """The same as one that hides, if it is a text, bytes or a mapping: for an argument of what others call."""
    found: Any = value
    if isinstance(value, str):
        found = HiddenText(value)
    elif isinstance(value, bytes | bytearray | memoryview):
        found = HiddenBytes(value)
    elif isinstance(value, Mapping):
        found = HiddenFields(value)
    same: S = found
    return same
