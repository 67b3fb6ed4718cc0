"""A value that must be seen nowhere: a secret of the platform, a password."""

import hmac
from collections.abc import Callable
from typing import Generic, NoReturn, Self, TypeVar

__all__ = ["Secret"]

S = TypeVar("S", str, bytes)


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
        self.reveal = lambda: value

    def __repr__(self) -> str:
        return "<secret>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(_bytes(self), _bytes(other))

    def __hash__(self) -> int:
        return hash(Secret)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret cannot be pickled. Make the object that holds it anew in the other process.")


def _bytes(secret: "Secret[str] | Secret[bytes]") -> bytes:
    value = secret.reveal()
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
