"""This machine and this process, as they sign what they write."""

import os
import secrets
import socket
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from paypro_async.runtime import SystemRuntime

__all__ = ["boot_id", "process_name", "steady"]

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


def process_name() -> str:
    """Machine, process, and what tells it from one that had the same number before."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
