"""The watermark of a ledger: how far its history had come, so that an older copy of it is noticed.

Its file is called the ledger's mark. It is one short line, rewritten in place after each commit and flushed only when
it is made: it may lag behind the ledger, and is never ahead of it. It says which file it is itself and which one is the
ledger, so that a copy of either is known, and when it was written, which is not when a copy was made.

It lies beside an SQLite ledger. A second one may lie elsewhere, also one of a server: when a whole volume is rolled
back, the mark on it goes with it, and the other one does not.
"""

import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from paypro_async.errors import ConfigurationError, LedgerUnavailableError
from paypro_async.ledger.file import make_private, place_of
from paypro_async.ledger.sql.identity import boot_id

__all__ = ["NOWHERE", "Watermark", "mark_beside", "mark_elsewhere"]

_SIZE = 256
# How far the time in the line may be from the one at which the file system says that it was written: a tick of its
# clock. And where the file system's clock is coarse, or another one; such a line ends with that word.
_SECONDS = 0.02
_COARSE_SECONDS = 2.0
_COARSE = "coarse"
# After a crash of the machine the line may be older than its file says, by as long as a system holds back writes.
_SECONDS_OVER_A_REBOOT = 120.0
NOWHERE = "-"
"""The place of a ledger that is no file, or that a mark does not tell."""
_UNKNOWN = NOWHERE
_FIELDS = 7
_FIELDS_BEFORE = 4
# A pipe in its place would be waited for, and a device is no file either.
_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0)
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
_NOTHING = "Nothing was stored or sent."
_STORED = "The ledger itself has stored what it was told, and nothing new was sent."
_TRIES = 3
_PAUSE = 0.02


@frozen
class _Line:
    """What a mark says, and what the file system says of it."""

    ledger_id: str
    event: int
    written_ns: int
    boot: str
    mark: str
    ledger: str
    clock: str
    touched_ns: int
    found: str


class Watermark:
    """One mark.

    Args:
        path: Its file.
        beside: Whether it lies beside the ledger and is made with it. One that lies elsewhere may have been set up
            later, on a disk of whatever kind.
    """

    def __init__(self, path: Path, *, beside: bool = True) -> None:
        self._path = path
        self._beside = beside
        self._descriptor: int | None = None
        self._new = False
        self._place = _UNKNOWN
        self._clock: str | None = None
        self._seen: _Line | None = None

    def begin(self, ledger: str) -> None:
        """The ledger's file was made just now, at that place, and has no tables yet."""
        self.write(_UNKNOWN, 0, ledger)

    def write(self, ledger_id: str, last_event: int, ledger: str = NOWHERE) -> None:
        """Note how far the history has come.

        Args:
            ledger_id: The ledger's own name for itself.
            last_event: The number of the last step of its history.
            ledger: The place of its file, if it is one.
        """
        with self._usable(_NOTHING if ledger_id == _UNKNOWN else _STORED):
            descriptor, new = self._open()
            said = f"{ledger_id} {last_event}", f"{boot_id() or _UNKNOWN} {self._place} {ledger}"
            if not any(self._written(descriptor, *said) for _ in range(_TRIES)):
                # Not frozen each time: this file system has a clock of its own.
                self._clock = _COARSE
                self._written(descriptor, *said)
            if new:
                os.fsync(descriptor)
                self._new = False

    def make_ready(self) -> None:
        """See that it can be written when something is to be noted, before anything is stored that hangs on it."""
        with self._usable():
            descriptor, new = self._open()
            if new and hasattr(os, "posix_fallocate"):
                try:
                    os.posix_fallocate(descriptor, 0, _SIZE)  # It is never longer than that line.
                except OSError as error:
                    if error.errno in _NO_ROOM:
                        raise

    def look(self) -> None:
        """Remember what the mark says now. Before the ledger is read: others may carry both on in between."""
        self._seen = self._read()
        if self._seen is not None and self._beside and self._is_copy(self._seen):
            time.sleep(_PAUSE)  # Another process may have been in the middle of writing it.
            self._seen = self._read()

    def suspicion(self, ledger_id: str, last_event: int, ledger: str = NOWHERE) -> str | None:
        """Why the ledger, which has come as far as *last_event*, may be an old copy; None if nothing says so.

        The mark is as it was at the last :meth:`look`.
        """
        line = self._seen
        if line is None:
            # One elsewhere may have been asked for just now.
            return "its mark file is missing" if self._beside else None
        if line.ledger_id != ledger_id:
            return f"{self._name} is that of another ledger"
        if line.event > last_event:
            return f"its history has been longer, as {self._name} says"
        if _differ(line.ledger, ledger, same_start=line.boot == (boot_id() or _UNKNOWN)):
            return f"its file is another one than {self._name} knows, perhaps a copy"
        if self._beside and self._is_copy(line):
            return "its mark file was copied or changed by another program"
        return None

    def exists(self) -> bool:
        """Whether there is a mark, of whatever ledger."""
        return self._read() is not None

    def knows_payouts(self) -> bool:
        """Whether there has been a ledger here with something in it."""
        line = self._read()
        return line is not None and line.event > 0

    def close(self) -> None:
        """Close the mark's file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    @property
    def _name(self) -> str:
        return "its mark file" if self._beside else f"the mark {self._path}"

    @contextmanager
    def _usable(self, certain: str = _NOTHING) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason, number = error.strerror, error.errno
        else:
            return
        mend = "Let it be a file that this user may read and write, in a folder where it may be made"
        if number in _NO_ROOM:
            mend = "Make room on its disk"
        raise LedgerUnavailableError(
            f"The ledger's mark {self._path} cannot be used: {reason}. {certain} {mend}, and do the same again."
        )

    def _is_copy(self, line: _Line) -> bool:
        same_start = line.boot == (boot_id() or _UNKNOWN)
        if _differ(line.mark, line.found, same_start=same_start):
            return True
        limit = _SECONDS_OVER_A_REBOOT
        if same_start:
            limit = _SECONDS if line.clock == _UNKNOWN else _COARSE_SECONDS
        # On Windows this time is that of the file's making.
        return os.name != "nt" and abs(line.touched_ns - line.written_ns) > limit * 1e9

    def _written(self, descriptor: int, ledger: str, place: str) -> bool:
        """Write the line once; whether it will be known for no copy. It looks like one if this process was frozen."""
        now = time.time_ns()
        text = f"{ledger} {now} {place} {self._clock or _UNKNOWN}"
        os.pwrite(descriptor, f"{text:<{_SIZE - 1}}\n".encode(), 0)
        if self._clock is not None and time.time_ns() - now < _SECONDS * 5e8:
            return True
        if abs(os.fstat(descriptor).st_ctime_ns - now) < _SECONDS * 5e8:
            self._clock = self._clock or _UNKNOWN
            return True
        return self._clock == _COARSE

    def _open(self) -> tuple[int, bool]:
        """The open file, and whether it holds nothing yet."""
        if self._descriptor is None:
            try:
                self._descriptor = make_private(self._path)
            except FileExistsError:
                self._descriptor = _opened(self._path, os.O_RDWR)
            self._place = place_of(self._descriptor)
            # What was only made ready holds zeros.
            self._new = not os.pread(self._descriptor, _SIZE, 0).strip(b"\0")
        return self._descriptor, self._new

    def _read(self) -> _Line | None:
        with self._usable():
            try:
                descriptor = _opened(self._path, os.O_RDONLY)
            except FileNotFoundError:
                return None
            try:
                while True:
                    before = os.fstat(descriptor).st_ctime_ns
                    text = os.pread(descriptor, _SIZE, 0).decode("ascii", "replace").split()
                    if os.fstat(descriptor).st_ctime_ns == before:
                        break  # Else another process was writing it just then.
                found = place_of(descriptor)
            finally:
                os.close(descriptor)
        # The mark of an earlier release does not say which files it speaks of.
        if len(text) == _FIELDS_BEFORE:
            text += [_UNKNOWN, _UNKNOWN, _COARSE]
        if len(text) != _FIELDS or not (text[1].isdecimal() and text[2].isdecimal()):
            return None
        return _Line(text[0], int(text[1]), int(text[2]), text[3], text[4], text[5], text[6], before, found)


def _opened(path: Path, flags: int) -> int:
    descriptor = os.open(path, flags | _WITHOUT_WAITING)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "It is no ordinary file")
    return descriptor


def mark_beside(ledger: Path) -> Path:
    """The mark that lies beside a ledger's file."""
    return ledger.with_name(f"{ledger.name}-mark")


def mark_elsewhere(where: Path, ledger: str) -> Path:
    """The second mark of a ledger.

    Args:
        where: A folder for the marks of any number of ledgers; or the path of the file itself, which has a suffix or
            ends with ``mark``.
        ledger: What a user calls the ledger: the path of its file, or its server and database.

    Raises:
        ConfigurationError: If there is no such folder.
    """
    try:
        is_folder = where.is_dir()
        # A new file must look like one: a folder that is not mounted must not become a file in its parent.
        is_file = where.is_file() or (where.parent.is_dir() and (where.suffix or where.name.endswith("mark")))
    except OSError as error:
        raise ConfigurationError(
            f"The mark of the ledger {ledger} shall lie in {where}, which cannot be looked into: {error.strerror}. "
            "Nothing was sent. Mend its permissions, or name another place; without it a ledger that was rolled back "
            "would not be noticed."
        ) from None
    if is_folder:
        # Two ledgers may have the same name in two folders.
        return where / f"{ledger.rpartition('/')[2][:100]}-{hashlib.sha256(ledger.encode()).hexdigest()[:12]}-mark"
    if not is_file:
        raise ConfigurationError(
            f"The mark of the ledger {ledger} shall lie in {where}, and there is no such folder. Nothing was sent. "
            "Mount or make it; without it a ledger that was rolled back would not be noticed."
        )
    return where


def _differ(known: str, found: str, *, same_start: bool) -> bool:
    """Whether two places are surely not the same; the number of a device may be another after a restart."""
    if _UNKNOWN in (known, found):
        return False
    inode, _, system = known.partition("@")
    found_inode, _, found_system = found.partition("@")
    comparable = system[:1] == found_system[:1] and (same_start or system.startswith("f"))
    return inode != found_inode or (comparable and system != found_system)
