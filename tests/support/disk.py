"""A disk that knows what would still be on it if the power went now.

What was written is in the machine's memory; what was there at the end of a sync is on the disk. The rules are the
harshest that a disk may have and still be one that SQLite promises to work on:

- A write that no sync has ended for may be kept, lost, or kept in part, sector by sector, a sector torn in the middle.
- A sync that fails saves nothing, and what it should have saved no later sync saves either: the system has marked those
  pages as clean. Only writing them again helps.
- A file that was made or deleted is back as it was before, until its folder is synced.
- A write to a disk that is full leaves half of itself behind.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from attrs import Factory, define, evolve, frozen

from paypro_async.ledger.file import place_of
from paypro_async.ledger.sql.provenance.watermark import Watermark

SECTOR = 512


@frozen
class Event:
    """What happened, in the order of its end: ``write``, ``truncate``, ``sync``, ``delete``, or a test's own word."""

    kind: str
    name: str
    data: bytes = b""


@frozen
class _Write:
    """Something that no sync has ended for: bytes at an offset, or an end of the file there if there are none."""

    offset: int
    data: bytes | None
    lost: bool = False

    def to(self, content: bytearray) -> None:
        if self.data is None:
            del content[self.offset :]
        content.extend(bytes(max(0, self.offset - len(content))))
        content[self.offset : self.offset + len(self.data or b"")] = self.data or b""

    def parts(self) -> "Iterator[_Write]":
        """What is kept or lost on its own: each sector of it."""
        if self.data is None:
            yield self
            return
        at = 0
        while at < len(self.data):
            end = at + SECTOR - (self.offset + at) % SECTOR
            yield _Write(self.offset + at, self.data[at:end])
            at = end

    def torn(self, dice: Random) -> "_Write":
        """Itself, or now and then its beginning only."""
        return (
            evolve(self, data=self.data[: dice.randrange(len(self.data))])
            if self.data and dice.random() < 0.05
            else self
        )


@define
class _File:
    # The content on the disk; None if not even its name is there.
    durable: bytearray | None = None
    waiting: list[_Write] = Factory(list)
    # Another file of that name which was deleted, and whose folder has not been synced since.
    before: bytearray | None = None

    def copy(self) -> "_File":
        return _File(_copy(self.durable), self.waiting.copy(), _copy(self.before))


@define
class _Failing:
    kind: str
    code: int
    passes: int
    times: int | None


@frozen
class Snapshot:
    """What the disk held at one moment."""

    files: dict[str, _File] = Factory(dict)
    marks: dict[str, bytes] = Factory(dict)
    """Written by the ledger itself, past SQLite and without a sync; an older one would do as well."""

    def restore(self, folder: Path, *, keep: Random | None = None) -> Path:
        """Write the files as they are after a power loss at that moment.

        Args:
            folder: Is made.
            keep: Draws which of the unsynced writes are kept, in whole or in part; none is without it.
        """
        folder.mkdir()
        for name, file in self.files.items():
            content = self._content(file, keep)
            if content is not None:
                (folder / name).write_bytes(content)
        for name, line in self.marks.items():
            ledger = folder / name.removesuffix("-mark")
            if ledger.exists():
                # A power loss leaves every file where it was; here the copies take the place of those that were there.
                ledger_id, event = line.decode().split()[:2]
                mark = Watermark(folder / name)
                mark.write(ledger_id, int(event), place_of(ledger))
                mark.close()
        return folder

    def _content(self, file: _File, keep: Random | None) -> bytearray | None:
        if file.before is not None and (keep is None or keep.random() < 0.5):
            return file.before
        if keep is None or (file.durable is None and keep.random() < 0.5):
            return file.durable
        content = bytearray(file.durable or b"")
        share = keep.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        for write in file.waiting:
            for part in write.parts():
                if keep.random() < share:
                    part.torn(keep).to(content)
        return content


class Disk:
    """The files of one folder. The file system's shim reports to it, from any thread.

    Attributes:
        events: Everything that happened.
        watch: Called before each write and sync; it may take a snapshot.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self.watch: Callable[[Event], object] | None = None
        self._files: dict[str, _File] = {}
        self._failing: list[_Failing] = []
        self._lock = threading.RLock()

    def snapshot(self) -> Snapshot:
        with self._lock:
            marks = {one.name: one.read_bytes() for one in self.folder.glob("*-mark")}
            return Snapshot({name: file.copy() for name, file in self._files.items()}, marks)

    def power_loss(self, folder: Path, *, keep: Random | None = None) -> Path:
        """Write the files as they are after a power loss now; see :meth:`Snapshot.restore`."""
        return self.snapshot().restore(folder, keep=keep)

    def note(self, kind: str, name: str) -> None:
        """Enter something of the test's own among the events."""
        with self._lock:
            self.events.append(Event(kind, name))

    def fail(self, kind: str, code: int, *, passes: int = 0, times: int | None = None) -> None:
        """Let writes or syncs fail.

        Args:
            kind: ``write`` or ``sync``.
            code: SQLite's, as ``sqlite3.SQLITE_FULL``.
            passes: How many succeed before.
            times: How many fail; all until :meth:`mend` if None.
        """
        with self._lock:
            self._failing.append(_Failing(kind, code, passes, times))

    def mend(self) -> None:
        """Nothing fails any more."""
        with self._lock:
            self._failing.clear()

    # What follows is for the shim.

    def opened(self, name: str, content: bytes | None) -> None:
        with self._lock:
            # What was there before anybody looked is taken for durable.
            self._files.setdefault(name, _File(None if content is None else bytearray(content)))

    def write(self, name: str, offset: int, data: bytes, do: Callable[[bytes], int]) -> int:
        code = self._begin(Event("write", name, data))
        with self._lock:
            done = data[: len(data) // 2] if code else data
            code = do(done) or code
            self._files[name].waiting.append(_Write(offset, done))
            self.events.append(Event("write", name, done))
        return code

    def truncate(self, name: str, size: int, do: Callable[[], int]) -> int:
        with self._lock:
            code = do()
            if code == 0:
                self._files[name].waiting.append(_Write(size, None))
                self.events.append(Event("truncate", name))
        return code

    def sync(self, name: str, do: Callable[[], int], *, with_folder: bool) -> int:
        with self._lock:
            begun = len(self._files[name].waiting)
        # The lock is not held: other threads write meanwhile, and that is not in what is synced.
        code = self._begin(Event("sync", name)) or do()
        with self._lock:
            file = self._files[name]
            old = file.waiting[:begun]
            if code:
                file.waiting[:begun] = [evolve(one, lost=True) for one in old]
                return code
            file.durable = bytearray() if file.durable is None else file.durable
            for one in old:
                if not one.lost:
                    one.to(file.durable)
            del file.waiting[:begun]
            if with_folder:
                self._sync_folder()
            self.events.append(Event("sync", name))
        return 0

    def delete(self, name: str, do: Callable[[], int], *, with_folder: bool) -> int:
        with self._lock:
            code = do()
            file = self._files.get(name)
            if code == 0 and file is not None:
                self._files[name] = _File(before=file.durable if file.before is None else file.before)
                if with_folder:
                    self._sync_folder()
                self.events.append(Event("delete", name))
        return code

    def _sync_folder(self) -> None:
        for file in self._files.values():
            file.before = None

    def _begin(self, event: Event) -> int:
        """The code of the failure that is due, or 0."""
        if self.watch is not None:
            self.watch(event)
        with self._lock:
            due = 0
            for one in [one for one in self._failing if one.kind == event.kind and one.times != 0]:
                if one.passes:
                    one.passes -= 1
                else:
                    one.times = one.times and one.times - 1
                    due = due or one.code
            return due


def _copy(content: bytearray | None) -> bytearray | None:
    return None if content is None else content.copy()
