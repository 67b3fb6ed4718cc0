"""What a batch came to: for people, for programs, and as an exit code."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from attrs import field, frozen

from paypro_async._core.items import ItemStatus
from paypro_async._core.money import amount_for_people
from paypro_async._core.tally import Tally
from paypro_async.bulk import AcceptedRows, FailedRows, FileReport
from paypro_async.cli.exits import Exit, in_options
from paypro_async.cli.output import fits, hanging, pasted, readable
from paypro_async.errors import CredentialsRefusedError, LedgerUnavailableError, PaidMeanwhileError
from paypro_async.report.batch_report import BatchReport
from paypro_async.report.html.verdict import known_meaning

__all__ = ["Summary"]

_ADVICE = {
    ItemStatus.PROCESSING: "ask again with --refresh",
    ItemStatus.FAILED: "mend the cause (paypro_code), and pay the file of failed rows",
    ItemStatus.UNKNOWN: "run the same command again to ask, never pay these anew",
    ItemStatus.MISSING: "look these up in PayPro's dashboard, never pay these anew",
    ItemStatus.REVIEW: "look these up in PayPro's dashboard, then 'paypro ledger decide'",
    ItemStatus.NOT_SENT: "run the same command again",
}

_SHOWN_REASONS = 5
_COUNTED = ("succeeded", "processing", "failed", "unknown", "not_sent")

_STILL_PROCESSING = (
    "Some rows were still processing when the waiting ended: accepted by the platform, not yet paid. Run the same "
    "command again to go on waiting; it pays nothing twice."
)

_STOPPED = {
    "bad_credentials": "the platform refuses this merchant; check the merchant number, PAYPRO_SECRET, its position "
    "(PAYPRO_SECRET_POSITION) and PayPro's list of addresses; 'paypro doctor' tells which of them it is",
    "same_refusal_in_a_row": "the platform refused one after the other under a code that no page lists; ask PayPro",
    "insufficient_funds": "the platform says that the balance is too low",
    "ledger_unavailable": "the ledger cannot be written",
    "paused": "somebody has paused it; 'paypro resume' lets its workers go on",
    "cancelled_for_good": "somebody has cancelled it; what was not begun never will be",
    "unknown_in_a_row": "too many attempts in a row got no usable reply; the platform is in trouble",
    "not_sent_in_a_row": "too many payouts in a row could not be sent",
    "wrong_setting": "one payout after the other could not be sent for the same cause, which lasts until it is mended",
    "source_failed": "the rows could not be read to their end; mend the file and run the same command again",
}


@frozen(kw_only=True)
class Summary:
    """The end of a run, as the ledger has it: every row of the file is in it, sent or not.

    Args:
        whole: The rows of the whole file.
        currency: ISO 4217, of every amount.
        report: Of this run.
        result: The result file, or None.
        known: How many rows the ledger knew before it, whatever became of them.
        accepted: The rows that were accepted before it.
        failed: The file of the rows that have failed for good.
    """

    whole: FileReport = field(repr=False)
    currency: str
    report: BatchReport = field(repr=False)
    result: Path | None
    known: int
    accepted: AcceptedRows
    failed: FailedRows = field(factory=FailedRows)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C or another signal stopped it."""
        return self.report.stopped == "cancelled"

    @property
    def exit_code(self) -> Exit:
        """Unknown outcomes win over failures: they must not be overlooked."""
        if self.interrupted:
            return Exit.INTERRUPTED
        left = self.tally.counts.keys() | self.whole.left_out.counts.keys()
        if any(status.uncertain or (self.report.waited and status.is_open) for status in left):
            return Exit.UNKNOWN_LEFT
        all_accepted = all(status.accepted for status in left)
        return Exit.OK if all_accepted and self.report.stopped is None else Exit.SOME_FAILED

    @property
    def open_rows(self) -> int:
        """Rows that were waited for in vain; none if it was not to wait."""
        counts = self.tally.counts
        return sum(counts[status] for status in counts if status.is_open) if self.report.waited else 0

    @property
    def _only_processing(self) -> bool:
        """Whether nothing but rows that are processing makes the exit code that of unknown outcomes."""
        left = self.tally.counts.keys() | self.whole.left_out.counts.keys()
        return self.exit_code is Exit.UNKNOWN_LEFT and not any(status.uncertain for status in left)

    @property
    def stopped_by(self) -> str | None:
        """The platform's code that refused whoever asks, if one did."""
        codes = (item.code for item in self.report.failures if isinstance(item.error, CredentialsRefusedError))
        return next(codes, None) if self.report.stopped == "bad_credentials" else None

    @property
    def _trouble(self) -> str:
        """What the ledger said when it could not be written, behind a blank."""
        if self.report.stopped != "ledger_unavailable":
            return ""
        said = (str(item.error) for item in self.report.failures if isinstance(item.error, LedgerUnavailableError))
        return f" {next(said, 'Look at its disk or its server.')} Then run the same command again."

    def as_data(self) -> dict[str, Any]:
        """One object. Amounts are text, since a float would round them."""
        statuses = {
            status: {"rows": self.tally.counts[status], "amount": str(self.tally.amounts[status])}
            for status in ItemStatus
            if self.tally.counts[status]
        }
        told = {"message": _STILL_PROCESSING} if self._only_processing else {}
        return told | {
            "rows": self.tally.counts.total(),
            "amount": str(self.tally.total),
            "currency": self.currency,
            "statuses": statuses,
            "sent_now": self.report.sent,
            "known_before": self.known,
            **{name: self.tally.counts[ItemStatus(name)] for name in _COUNTED},
            **self._before(),
            "codes": dict(self.whole.codes),
            "reasons": dict(self.whole.reasons),
            "waited": self.report.waited,
            "not_final": self.open_rows,
            "stopped": self.report.stopped,
            "stopped_by_code": self.stopped_by,
            "stopped_advice": _STOPPED.get(self.report.stopped) if self.report.stopped else None,
            "interrupted": self.interrupted,
            "seconds": round(self.report.elapsed, 3),
            "result_file": str(self.result) if self.result else None,
            "failed_file": str(self.failed.path) if self.failed.path else None,
            "exit_code": int(self.exit_code),
        }

    def _before(self) -> dict[str, Any]:
        """What was known of rows under these and other numbers."""
        return {
            "accepted_before": {
                "rows": self.accepted.count,
                "first": _iso(self.accepted.first),
                "last": _iso(self.accepted.last),
                "files": list(self.accepted.sources),
            },
            "left_out": {
                "rows": self.whole.left_out.counts.total(),
                "statuses": dict(self.whole.left_out.counts),
            },
            "retried": {
                "rows": self.whole.retried.counts.total(),
                "statuses": dict(self.whole.retried.counts),
                "first": {
                    number: {"trade_no": one.trade_no, "status": one.status}
                    for number, one in self.whole.retries.items()
                },
            },
        }

    def as_text(self) -> str:
        """A small table and what to do."""
        lines = [
            hanging("", self._news()),
            f"{self.tally.counts.total():>9,}  {self._money(self.tally.total)}  in the file",
        ]
        lines += [
            hanging(f"{self.tally.counts[status]:>9,}  {self._money(self.tally.amounts[status])}  ", self._said(status))
            for status in ItemStatus
            if self.tally.counts[status]
        ]
        told: list[str] = [self._sent_since()] if self.whole.retried.counts else []
        if self.open_rows:
            told.append(
                f"{_rows(self.open_rows)} {_were(self.open_rows)} not final when the waiting ended. Run the same "
                "command again to go on waiting; it pays nothing twice."
            )
        if self.whole.codes:
            codes = ", ".join(f"{_told(code)} ({_rows(rows)})" for code, rows in self.whole.codes.most_common(10))
            told.append(f"Codes of what was not accepted: {codes}")
        told += [f"{_rows(rows)}: {in_options(why)}" for why, rows in self.whole.reasons.most_common(_SHOWN_REASONS)]
        if elsewhere := self.report.codes.get(PaidMeanwhileError.__name__, 0):
            told.append(
                f"{elsewhere:,} {_were(elsewhere)} not sent, since another run paid the same to the same account "
                "meanwhile; --skip-paid leaves such rows out."
            )
        if self.report.stopped in _STOPPED:
            code = f", code {self.stopped_by}" if self.stopped_by else ""
            told.append(f"Stopped early ({self.report.stopped}{code}): {_STOPPED[self.report.stopped]}.{self._trouble}")
        told.append(f"{self.report.elapsed:,.1f} seconds, {self.report.rate:,.0f} rows a second.")
        if self.result:
            told.append(f"Result file: {readable(self.result)}")
        if self.failed.path:
            what = f"{_rows(self.failed.rows)} that failed, to mend and pay:"
            command = f"paypro batch {pasted(self.failed.path)}"
            told.append(f"{what} {command}" if fits(f"{what} {command}") else f"{what}\n{command}")
        told += [
            f"{readable(one)} was changed since it was written, and was left as it is." for one in self.failed.kept
        ]
        return "\n".join([*lines, *(line if "\n" in line else hanging("", line) for line in told)])

    def _news(self) -> str:
        """What this run did itself: the same file once more must not look like a payment."""
        sent, known = self.report.sent, self.accepted.count
        # Whether they are paid is said below: one that was processing may have failed since.
        when = f"accepted before, {self.accepted.when}."
        if not sent and known and known == self.tally.counts.total():
            rows = "the only row was" if known == 1 else f"all {known:,} rows were"
            return f"Nothing new was sent: {rows} {when}"
        before = f" {known:,} {_were(known)} {when}" if known else ""
        left_out = self.whole.left_out.counts
        others = ", ".join(f"{count:,} {status}" for status, count in left_out.items())
        out = left_out.total()
        skipped = f" {out:,} {_were(out)} left out, as known under other numbers ({others})." if out else ""
        return f"{sent:,} {'row was' if sent == 1 else 'rows were'} sent now.{before}{skipped}"

    @property
    def tally(self) -> Tally[ItemStatus]:
        """Rows and their money by status."""
        return self.whole.tally

    def _said(self, status: ItemStatus) -> str:
        advice = _ADVICE.get(status)
        if status is ItemStatus.FAILED and self.whole.retried.counts.total() == self.tally.counts[status]:
            return f"{status}: its first number failed; each was sent since under a new one, as said below"
        if status is ItemStatus.PROCESSING and self.report.waited:
            advice = "run the same command again to go on waiting"
        return f"{status}: {status.meaning}; {advice}" if advice else f"{status}: {status.meaning}"

    def _sent_since(self) -> str:
        """Which failed rows were sent under new numbers: to pay them as others would pay them twice."""
        counts, first = self.whole.retried.counts, [*self.whole.retries.items()][:_SHOWN_REASONS]
        shown = ", ".join(f"{number} as {one.trade_no} ({one.status})" for number, one in first)
        more = counts.total() - len(first)
        return (
            f"{_rows(counts.total())} of those that failed {_were(counts.total())} sent since under new numbers, never "
            f"pay these as others: {shown}{f', and {more:,} more' if more else ''}."
        )

    def _money(self, amount: Decimal) -> str:
        return f"{amount_for_people(amount, self.currency):>18} {self.currency}"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _iso(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None


def _told(code: str) -> str:
    meaning = known_meaning(code)
    return f"{code}, {meaning}" if meaning else code
