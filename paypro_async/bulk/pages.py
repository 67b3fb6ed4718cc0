"""A long stream in pages of the size that a ledger looks up at once."""

from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

__all__ = ["pages"]

T = TypeVar("T")
_PAGE = 500


def pages(items: Iterator[T]) -> Iterator[list[T]]:
    """The items in lists of at most 500."""
    while page := list(islice(items, _PAGE)):
        yield page
