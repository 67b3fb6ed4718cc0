"""A bar of a batch in a notebook or on a terminal, by tqdm, which is imported only for it."""

import warnings
from importlib import import_module
from typing import Any

from paypro_async._core.money import amount_for_people
from paypro_async.errors import ConfigurationError
from paypro_async.report.batch_report import BatchProgress

__all__ = ["ProgressBar"]


class ProgressBar:
    """Shows how many payouts have ended, of how many, their rate, the time left, their sum, and how many are unknown.

    Raises:
        ConfigurationError: If tqdm is not installed. Nothing was sent.
    """

    def __init__(self) -> None:
        self._make = _tqdm()
        self._bar: Any = None

    def show(self, progress: BatchProgress, currency: str) -> None:
        """Show how far the batch is; the bar comes with the first time."""
        if self._bar is None:
            self._bar = self._make(total=progress.total, unit="payout", unit_scale=False, dynamic_ncols=True)
        if progress.total is not None:
            self._bar.total = progress.total
        told = f"{amount_for_people(progress.amount, currency)} {currency}"
        if progress.unknown:
            told = f"{told}, {progress.unknown:,} unknown"
        self._bar.set_postfix_str(told, refresh=False)
        self._bar.update(progress.done - self._bar.n)

    def close(self) -> None:
        """Leave it as it is."""
        if self._bar is not None:
            self._bar.close()


def _tqdm() -> Any:
    try:
        with warnings.catch_warnings():
            # Without ipywidgets it is a bar of text, and needs no warning to be one.
            warnings.simplefilter("ignore")
            return import_module("tqdm.auto").tqdm
    except ImportError as error:
        raise ConfigurationError(
            "progress=True needs tqdm, which is not installed: pip install tqdm. Nothing was sent."
        ) from error
