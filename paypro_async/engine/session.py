"""What the parts of one open client share."""

from typing import Self

from attrs import frozen

from paypro_async._core.retry import RetryBudget, RetryPolicy
from paypro_async.engine.control import Control
from paypro_async.engine.limits import Timing
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
        runtime: Clocks, sleep and dice.
        times: The client's times, in seconds.
    """

    platform: Platform
    ledger: Ledger | None
    control: Control
    policy: RetryPolicy
    budget: RetryBudget
    runtime: Runtime
    times: Timing

    @classmethod
    def of(cls, platform: Platform, *, ledger: Ledger | None, policy: RetryPolicy, times: Timing) -> Self:
        """A session that begins now."""
        return cls(
            platform=platform,
            ledger=ledger,
            control=Control(platform=platform, ledger=ledger, timeout=times.request_timeout),
            policy=policy,
            budget=RetryBudget(),
            runtime=platform.runtime,
            times=times,
        )
