"""A table that is written row by row, whatever its kind: CSV, a workbook, or JSON lines."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

from paypro_async.bulk.writers.csv import csv_table
from paypro_async.bulk.writers.jsonl import jsonl_table
from paypro_async.bulk.writers.table import Add, Layout
from paypro_async.bulk.writers.xlsx import xlsx_table

__all__ = ["ENDINGS", "kind_named", "open_table"]

_TABLES: Mapping[str, Callable[[Path, Layout], AbstractContextManager[Add]]] = MappingProxyType(
    {"csv": csv_table, "xlsx": xlsx_table, "jsonl": jsonl_table}
)
ENDINGS: Mapping[str, str] = MappingProxyType(
    {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".xlsx": "xlsx", ".jsonl": "jsonl", ".ndjson": "jsonl"}
)
"""The kinds of tables by the endings of their files."""


def kind_named(path: Path, *, otherwise: str) -> str:
    """The kind of table that the ending of a file's name asks for."""
    return ENDINGS.get(path.suffix.lower(), otherwise)


def open_table(path: Path, kind: str, layout: Layout) -> AbstractContextManager[Add]:
    """A table to add rows to, which is at *path* once the block has ended.

    Args:
        path: Where it goes.
        kind: ``csv``, ``xlsx`` or ``jsonl``.
        layout: Its columns.

    Raises:
        ConfigurationError: If it is a workbook, and what writes those is not installed, or has too many rows for one.
    """
    return _TABLES[kind](path, layout)
