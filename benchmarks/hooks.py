"""What hooks cost: a payout without one, with one that does nothing, and with OpenTelemetry's.

``python -m benchmarks.hooks [--count N] [--rounds N]`` pays in one process, each kind once in a round, so that a busy
moment of the machine hits all alike. The first table is the client alone, with a transport and a ledger that cost
nothing: whatever a hook costs shows there most. The second is over real HTTP on loopback with a ledger in a file.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from benchmarks.cases import FIELDS
from benchmarks.constant_server import constant_server
from benchmarks.null import ForgetfulLedger, NullTransport
from paypro_async import Md5Signer, PayProClient
from paypro_async.integrations.opentelemetry import OpenTelemetryHook

AT_A_TIME = 16


class Nowhere(SpanExporter):
    """Takes spans as a collector would that is near."""

    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def with_sdk() -> OpenTelemetryHook:
    """As a service has it: spans in batches, metrics read now and then."""
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(BatchSpanProcessor(Nowhere()))
    meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    return OpenTelemetryHook(tracer_provider=tracers, meter_provider=meters)


KINDS: dict[str, Callable[[], list[Any]]] = {
    "no hook": list,
    "a hook that does nothing": lambda: [lambda _: None],
    "OpenTelemetry, the API alone": lambda: [OpenTelemetryHook()],
    "OpenTelemetry with its SDK": lambda: [with_sdk()],
}


async def seconds(client: PayProClient, numbers: list[str]) -> tuple[float, float]:
    """By the clock and of CPU, for one payout."""
    async with client:
        await client.payout({**FIELDS, "trade_no": f"{numbers[0]}-first"})
        waiting = iter(numbers)

        async def pay() -> None:
            for number in waiting:
                await client.payout({**FIELDS, "trade_no": number})

        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(pay() for _ in range(AT_A_TIME)))
        wall = time.perf_counter() - wall
    # What hooks still had to do when the last payout was paid is theirs too.
    return wall / len(numbers), (time.process_time() - cpu) / len(numbers)


def measure(title: str, make: Callable[[str, list[Any]], PayProClient], *, count: int, rounds: int) -> None:
    """Print a line for each kind: microseconds, and how many times as many as without a hook."""
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    for number in range(rounds):
        for kind, hooks in KINDS.items():
            name = f"{number}-{list(KINDS).index(kind)}"
            numbers = [f"{name}-{one}" for one in range(count)]
            found[kind].append(asyncio.run(seconds(make(name, hooks()), numbers)))
    print(f"\n{title}: {count} payouts, {AT_A_TIME} at a time, median of {rounds} rounds")
    walls, cpus = ({kind: median(one[at] for one in found[kind]) for kind in KINDS} for at in (0, 1))
    for kind in KINDS:
        wall, cpu = walls[kind], cpus[kind]
        ratios = f"{wall / walls['no hook']:5.2f} {cpu / cpus['no hook']:5.2f}"
        print(f"  {kind:30} {1e6 * wall:8.0f} us by the clock {1e6 * cpu:8.0f} us of CPU   x {ratios}")


def main() -> None:
    """Measure both and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    shared: dict[str, Any] = {"merchant_no": "0000000001", "signer": Md5Signer("not-a-secret")}
    with tempfile.TemporaryDirectory(prefix="bench-hooks-") as name, constant_server(Path(name), core=None) as server:

        def alone(_: str, hooks: list[Any]) -> PayProClient:
            nowhere = {"base_url": "http://127.0.0.1:9", "ledger": ForgetfulLedger(), "transport": NullTransport()}
            return PayProClient(**nowhere, hooks=hooks, **shared)

        def whole(number: str, hooks: list[Any]) -> PayProClient:
            there = {"base_url": server.url, "environment": "bench", "ledger": f"sqlite:///{name}/{number}.db"}
            return PayProClient(**there, hooks=hooks, **shared)

        measure("The client alone", alone, count=options.count, rounds=options.rounds)
        measure("HTTP and SQLite", whole, count=options.count // 4, rounds=options.rounds)


if __name__ == "__main__":
    main()
