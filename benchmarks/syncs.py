"""Counts how often SQLite syncs a file: a copy of its file system (a VFS), whose files count and pass on.

https://sqlite.org/vfs.html
"""

import ctypes
from collections.abc import Callable
from ctypes import c_void_p
from typing import Any

from benchmarks.vfs import Handle, Methods, Open, Sync, Vfs, sqlite_library

__all__ = ["count_syncs"]

_kept: list[Any] = []  # SQLite may call into it as long as the process lives.


def count_syncs() -> Callable[[], int] | None:
    """From now on count; what this returns tells how many. None where nobody can reach Python's SQLite."""
    library = sqlite_library()
    if library is None:
        return None
    default = library.sqlite3_vfs_find(None)
    vfs = Vfs.from_buffer_copy(default.contents)
    vfs.zName = b"bench-syncs"
    wrapped: dict[int, Methods] = {}
    count = 0

    def counting(methods: Any) -> Methods:
        original = Sync(ctypes.cast(methods.contents.xSync, c_void_p).value)

        def sync(handle: int, flags: int) -> int:
            nonlocal count
            count += 1
            code: int = original(handle, flags)
            return code

        copy = Methods.from_buffer_copy(methods.contents)
        copy.xSync = Sync(sync)
        return copy

    def open_file(_: int, name: int | None, handle: int, flags: int, given: int | None) -> int:
        code: int = default.contents.xOpen(ctypes.addressof(default.contents), name, handle, flags, given)
        if code == 0:
            head = Handle.from_address(handle)
            address = ctypes.addressof(head.methods.contents)
            if address not in wrapped:
                wrapped[address] = counting(head.methods)
            head.methods = ctypes.pointer(wrapped[address])
        return code

    vfs.xOpen = Open(open_file)
    _kept.extend([vfs, wrapped])
    library.sqlite3_vfs_register(ctypes.byref(vfs), 1)
    return lambda: count
