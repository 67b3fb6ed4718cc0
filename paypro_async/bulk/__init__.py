"""Files of payouts: read whole, checked whole, paid once, reported row by row."""

from paypro_async.bulk.apply import BatchSettings, Disbursement
from paypro_async.bulk.approval import Approval, ApprovalMissingError, approve, approved_by, read_approvers
from paypro_async.bulk.evidence import AcceptedRows, Alike, Before, Conflict, Evidence, NotFailed, Repeat
from paypro_async.bulk.failed_rows import FailedRows
from paypro_async.bulk.file_plan import Plan, RowAmount
from paypro_async.bulk.funds import Funds
from paypro_async.bulk.handing_out import import_file
from paypro_async.bulk.limits import PaymentLimits
from paypro_async.bulk.payout_file import PayoutFile, Row
from paypro_async.bulk.plan_file import PlanFile, PlannedRow
from paypro_async.bulk.problems import BalanceTooLowError, FileProblem, PayoutFileError
from paypro_async.bulk.results import FileReport, NotReportedError, RowOutcome
from paypro_async.bulk.retries import Retry
from paypro_async.bulk.steps import PayingOptions, ReadingOptions, check, pay, plan, read
from paypro_async.bulk.template import write_template

__all__ = [
    "AcceptedRows",
    "Alike",
    "Approval",
    "ApprovalMissingError",
    "BalanceTooLowError",
    "BatchSettings",
    "Before",
    "Conflict",
    "Disbursement",
    "Evidence",
    "FailedRows",
    "FileProblem",
    "FileReport",
    "Funds",
    "NotFailed",
    "NotReportedError",
    "PayingOptions",
    "PaymentLimits",
    "PayoutFile",
    "PayoutFileError",
    "Plan",
    "PlanFile",
    "PlannedRow",
    "ReadingOptions",
    "Repeat",
    "Retry",
    "Row",
    "RowAmount",
    "RowOutcome",
    "approve",
    "approved_by",
    "check",
    "import_file",
    "pay",
    "plan",
    "read",
    "read_approvers",
    "write_template",
]
