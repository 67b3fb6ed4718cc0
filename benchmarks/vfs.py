"""SQLite's file system (a VFS, in its words) as ctypes sees it, for those who put one of their own under it.

https://sqlite.org/vfs.html
"""

import ctypes
import sqlite3
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p
from functools import cache
from typing import Any

__all__ = ["Close", "Delete", "Handle", "Methods", "Open", "Sync", "Truncate", "Vfs", "Write", "sqlite_library"]

Close = CFUNCTYPE(c_int, c_void_p)
Write = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
Truncate = CFUNCTYPE(c_int, c_void_p, c_int64)
Sync = CFUNCTYPE(c_int, c_void_p, c_int)
Open = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
Delete = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)


def _others(*names: str) -> list[tuple[str, Any]]:
    return [(name, c_void_p) for name in names]


class Methods(Structure):
    """``sqlite3_io_methods``; what is passed through has no type."""

    _fields_ = (
        ("iVersion", c_int),
        ("xClose", Close),
        ("xRead", c_void_p),
        ("xWrite", Write),
        ("xTruncate", Truncate),
        ("xSync", Sync),
        *_others("xFileSize", "xLock", "xUnlock", "xCheckReservedLock", "xFileControl"),
        *_others("xSectorSize", "xDeviceCharacteristics"),
        *_others("xShmMap", "xShmLock", "xShmBarrier", "xShmUnmap", "xFetch", "xUnfetch"),
    )


class Handle(Structure):
    """``sqlite3_file``."""

    _fields_ = (("methods", POINTER(Methods)),)


class Vfs(Structure):
    """``sqlite3_vfs``."""

    _fields_ = (
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        ("xOpen", Open),
        ("xDelete", Delete),
        *_others("xAccess", "xFullPathname", "xDlOpen", "xDlError", "xDlSym", "xDlClose", "xRandomness", "xSleep"),
        *_others("xCurrentTime", "xGetLastError", "xCurrentTimeInt64"),
        *_others("xSetSystemCall", "xGetSystemCall", "xNextSystemCall"),
    )


@cache
def sqlite_library() -> ctypes.CDLL | None:
    """The library behind ``sqlite3``: that of its extension module, or within the interpreter itself.

    None where this Python holds SQLite so that nobody can reach it.
    """
    import _sqlite3

    for place in (getattr(_sqlite3, "__file__", None), None):
        library = ctypes.CDLL(place)
        if not hasattr(library, "sqlite3_vfs_find"):
            continue
        library.sqlite3_libversion.restype = c_char_p
        if library.sqlite3_libversion().decode() != sqlite3.sqlite_version:
            continue
        library.sqlite3_vfs_find.restype = POINTER(Vfs)
        library.sqlite3_vfs_find.argtypes = [c_char_p]
        library.sqlite3_vfs_register.argtypes = [POINTER(Vfs), c_int]
        library.sqlite3_vfs_unregister.argtypes = [POINTER(Vfs)]
        return library
    return None
