"""What the parts of one open client share."""

import math
from typing import Self

from attrs import frozen

from paypro_async._core.retry import RetryBudget, RetryPolicy
from paypro_async.engine.admission import Admission
from paypro_async.engine.closing import Closing
from paypro_async.engine.control import Control
from paypro_async.engine.limits import Timing
from paypro_async.engine.news import News, Watcher
from paypro_async.engine.platform import Platform
from paypro_async.ledger import Ledger
from paypro_async.runtime import Runtime

__all__ = ["Session"]


@frozen(kw_only=True, eq=False)
class Session:
    """Made once, when the client is opened.

    Args:
        platform: PayPro, as the client's merchant talks to it.
        ledger: Where payouts are remembered; None for a client that only asks.
        control: What the platform's refusals of questions mean.
        policy: When to ask, when to send again, how long to wait in between.
        budget: How often everything together may be tried again.
        admission: How many payouts are announced at one time.
        runtime: Clocks, sleep and dice.
        times: The client's times, in seconds.
        closing: Whether the client is being closed.
        news: What is written about payouts through this client, and whom its hooks are told by.
    """

    platform: Platform
    ledger: Ledger | None
    control: Control
    policy: RetryPolicy
    budget: RetryBudget
    admission: Admission
    runtime: Runtime
    times: Timing
    closing: Closing
    news: News

    @classmethod
    def of(
        cls,
        platform: Platform,
        *,
        ledger: Ledger | None,
        policy: RetryPolicy,
        times: Timing,
        closing: Closing,
        watcher: Watcher | None = None,
    ) -> Self:
        """A session that begins now."""
        return cls(
            platform=platform,
            ledger=ledger,
            control=Control(platform=platform, ledger=ledger, timeout=times.request_timeout),
            policy=policy,
            budget=RetryBudget(),
            admission=Admission(
                runtime=platform.runtime,
                closing=closing,
                request_timeout=times.request_timeout,
                connections=platform.connections,
            ),
            runtime=platform.runtime,
            times=times,
            closing=closing,
            news=News(watcher=watcher),
        )

    async def may_try_again(self, *, after: float = 0.0, deadline: float = math.inf) -> bool:
        """Wait *after* seconds, and longer for a token of the budget; whether there may be another try then.

        There may be none past the *deadline*, which shows at once, nor once the client is being closed.

        Args:
            after: Seconds to wait in any case.
            deadline: A moment of the steady clock.
        """
        while not self.closing.begun:
            now = self.runtime.steady()
            if (wait := self.budget.take(now)) is not None:
                delay = max(after, wait)
                if now + delay >= deadline:
                    self.budget.give_back()
                    return False
                if delay > 0:
                    await self.closing.sleep(delay)
                return not self.closing.begun
            pause = self.budget.pause(self.runtime.chance())
            if now + pause >= deadline:
                return False
            await self.closing.sleep(pause)
            after -= pause
        return False
