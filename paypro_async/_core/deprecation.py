"""How something public is taken away: it goes on working for a year at least, and says what to use in its place.

Each deprecation is a :class:`Deprecated`, of which the tests see that none outlives its day.
"""

import functools
import warnings
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, ParamSpec, TypeVar

from attrs import frozen

from paypro_async._core.errors import PayProDeprecationWarning

__all__ = ["Deprecated", "attribute", "renamed_argument", "renamed_variable"]

P = ParamSpec("P")
R = TypeVar("R")

_LEAST_DAYS = 365


@frozen(kw_only=True)
class Deprecated:
    """Something public that goes on working until its day.

    Args:
        name: What it is called.
        since: The release with which it was deprecated; *on*, the day of that release.
        until: The first day on which a major release may take it away, a year later at least.
        instead: What to use in its place, as a sentence.
    """

    name: str
    since: str
    on: date
    until: date
    instead: str

    def __attrs_post_init__(self) -> None:
        if (self.until - self.on).days < _LEAST_DAYS:
            raise ValueError(f"{self.name} must go on working for a year at least")

    def warn(self, *, stacklevel: int = 2) -> None:
        """Warn in the line of who uses it.

        Args:
            stacklevel: As of :func:`warnings.warn`, counted from who calls this.
        """
        warnings.warn(str(self), PayProDeprecationWarning, stacklevel=stacklevel + 1)

    def __str__(self) -> str:
        return (
            f"{self.name} is deprecated since {self.since} and goes on working until {self.until:%Y-%m-%d} at least. "
            f"{self.instead}"
        )


def renamed_argument(deprecated: Deprecated, *, old: str, new: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take an argument by its *old* name, too; both at one time are refused."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def taking_both(*arguments: Any, **named: Any) -> R:
            if old in named:
                if new in named:
                    raise TypeError(f"{function.__name__}() got both {old!r}, which is deprecated, and {new!r}")
                deprecated.warn()
                named[new] = named.pop(old)
            return function(*arguments, **named)

        return taking_both

    return decorate


def attribute(module: str, name: str, moved: Mapping[str, tuple[Deprecated, Callable[[], Any]]]) -> Any:
    """What a module's ``__getattr__`` gives for names that have *moved*: from where they are now, with a warning.

    Raises:
        AttributeError: If it is none of them.
    """
    if name not in moved:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    deprecated, found = moved[name]
    deprecated.warn(stacklevel=3)
    return found()


def renamed_variable(deprecated: Deprecated, environ: Mapping[str, str], *, old: str, new: str) -> str | None:
    """The value of a variable of the environment that has a new name; the old one is taken where the new is not set."""
    if (value := environ.get(new)) or not (before := environ.get(old)):
        return value
    deprecated.warn(stacklevel=3)
    return before
