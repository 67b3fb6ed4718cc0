"""Tables as JSON lines: an object for each row, its texts as they are."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from paypro_async.bulk.writers.table import Add, Layout

__all__ = ["jsonl_rows", "jsonl_table"]


@contextmanager
def jsonl_table(path: Path, layout: Layout) -> Iterator[Add]:
    """A file of JSON lines to add rows to."""
    with path.open("w", encoding="utf-8", errors="replace", newline="") as text:
        yield jsonl_rows(text, layout)


def jsonl_rows(text: IO[str], layout: Layout) -> Add:
    """The same in an open text. Empty cells are written as empty texts, so that every line has every name."""

    def add(cells: Sequence[str]) -> None:
        text.write(json.dumps(dict(zip(layout.names, cells, strict=True)), ensure_ascii=False) + "\n")

    return add
