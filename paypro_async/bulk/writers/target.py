"""Where a result is to be written: looked at before anything is sent, since it is written when all is paid."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from paypro_async.bulk.file_plan import Plan
from paypro_async.bulk.payout_file import PayoutFile
from paypro_async.bulk.writers.former_result import is_foreign
from paypro_async.bulk.writers.opening import kind_named
from paypro_async.bulk.writers.xlsx import refuse_workbook
from paypro_async.errors import ConfigurationError
from paypro_async.ledger.file import belongs_to, real_path
from paypro_async.report.whole_file import refuse_unwritable

__all__ = ["ResultTarget", "refuse_place", "refuse_taken"]

ResultTarget = str | os.PathLike[str] | TextIO
"""The path of a result file, or a text that is open for writing."""


def refuse_place(
    target: ResultTarget, file: PayoutFile, plan: Plan, *, source: Path | None, ledger: Iterable[Path], replace: bool
) -> None:
    """Say no before anything is sent.

    Args:
        target: Where the result is to go.
        file, plan: What is paid; *source*, where it stands, if it is a file.
        ledger: The files of the ledger.
        replace: Whether a file that is there and not this file's result is replaced.

    Raises:
        ConfigurationError: If the result could not be written there, or would take the place of something else.
    """
    if not isinstance(target, str | os.PathLike):
        _refuse_stream(target)
        return
    path = Path(target)
    if (why := _not_writable(path)) is not None:
        raise ConfigurationError(
            f"The result file {path} cannot be written: {why}. Nothing was sent. Mend that, or name another file."
        )
    try:
        refuse_taken(path, source=source, ledger=ledger)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error} Nothing was sent.") from None
    if kind_named(path, otherwise=file.kind) == "xlsx":
        refuse_workbook(plan.rows)
    own = source is not None and path.absolute() == source.with_name(f"{source.stem}.result{source.suffix}").absolute()
    if not replace and is_foreign(path, plan, file.columns, own=own):
        raise ConfigurationError(
            f"{path} is there, and is not the result of this file; it was not replaced. Nothing was sent. Name another "
            "file, move it away, or say replace_result=True."
        )


def refuse_taken(path: Path, *, source: Path | None, ledger: Iterable[Path]) -> None:
    """See that a result is written neither over the input nor over the ledger.

    Raises:
        ConfigurationError: If *path* is one of them, by whatever name.
    """
    if source is not None and belongs_to(path, {real_path(source)}):
        raise ConfigurationError(f"The result file cannot be {path}, which is the input. Name another file.")
    if belongs_to(path, ledger):
        raise ConfigurationError(f"The result file cannot be {path}, which belongs to the ledger. Name another file.")


def _refuse_stream(target: TextIO) -> None:
    try:
        target.write("")
    except (AttributeError, TypeError, ValueError, OSError) as error:
        # Of bytes, of a file that is closed or was opened for reading, of no file at all.
        raise ConfigurationError(
            f"A result is written to a path, or to a text that is open for writing, and {type(target).__name__} is "
            "none now. Nothing was sent. Give a path, open(path, 'w', newline=\"\") or io.StringIO()."
        ) from error


def _not_writable(path: Path) -> str | None:
    folder = path.absolute().parent
    try:
        if path.exists() and not path.is_file():
            return "it is no file"
        if not folder.is_dir():
            return f"there is no folder {folder}"
        refuse_unwritable(path)
    except (OSError, ValueError) as error:
        return f"no file can be made there ({getattr(error, 'strerror', None) or error})"
    return None
