"""The head of a report: on what, with what and when it was measured."""

import importlib.util
import os
import platform
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

__all__ = ["about", "busy", "has", "load", "peak_bytes"]

_LOOK_SECONDS = 1.0
_PACKAGES = ("paypro-async", "httpx", "httpcore", "aiohttp", "stripe", "sqlalchemy", "psycopg", "attrs")


def about(folder: Path) -> dict[str, str]:
    """The machine and the versions."""
    return {
        "command": " ".join(["python -m benchmarks", *_arguments()]),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": ", ".join(f"{name} {version(name)}" for name in _PACKAGES if has(name)),
        "load before": load(),
        "one fsync": f"{1000 * _fsync_seconds(folder):.2f} ms, where the ledger's file lies",
    }


def _arguments() -> list[str]:
    """What was asked for, without what belongs to this machine, and no database's password."""
    of_this_machine = ("--json", "--folder", "--postgres")
    pairs = zip(["", *sys.argv[1:]], sys.argv[1:], strict=False)
    return [one for before, one in pairs if before not in of_this_machine and not one.startswith(of_this_machine)]


def has(package: str) -> bool:
    """Whether it is installed."""
    return importlib.util.find_spec(package.replace("-", "_")) is not None


def load() -> str:
    """How busy the machine was in the last 1, 5 and 15 minutes."""
    return ", ".join(f"{one:.2f}" for one in os.getloadavg()) if hasattr(os, "getloadavg") else "not known"


def busy() -> float:
    """How much of the machine's processors others use, from 0 to 1, while this process waits for a moment."""
    status = Path("/proc/stat")
    if not status.exists():
        cores = os.cpu_count() or 1
        return min(1.0, os.getloadavg()[0] / cores) if hasattr(os, "getloadavg") else 0.0

    def ticks() -> tuple[int, int]:
        # user, nice, system, idle, iowait, irq, softirq, steal; a machine whose time is stolen is busy too.
        each = [int(one) for one in status.read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
        return sum(each), each[3] + each[4]

    (all_before, idle_before), _, (all_after, idle_after) = ticks(), time.sleep(_LOOK_SECONDS), ticks()
    return 1.0 - (idle_after - idle_before) / max(1, all_after - all_before)


def peak_bytes() -> float:
    """The most memory that this process has held."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage: over an exec it keeps the size of the parent.
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return 1024.0 * int(line.split()[1])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1.0 if sys.platform == "darwin" else 1024.0)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _fsync_seconds(folder: Path) -> float:
    """The median of 50, since a ledger cannot be faster than its disk; close to nothing means memory, no disk."""
    taken = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(50):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
    return median(taken)
