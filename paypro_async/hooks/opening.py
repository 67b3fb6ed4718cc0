"""From the functions that a user gives to the hooks of an open client. Without any, nothing of them is imported."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from paypro_async.errors import ConfigurationError
from paypro_async.hooks.no_hooks import NoHooks
from paypro_async.runtime import Runtime

__all__ = ["AnyHook", "check_hooks", "open_hooks"]

AnyHook = Callable[[Any], object]
"""A :class:`~paypro_async.events.Hook`, whose events are not imported here."""


def check_hooks(hooks: Sequence[AnyHook]) -> tuple[AnyHook, ...]:
    """The hooks as the client keeps them.

    Raises:
        ConfigurationError: If one cannot be called, or is an ``async def`` function.
    """
    given: Any = hooks
    if callable(given) or isinstance(given, str) or not isinstance(given, Sequence):
        raise ConfigurationError("hooks must be a list of functions, as in hooks=[hook]. Nothing was sent.")
    for hook in hooks:
        if not callable(hook):
            raise ConfigurationError(f"A hook must be callable, and {type(hook).__name__} is not. Nothing was sent.")
        if inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(type(hook).__call__):
            raise ConfigurationError(
                "A hook is called in a thread of its own, so it cannot be an 'async def' function. Nothing was sent. "
                "Give a plain function; or on_change=, which is awaited with each change of a payout's status."
            )
    return tuple(hooks)


def open_hooks(hooks: Sequence[AnyHook], runtime: Runtime) -> NoHooks:
    """Begin to call *hooks*, if there are any."""
    if not hooks:
        return NoHooks()
    from paypro_async.hooks.watching import Watching  # noqa: PLC0415  its events take a tenth of the package's import

    return Watching(hooks, runtime)
