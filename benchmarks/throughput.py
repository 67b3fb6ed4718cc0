"""Payouts a second over the full path (validate, intent, sign, send, classify, record), beside bare clients."""

from collections.abc import Iterator

from benchmarks.machine import has
from benchmarks.subject import Found, Goal, Measurement, Section, Setting, Subject

__all__ = ["SUBJECT", "full"]

CONCURRENCIES = (1, 8, 32, 128, 512, 1024)
CASES = (
    "raw floor",
    "bare aiohttp",
    "paypro, aiohttp",
    "stripe, aiohttp",
    "bare httpx, one pool",
    "bare httpx, lanes",
    "paypro, httpx",
    "stripe, httpx",
)
AIOHTTP, HTTPX = "paypro, aiohttp", "paypro, httpx"
# What the goals need.
QUICK = {"aiohttp": (32, 128, 1024), "httpx": (8, 128, 512), "raw floor": (128,)}
# One big pool of httpx takes ten seconds at 512 until its pace is steady, and no goal is set by it.
LEFT_OUT = frozenset(
    {("bare httpx, one pool", 512), ("bare httpx, one pool", 1024), ("stripe, httpx", 512), ("stripe, httpx", 1024)}
)
JUDGED = frozenset(
    {(case, 128) for case in CASES if case not in ("raw floor", "bare httpx, one pool")}
    | {(AIOHTTP, 32), (AIOHTTP, 1024), (HTTPX, 8), (HTTPX, 512)}
)
"""What the goals compare."""


def full(case: str, concurrency: int, setting: Setting, *, both_cores: bool = False) -> Measurement:
    """All workers of *case* kept busy."""
    asked = ("full", case, setting.url, str(concurrency), str(setting.seconds), setting.postgres or "")
    arguments = ("-m", "benchmarks.load", *asked)
    # What no goal needs is there to be seen beside the rest.
    rounds = 1000 if both_cores or (case, concurrency) in JUDGED else 2
    return Measurement(
        row=case, column=concurrency, arguments=arguments, rounds=rounds, own_folder=True, both_cores=both_cores
    )


def _measurements(setting: Setting) -> Iterator[Measurement]:
    # What is compared stands close together in time.
    for concurrency in CONCURRENCIES:
        for case in CASES:
            kind = case.partition(", ")[2] if case.startswith(("paypro", "stripe")) else case
            quick = next((points for name, points in QUICK.items() if name in kind), ())
            left_out = (case, concurrency) in LEFT_OUT or (setting.quick and concurrency not in quick)
            installed = has("stripe") or not case.startswith("stripe")
            if installed and not left_out:
                yield full(case, concurrency, setting)


def _goal(found: Found, name: str, one: tuple[str, int], other: tuple[str, int], at_least: float | None) -> Goal:
    rate, cpu = found.ratio("rate", one, other), found.ratio("cpu_us", other, one)
    return Goal(name, rate, by_cpu=cpu, at_least=at_least)


def _section(found: Found) -> Section:
    tables = [
        found.table("Payouts or requests a second", "concurrency", "rate", "{:,.0f}"),
        found.table("Microseconds of CPU for each", "concurrency", "cpu_us", "{:,.0f}"),
        found.table("Requests for each payout", "concurrency", "requests", "{:.3f}"),
    ]
    goals = [
        _goal(found, "paypro over bare aiohttp, at 128", (AIOHTTP, 128), ("bare aiohttp", 128), 0.95),
        _goal(found, "paypro over stripe on aiohttp, at 128", (AIOHTTP, 128), ("stripe, aiohttp", 128), 1.7),
        _goal(found, "paypro on aiohttp, at 1,024 over at 32", (AIOHTTP, 1024), (AIOHTTP, 32), 0.9),
        _goal(found, "paypro over bare httpx lanes, at 128", (HTTPX, 128), ("bare httpx, lanes", 128), 0.75),
        _goal(found, "paypro over stripe on httpx, at 128", (HTTPX, 128), ("stripe, httpx", 128), 3.5),
        _goal(found, "paypro on httpx, at 512 over at 8", (HTTPX, 512), (HTTPX, 8), 0.9),
        _goal(found, "paypro over one httpx pool, at 128", (HTTPX, 128), ("bare httpx, one pool", 128), None),
        _goal(found, "paypro on aiohttp over the floor, at 128", (AIOHTTP, 128), ("raw floor", 128), None),
    ]
    return Section("throughput", "Throughput", [one for one in tables if one], goals)


SUBJECT = Subject(name="throughput", title="Throughput", measurements=_measurements, section=_section)
