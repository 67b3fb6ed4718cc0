"""Tables as CSV, in which no spreadsheet finds a formula, and none changes a code or a number."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from paypro_async.bulk.writers.table import Add, Layout
from paypro_async.report.formulas import defused, defused_number

__all__ = ["csv_rows", "csv_table"]

_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


@contextmanager
def csv_table(path: Path, layout: Layout) -> Iterator[Add]:
    """A CSV file to add rows to; its first one holds the names."""
    with path.open("w", encoding="utf-8", errors="replace", newline="") as text:
        yield csv_rows(text, layout)


def csv_rows(text: IO[str], layout: Layout) -> Add:
    """The same in a text that is open with ``newline=""``."""
    if layout.bom:
        text.write(_BOM)
    # Python before 3.13 would leave a line break in a cell without quotes unless it is the one that ends lines.
    plain, quoted = (
        csv.writer(text, delimiter=layout.delimiter, lineterminator=layout.line_end, quoting=quoting)
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
    )
    make_of = [defused_number if at in layout.numbers else defused for at in range(len(layout.names))]

    def write(cells: Sequence[str]) -> None:
        broken = any("\r" in cell or "\n" in cell for cell in cells)
        (quoted if broken else plain).writerow(cells)

    write([*map(defused, layout.names)])
    return lambda cells: write([make(cell) for make, cell in zip(make_of, cells, strict=True)])
