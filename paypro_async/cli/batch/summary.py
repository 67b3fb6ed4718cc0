"""What a batch came to: for people, for programs, and as an exit code."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from attrs import field, frozen

from paypro_async._core.money import total
from paypro_async._core.report import BatchReport
from paypro_async.bulk.results import Count
from paypro_async.cli.exits import Exit

__all__ = ["Summary"]

_ORDER = ("succeeded", "processing", "failed", "reversed", "conflict", "not_sent", "unknown", "review")
_ACCEPTED = frozenset({"succeeded", "processing"})
_UNKNOWN = frozenset({"unknown", "review"})

_MEANING = {
    "succeeded": "paid",
    "processing": "accepted by the platform, not yet paid; ask again with --refresh",
    "failed": "no money moved; mend the cause (paypro_code) and pay these rows from a file of their own",
    "reversed": "paid and taken back",
    "conflict": "the trade number belongs to another payout; nothing was sent",
    "not_sent": "nothing was sent; run the same command again",
    "unknown": "money may have moved; run the same command again to ask, never pay these anew",
    "review": "only a person can decide; look these up in PayPro's dashboard",
}

_STOPPED = {
    "bad_credentials": "the platform refuses this merchant; check merchant number, PAYPRO_SECRET and allow-list",
    "insufficient_funds": "the platform says that the balance is too low",
    "ledger_unavailable": "the ledger cannot be written",
    "unknown_in_a_row": "too many attempts in a row got no usable reply; the platform is in trouble",
    "not_sent_in_a_row": "too many payouts in a row could not be sent; is the network up?",
}


@frozen(kw_only=True)
class Summary:
    """The end of a run, as the ledger has it: every row of the file is in it, sent or not.

    Args:
        rows: Of the whole file.
        report: Of this run.
        result: The result file, or None.
    """

    count: Count = field(repr=False)
    currency: str
    report: BatchReport = field(repr=False)
    result: Path | None

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped it."""
        return self.report.stopped == "cancelled"

    @property
    def exit_code(self) -> Exit:
        """Unknown outcomes win over failures: they must not be overlooked."""
        if self.interrupted:
            return Exit.INTERRUPTED
        left = {status for status, rows in self.count.rows.items() if rows}
        if left & _UNKNOWN:
            return Exit.UNKNOWN_LEFT
        stopped = self.report.stopped is not None
        return Exit.SOME_FAILED if left - _ACCEPTED or stopped else Exit.OK

    def as_json(self) -> str:
        """One object. Amounts are text, since a float would round them."""
        statuses = {
            status: {"rows": self.count.rows[status], "amount": str(self.count.amounts[status])}
            for status in _ORDER
            if self.count.rows[status]
        }
        found: dict[str, Any] = {
            "rows": self.count.rows.total(),
            "amount": str(self._total),
            "currency": self.currency,
            "statuses": statuses,
            "codes": dict(self.count.codes),
            "stopped": self.report.stopped,
            "interrupted": self.interrupted,
            "seconds": round(self.report.elapsed, 3),
            "result_file": str(self.result) if self.result else None,
            "exit_code": int(self.exit_code),
        }
        return json.dumps(found)

    def as_text(self) -> str:
        """A small table and what to do."""
        lines = [f"{self.count.rows.total():>9,}  {self._money(self._total)}  in the file"]
        lines += [
            f"{self.count.rows[status]:>9,}  {self._money(self.count.amounts[status])}  {status}: {_MEANING[status]}"
            for status in _ORDER
            if self.count.rows[status]
        ]
        if self.count.codes:
            codes = ", ".join(f"{code} ({rows:,} rows)" for code, rows in self.count.codes.most_common(10))
            lines.append(f"Codes of what was not accepted: {codes}")
        if self.report.stopped in _STOPPED:
            lines.append(f"Stopped early ({self.report.stopped}): {_STOPPED[self.report.stopped]}.")
        lines.append(f"{self.report.elapsed:,.1f} seconds, {self.report.rate:,.0f} rows a second.")
        if self.result:
            lines.append(f"Result file: {self.result}")
        return "\n".join(lines)

    @property
    def _total(self) -> Decimal:
        return total(self.count.amounts.values())

    def _money(self, amount: Decimal) -> str:
        return f"{amount:>18,.2f} {self.currency}"
