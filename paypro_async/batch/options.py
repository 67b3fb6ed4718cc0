"""How a batch runs, checked before it does."""

from collections.abc import Callable

from attrs import field, frozen

from paypro_async._core.stopping import StopRules
from paypro_async.engine.limits import Limits, check_count, check_seconds
from paypro_async.report.batch_report import BatchProgress
from paypro_async.report.progress_bar import ProgressBar

__all__ = ["BatchOptions"]


@frozen(kw_only=True, eq=False)
class BatchOptions:
    """How a batch runs; see ``PayProClient.batch_payout``.

    Args:
        named: Whether the caller chose the *batch_id*, so that the ledger may know a batch of that name already.
        noted: Whether the ledger notes that it runs and ends; a part of a batch does not.
        may_leave: Whether it ends once all that is left is unknown and will be for a while.
    """

    batch_id: str
    concurrency: int
    limits: Limits
    stop: StopRules
    on_progress: Callable[[BatchProgress], object] | None = None
    progress: bool = False
    wait: bool = False
    wait_timeout: float | None = None
    named: bool = False
    noted: bool = True
    may_leave: bool = False
    _bar: ProgressBar | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        check_count("concurrency", self.concurrency)
        if self.wait_timeout is not None:
            check_seconds("wait_timeout", self.wait_timeout)
        object.__setattr__(self, "_bar", ProgressBar() if self.progress else None)

    @property
    def watched(self) -> bool:
        """Whether anybody looks at the progress."""
        return self._bar is not None or self.on_progress is not None

    def tell(self, progress: BatchProgress, currency: str) -> None:
        """Tell those who look."""
        if self._bar is not None:
            self._bar.show(progress, currency)
        if self.on_progress is not None:
            self.on_progress(progress)

    def end(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()
