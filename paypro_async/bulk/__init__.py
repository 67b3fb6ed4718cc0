"""Files of payouts: read whole, checked whole, paid once, reported row by row."""

from paypro_async.bulk.apply import BatchSettings, Disbursement
from paypro_async.bulk.evidence import AcceptedRows, Alike, Before, Conflict, Evidence, Repeat
from paypro_async.bulk.file_plan import Plan
from paypro_async.bulk.funds import Funds
from paypro_async.bulk.problems import BalanceTooLowError, FileProblem, PayoutFileError
from paypro_async.bulk.readers.csv import PayoutFile, Row
from paypro_async.bulk.results import FileReport, RowOutcome

__all__ = [
    "AcceptedRows",
    "Alike",
    "BalanceTooLowError",
    "BatchSettings",
    "Before",
    "Conflict",
    "Disbursement",
    "Evidence",
    "FileProblem",
    "FileReport",
    "Funds",
    "PayoutFile",
    "PayoutFileError",
    "Plan",
    "Repeat",
    "Row",
    "RowOutcome",
]
