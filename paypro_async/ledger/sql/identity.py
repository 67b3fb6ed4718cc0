"""This machine and its clock, and by whom a payout is announced."""

import os
import secrets
import socket
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from paypro_async.runtime import SystemRuntime

__all__ = ["announcement_name", "boot_id", "steady"]

steady: Callable[[], float] = SystemRuntime().steady


@lru_cache(maxsize=1)
def boot_id() -> str | None:
    """Which start of the machine ``steady`` counts from; None where the system does not say.

    With it the age of an attempt does not depend on the wall clock, which may be set.
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip() or None
    except OSError:
        return None  # Not Linux. The wall clock has to do.


def announcement_name() -> str:
    """By whom payouts are announced together: machine, process, and what nothing else was ever named by.

    Drawn when it is used and never kept: a process that is forked, or a machine that is copied, copies what it keeps,
    and would take the announcement of another for its own.
    """
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"
