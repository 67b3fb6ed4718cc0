"""Where a command may write a file."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from paypro_async.cli.output import readable
from paypro_async.ledger.file import belongs_to
from paypro_async.report.whole_file import put_whole, refuse_unwritable

__all__ = ["new_file", "refuse_path"]


def refuse_path(path: Path, taken: frozenset[Path], *, replace: bool | None) -> None:
    """Say no before the work is done.

    Args:
        path: Where the file shall be.
        taken: The resolved paths of the command's input and of the ledger's own files.
        replace: Whether one that is there is replaced; None if the command cannot do that.

    Raises:
        click.UsageError: If a file is there, is one of *taken*, or cannot be written.
    """
    name = readable(path)
    if belongs_to(path, taken):
        raise click.UsageError(f"{name} is the input or belongs to the ledger; nothing was written. Name another file.")
    if (why := _not_writable(path)) is not None:
        raise click.UsageError(
            f"{name} cannot be written: {why}. Nothing was written. Mend that, or name another file."
        )
    if path.exists() and not replace:
        raise _is_there(path, replace=replace)


@contextmanager
def new_file(path: Path, taken: frozenset[Path], *, replace: bool | None) -> Iterator[Path]:
    """An empty file to write to, which stands at *path* once the block has ended without an error.

    The arguments are those of :func:`refuse_path`, and so are the reasons to refuse.
    """
    refuse_path(path, taken, replace=replace)
    try:
        with put_whole(path, replace=bool(replace)) as part:
            yield part
    except FileExistsError:
        # Another program has put a file there meanwhile.
        raise _is_there(path, replace=replace) from None


def _not_writable(path: Path) -> str | None:
    folder = path.absolute().parent
    try:
        if not path.is_file() and path.exists():
            return "it is no file"
        if _is_a_stream(path):
            return "this command reads from it or prints to it (standard output itself is called -)"
        if not folder.is_dir():
            return f"there is no folder {readable(folder)}"
        refuse_unwritable(path)
    except PermissionError:
        return f"this user may not write to the folder {readable(folder)}"
    except OSError as error:
        return f"no file can be made there ({error.strerror})"
    return None


def _is_a_stream(path: Path) -> bool:
    """Whether it is what a standard stream leads to, as ``/dev/stdout``: a file put there would take its place."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return any(os.path.samestat(found, os.fstat(number)) for number in range(3))


def _is_there(path: Path, *, replace: bool | None) -> click.UsageError:
    force = "" if replace is None else ", or say --force"
    return click.UsageError(f"{readable(path)} is there already; nothing was written. Name another file{force}.")
