"""What one client does for batches that many workers pay."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast
from weakref import WeakValueDictionary

from attrs import frozen

from paypro_async._core.intent import Intent
from paypro_async._core.stopping import StopRules
from paypro_async.batch.batch import Batch, BatchOptions
from paypro_async.batch.source import Items
from paypro_async.engine.intake import Intake
from paypro_async.engine.limits import Timing
from paypro_async.engine.payout import Engine
from paypro_async.engine.rate import NoRate, Rate
from paypro_async.ledger.patience import PAGE_SECONDS, answer_within
from paypro_async.ledger.shared import SharedLedger
from paypro_async.runtime import Runtime
from paypro_async.tracking.waiting import Waiting

__all__ = ["SharedWork"]

T = TypeVar("T")

_SPARE, _LATE = 1.012, 0.065
"""Workers come and go, and more of the rate is used than by one process: in its busiest second up to 5 % too much."""


@frozen(kw_only=True, eq=False)
class SharedWork:
    """The client's parts that this takes.

    Args:
        merchant_no: Whose batches these are; *region*, where it pays.
        ledger: What all workers go by.
        engine: Pays.
        intake: Makes intents.
        timing: The client's times.
        waiting: See :class:`Batch`; so are *running* and *check*.
        rates: By the batch: the shards of one that this process pays take their turns together.
    """

    merchant_no: str
    region: str
    ledger: SharedLedger
    engine: Engine
    intake: Intake
    timing: Timing
    waiting: Waiting
    running: dict[Batch, None]
    rates: "WeakValueDictionary[str, Rate]"
    check: Callable[[], object]

    @property
    def runtime(self) -> Runtime:
        """The clock."""
        return self.engine.session.runtime

    async def answer(self, answer: Awaitable[T]) -> T:
        """What the ledger answers, in the time that a look at much of it may take."""
        return await answer_within(PAGE_SECONDS, self.engine.recording.ledger, answer)

    def part_of_batch(
        self, intents: Sequence[Intent], *, batch_id: str, concurrency: int, rate: float | None, may_leave: bool
    ) -> tuple[Batch, Rate | None]:
        """Payouts of one of these batches, as a batch of their own; and the rate that they keep."""
        turns = None if rate is None else self._turns(batch_id, rate)
        options = BatchOptions(
            batch_id=batch_id,
            concurrency=concurrency,
            limits=self.timing.batch_limits(timeout=None, max_attempts=None, refresh=False, rate=turns or NoRate()),
            stop=StopRules(),
            noted=False,
            may_leave=may_leave,
        )
        batch = Batch(
            cast("Items", intents),
            engine=self.engine,
            prepare=self._taken_up,
            options=options,
            waiting=self.waiting,
            running=self.running,
            check=self.check,
        )
        return batch, turns

    def _turns(self, batch_id: str, rate: float) -> Rate:
        turns = self.rates.get(batch_id)
        if turns is None:
            turns = Rate(self.engine.recording.ledger, self.merchant_no, rate, self.runtime, spare=_SPARE, late=_LATE)
            self.rates[batch_id] = turns
        turns.per_second = rate
        return turns

    def _taken_up(self, intent: Any, *, place: object) -> Intent:  # noqa: ARG002  it has its place
        return self.intake.intent_again(intent)
