"""Whether another process keeps the file of a ledger from being written."""

import sqlite3
from contextlib import closing
from pathlib import Path

__all__ = ["is_held", "told"]

_SECONDS = 2.0


def is_held(path: Path, *, seconds: float) -> bool:
    """Whether another process keeps an SQLite file from being written for longer than so many seconds.

    Nothing is written. Who calls it has the file open himself: the last to close one would merge its log.
    """
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=seconds, isolation_level=None)) as probe:
        try:
            probe.execute("BEGIN IMMEDIATE")
            probe.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    return False


def told(path: Path) -> dict[str, str]:
    """The same in the form in which a database tells of itself."""
    return {"held": "yes" if is_held(path, seconds=_SECONDS) else "no"}
