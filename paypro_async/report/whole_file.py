"""A file that is there whole or not at all, and that only its owner can read."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["put_whole", "refuse_unwritable"]


@contextmanager
def put_whole(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """An empty file to write to, which stands at *path* once the block has ended without an error.

    By then it is on the disk, as is its entry in the folder, so that a power cut cannot take it back.

    Args:
        path: Where the file shall be; the empty one is made in the same folder.
        replace: Whether a file that is there is replaced.

    Raises:
        FileExistsError: If a file is there, and *replace* is not set. It is left as it is.
        OSError: If the file cannot be written.
    """
    part = _new_part(path)
    try:
        yield part
        with part.open("r+b") as written:
            os.fsync(written.fileno())
        _put(part, path, replace=replace)
    finally:
        part.unlink(missing_ok=True)


def refuse_unwritable(path: Path) -> None:
    """Make an empty file in the folder of *path* and take it away again: permissions alone do not tell.

    Raises:
        OSError: If that fails, or no file can have such a name.
    """
    with suppress(FileNotFoundError):
        path.stat()
    _new_part(path).unlink()


def _new_part(path: Path) -> Path:
    # Without the file's own name, which may be as long as a name can be.
    handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=".paypro-", suffix=".part")
    if hasattr(os, "fchmod"):
        with suppress(OSError):  # A file system that knows no owners.
            os.fchmod(handle, 0o600)  # A umask may have taken away what its owner needs.
    os.close(handle)
    return Path(name)


def _put(part: Path, path: Path, *, replace: bool) -> None:
    if replace:
        part.replace(path)
    else:
        try:
            # Unlike a renaming, this fails if another program has put a file there meanwhile.
            os.link(part, path)
        except FileExistsError:
            raise
        except OSError:  # A file system without links.
            if path.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
            part.replace(path)
    with suppress(OSError):  # Windows cannot open a folder.
        descriptor = os.open(path.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
