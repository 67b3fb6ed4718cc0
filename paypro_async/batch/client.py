"""The part of a client that pays many payouts."""

from abc import abstractmethod
from collections.abc import Callable
from weakref import WeakValueDictionary

from paypro_async._core.stopping import StopRules
from paypro_async.batch.batch import Batch, BatchOptions
from paypro_async.batch.frames import items_of
from paypro_async.batch.shared_work import SharedWork
from paypro_async.batch.source import Source
from paypro_async.engine.intake import Intake
from paypro_async.engine.limits import Timing
from paypro_async.engine.rate import NoRate, Rate
from paypro_async.engine.session import Session
from paypro_async.ledger.shared import shared_ledger
from paypro_async.report.batch_report import BatchProgress
from paypro_async.runtime import Runtime
from paypro_async.tracking.client import TrackingClient

__all__ = ["BatchClient"]


class BatchClient(TrackingClient):
    """Pays batches; :class:`~paypro_async.PayProClient` is one."""

    _merchant_no: str
    _intake: Intake
    _timing: Timing
    _runtime: Runtime

    def __init__(self) -> None:
        # Those that run, in the order in which they began.
        self._batches: dict[Batch, None] = {}
        # By the batch: the shards of one that this process pays take their turns together.
        self._shared_rates: WeakValueDictionary[str, Rate] = WeakValueDictionary()

    @property
    def drain(self) -> float:
        """Seconds within which what is under way is recorded once the client is closed, or a run is cancelled."""
        return self._timing.drain

    @abstractmethod
    def _asking(self) -> Session:
        """What queries go through, if the client is open and in this event loop."""

    def batch_payout(  # noqa: PLR0913  each is one that a user may want to set for one batch
        self,
        payouts: Source,
        /,
        *,
        batch_id: str | None = None,
        concurrency: int = 20,
        rate: float | None = None,
        timeout: float | None = None,
        max_attempts: int | None = None,
        refresh: bool = False,
        wait: bool = False,
        wait_timeout: float | None = 3600.0,
        stop: StopRules | None = None,
        on_progress: Callable[[BatchProgress], object] | None = None,
        progress: bool = False,
    ) -> Batch:
        """Pay many. Await the batch for its report, or iterate over it for each item as it ends.

        Give every payout its ``trade_no``: then the same batch again, after a crash or a stop, goes on where it was. A
        number that the source gives twice is paid once and counted once (see ``BatchReport.repeated``).

        Args:
            payouts: ``Payout`` objects or mappings of their fields; any iterable or async iterable, of any length. Or a
                data frame of pandas, polars or pyarrow, which is checked whole before anything is sent.
            batch_id: A name for this batch in the ledger. By default a new one.
            concurrency: How many may be under way at one time. One that waits holds no slot.
            rate: Payouts a second at most (100,000 or fewer), for all processes on this ledger together; exceeded in no
                second.
            timeout: Seconds that one payout may take in all. By default long enough to wait out the settle window.
            max_attempts: How often one payout may be sent. By default 10.
            refresh: Ask for news of payouts that the ledger knows as processing.
            wait: End only when every payout is final, or waits for a person. Items come when they are.
            wait_timeout: Seconds to wait for that once the last one was begun; None for as long as it takes.
            stop: When to begin no more, see :class:`~paypro_async.StopRules`.
            on_progress: Called after each item with a :class:`~paypro_async.BatchProgress`. *progress* shows it (tqdm).

        Raises:
            ConfigurationError: If a number makes no sense; when the batch is awaited, if workers pay one of that name.
            InvalidFrameError: If a column of a data frame is wrong; for wrong cells, when the batch is awaited.
        """
        engine = self._paying()
        turns = NoRate() if rate is None else Rate(engine.recording.ledger, self._merchant_no, rate, self._runtime)
        options = BatchOptions(
            batch_id=self._intake.batch_id(batch_id),
            concurrency=concurrency,
            limits=self._timing.batch_limits(timeout=timeout, max_attempts=max_attempts, refresh=refresh, rate=turns),
            stop=stop or StopRules(),
            on_progress=on_progress,
            progress=progress,
            wait=wait,
            wait_timeout=wait_timeout,
            named=batch_id is not None,
        )
        return Batch(
            items_of(payouts, self._intake),
            engine=engine,
            prepare=self._intake.intent,
            options=options,
            waiting=self._all_waiting(),
            running=self._batches,
            check=self._asking,
        )

    def _shared_work(self) -> SharedWork:
        """What this client does for batches that many workers pay; for ``batch/shards.py``.

        Raises:
            ConfigurationError: If the client has no ledger that they can share.
        """
        engine = self._paying()
        return SharedWork(
            merchant_no=self._merchant_no,
            region=self._intake.spec.name,
            ledger=shared_ledger(engine.recording.ledger),
            engine=engine,
            intake=self._intake,
            timing=self._timing,
            waiting=self._all_waiting(),
            running=self._batches,
            rates=self._shared_rates,
            check=self._asking,
        )
