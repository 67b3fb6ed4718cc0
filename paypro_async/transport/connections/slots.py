"""Who of many requests has one of few connections next."""

import asyncio
from collections import deque

__all__ = ["Slots"]


class Slots:
    """As many requests at one time as there may be connections; the others wait in the order they came.

    Questions (has it been paid? how much is left?) have a line of their own, and where both wait every other slot is
    theirs: behind a thousand payouts, a question would be answered when nobody needs it any more.

    Args:
        count: How many there are.

    Attributes:
        free: How many nobody has. While somebody waits there are none. After a :meth:`resize` it may be below zero.
    """

    def __init__(self, count: int) -> None:
        self.free: int = count
        self._count = count
        self._questions: deque[asyncio.Future[None]] = deque()
        self._payouts: deque[asyncio.Future[None]] = deque()
        self._question_was_last = False

    def take_at_once(self) -> bool:
        """Take a slot if that needs no wait; whether there was one."""
        if self.free <= 0:
            return False
        self.free -= 1
        return True

    async def take(self, *, question: bool) -> None:
        """Take a slot, or wait for one. Whoever is cancelled has none."""
        if self.take_at_once():
            return
        handed_over = asyncio.get_running_loop().create_future()
        (self._questions if question else self._payouts).append(handed_over)
        try:
            await handed_over
        except asyncio.CancelledError:
            if not handed_over.cancelled():  # It was handed over in the very moment of the cancellation.
                self.give_back()
            raise

    def give_back(self) -> None:
        """Hand the slot over to the next that waits."""
        if self.free < 0:
            self.free += 1
            return
        first, second = self._questions, self._payouts
        if self._question_was_last:
            first, second = second, first
        for queue in (first, second):
            while queue:
                handed_over = queue.popleft()
                if not handed_over.done():
                    self._question_was_last = queue is self._questions
                    handed_over.set_result(None)
                    return
        self.free += 1

    def resize(self, count: int) -> None:
        """Let there be *count* slots; those that are taken beyond that end as they are given back."""
        more, self._count = count - self._count, count
        if more < 0:
            self.free += more
        for _ in range(more):
            self.give_back()
