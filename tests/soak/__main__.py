"""The full-scale trials: ``python -m tests.soak --help``. It prints a table and fails if a payout was wrong."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from attrs import field, frozen

from tests.soak.audit import Audit, audit
from tests.soak.callbacks import receive_while_killed
from tests.soak.crowd import Crowd
from tests.soak.outages import BEYOND_SECONDS, CALL_SECONDS, pay_through_outages
from tests.soak.payer import LAG
from tests.soak.plans import pay_a_plan
from tests.soak.platform import FaultyPlatform
from tests.support.fork_server import ForkServer
from tests.support.postgres import Server

_ROUND = 1000
_PLAN_KILLS = 5
_TRIALS = ("kills", "many", "outages", "callbacks", "plans")


@frozen
class Trial:
    """One line of the table."""

    name: str
    store: str
    kills: int
    audit: Audit
    runs: int
    seconds: float
    longest: float
    stall: float
    allowed: float = 0.0

    @property
    def fine(self) -> bool:
        return self.audit.clean and self.longest <= self.allowed

    def __str__(self) -> str:
        found = self.audit
        wrong = len(found.differing) + len(found.open) + len(found.rewritten)
        return (
            f"{self.name:8} {self.store:10} {self.kills:6} {found.payouts:8} "
            f"{len(found.doubles):7} {len(found.lost):5} "
            f"{'yes' if not wrong else f'no ({wrong})':>11} {found.sent_again:10} {self.runs:5} {self.seconds:8.1f} "
            f"{self.longest:8.2f} {self.stall:6.2f}  {'ok' if self.fine else 'WRONG'}"
        )


_HEAD = (
    f"{'trial':8} {'store':10} {'kills':>6} {'payouts':>8} {'doubles':>7} {'lost':>5} {'ledger=books':>12} "
    f"{'sent again':>9} {'runs':>5} {'seconds':>8} {'longest':>8} {'stall':>6}"
)


@frozen
class Soak:
    """What all trials share."""

    options: argparse.Namespace
    fork_server: ForkServer
    folder: Path
    server: Callable[[], Server]
    wrong: list[str] = field(factory=list)

    async def new_ledger(self, store: str) -> str:
        if store == "sqlite":
            return f"sqlite:///{self.folder / f'{time.monotonic_ns()}.db'}"
        return await self.server().ledger()

    @asynccontextmanager
    async def crowd(
        self, url: str, *, faults: float, processing: float = 0.05, **settings: float
    ) -> AsyncIterator[Crowd]:
        seed = self.options.seed
        async with FaultyPlatform(seed=seed, faults=faults, processing=processing, lag=LAG) as platform:
            yield Crowd(self.fork_server, platform, {"ledger": url}, **settings)  # type: ignore[arg-type]  # by name

    def report(self, name: str, store: str, url: str, crowd: Crowd, payouts: int, *, allowed: float = 0.0) -> Trial:
        trial = Trial(
            name,
            store,
            crowd.tally.kills,
            audit(crowd.platform, url, range(payouts)),
            crowd.tally.runs,
            crowd.tally.seconds,
            crowd.tally.longest,
            crowd.platform.longest_stall,
            allowed,
        )
        print(trial, flush=True)
        if not trial.fine:
            print(trial.audit, crowd.tally.errors[-10:], sep="\n", flush=True)
        return trial

    async def kills(self, store: str) -> Trial:
        """One process after the other is killed and the next one goes on, list after list."""
        url, payouts, kills = await self.new_ledger(store), self.options.payouts, self.options.kills
        rounds = [(first, min(_ROUND, payouts - first)) for first in range(0, payouts, _ROUND)]
        async with self.crowd(url, faults=0.3, kill_every=self.options.kill_every) as crowd:
            for done, (first, count) in enumerate(rounds, 1):
                await crowd.go(first=first, count=count, kills=kills * done // len(rounds) - crowd.tally.kills)
                print(f"\r{crowd.tally.kills} kills, {first + count} payouts", end="\r", file=sys.stderr, flush=True)
            return self.report("kills", store, url, crowd, payouts)

    async def many(self, store: str) -> Trial:
        """Many processes pay one list, and two are killed each second."""
        url, payouts = await self.new_ledger(store), self.options.payouts * 2 // 5
        async with self.crowd(url, faults=0.1, processes=self.options.processes, kill_every=0.5) as crowd:
            await crowd.go(first=0, count=payouts, kills=self.options.kills, within=7200)
            return self.report("many", store, url, crowd, payouts)

    async def outages(self, store: str) -> Trial | None:
        """PostgreSQL crashes and comes back, again and again."""
        if store == "sqlite":
            return None
        url, payouts = await self.new_ledger(store), self.options.restarts * 300
        # Without "under way", since the command shall not be needed a second time.
        async with self.crowd(url, faults=0.1, processing=0.0) as crowd:
            began = time.monotonic()
            crowd.tally = await pay_through_outages(
                crowd, self.server(), first=0, count=payouts, restarts=self.options.restarts, within=3600
            )
            crowd.tally.seconds = time.monotonic() - began
            return self.report("outages", store, url, crowd, payouts, allowed=CALL_SECONDS + BEYOND_SECONDS)

    async def callbacks(self, store: str) -> Trial | None:
        """A service of several workers is killed while callbacks arrive."""
        url = await self.new_ledger(store)
        folder = self.folder / f"callbacks-{store}"
        folder.mkdir()
        found = await receive_while_killed(
            url,
            folder,
            workers=2 if store == "sqlite" else 4,
            payouts=self.options.payouts // 10,
            pause=self.options.kill_every,
            seed=self.options.seed,
        )
        print(f"callbacks {store:10} {found}  {'ok' if found.clean else 'WRONG'}", flush=True)
        self.wrong.extend([] if found.clean else [str(found)])
        return None

    async def plans(self, store: str) -> Trial | None:
        """A plan is applied, and what applies it is killed five times, however many kills the others have."""
        url, options = await self.new_ledger(store), self.options
        folder = self.folder / f"plans-{store}"
        folder.mkdir()
        async with FaultyPlatform(seed=options.seed, faults=0.05, processing=0.02, lag=LAG) as platform:
            found = await pay_a_plan(
                self.fork_server, folder, platform, url, payouts=options.payouts, kills=_PLAN_KILLS
            )
        print(f"plans {store:10} {found}  {'ok' if found.clean else 'WRONG'}", flush=True)
        self.wrong.extend([] if found.clean else [str(found.audit)])
        return None


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s soak --", description=__doc__)
    parser.add_argument("--trial", choices=_TRIALS, action="append", help="all by default")
    parser.add_argument("--store", choices=["sqlite", "postgresql"], action="append", help="both by default")
    parser.add_argument("--kills", type=int, default=1000, help="processes to kill (default: 1000)")
    parser.add_argument("--payouts", type=int, default=50_000, help="(default: 50000; 'many' pays two fifths)")
    parser.add_argument("--kill-every", type=float, default=0.4, help="seconds between two kills (default: 0.4)")
    parser.add_argument("--processes", type=int, default=8, help="that pay one list in 'many' (default: 8)")
    parser.add_argument("--restarts", type=int, default=10, help="of PostgreSQL in 'outages' (default: 10)")
    parser.add_argument("--seed", type=int, default=1, help="of the platform's faults")
    return parser.parse_args(arguments)


async def _main(options: argparse.Namespace) -> int:
    servers: list[Server] = []
    trials: list[Trial] = []
    with ExitStack() as stack:
        fork_server = stack.enter_context(ForkServer())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="paypro-soak-")))

        def server() -> Server:
            if not servers:
                servers.append(stack.enter_context(Server(durable=True)))
            return servers[0]

        soak = Soak(options, fork_server, folder, server)
        print(_HEAD, flush=True)
        for name in options.trial or _TRIALS:
            for store in options.store or ["sqlite", "postgresql"]:
                trial = await getattr(soak, name)(store)
                trials += [trial] if trial else []
    return 0 if all(trial.fine for trial in trials) and not soak.wrong else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(_main(_options(sys.argv[1:]))))
