"""This machine and its clock, and by whom a payout is announced."""

import hashlib
import os
import secrets
import socket
import time
from collections.abc import Callable
from pathlib import Path

from paypro_async.process import ProcessId, this_process
from paypro_async.runtime import SystemRuntime

__all__ = ["announcement_name", "boot_id", "steady"]

steady: Callable[[], float] = SystemRuntime().steady

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACES = Path("/proc/thread-self/ns")
_OFFSETS = Path("/proc/self/timens_offsets")
# Linux numbers the time namespace that it starts with always so; its clocks are the machine's own.
_FIRST_NAMESPACE = "time:[4026531834]"
# Seconds by which two clocks that go on together may part, before what was read of the machine is read anew.
_JUMP = 0.01


class _Start:
    """Which start of the machine ``steady`` counts from, read anew whenever it may be another.

    Every row of a ledger asks, and the reading takes longer than all else that is done with a row. A process gets other
    clocks by a fork into a time namespace, or when it is frozen to a file and brought back (CRIU), on this machine or
    on another; then the wall clock and the steady one have not gone on together.
    """

    def __init__(self) -> None:
        self._seen: tuple[ProcessId, float, str | None] | None = None

    def read(self) -> str | None:
        here, apart = this_process(), time.time() - steady()
        if self._seen is not None and self._seen[0] == here and abs(self._seen[1] - apart) < _JUMP:
            return self._seen[2]
        found = _read_start()
        self._seen = here, apart, found
        return found


def _read_start() -> str | None:
    try:
        boot = _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return None  # Not Linux. The wall clock has to do.
    try:
        namespaces = [str((_NAMESPACES / name).readlink()) for name in ("time", "time_for_children")]
        offsets = _OFFSETS.read_text(encoding="ascii").split()
    except OSError:
        return boot or None  # A Linux that has one time for all.
    if namespaces == [_FIRST_NAMESPACE] * 2:
        return boot or None
    # The number of a namespace that has ended is given to another one, with other offsets.
    shift = hashlib.sha256(" ".join(namespaces + offsets).encode()).hexdigest()[:12]
    return f"{boot}/{shift}" if boot else None


def boot_id() -> str | None:
    """Which start of the machine ``steady`` counts from, and in which time namespace; None if the system does not say.

    With it the age of an attempt does not depend on the wall clock, which may be set.
    """
    return _START.read()


def announcement_name() -> str:
    """By whom payouts are announced together: machine, process, and what nothing else was ever named by.

    Drawn when it is used and never kept: a process that is forked, or a machine that is copied, copies what it keeps,
    and would take the announcement of another for its own.
    """
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"


# Module-level and changed, since it is about the machine and the process themselves.
_START = _Start()
