"""What encryption costs: a payout into a ledger in a file, with a key and without, in one run.

``python -m benchmarks.encryption [--count N] [--rounds N]`` pays in one process, each kind once in a round, so that a
busy moment of the machine hits both alike: over real HTTP on loopback, with a ledger in a file. The last figure is what
a payout takes on the disk.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cases import FIELDS
from benchmarks.constant_server import constant_server
from benchmarks.hooks import AT_A_TIME
from paypro_async import Md5Signer, PayProClient
from paypro_async.ledger.sql.encryption.keys import new_key

KINDS = ("in the clear", "encrypted")


async def seconds_of(settings: dict[str, Any], numbers: list[str]) -> tuple[float, float]:
    """By the clock and of CPU, for one payout."""
    async with PayProClient(merchant_no="0000000001", signer=Md5Signer("sandbox-secret"), **settings) as client:
        await client.payout({**FIELDS, "trade_no": f"{numbers[0]}-first"})
        left = iter(numbers)

        async def pay() -> None:
            for number in left:
                await client.payout({**FIELDS, "trade_no": number})

        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(pay() for _ in range(AT_A_TIME)))
        return (time.perf_counter() - began) / len(numbers), (time.process_time() - cpu) / len(numbers)


def size_of(folder: str) -> int:
    return sum(one.stat().st_size for one in Path(folder).iterdir())


async def measure(title: str, count: int, rounds: int, **settings: Any) -> None:
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    size: dict[str, float] = {}
    for turn in range(rounds):
        for kind in KINDS:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "payouts.db")
                key = {"ledger_key": new_key()} if kind == "encrypted" else {}
                numbers = [f"{turn}-{number}" for number in range(count)]
                given = {"ledger": f"sqlite:///{path}", "environment": "bench", **settings, **key}
                found[kind].append(await seconds_of(given, numbers))
                size[kind] = size_of(folder) / count
    print(f"{title}, {count} payouts, {rounds} rounds, the median:")
    plain = median(cpu for _, cpu in found[KINDS[0]])
    for kind in KINDS:
        clock, cpu = (median(values) for values in zip(*found[kind], strict=True))
        print(
            f"  {kind:12}  {clock * 1e6:7.0f} us  {cpu * 1e6:7.0f} us of CPU  x {cpu / plain:.2f}  {size[kind]:.0f} B"
        )


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="bench-encryption-") as name,
        constant_server(Path(name), core=None) as server,
    ):
        await measure("HTTP and SQLite", given.count, given.rounds, base_url=server.url)


if __name__ == "__main__":
    asyncio.run(main())
