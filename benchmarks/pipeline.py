"""How well a batch keeps its places busy: the least time that N payouts could take, N·L/c, over the time they took.

``python -m benchmarks.pipeline TRANSPORT COUNT CONCURRENCY URL FOLDER`` pays a batch through a ledger in SQLite.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cases import FIELDS
from benchmarks.subject import Found, Goal, Measurement, Section, Setting, Subject

__all__ = ["LATE_SECONDS", "SUBJECT"]

LATE_SECONDS = 0.3
CONCURRENCY = 200
TRANSPORTS = ("aiohttp", "httpx")


def _measurements(setting: Setting) -> Iterator[Measurement]:
    count = 4_000 if setting.quick else 20_000
    for over in TRANSPORTS:
        arguments = ("-m", "benchmarks.pipeline", over, str(count), str(CONCURRENCY), setting.late_url)
        # Half a minute each, and the slower transport is the less interesting one.
        rounds = 5 if over == "aiohttp" else 3
        row = f"paypro, {over}, SQLite"
        yield Measurement(row=row, column=count, arguments=arguments, rounds=rounds, own_folder=True, timeout=300)


def _section(found: Found) -> Section:
    tables = [
        found.table("Efficiency: N·L/c over wall time", "payouts", "efficiency", "{:.3f}"),
        found.table("Seconds", "payouts", "wall", "{:.1f}"),
        found.table("Microseconds of CPU for each payout", "payouts", "cpu_us", "{:,.0f}"),
    ]
    goals = [
        Goal(f"efficiency over {row.split(', ')[1]}", found.median("efficiency", row, count), at_least=0.95)
        for row, count in found.figures
    ]
    return Section("pipeline", "Pipeline", [one for one in tables if one], goals)


SUBJECT = Subject(name="pipeline", title="Pipeline efficiency", measurements=_measurements, section=_section)


async def _pay(over: str, count: int, concurrency: int, url: str, folder: Path) -> dict[str, float]:
    from paypro_async import Md5Signer, PayProClient

    payouts = ({**FIELDS, "trade_no": f"bench-{number}"} for number in range(count))
    async with PayProClient(
        base_url=url,
        environment="benchmark",
        merchant_no="0000000001",
        signer=Md5Signer("not-a-secret"),
        ledger=f"sqlite:///{folder / 'ledger.db'}",
        transport=over,
        max_connections=concurrency,
    ) as client:
        began, cpu_began = time.perf_counter(), time.process_time()
        report = await client.batch_payout(payouts, concurrency=concurrency)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    if report.accepted != count:
        raise RuntimeError(f"not every payout was accepted: {report}")
    return {"efficiency": count * LATE_SECONDS / concurrency / wall, "wall": wall, "cpu_us": 1e6 * cpu / count}


def _main() -> None:
    over, count, concurrency, url, folder = sys.argv[1:]
    print(json.dumps(asyncio.run(_pay(over, int(count), int(concurrency), url, Path(folder)))))


if __name__ == "__main__":
    _main()
