"""Where the result of a file goes, and whose result stands there already."""

from pathlib import Path

import click
from attrs import frozen

from paypro_async.bulk.file_plan import Plan
from paypro_async.bulk.header.columns import Columns
from paypro_async.bulk.writers.former_result import is_foreign, numbers_in
from paypro_async.cli.batch.questions import agreed
from paypro_async.cli.output import readable

__all__ = ["ResultPlace", "result_beside", "results_before"]

_KINDS = (".csv", ".xlsx", ".jsonl")


def result_beside(file: Path) -> Path:
    """Where the result of a file goes if nothing else is said; no two files of a folder share one."""
    if file.suffix.lower() in _KINDS:
        return file.with_name(f"{file.stem}.result{file.suffix}")
    return file.with_name(f"{file.name}-result.csv")


def results_before(file: Path) -> list[Path]:
    """Where the result of an earlier run may lie, as this release or the one before it named it."""
    places = [result_beside(file)]
    # It gave a.csv and a.txt the same one, and wrote no other kind.
    if file.suffix != ".csv" and not file.with_suffix(".csv").exists():
        places.append(file.with_name(f"{file.stem}.result.csv"))
    if file.suffix != file.suffix.lower():
        places.append(file.with_name(f"{file.name}-result.csv"))
    return places


@frozen(kw_only=True)
class ResultPlace:
    """Where the result goes, and what stood there before anything was sent.

    Args:
        path: Of the result file.
        plan: Of the file that is paid, which knows its trade numbers.
        columns: Of that file.
        own: Whether the place belongs to that file by its name alone.
        found: What tells the file that stood there from any later one; None if there was none.
    """

    path: Path
    plan: Plan
    columns: Columns
    own: bool
    found: tuple[int, ...] | None

    @classmethod
    def look(cls, path: Path, source: Path, plan: Plan, columns: Columns) -> "ResultPlace":
        """The place as it is now."""
        own = str(source) != "-" and path.absolute() == result_beside(source).absolute()
        return cls(path=path, plan=plan, columns=columns, own=own, found=_state(path))

    def refuse_foreign(self, *, ask: bool) -> None:
        """Nothing but the result of this file is replaced, unless a person agrees.

        Raises:
            click.UsageError: If another file stands there.
        """
        if not self._is_foreign():
            return
        kind = (
            "is no result file"
            if numbers_in(self.path, self.columns) is None
            else "is the result of another file, or of another run"
        )
        if ask and agreed(f"{readable(self.path)} {kind}. Replace it?"):
            return
        raise click.UsageError(
            f"{readable(self.path)} is there, and {kind}; it was not replaced. Nothing was sent. Name another one with "
            "--result, move it away, or say --replace-result."
        )

    def taken_meanwhile(self) -> bool:
        """Whether another program has put a file there since, which is not this file's result."""
        return _state(self.path) != self.found and self._is_foreign()

    def _is_foreign(self) -> bool:
        return is_foreign(self.path, self.plan, self.columns, own=self.own)


def _state(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
