"""Child processes, each on a core of its own, with a clean environment."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

__all__ = ["Cores", "FailedError", "environment", "on_core", "run_python"]


class FailedError(Exception):
    """A child process did not do what it was started for."""


@frozen
class Cores:
    """Where the client and the server run; None leaves it to the system."""

    client: int | None
    server: int | None

    @classmethod
    def of_this_machine(cls) -> "Cores":
        """The first two cores that this process may use, so that client and server never compete for one."""
        usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        return cls(usable[0], usable[1]) if len(usable) > 1 else cls(None, None)


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Processes started inside the block run on *core*: a child inherits the core of the process that starts it."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def environment() -> dict[str, str]:
    """This process's environment, without proxies (all goes to loopback) and without settings of the client.

    Nor with that which keeps Python from storing what it has compiled: an import would compile it each time.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith("PAYPRO_") and name != "PYTHONDONTWRITEBYTECODE"
    }


def run_python(arguments: Sequence[str | Path], *, core: int | None, timeout: float = 60.0) -> Any:
    """Run this Python on *core* and return what it prints, read as JSON.

    Raises:
        FailedError: If it fails or takes longer than *timeout* seconds; with the end of what it said.
    """
    try:
        with on_core(core):
            child = subprocess.run(
                [sys.executable, *arguments],
                env=environment(),
                capture_output=True,
                text=True,
                timeout=timeout,
                check=True,
            )
    except subprocess.TimeoutExpired:
        raise FailedError(f"no result after {timeout:.0f} s") from None
    except subprocess.CalledProcessError as error:
        raise FailedError(error.stderr.strip()[-600:] or f"exit code {error.returncode}") from None
    return json.loads(child.stdout)
