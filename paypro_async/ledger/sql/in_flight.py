"""The payouts that this process has under way, so that a commit waits for company only when company will come.

And what their rows hold: as long as none but this process writes them, none of them has to be read.
"""

import time
from collections.abc import Mapping, Sequence

from paypro_async._core.lifecycle import Cause
from paypro_async.ledger.base import Written
from paypro_async.ledger.sql.group import Answer, Claim, Key, Known, Learn, Move

__all__ = ["InFlight"]

_SHARE = 5
_FORGOTTEN_AFTER = 30.0


class InFlight:
    """The attempts that were announced here and have not ended. Used by the writer's thread alone.

    With many payouts under way most of them wait for the network, and one commit can serve a fifth of them; a payout
    that is alone is never made to wait.

    Attributes:
        known: What this process wrote last of each.
    """

    def __init__(self) -> None:
        self.known: dict[Key, Known] = {}
        self._since: dict[Key, float] = {}

    def enough(self) -> int:
        """How many requests a commit should wait for a little, if there are fewer."""
        return -(-len(self._since) // _SHARE)

    def note(
        self, requests: Sequence[Claim | Move | Learn], answers: Sequence[Answer], rows: Mapping[Key, Known]
    ) -> None:
        """Take note of what a group did, by its requests, their answers, and the rows as they are now."""
        now = time.monotonic()
        for request, answer in zip(requests, answers, strict=True):
            key = request.key
            done = isinstance(answer, Written) and answer.done
            if isinstance(request, Move) and request.change.cause is Cause.ATTEMPT and not request.change.begins:
                self._forget(key)
            elif done and _announces(request):
                self._since[key], self.known[key] = now, rows[key]
            elif key in self.known and key in rows:
                # Whether it was changed, or was otherwise than it was known.
                self.known[key] = rows[key]
        # An attempt whose end could not be stored must not be waited for.
        while self._since and now - next(iter(self._since.values())) > _FORGOTTEN_AFTER:
            self._forget(next(iter(self._since)))

    def _forget(self, key: Key) -> None:
        self._since.pop(key, None)
        self.known.pop(key, None)


def _announces(request: Claim | Move | Learn) -> bool:
    return isinstance(request, Claim) or (isinstance(request, Move) and request.change.begins)
