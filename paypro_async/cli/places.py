"""A file that is there whole or not at all, and that only its owner can read."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

__all__ = ["put_whole", "refuse_place"]


def refuse_place(path: Path, taken: frozenset[Path], *, replace: bool | None) -> None:
    """Say no before the work is done.

    Args:
        path: Where the file shall be.
        taken: The ledger's own files.
        replace: Whether one that is there is replaced; None if that cannot be had.

    Raises:
        click.UsageError: If the file is there, or is a part of the ledger.
    """
    if path.resolve() in taken:
        raise click.UsageError(f"{path} belongs to the ledger itself; nothing was written. Name another file.")
    if path.is_dir() or not os.access(path.absolute().parent, os.W_OK | os.X_OK):
        raise click.UsageError(f"{path} cannot be written; nothing was written. Name another place.")
    if path.exists() and not replace:
        force = "" if replace is None else ", or say --force"
        raise click.UsageError(f"{path} is there already; nothing was written. Name another file{force}.")


@contextmanager
def put_whole(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """An empty file to write to, which stands at *path* once the block has ended without an error."""
    handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        _place(part, path, replace=replace)
    finally:
        part.unlink(missing_ok=True)


def _place(part: Path, path: Path, *, replace: bool) -> None:
    if replace:
        part.replace(path)
    else:
        try:
            # Unlike a renaming, this fails if somebody else has put a file there meanwhile.
            os.link(part, path)
        except FileExistsError:
            raise click.UsageError(f"{path} is there already; nothing was written. Name another file.") from None
        except OSError:
            part.replace(path)  # A file system without links.
    with suppress(OSError):  # Windows cannot open a folder.
        descriptor = os.open(path.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
