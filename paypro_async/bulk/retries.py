"""Under which new number a failed payout was sent since: the same failure is made good once, so it can be looked up."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

from attrs import frozen

from paypro_async._core.items import ItemStatus
from paypro_async._core.trade_no import retry_trade_no

__all__ = ["Retry", "retries"]


@frozen
class Retry:
    """The latest payout that makes a failed one good, and what is known of it."""

    trade_no: str
    status: ItemStatus

    @property
    def told(self) -> str:
        """Both, for people."""
        return f"sent since as {self.trade_no}, which {_IS.get(self.status, f'is {self.status}')}"

    @property
    def what_to_do(self) -> str:
        """What people do next about the payout that failed."""
        if self.status is ItemStatus.SUCCEEDED:
            return f"Nothing: it was paid since, as {self.trade_no}."
        return f"Never pay it as another: it was {self.told}. 'paypro ledger show {self.trade_no}' says what to do."


_IS: Mapping[ItemStatus, str] = {ItemStatus.SUCCEEDED: "succeeded", ItemStatus.FAILED: "failed too"}


async def retries(
    failed: Iterable[str], look_up: Callable[[Collection[str]], Awaitable[Mapping[str, ItemStatus]]]
) -> dict[str, Retry]:
    """The retries of those numbers that have any.

    Args:
        failed: Numbers of payouts that have failed.
        look_up: What the ledger knows of such numbers.
    """
    found: dict[str, Retry] = {}
    asked = {retry_trade_no(number): number for number in failed}
    while asked:
        known = await look_up(asked.keys())
        latest = {number: (first, known[number]) for number, first in asked.items() if number in known}
        found |= {first: Retry(number, status) for number, (first, status) in latest.items()}
        asked = {
            retry_trade_no(number): first for number, (first, status) in latest.items() if status is ItemStatus.FAILED
        }
    return found
