"""Time that passes as soon as somebody waits for it."""

import anyio
import anyio.lowlevel

from paypro_async.runtime import SystemRuntime


class Hurried(SystemRuntime):
    """Sleeps take no time and still pass on the steady clock: a settle window is over when it is waited for.

    For one payout at a time; of two, each would make the other late.
    """

    def __init__(self) -> None:
        self.slept = 0.0
        self.sleeps = 0
        self.waited = anyio.Event()

    def steady(self) -> float:
        return super().steady() + self.slept

    async def sleep(self, seconds: float) -> None:
        if seconds:
            self.slept += seconds
            self.sleeps += 1
            self.waited.set()
        await anyio.lowlevel.checkpoint()
