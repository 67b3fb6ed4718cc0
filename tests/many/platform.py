"""The platform of these trials as a process of its own: ``tests.soak``'s, which does its worst, a network away.

It prints its address. For each line of standard input, a path, it writes what it has booked there and prints a line.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tests.soak.platform import Booking, FaultyPlatform


class DistantPlatform(FaultyPlatform):
    """A platform that each request reaches *latency* seconds after it was sent."""

    def __init__(self, *, latency: float, **settings: Any) -> None:
        super().__init__(**settings)
        self._latency = latency

    def take(self, connection: Any, path: str, body: bytes) -> None:
        if not self._latency:
            super().take(connection, path, body)
            return
        arrive = super().take
        asyncio.get_running_loop().call_later(self._latency, lambda: arrive(connection, path, body))


def dump(platform: FaultyPlatform, path: Path) -> None:
    """Write what happened for another process."""
    books = {number: [(one.platform_trade_no, one.amount) for one in all_] for number, all_ in platform.books.items()}
    contents = {number: sorted(all_) for number, all_ in platform.contents.items()}
    told = {"books": books, "contents": contents, "sent": platform.sent, "arrivals": platform.arrivals}
    path.write_text(json.dumps(told | {"questions": platform.questions, "stall": platform.longest_stall}))


def load(path: Path, platform: FaultyPlatform) -> None:
    """Fill a platform that serves nobody with what another one has written."""
    told = json.loads(path.read_text())
    for number, bookings in told["books"].items():
        platform.books[number] = [Booking(name, amount, 0.0, "") for name, amount in bookings]
    for number, contents in told["contents"].items():
        platform.contents[number] = set(contents)
    platform.sent.update(told["sent"])
    platform.arrivals, platform.questions = told["arrivals"], told["questions"]
    platform.longest_stall = told["stall"]


async def _main(options: argparse.Namespace) -> None:
    async with DistantPlatform(**vars(options)) as platform:
        print(platform.base_url, flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            dump(platform, Path(line.strip()))
            print("written", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    for name in ("faults", "query-faults", "lag", "processing", "rejected", "slow", "latency"):
        parser.add_argument(f"--{name}", type=float, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(_main(_options()))
