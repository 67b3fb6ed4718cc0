"""The watermark beside an SQLite ledger: how far its history had come, so that an older copy of the file is noticed.

Its file is called the ledger's mark. It is one short line, rewritten in place after each commit and never flushed: it
may lag behind the ledger, and is never ahead of it. A copy of the mark itself is known by the time at which the file
system says that it was last touched.
"""

import os
import time
from pathlib import Path

from attrs import frozen

from paypro_async.ledger.sql.identity import boot_id

__all__ = ["Watermark"]

_SIZE = 128
_SECONDS = 2.0
# After a crash of the machine the line may be older than its file says, by as long as a system holds back writes.
_SECONDS_OVER_A_REBOOT = 120.0


@frozen
class _Line:
    ledger_id: str
    event: int
    written_ns: int
    boot: str
    touched_ns: int


class Watermark:
    """The file ``<ledger>-mark``.

    Args:
        ledger: The ledger's file.
    """

    def __init__(self, ledger: Path) -> None:
        self._path = ledger.with_name(f"{ledger.name}-mark")
        self._descriptor: int | None = None
        self._seen: _Line | None = None

    def write(self, ledger_id: str, last_event: int) -> None:
        """Note how far the history has come."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        while True:
            now = time.time_ns()
            text = f"{ledger_id} {last_event} {now} {boot_id() or '-'}"
            os.pwrite(self._descriptor, f"{text:<{_SIZE - 1}}\n".encode(), 0)
            if time.time_ns() - now < _SECONDS * 5e8:
                return  # Else this process was frozen in between, and the line would look like a copy.

    def look(self) -> None:
        """Remember what the mark says now. Before the ledger is read: others may carry both on in between."""
        self._seen = self._read()

    def suspicion(self, ledger_id: str, last_event: int) -> str | None:
        """Why the ledger, which has come as far as *last_event*, may be an old copy; None if nothing says so.

        The mark is as it was at the last :meth:`look`.
        """
        line = self._seen
        if line is None:
            return "its mark file is missing" if last_event else None
        if line.ledger_id != ledger_id:
            return "its mark file is that of another ledger"
        if line.event > last_event:
            return "its history has been longer"
        limit = _SECONDS if line.boot == (boot_id() or "-") else _SECONDS_OVER_A_REBOOT
        # On Windows this time is that of the file's making.
        if os.name != "nt" and abs(line.touched_ns - line.written_ns) > limit * 1e9:
            return "its mark file was copied or changed by another program"
        return None

    def knows_payouts(self) -> bool:
        """Whether there has been a ledger here with something in it."""
        line = self._read()
        return line is not None and line.event > 0

    def close(self) -> None:
        """Close the mark's file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _read(self) -> _Line | None:
        try:
            descriptor = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            while True:
                before = os.fstat(descriptor).st_ctime_ns
                found = os.pread(descriptor, _SIZE, 0).decode("ascii", "replace").split()
                if os.fstat(descriptor).st_ctime_ns == before:
                    break  # Else another process was writing it just then.
        finally:
            os.close(descriptor)
        if len(found) != 4 or not (found[1].isdecimal() and found[2].isdecimal()):
            return None
        return _Line(found[0], int(found[1]), int(found[2]), found[3], before)
