"""Puts a :class:`~tests.support.disk.Disk` under the very SQLite that Python's ``sqlite3`` uses.

It is a file system (a VFS, in SQLite's words) of its own: a copy of the default one, whose files report each write,
sync and deletion before they do it. https://sqlite.org/vfs.html
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from benchmarks.vfs import Close, Delete, Handle, Methods, Open, Sync, Truncate, Vfs, Write, sqlite_library
from tests.support.disk import Disk

_CREATE, _MAIN_DB, _MAIN_JOURNAL, _WAL = 0x4, 0x100, 0x800, 0x80000


def _library() -> ctypes.CDLL:
    library = sqlite_library()
    if library is None:
        pytest.skip("this Python holds SQLite where nobody can reach it")
    return library


class _Shim:
    """Made once: SQLite may call into it as long as the process lives."""

    def __init__(self) -> None:
        self._default = _library().sqlite3_vfs_find(None)
        self._vfs = Vfs.from_buffer_copy(self._default.contents)
        self._vfs.zName = b"tests-disk"
        self._vfs.xOpen = Open(self._open)
        self._vfs.xDelete = Delete(self._delete)
        self._disks: list[Disk] = []
        self._files: dict[int, _OpenFile] = {}
        # By the address of the methods that they wrap.
        self._methods: dict[int, tuple[Methods, Methods]] = {}

    @contextmanager
    def over(self, disk: Disk) -> Iterator[None]:
        """Files in the disk's folder that are opened while the block runs report to it, until they are closed."""
        self._disks.append(disk)
        _library().sqlite3_vfs_register(ctypes.byref(self._vfs), 1)
        try:
            yield
        finally:
            self._disks.remove(disk)
            if not self._disks:
                _library().sqlite3_vfs_unregister(ctypes.byref(self._vfs))
                _library().sqlite3_vfs_register(self._default, 1)

    def _disk_of(self, path: Path) -> Disk | None:
        return next((disk for disk in self._disks if path.parent == disk.folder), None)

    def _open(self, _: int, name: int | None, handle: int, flags: int, given: int | None) -> int:
        ours = name is not None and flags & (_MAIN_DB | _MAIN_JOURNAL | _WAL)
        path = Path(os.fsdecode(ctypes.string_at(name))) if ours and name else Path()
        disk = self._disk_of(path)
        before = path.read_bytes() if disk is not None and path.exists() else None
        code: int = self._default.contents.xOpen(ctypes.addressof(self._default.contents), name, handle, flags, given)
        if code == 0 and disk is not None:
            disk.opened(path.name, before)
            head = Handle.from_address(handle)
            original, wrapped = self._wrapped(head.methods)
            # SQLite syncs the folder at the first sync of a log that it has made.
            makes = bool(flags & _CREATE and flags & (_MAIN_JOURNAL | _WAL))
            self._files[handle] = _OpenFile(disk, path.name, original, with_folder=makes)
            head.methods = ctypes.pointer(wrapped)
        return code

    def _wrapped(self, methods: Any) -> tuple[Methods, Methods]:
        address = ctypes.addressof(methods.contents)
        if address not in self._methods:
            wrapped = Methods.from_buffer_copy(methods.contents)
            wrapped.xClose = Close(self._close)
            wrapped.xWrite = Write(lambda handle, *given: self._files[handle].write(handle, *given))
            wrapped.xTruncate = Truncate(lambda handle, size: self._files[handle].truncate(handle, size))
            wrapped.xSync = Sync(lambda handle, flags: self._files[handle].sync(handle, flags))
            self._methods[address] = Methods.from_buffer_copy(methods.contents), wrapped
        return self._methods[address]

    def _close(self, handle: int) -> int:
        code: int = self._files.pop(handle).methods.xClose(handle)
        return code

    def _delete(self, _: int, name: bytes, with_folder: int) -> int:
        path = Path(os.fsdecode(name))
        disk = self._disk_of(path)

        def do() -> int:
            code: int = self._default.contents.xDelete(ctypes.addressof(self._default.contents), name, with_folder)
            return code

        return do() if disk is None else disk.delete(path.name, do, with_folder=bool(with_folder))


class _OpenFile:
    """One open file of SQLite's, with the methods that it had."""

    def __init__(self, disk: Disk, name: str, methods: Methods, *, with_folder: bool) -> None:
        self.methods = methods
        self._disk = disk
        self._name = name
        self._with_folder = with_folder

    def write(self, handle: int, source: int, count: int, offset: int) -> int:
        def do(data: bytes) -> int:
            code: int = self.methods.xWrite(handle, source, len(data), offset)
            return code

        return self._disk.write(self._name, offset, ctypes.string_at(source, count), do)

    def truncate(self, handle: int, size: int) -> int:
        return self._disk.truncate(self._name, size, lambda: self.methods.xTruncate(handle, size))

    def sync(self, handle: int, flags: int) -> int:
        code = self._disk.sync(self._name, lambda: self.methods.xSync(handle, flags), with_folder=self._with_folder)
        self._with_folder = self._with_folder and code != 0
        return code


_shim: Callable[[], _Shim] = cache(_Shim)


@contextmanager
def disk_under(folder: Path) -> Iterator[Disk]:
    """A disk under every SQLite file of *folder* that this process opens in the block."""
    disk = Disk(folder)
    with _shim().over(disk):
        yield disk
