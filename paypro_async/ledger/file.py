"""The file of a ledger: which one it is, under whatever name, and what lies beside it.

SQLite keeps its log beside the name by which a file was opened. Under a second name there is a second log, so that two
processes know nothing of each other and both pay.
"""

import os
import re
import shlex
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

__all__ = [
    "BESIDE",
    "belongs_to",
    "files_of",
    "make_private",
    "open_to_others",
    "place_of",
    "real_path",
    "second_name",
    "writable_by_all",
]

BESIDE = ("-wal", "-shm", "-journal", "-mark")
"""How the files end that lie beside a ledger: what SQLite keeps there, and the watermark."""
_HOLDING = ("", "-wal", "-shm", "-journal")
_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(r"\\([0-7]{3})")


def real_path(path: Path | str) -> Path:
    """The file's own name, absolute and without links: beside it lie its log and its mark, whatever leads to it."""
    return Path(os.path.realpath(path))


def files_of(path: Path) -> frozenset[Path]:
    """The ledger's file and what belongs to it, with the links resolved that lead there."""
    real = real_path(path)
    return frozenset(real_path(real.with_name(f"{real.name}{suffix}")) for suffix in ("", *BESIDE))


def belongs_to(path: Path, files: Iterable[Path]) -> bool:
    """Whether *path* is one of these files, or another name of one, or would be where case does not count."""
    real = real_path(path)
    return any(_folded(real) == _folded(one) or _is_same(real, one) for one in files)


def make_private(path: Path) -> int:
    """Make an empty file that only its owner may read or write, whatever the umask says; its open descriptor.

    Raises:
        OSError: If it cannot be made; FileExistsError if it is there.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    if hasattr(os, "fchmod"):
        with suppress(OSError):  # A file system that knows no owners.
            os.fchmod(descriptor, 0o600)
    return descriptor


def open_to_others(ledger: Path) -> str | None:
    """That other users of this machine may read a ledger's file or its log, and what to do; None if they may not."""
    # Not the mark: nothing personal stands in it, and a change of its permissions looks like a change of the mark.
    found = [path for path, mode in _modes(ledger, _HOLDING) if mode & (stat.S_IRWXG | stat.S_IRWXO)]
    if not found:
        return None
    return (
        f"The ledger {ledger} may be read by other users of this machine, with the names and account numbers in it. "
        f"Close it to them: {_closing(found)}"
    )


def writable_by_all(ledger: Path) -> str | None:
    """That every user of this machine may change what a ledger knows, and what to do; None if they may not."""
    found = [path for path, mode in _modes(ledger, ("", *BESIDE)) if mode & stat.S_IWOTH]
    if not found:
        return None
    return (
        f"The ledger {ledger} may be written by every user of this machine, so what it says of payouts is not certain. "
        f"Nothing was sent. Close it to them, '{_closing(found)}', and look through it, 'paypro ledger check'."
    )


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


def _modes(ledger: Path, suffixes: Iterable[str]) -> Iterator[tuple[Path, int]]:
    """Those of the ledger's files that are there, and who may read and write each, where a file system tells that."""
    real = real_path(ledger)
    for path in (real.with_name(f"{real.name}{suffix}") for suffix in suffixes):
        try:
            found = path.stat()
        except OSError:
            continue
        if os.name == "posix" and stat.S_ISREG(found.st_mode):
            yield path, found.st_mode


def _closing(files: Iterable[Path]) -> str:
    return f"chmod 600 {' '.join(shlex.quote(str(path)) for path in files)}"


def _folded(path: Path) -> str:
    return str(path).casefold()


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False  # One of them is not there.


def _is_mounted(path: Path) -> bool:
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return False  # Not Linux, where a file cannot be mounted.
    points = (line.split(" ", 5)[4] for line in mounts.splitlines() if line.count(" ") > 5)
    return str(path) in (_ESCAPED.sub(lambda found: chr(int(found[1], 8)), point) for point in points)
