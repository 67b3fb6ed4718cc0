"""Files of payouts: read whole, checked whole, paid once, reported row by row."""

from paypro_async.bulk.apply import BatchSettings, Disbursement
from paypro_async.bulk.plan import Plan
from paypro_async.bulk.problems import FileProblem, PayoutFileError
from paypro_async.bulk.readers.csv import PayoutFile, Row
from paypro_async.bulk.repeats import Before, Conflict, Repeat
from paypro_async.bulk.results import FileReport, RowOutcome

__all__ = [
    "BatchSettings",
    "Before",
    "Conflict",
    "Disbursement",
    "FileProblem",
    "FileReport",
    "PayoutFile",
    "PayoutFileError",
    "Plan",
    "Repeat",
    "Row",
    "RowOutcome",
]
