"""The reader of a file, by what is in it."""

from contextlib import ExitStack

from paypro_async.bulk.header.columns import HeaderReader
from paypro_async.bulk.problems import FileProblem, PayoutFileError
from paypro_async.bulk.readers.base import Reader
from paypro_async.bulk.readers.csv import CsvReader
from paypro_async.bulk.readers.jsonl import JsonLinesReader, is_json
from paypro_async.bulk.readers.snapshot import Snapshot
from paypro_async.bulk.readers.xlsx import XlsxReader

__all__ = ["open_reader"]


def open_reader(snapshot: Snapshot, headers: HeaderReader, held: ExitStack, *, sheet: str | None) -> Reader:
    """The reader of the kind that the file is of.

    Args:
        snapshot: The file.
        headers: Tells the header from other rows.
        held: Closes what the reader needs beside the file.
        sheet: The sheet of a workbook.

    Raises:
        PayoutFileError: If it cannot be read.
    """
    if snapshot.is_zip:
        workbook = XlsxReader(snapshot, headers, sheet=sheet)
        held.callback(workbook.close)
        return workbook
    if sheet is not None:
        message = "is no workbook, so it has no sheets; leave --sheet (in a program: sheet=) out"
        raise PayoutFileError([FileProblem(line=1, code="SHEET_MISSING", message=message)])
    return JsonLinesReader(snapshot, headers) if is_json(snapshot) else CsvReader(snapshot, headers)
