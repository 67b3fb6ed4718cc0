"""CPU seconds of processes and of a PostgreSQL server, from /proc: on Linux only."""

import os
from pathlib import Path

import psycopg

__all__ = ["cpu_seconds", "server_cpu_seconds"]

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def cpu_seconds(process: int) -> float:
    """What a process and its threads have used."""
    try:
        words = _words(process)
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # it has ended
    return (int(words[11]) + int(words[12])) / _TICKS


def server_cpu_seconds(ledger: str) -> float:
    """What all processes of the server have used, those that ended too."""
    with psycopg.connect(ledger) as connection:
        parent = int(_words(connection.info.backend_pid)[1])
        ended = sum(int(one) for one in _words(parent)[13:15]) / _TICKS
        children = [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()]
        mine = [one for one in children if _parent(one) == parent]
        return ended + sum(map(cpu_seconds, [parent, *mine]))


def _parent(process: int) -> int:
    try:
        return int(_words(process)[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _words(process: int) -> list[str]:
    """What stands in /proc behind the process' name: its state first, its parent second."""
    return Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
