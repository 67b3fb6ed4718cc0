"""Processes that pay one list at the same time and are killed at random, until every row has its end."""

import asyncio
import json
import signal
import time
from typing import Any

from attrs import define, field

from tests.soak.payer import PROGRAM
from tests.soak.platform import FaultyPlatform
from tests.support.fork_server import Child, ForkServer

_POLL = 0.01
_MOST_RUNS = 12  # each says once more of some rows that they are under way


@define
class Tally:
    """What a trial did.

    Args:
        kills: Processes that were killed.
        runs: How often the command had to be given at the end until every row had its end.
        told: What each process told its caller of each payout, the last word of each.
        longest: Seconds of the longest call with a deadline.
    """

    kills: int = 0
    runs: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    told: dict[str, set[str]] = field(factory=dict)
    errors: list[Any] = field(factory=list)
    stops: list[str] = field(factory=list)

    def take(self, child: Child) -> dict[str, Any]:
        """The report of a program that ended well."""
        assert child.code == 0, f"{child.code}: {child.errors}"
        report: dict[str, Any] = json.loads(child.output)
        for trade_no, status in report["told"].items():
            self.told.setdefault(trade_no, set()).add(status)
        self.longest = max(self.longest, report["longest"])
        self.errors += report["errors"]
        if report["stopped"]:
            self.stops.append(report["stopped"])
        return report


@define
class Crowd:
    """Starts, kills and replaces.

    Args:
        job: What each process is told, see ``tests.soak.payer.main``.
        processes: How many pay at the same time.
        kill_every: Seconds between two kills, about.
    """

    fork_server: ForkServer
    platform: FaultyPlatform
    job: dict[str, Any]
    processes: int = 1
    kill_every: float = 0.4
    tally: Tally = field(factory=Tally)

    def start(self, **more: Any) -> Child:
        return self.fork_server.start(PROGRAM, self.job | {"base_url": self.platform.base_url} | more)

    async def go(self, *, first: int, count: int, kills: int, within: float = 300.0) -> None:
        """Pay a list: with kills while it runs, and then to its end."""
        random, began = self.platform.random, time.monotonic()
        rows = {"first": first, "count": count}

        def begin() -> Child:
            # From another row on, or nobody would come past what the others have paid.
            start = random.randrange(count) if self.processes > 1 and random.random() < 0.7 else 0
            return self.start(**rows, start=start)

        running = [begin() for _ in range(self.processes)]
        left, next_kill = kills, began + self._pause()
        while running:
            await asyncio.sleep(_POLL)
            now = time.monotonic()
            assert now - began < within, "the list was not paid in time"
            for child in [one for one in running if one.poll() is not None]:
                running.remove(child)
                self.tally.take(child)
            if left and running and now >= next_kill:
                next_kill = now + self._pause()
                victim = random.choice(running)
                victim.signal(signal.SIGKILL)
                await victim.ended()
                running.remove(victim)
                if victim.code == 0:
                    self.tally.take(victim)
                    continue
                left, self.tally.kills = left - 1, self.tally.kills + 1
                running.append(begin())
        await self.finish(**rows)
        self.tally.seconds += time.monotonic() - began

    async def finish(self, *, first: int, count: int, within: float = 120.0) -> None:
        """Give the same command again until every row has its end."""
        for run in range(1, _MOST_RUNS + 1):
            child = self.start(first=first, count=count)
            await child.ended(within=within)
            if self.tally.take(child)["ended"]:
                self.tally.runs = max(self.tally.runs, run)
                return
        self.tally.runs = _MOST_RUNS + 1

    def _pause(self) -> float:
        return self.kill_every * (0.3 + 1.4 * self.platform.random.random())
