"""This process, told from the one that it was forked from.

A fork copies what its parent has opened. Of the copy nothing is right: the thread that writes is not there, connections
belong to the parent, and SQLite believes that the child holds the locks that the parent holds. So what was opened
before a fork is refused after it, by a look at the process that opened it. ``exec`` begins anew.
"""

import os
from pathlib import Path
from typing import TypeAlias

from paypro_async.errors import ClientStateError

__all__ = ["OPEN_FILES", "FileId", "OpenFiles", "ProcessId", "refuse_forked", "this_process"]

ProcessId: TypeAlias = tuple[int, int]
"""A process' number and how many forks lie before it: a number alone may come again among its descendants."""

FileId: TypeAlias = tuple[int, int]
"""The device and the inode of a file, which stay when it gets another name."""


class _Forks:
    """How many forks lie before this process, as far as Python carried them out."""

    def __init__(self) -> None:
        self.count = 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        self.count += 1


class OpenFiles:
    """The SQLite files that this process, or one that it was forked from, has open.

    POSIX locks belong to a process, and SQLite keeps a list of those it has for a whole process. A child that opens a
    file which its parent has open inherits the list without the locks: when the parent closes the file and deletes its
    log, the child goes on writing to the deleted one.
    """

    def __init__(self) -> None:
        self._open: list[tuple[Path, FileId, ProcessId]] = []

    def add(self, path: Path, file: FileId) -> None:
        """This process is about to open it."""
        self._open.append((path, file, this_process()))

    def remove(self, path: Path, file: FileId) -> None:
        """One that opened it has closed it. What a parent had open at the fork stays so."""
        one = path, file, this_process()
        if one in self._open:
            self._open.remove(one)

    def inherited(self, path: Path, file: FileId | None) -> bool:
        """Whether a process that this one was forked from had it open then, by its path or by its inode."""
        here = this_process()
        return any(by != here and (at == path or one == file) for at, one, by in self._open)


def this_process() -> ProcessId:
    """What tells this process from its parent and from its children."""
    return os.getpid(), _FORKS.count


def refuse_forked(opened_by: ProcessId, what: str) -> None:
    """Refuse to use *what* was opened by another process.

    Raises:
        ClientStateError: If this process was forked since.
    """
    # As this_process() has it, without calling it: every payout comes through here.
    if opened_by != (os.getpid(), _FORKS.count):
        raise ClientStateError(
            f"{what} was opened before this process was forked, and belongs to process {opened_by[0]}. Nothing was "
            "sent by this one. Make and open a new client in each process, after the fork."
        )


# Module-level and changed, since they are about the process itself: any code in it may fork, and SQLite's list of
# locks, which they stand for, is the process' own too.
_FORKS = _Forks()
OPEN_FILES: OpenFiles = OpenFiles()
