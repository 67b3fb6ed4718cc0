"""Many workers pay one batch, are killed and replaced, and PostgreSQL is restarted: ``python -m tests.many --help``.

It shows the platform's books against the ledger, and fails if they differ.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.many.figures import Outcome
from tests.many.trial import trial

_SLOWER = 1.3
_TOO_MANY, _TOO_FEW = 1.07, 0.95


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s many --", description=__doc__)
    parser.add_argument("--engine", choices=["none", "procrastinate", "dbos"], default="procrastinate")
    parser.add_argument("--payouts", type=int, default=3000, help="(default: 3000)")
    parser.add_argument("--workers", type=int, default=4, help="(default: 4)")
    parser.add_argument("--kill-every", type=float, default=2.0, metavar="S", help="0 kills none (default: 2)")
    parser.add_argument("--restart-postgres", type=int, default=2, metavar="N", help="fast and immediate by turns")
    parser.add_argument("--rate", type=float, help="payouts a second, over all workers")
    parser.add_argument("--shard-size", type=int, default=250)
    parser.add_argument("--concurrency", type=int, default=20, help="payouts under way, for each shard (default: 20)")
    parser.add_argument("--latency", type=float, default=0.0, metavar="S", help="until a request reaches the platform")
    parser.add_argument("--faults", type=float, default=0.1, help="share of the requests (default: 0.1)")
    parser.add_argument("--query-faults", type=float, default=0.05)
    parser.add_argument("--lag", type=float, default=0.5, metavar="S", help="of a booking, at most (default: 0.5)")
    parser.add_argument("--processing", type=float, default=0.02, help="share of the replies")
    parser.add_argument("--rejected", type=float, default=0.03, help="share of the payouts")
    parser.add_argument("--slow", type=float, default=0.05, metavar="S", help="of a good reply, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--request-timeout", type=float, default=1.0, metavar="S")
    parser.add_argument("--settle-after", type=float, default=3.0, metavar="S")
    parser.add_argument("--durable", action="store_true", help="PostgreSQL waits for its disk")
    parser.add_argument("--compare", action="store_true", help="pay the same undisturbed before, and compare the times")
    parser.add_argument("--within", type=float, default=3600.0, metavar="S")
    parser.add_argument("--quiet", action="store_true", help="show the end alone")
    return parser.parse_args(arguments)


async def run(options: argparse.Namespace) -> int:
    """Run what was asked for; 0 if every payout is as it must be."""
    with tempfile.TemporaryDirectory(prefix="paypro-many-") as folder:
        undisturbed = await _run(options, Path(folder), disturbed=False) if options.compare else None
        found = await _run(options, Path(folder), disturbed=True)
    wrong = [] if found.clean else ["the ledger and the books differ, or a worker gave up"]
    if undisturbed is not None:
        ratio = found.seconds / undisturbed.seconds
        print(f"{'times the undisturbed time':32}{ratio:.2f} ({undisturbed.seconds:.1f} s)")
        wrong += [] if undisturbed.clean else ["the undisturbed run was wrong"]
        wrong += ["it took too long"] if ratio > _SLOWER else []
    if options.rate and found.used is not None:
        wrong += ["too many in a second"] if found.most > options.rate * _TOO_MANY else []
        wrong += ["too little of the rate was used"] if found.used < _TOO_FEW else []
    print("\nBooks and ledger are equal: every payout once." if found.clean else f"\n{found.audit}\n{found.died}")
    print("OK" if not wrong else f"WRONG: {'; '.join(wrong)}")
    return 1 if wrong else 0


async def _run(options: argparse.Namespace, folder: Path, *, disturbed: bool) -> Outcome:
    began = time.monotonic()

    def say(text: str) -> None:
        if not options.quiet:
            print(f"{time.monotonic() - began:7.1f} s  {text}", flush=True)

    name = "disturbed" if disturbed else "undisturbed"
    (folder / name).mkdir()
    async with trial(options, folder / name, disturbed=disturbed, say=say) as one:
        found = await one.run()
    print(f"\n{name}")
    for label, value in found.lines():
        print(f"{label:32}{value}")
    return found


if __name__ == "__main__":
    sys.exit(asyncio.run(run(options_of(sys.argv[1:]))))
