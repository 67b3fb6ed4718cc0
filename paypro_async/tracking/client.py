"""The part of a client that learns what became of payouts."""

from abc import ABC, abstractmethod
from datetime import timedelta

from paypro_async.engine.payout import Engine
from paypro_async.tracking.reconcile import ReconcileReport, Reconciliation

__all__ = ["TrackingClient"]

_DAY = timedelta(days=1)


class TrackingClient(ABC):
    """Learns the ends of payouts; :class:`~paypro_async.PayProClient` is one."""

    @abstractmethod
    def _paying(self) -> Engine:
        """What payouts go through, if the client is open and has a ledger."""

    async def reconcile(
        self,
        *,
        concurrency: int = 20,
        wait: bool = False,
        overdue_after: timedelta = _DAY,
        timeout: float | None = None,
    ) -> ReconcileReport:
        """Ask the platform about every payout in the ledger that is not final, and store what it says. Sends nothing.

        A payout that never arrived, as two questions after its settle window say, becomes one that may be sent again
        (or waits for a person, with ``resend="never"``). A refusal of the last day is looked at once more.

        Args:
            concurrency: How many questions may be under way at one time.
            wait: Wait for the settle window of payouts that were sent just now, instead of leaving them unknown.
            overdue_after: A payout that has been processing for longer is counted as overdue.
            timeout: Seconds for everything, after which the report has not ``ended``. By default as long as it takes.

        Raises:
            LedgerUnavailableError: If the ledger cannot be read or written; what was learned until then is stored.
        """
        return await Reconciliation(
            recording=self._paying().recording,
            concurrency=concurrency,
            wait=wait,
            timeout=timeout,
            overdue_after=overdue_after.total_seconds(),
        ).run()
