"""How many payouts this process has under way, so that a commit waits for company only when company will come."""

import time
from collections.abc import Sequence

from paypro_async._core.lifecycle import Cause
from paypro_async.ledger.base import Written
from paypro_async.ledger.sql.group import Answer, Claim, Key, Move

__all__ = ["InFlight"]

_SHARE = 5
_FORGOTTEN_AFTER = 30.0


class InFlight:
    """Counts the attempts that were announced here and have not ended. Used by the writer's thread alone.

    With many payouts under way most of them wait for the network, and one commit can serve a fifth of them; a payout
    that is alone is never made to wait.
    """

    def __init__(self) -> None:
        self._under_way: dict[Key, float] = {}

    def wanted(self, waiting: int) -> bool:
        """Whether a commit for *waiting* requests should wait a little for more."""
        return waiting * _SHARE < len(self._under_way)

    def note(self, requests: Sequence[Claim | Move], answers: Sequence[Answer]) -> None:
        """Take note of what a group did, by its requests and their answers."""
        now = time.monotonic()
        for request, answer in zip(requests, answers, strict=True):
            if isinstance(request, Claim) or request.change.begins:
                if isinstance(answer, Written) and answer.done:
                    self._under_way[request.key] = now
            elif request.change.cause is Cause.ATTEMPT:
                self._under_way.pop(request.key, None)
        # An attempt whose end could not be stored must not be waited for.
        while self._under_way and now - next(iter(self._under_way.values())) > _FORGOTTEN_AFTER:
            del self._under_way[next(iter(self._under_way))]
