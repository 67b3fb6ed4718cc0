"""What the ledger is told of a batch as a whole."""

from attrs import define

from paypro_async.batch.options import BatchOptions
from paypro_async.engine.limits import RECORDING_SECONDS
from paypro_async.errors import LedgerUnavailableError
from paypro_async.ledger import BatchRecord
from paypro_async.ledger.base import Ledger
from paypro_async.ledger.patience import answer_within
from paypro_async.ledger.shared import refuse_without_workers
from paypro_async.log import logger

__all__ = ["BatchNotes"]


@define(kw_only=True)
class BatchNotes:
    """Notes in the ledger that a batch runs, and that it has ended.

    No payout depends on it: of a ledger that does not answer the log tells, and nothing more.
    """

    merchant_no: str
    ledger: Ledger
    options: BatchOptions

    async def refuse_without_workers(self) -> None:
        """See that no workers pay a batch of that name, before anything is sent.

        Raises:
            ConfigurationError: If they do, or did until it was cancelled.
        """
        if not self.options.named:
            return
        batch_id = self.options.batch_id
        looking = refuse_without_workers(self.ledger, self.merchant_no, batch_id)
        try:
            await answer_within(RECORDING_SECONDS, self.ledger, looking)
        except LedgerUnavailableError as error:
            # Each payout asks the same ledger, and tells its caller.
            logger.warning("Whether workers pay the batch %s is not known: %s", batch_id, error)

    async def begin(self) -> bool:
        """The batch runs; whether that was stored."""
        return await self._record(within=self.options.limits.timeout)

    async def end(self, *, total: int | None) -> None:
        """The batch has ended with so many payouts, None if it did not come to its end."""
        await self._record(within=RECORDING_SECONDS, ended=True, total=total)

    async def _record(self, *, within: float, ended: bool = False, total: int | None = None) -> bool:
        if not self.options.noted:
            return True
        record = BatchRecord(merchant_no=self.merchant_no, batch_id=self.options.batch_id, total=total, ended=ended)
        try:
            await answer_within(within, self.ledger, self.ledger.record_batch(record))
        except LedgerUnavailableError as error:
            logger.warning("Batch %s could not be noted in the ledger: %s", record.batch_id, error)
        except Exception:
            logger.exception("Batch %s could not be noted in the ledger", record.batch_id)
        else:
            return True
        return False
