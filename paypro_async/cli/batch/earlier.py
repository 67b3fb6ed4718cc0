"""What result files say of earlier runs: a ledger that knows nothing of it is new, or another one, and would pay again.

A folder that is another one than last time, a volume that is not mounted, a ledger that somebody deleted: the ledger by
itself cannot tell that from a first run. The result file beside the payouts can.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click
from attrs import field, frozen

from paypro_async.bulk import PayoutFile
from paypro_async.bulk.writers.former_result import sent_in, sent_of
from paypro_async.cli.batch.result_file import results_before
from paypro_async.cli.output import note, readable
from paypro_async.ledger.sql.ledger import SqlLedger

__all__ = ["EarlierRuns"]

_PAGE = 500


@frozen(kw_only=True)
class EarlierRuns:
    """What tells of earlier runs.

    Args:
        merchant_no: Whose payouts they were.
        results: Result files that are there.
        file: The file that is to be paid, which may be such a result itself.
    """

    merchant_no: str
    results: tuple[Path, ...] = ()
    file: PayoutFile | None = field(default=None, repr=False)

    @classmethod
    def of(cls, merchant_no: str, source: Path, result: Path | None, file: PayoutFile) -> "EarlierRuns":
        """Those that can be found: where the result will go, and beside the file."""
        places = [result] if result else []
        if str(source) != "-":
            places += results_before(source)
        return cls(merchant_no=merchant_no, results=tuple({one for one in places if one.is_file()}), file=file)

    def refuse_missing(self, ledger: Path) -> None:
        """There is no ledger yet, and it would be made.

        Raises:
            click.UsageError: If there was an earlier run.
        """
        for name, numbers in self._told():
            if numbers is None or next(numbers, None) is not None:
                raise _refused(name, str(ledger.resolve()), "is not there and would be made anew")

    async def compare(self, ledger: SqlLedger) -> None:
        """Look up in the ledger what was sent according to the results.

        Raises:
            click.UsageError: If it does not know all of it.
            LedgerUnavailableError: If it cannot be read.
        """
        new = not await ledger.holds_payouts(self.merchant_no)
        if new:
            others = sorted({one.merchant_no for one in await ledger.merchants()} - {self.merchant_no})
            note(
                f"The ledger {ledger.name} holds payouts of merchant {', '.join(others)}, and none of merchant "
                f"{self.merchant_no} yet. Compare the two, with their zeros."
                if others
                else f"The ledger {ledger.name} is new: it holds no payout of merchant {self.merchant_no} yet."
            )
        if ledger.restored_since is not None:
            return  # It knows that it has forgotten something, and asks before it sends.
        for name, numbers in self._told():
            if numbers is None and new:
                raise _refused(name, ledger.name, "is new")
            while page := list(islice(numbers or (), _PAGE)):
                known = await ledger.known_numbers(self.merchant_no, page)
                if missing := [one for one in page if one not in known]:
                    raise _refused(name, ledger.name, "is new" if new else f"does not know {readable(missing[0])}")

    def _told(self) -> Iterator[tuple[str, Iterator[str] | None]]:
        """By the name of each file: the numbers that it says were sent, or None if it is not understood."""
        if self.file is not None:
            for path in self.results:
                yield readable(path), sent_in(path, self.file.columns)
            cells = (row.cells for row in self.file.rows())
            sent = sent_of(self.file.columns.names, cells)
            if sent is not None:
                yield "the file itself", sent


def _refused(result: str, ledger: str, why: str) -> click.UsageError:
    return click.UsageError(
        f"According to {result} rows were sent in an earlier run, and the ledger {ledger} {why}. Nothing was sent, "
        "since they would be paid again. Name the ledger that they were sent with (--ledger), or mount its folder. If "
        "it is gone for good, or if these are other payouts, say --new-ledger."
    )
