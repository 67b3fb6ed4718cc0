"""The file of failed rows beside the result, once a run is over."""

import os
import re
from pathlib import Path

from paypro_async._core.items import ItemStatus
from paypro_async.bulk import Disbursement, FailedRows, FileReport
from paypro_async.cli.batch.result_file import result_beside
from paypro_async.cli.exits import explain
from paypro_async.cli.output import note, readable
from paypro_async.errors import PayProError

__all__ = ["failed_beside", "failed_file"]

_RESULT = re.compile(r"(.+[.-])result(\.\w+)")


def failed_beside(result: Path) -> Path:
    """Where failed rows go, beside a result file: ``a.failed.csv`` beside ``a.result.csv``."""
    found = _RESULT.fullmatch(result.name)
    name = f"{found[1]}failed{found[2]}" if found else f"{result.stem}.failed{result.suffix}"
    return result.with_name(name)


async def failed_file(disbursement: Disbursement, result: Path | None, whole: FileReport) -> FailedRows:
    """Write the failed rows, or take away what a former run wrote if none is left. A failure to do so is only said.

    Args:
        disbursement: The file, whose client is open.
        result: The result file, if one was wanted at a path.
        whole: What the rows came to.
    """
    failed = whole.tally.counts[ItemStatus.FAILED]
    if result is None and disbursement.path is not None:
        result = result_beside(disbursement.path)
    if result is None:
        return FailedRows()
    path = failed_beside(result)
    if not failed and not _is_there(path):
        return FailedRows()
    try:
        return await disbursement.failed_rows(path)
    except PayProError as error:
        note(explain(error))
    except OSError as error:
        note(f"{readable(path)} could not be written: {error.strerror}. The ledger has it all; run the command again.")
    return FailedRows()


def _is_there(path: Path) -> bool:
    # Of a name that is too long for any file it is not an error to ask.
    return os.path.lexists(path)
