"""Counts how often SQLite syncs a file: a copy of its file system (a VFS), whose files count and pass on.

https://sqlite.org/vfs.html
"""

import ctypes
import sqlite3
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_void_p
from typing import Any

__all__ = ["count_syncs"]

_Sync = CFUNCTYPE(c_int, c_void_p, c_int)
_Open = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)


class _Methods(Structure):
    """``sqlite3_io_methods``; what is passed through has no type."""

    _fields_ = (
        ("iVersion", c_int),
        *((name, c_void_p) for name in ("xClose", "xRead", "xWrite", "xTruncate")),
        ("xSync", _Sync),
        ("others", c_void_p * 13),
    )


class _Handle(Structure):
    """``sqlite3_file``."""

    _fields_ = (("methods", POINTER(_Methods)),)


class _Vfs(Structure):
    """``sqlite3_vfs``."""

    _fields_ = (
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        ("xOpen", _Open),
        ("others", c_void_p * 15),
    )


_kept: list[Any] = []  # SQLite may call into it as long as the process lives.


def count_syncs() -> Callable[[], int] | None:
    """From now on count; what this returns tells how many. None where nobody can reach Python's SQLite."""
    library = _library()
    if library is None:
        return None
    default = library.sqlite3_vfs_find(None)
    vfs = _Vfs.from_buffer_copy(default.contents)
    vfs.zName = b"bench-syncs"
    wrapped: dict[int, _Methods] = {}
    count = 0

    def counting(methods: Any) -> _Methods:
        original = _Sync(ctypes.cast(methods.contents.xSync, c_void_p).value)

        def sync(handle: int, flags: int) -> int:
            nonlocal count
            count += 1
            code: int = original(handle, flags)
            return code

        copy = _Methods.from_buffer_copy(methods.contents)
        copy.xSync = _Sync(sync)
        return copy

    def open_file(_: int, name: int | None, handle: int, flags: int, given: int | None) -> int:
        code: int = default.contents.xOpen(ctypes.addressof(default.contents), name, handle, flags, given)
        if code == 0:
            head = _Handle.from_address(handle)
            address = ctypes.addressof(head.methods.contents)
            if address not in wrapped:
                wrapped[address] = counting(head.methods)
            head.methods = ctypes.pointer(wrapped[address])
        return code

    vfs.xOpen = _Open(open_file)
    _kept.extend([vfs, wrapped])
    library.sqlite3_vfs_register(ctypes.byref(vfs), 1)
    return lambda: count


def _library() -> ctypes.CDLL | None:
    """The library behind ``sqlite3``: that of its extension module, or within the interpreter itself."""
    import _sqlite3

    for place in (getattr(_sqlite3, "__file__", None), None):
        library = ctypes.CDLL(place)
        if not hasattr(library, "sqlite3_vfs_find"):
            continue
        library.sqlite3_libversion.restype = c_char_p
        if library.sqlite3_libversion().decode() != sqlite3.sqlite_version:
            continue
        library.sqlite3_vfs_find.restype = POINTER(_Vfs)
        library.sqlite3_vfs_find.argtypes = [c_char_p]
        library.sqlite3_vfs_register.argtypes = [POINTER(_Vfs), c_int]
        return library
    return None
