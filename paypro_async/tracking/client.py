"""The part of a client that learns what became of payouts."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from datetime import timedelta

from paypro_async._core.callback import CallbackReply
from paypro_async._core.callback_body import CallbackBody
from paypro_async._core.known import KnownPayout, PayoutChange
from paypro_async._core.models import PayoutResult
from paypro_async.engine.payout import Engine
from paypro_async.engine.queries import check_trade_no
from paypro_async.tracking.receiver import LATER, Receiver
from paypro_async.tracking.reconcile import Reconciliation
from paypro_async.tracking.reconcile_report import ReconcileReport, seconds_of
from paypro_async.tracking.waiting import Waiting, find, wait_until_final
from paypro_async.tracking.watcher import Watch

__all__ = ["TrackingClient"]

_DAY = timedelta(days=1)


class TrackingClient(ABC):
    """Learns the ends of payouts; :class:`~paypro_async.PayProClient` is one."""

    _receiver: Receiver | None = None
    """What callbacks go through, if the client has been opened with a ledger; also when it is closed again."""

    _waiting: Waiting | None = None
    """The payouts that are waited for, once there was one."""

    @abstractmethod
    def _paying(self) -> Engine:
        """What payouts go through, if the client is open and has a ledger."""

    def _all_waiting(self) -> Waiting:
        engine = self._paying()
        if self._waiting is None:
            self._waiting = Waiting(engine.session, engine.recording.ledger)
        return self._waiting

    async def get(self, trade_no: str) -> KnownPayout | None:
        """What the ledger holds of a payout; None if it is not there. The platform is not asked.

        Raises:
            LedgerUnavailableError: If the ledger cannot be read.
            ConfigurationError: If the client has no ledger, or *trade_no* cannot be one.
        """
        engine = self._paying()
        check_trade_no(trade_no)
        with engine.session.closing:
            return await find(engine.session, engine.recording.ledger, trade_no)

    async def wait_until_final(self, trade_no: str, *, timeout: float | None = 600.0) -> PayoutResult:
        """Wait until a payout is paid, failed or reversed, whoever learns it: a callback, a query, another process.

        It sends nothing. All calls of one client share the looks into the ledger and the queries, which begin after
        five seconds and become rare. One that is final already is returned at once, without a request. A payout that
        succeeded may be reversed later all the same: ``on_change`` and :meth:`watch` tell.

        Args:
            trade_no: A payout that the ledger holds, made by this client or any other.
            timeout: Seconds to wait in all; None for as long as it takes.

        Returns:
            The result, also of a payout that failed: ``raise_for_status()`` raises for that.

        Raises:
            NotFinalError: If the time is over; ``.payout`` is what the ledger holds of it.
            ReviewRequiredError: As soon as only a person can decide.
            PayoutNotFoundError: If the ledger holds no such payout.
            LedgerUnavailableError: If the ledger could not be read in all that time.
            ClientStateError: If the client is closed meanwhile.
            ConfigurationError: If the client has no ledger, or *timeout* is no positive number.
        """
        waiting = self._all_waiting()
        check_trade_no(trade_no)
        return await wait_until_final(waiting, trade_no, timeout=timeout)

    async def receive_callback(self, body: CallbackBody) -> CallbackReply:
        """Verify one callback, store what it says, and say what to answer the platform.

        It is taken as a query's answer is, and may come again, late, and after newer ones. Where it contradicts what
        the ledger holds as final, or does not prove enough alone, the platform is asked. See the page on callbacks.

        Args:
            body: The raw body of the request, bytes or text, at most 64 KiB.

        Returns:
            Within ten seconds: 200 and exactly ``OK`` once it is stored, or there was nothing to store; 400 for what is
            not the platform's, 413 for what is too long; 503 if it could not be checked or stored now, or the client is
            being closed, so that the platform sends it again; 404 for a payout that the ledger does not hold, with
            ``unknown_callbacks="refuse"``.

        Raises:
            ConfigurationError: If the client has no ledger.
            ClientStateError: If the client is not open yet, or was opened in another event loop.
            TypeError: If *body* is neither bytes nor text.
        """
        receiver = self._receiver
        if receiver is None or not receiver.is_closing:
            self._paying()
        return LATER if receiver is None or receiver.is_closing else await receiver.receive(body)

    def watch(self, *, trade_no: str | None = None) -> AsyncIterator[PayoutChange]:
        """Iterate over every change of a payout's status from now on, whichever process makes it.

        Each watcher sees all changes, and forgets where it was when it ends: what must not be missed belongs into
        ``on_change``. The iteration ends when the client is closed.

        Args:
            trade_no: Of this payout alone.

        Raises:
            ConfigurationError: If the client has no ledger, or one that tells nobody of changes, or *trade_no* is none.
        """
        engine = self._paying()
        if trade_no is not None:
            check_trade_no(trade_no)
        return Watch(engine.recording.ledger, engine.session, trade_no=trade_no)

    async def reconcile(
        self,
        *,
        older_than: timedelta | float = 0.0,
        deadline: float | None = None,
        rate: float | None = None,
        concurrency: int = 20,
        wait: bool = False,
        overdue_after: timedelta | float = _DAY,
    ) -> ReconcileReport:
        """Ask the platform about every payout in the ledger that is not final, and store what it says. Sends nothing.

        A payout that never arrived, as two questions after its settle window say, becomes one that may be sent again
        (or waits for a person, with ``resend="never"``). A refusal of the last day is looked at once more, and so is
        what a person decided not to be paid, for a week. A payout that the platform had accepted and no longer knows is
        ``missing``. It may run beside payouts and beside another reconciliation.

        Args:
            older_than: Pass over payouts whose last attempt is younger, as their end is still to be expected.
            deadline: Seconds for everything, after which the report has not ``ended``, and the next run begins where
                this one stopped. By default as long as it takes.
            rate: Questions a second at most (100,000 or fewer), for all who reconcile with this ledger together.
            concurrency: How many questions may be under way at one time.
            wait: Wait for the settle window of payouts that were sent just now, instead of leaving them unknown.
            overdue_after: A payout that has been processing for longer is counted as overdue.

        Raises:
            LedgerUnavailableError: If the ledger cannot be read or written; what was learned until then is stored.
            ConfigurationError: If the client has no ledger, or a number makes no sense. Nothing was asked.
            ClientStateError: If the client is closed meanwhile.
        """
        return await Reconciliation(
            recording=self._paying().recording,
            concurrency=concurrency,
            wait=wait,
            deadline=deadline,
            older_than=seconds_of("older_than", older_than),
            rate=rate,
            overdue_after=seconds_of("overdue_after", overdue_after),
        ).run()
