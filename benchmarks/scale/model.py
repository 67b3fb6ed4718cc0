"""What so many workers carry, and what ends it, as a formula and as a simulation of the same.

A worker takes one shard after the other and has so many of its payouts under way. Each payout waits twice for the
ledger's thread, which carries what waits in one transaction, and once for the platform. What is common to all workers
is the merchant account's rate, the machine's cores, PostgreSQL's log, and the row of the rate.
"""

import heapq
import math
from collections.abc import Mapping

from attrs import field, frozen

__all__ = ["Carried", "Setting", "carried", "simulated"]

_GROUP = 64
_WAITS = 1.5
"""Groups for which a payout waits on average: half of the one that is under way, and its own."""
_SPARE = 1.012
_TURNS_SECONDS = 0.1
_SETTLED = 1e-6
_COMMON = ("all cores", "PostgreSQL's log", "the account's rate", "the row of the rate")


@frozen(kw_only=True)
class Setting:
    """What is there. The figures of CPU and of the log are those that ``workers`` and ``ledger`` measure.

    Args:
        workers: Processes, each on a core of its own as far as *cores* go.
        under_way: Payouts that a worker has under way at one time.
        shard: Payouts in a shard; a worker begins the next one when all of the last have ended.
        latency: Seconds that the platform takes to answer.
        rate: Payouts a second that the merchant's account allows over all workers; None for no limit.
        fsync: Seconds that PostgreSQL's disk takes to make a transaction durable.
        group: Seconds of a transaction beside that, whatever is in it; *each*, of one payout's step in it.
        cores: Of all machines, for workers and PostgreSQL together.
        worker_cpu: Seconds of CPU of a worker for a payout; *server_cpu*, of PostgreSQL.
        log_bytes: Of PostgreSQL's log for a payout; *log_bytes_per_second*, what its disk takes.
    """

    workers: int = 1
    under_way: int = 20
    shard: int = 250
    latency: float = 0.3
    rate: float | None = None
    fsync: float = 0.002
    group: float = 0.003
    each: float = 0.0002
    cores: float = 2.0
    worker_cpu: float = 0.0011
    server_cpu: float = 0.0005
    log_bytes: float = 4600.0
    log_bytes_per_second: float = 50e6


@frozen(kw_only=True)
class Carried:
    """What is carried.

    Args:
        rate: Payouts a second.
        ended_by: What ends it.
        limits: Payouts a second at which each thing would end it, by its name.
    """

    rate: float
    ended_by: str
    limits: Mapping[str, float] = field(repr=False)


def carried(setting: Setting) -> Carried:
    """Payouts a second that the setting carries, and what ends it."""
    alone = _worker(setting)
    limits = {
        "what workers have under way": setting.workers * alone,
        "a worker's core": setting.workers / setting.worker_cpu,
        "all cores": setting.cores / (setting.worker_cpu + setting.server_cpu),
        "a ledger's thread": setting.workers * _GROUP / 2 / _transaction(setting, _GROUP),
        "PostgreSQL's log": setting.log_bytes_per_second / setting.log_bytes,
    }
    if setting.rate is not None:
        limits["the account's rate"] = setting.rate / _SPARE
        # Each reservation holds the row until it is durable, and takes a tenth of a second's turns at most.
        turns = max(1.0, _TURNS_SECONDS * setting.rate)
        limits["the row of the rate"] = turns / _transaction(setting, 1)
    ended_by = min(limits, key=lambda name: limits[name])
    return Carried(rate=limits[ended_by], ended_by=ended_by, limits=limits)


def _transaction(setting: Setting, steps: float) -> float:
    return setting.fsync + setting.group + setting.each * steps


def _worker(setting: Setting) -> float:
    """Payouts a second of one worker whom nothing holds up but the platform and its own ledger's thread."""
    rate = setting.under_way / setting.latency if setting.latency else setting.under_way * 1000.0
    while True:
        took = _transaction(setting, 0)
        for _ in range(50):  # what waits while a group is carried out is the next group
            took = _transaction(setting, min(_GROUP, max(1.0, 2 * rate * took)))
        once = setting.latency + 2 * _WAITS * took + setting.worker_cpu
        # The last payouts of a shard leave the worker idle in part, and its beginning and its end are transactions.
        rounds = math.ceil(setting.shard / setting.under_way)
        found = setting.shard / (rounds * once + 3 * took)
        if abs(found - rate) < _SETTLED * rate:
            return found
        rate = (rate + found) / 2


def simulated(setting: Setting, *, seconds: float = 60.0) -> float:
    """Payouts a second of a simulation of workers, one event after the other, over so many seconds of its own clock.

    What one worker does is simulated: its ledger's thread and groups, and the ends of shards. What all share is taken
    as the formula has it.
    """
    common = [limit for name, limit in carried(setting).limits.items() if name in _COMMON]
    return min([setting.workers * _paid(setting, seconds) / seconds, *common])


def _paid(setting: Setting, seconds: float) -> int:
    """What one worker pays in so many seconds."""
    paid = left = running = 0
    now, group, waiting = 0.0, [], ["begin"]
    answers: list[float] = []  # when the platform answers what is under way
    written = math.inf  # when the group is durable that the ledger's thread carries out
    while now < seconds:
        if written == math.inf and waiting:
            group, waiting = waiting[:_GROUP], waiting[_GROUP:]
            written = now + _transaction(setting, len(group))
        if answers and answers[0] <= written:
            now = heapq.heappop(answers)
            waiting.append("record")
            continue
        now, written = written, math.inf
        for step in group:
            if step == "begin":
                left = setting.shard
            elif step == "claim":
                heapq.heappush(answers, now + setting.latency)
            else:
                paid, running = paid + 1, running - 1
        begun = min(left, setting.under_way - running)
        left, running = left - begun, running + begun
        waiting += ["claim"] * begun
        if not left and not running:
            waiting.append("begin")
    return paid
