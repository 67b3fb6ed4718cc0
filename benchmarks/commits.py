"""Counts the commits of every ledger in this process, as SQLAlchemy announces them."""

from collections.abc import Callable

from sqlalchemy import Engine, event

__all__ = ["count_commits"]


def count_commits() -> Callable[[], int]:
    """From now on count; what this returns tells how many."""
    commits = 0

    def count(_: object) -> None:
        nonlocal commits  # only the ledger's one thread writes it
        commits += 1

    event.listen(Engine, "commit", count)
    return lambda: commits
