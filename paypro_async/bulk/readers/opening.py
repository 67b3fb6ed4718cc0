"""The reader of a file, by what is in it."""

from contextlib import ExitStack

from paypro_async.bulk.header.columns import HeaderReader
from paypro_async.bulk.problems import FileProblem, PayoutFileError
from paypro_async.bulk.readers.base import Reader
from paypro_async.bulk.readers.csv import CsvReader
from paypro_async.bulk.readers.snapshot import Snapshot

__all__ = ["open_reader"]


def open_reader(snapshot: Snapshot, headers: HeaderReader, held: ExitStack, *, sheet: str | None) -> Reader:  # noqa: ARG001  a workbook needs them
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
        message = 'is a workbook (xlsx, xls or ods) or an archive, not a CSV file; save it again as "CSV UTF-8"'
        raise PayoutFileError([FileProblem(line=1, code="NOT_CSV", message=message)])
    return CsvReader(snapshot, headers.score)
