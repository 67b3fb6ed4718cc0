"""The file of a ledger: which one it is, under whatever name, and what lies beside it.

SQLite keeps its log beside the name by which a file was opened. Under a second name there is a second log, so that two
processes know nothing of each other and both pay.
"""

import os
import re
from pathlib import Path

__all__ = ["BESIDE", "files_of", "place_of", "real_path", "second_name"]

BESIDE = ("-wal", "-shm", "-journal", "-mark")
"""How the files end that lie beside a ledger: what SQLite keeps there, and the watermark."""
_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(r"\\([0-7]{3})")


def real_path(path: Path | str) -> Path:
    """The file's own name, absolute and without links: beside it lie its log and its mark, whatever leads to it."""
    return Path(os.path.realpath(path))


def files_of(path: Path) -> frozenset[Path]:
    """The ledger's file and what belongs to it, with the links resolved that lead there."""
    real = real_path(path)
    return frozenset(real_path(real.with_name(f"{real.name}{suffix}")) for suffix in ("", *BESIDE))


def second_name(path: Path, links: int) -> str | None:
    """Why the file has, or may have, another name beside *path*, and what to do; None if nothing says so.

    Args:
        path: The file's own name.
        links: How many names the file system counts.
    """
    if links > 1:
        return (
            f"The ledger {path} has {links} names (hard links) and a log beside each, so that who pays under one does "
            "not know what is paid under another. Nothing was sent. Remove the others: 'find -samefile' shows them."
        )
    if _is_mounted(path):
        return (
            f"The ledger {path} is mounted here as a single file, without the log that lies beside it, so that who "
            "pays elsewhere does not know what is paid here. Nothing was sent. Mount its folder, wherever it is used."
        )
    return None


def place_of(file: Path | int) -> str:
    """Where a file lies, by its path or descriptor: its inode and its file system, as ``inode@system``.

    A copy has another inode, or the same one on another file system; a file that is moved within one keeps both. The
    system is ``d`` and the number of its device, or ``f`` and a number of its own, which outlives a restart.
    """
    found = os.stat(file)  # noqa: PTH116  it may be a descriptor
    system = f"d{found.st_dev:x}"
    if hasattr(os, "statvfs") and os.major(found.st_dev) == 0:
        # Such a device is numbered anew at each mount (btrfs, overlay).
        own = os.statvfs(file).f_fsid
        system = f"f{own:x}" if own else system
    return f"{found.st_ino}@{system}"


def _is_mounted(path: Path) -> bool:
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return False  # Not Linux, where a file cannot be mounted.
    points = (line.split(" ", 5)[4] for line in mounts.splitlines() if line.count(" ") > 5)
    return str(path) in (_ESCAPED.sub(lambda found: chr(int(found[1], 8)), point) for point in points)
