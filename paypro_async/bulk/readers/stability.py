"""Whether a file stays as it is while it is read, or another program is still writing it."""

import os
import signal
import stat
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO, Self

from attrs import frozen

if sys.platform == "linux":
    import fcntl

__all__ = ["FileState", "is_being_written"]

_OWN_FILES = Path("/proc/self/fd")


@frozen
class FileState:
    """Which file it is, how long it is, and when it was last written."""

    device: int
    inode: int
    size: int
    written_ns: int

    @classmethod
    def of(cls, source: BinaryIO) -> Self | None:
        """The state of a file on the disk; None for what is none, such as a pipe or bytes in memory."""
        if isinstance(source, tempfile.SpooledTemporaryFile):
            return None  # An upload; asked for its number, it would leave the memory.
        try:
            return cls._of(os.fstat(source.fileno()))
        except (AttributeError, OSError):
            return None

    @classmethod
    def at(cls, path: Path) -> Self | None:
        """The state of the file that stands at *path* now; None if there is none."""
        try:
            return cls._of(path.stat())
        except OSError:
            return None

    @classmethod
    def _of(cls, found: os.stat_result) -> Self | None:
        if not stat.S_ISREG(found.st_mode):
            return None
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)

    def is_same_file(self, other: "FileState") -> bool:
        """Whether both are of one file, whatever was written to it between them."""
        return (self.device, self.inode) == (other.device, other.inode)


def is_being_written(source: BinaryIO) -> bool:
    """Whether another program has the file open for writing, where the system can tell that.

    A file that this process itself is writing is not looked at: its caller knows when it is whole.
    """
    state = FileState.of(source)
    if sys.platform != "linux" or state is None or not _is_reader(source.fileno()) or _is_written_here(state):
        return False
    file = source.fileno()
    try:
        # A writer that opens the file in this very moment would have the kernel send SIGIO, which ends a process.
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
        # The kernel gives no read lease on a file that is open for writing.
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False  # Another user's file, or a file system without leases.
    fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def _is_reader(file: int) -> bool:
    return sys.platform == "linux" and fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY


def _is_written_here(state: FileState) -> bool:
    for one in os.listdir(_OWN_FILES) if _OWN_FILES.exists() else []:  # noqa: PTH208  numbers, not paths
        try:
            found = os.fstat(int(one))
            same = (found.st_dev, found.st_ino) == (state.device, state.inode)
            if same and not _is_reader(int(one)):
                return True
        except OSError:
            continue  # It was closed meanwhile.
    return False
