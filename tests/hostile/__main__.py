"""The full-scale trial of replies: ``python -m tests.hostile --help``. It fails if anything was wrong."""

import argparse
import asyncio
import sys
import time

from paypro_async.transport import TRANSPORTS
from tests.hostile.replies import hostile_replies
from tests.hostile.trial import Findings, pay_all, read_all

_AT_ONE_TIME = 5_000
_MOST_BYTES = 100_000_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--replies", type=int, default=30_000, help="through each transport (default: 30000)")
    parser.add_argument("--payouts", type=int, default=2_000, help="through a client on each (default: 2000)")
    parser.add_argument("--seed", type=int, default=1, help="of the replies (default: 1)")
    options = parser.parse_args()
    fine = True
    for first in range(0, options.replies, _AT_ONE_TIME):
        replies = list(hostile_replies(options.seed * 1000 + first, min(_AT_ONE_TIME, options.replies - first)))
        fine &= _told("all transports", read_all(replies, TRANSPORTS, seed=options.seed))
    for name in ("httpx", "aiohttp"):
        replies = list(hostile_replies(options.seed * 1000 + 999, options.payouts))
        fine &= _told(f"a client on {name}", pay_all(replies, name, seed=options.seed))
    return 0 if fine else 1


def _told(what: str, work) -> bool:
    began = time.monotonic()
    findings: Findings = asyncio.run(work)
    print(f"{what}: {findings}; {time.monotonic() - began:.0f} s", flush=True)
    for sentence in findings.wrong[:20]:
        print("   ", sentence[:2000], flush=True)
    return not findings.wrong and findings.grown < _MOST_BYTES


if __name__ == "__main__":
    sys.exit(main())
