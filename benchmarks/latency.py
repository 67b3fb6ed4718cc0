"""How long one payout takes: with all workers busy, and at 60 % of what the client can do."""

from collections.abc import Iterator

from benchmarks.subject import Found, Goal, Measurement, Section, Setting, Subject, divided
from benchmarks.throughput import CONCURRENCIES, full

__all__ = ["SUBJECT"]

CASES = ("bare aiohttp", "paypro, aiohttp", "bare httpx, lanes", "paypro, httpx")
BESIDE_A_LOAD = " at 60 %"
WORKERS = 128


def _measurements(setting: Setting) -> Iterator[Measurement]:
    for concurrency in (32, 128) if setting.quick else CONCURRENCIES:
        for case in CASES:
            yield full(case, concurrency, setting)
    for case in CASES:
        seconds = 1.0 if setting.quick else 3.0
        asked = ("offered", case, setting.url, str(WORKERS), str(seconds), setting.postgres or "")
        arguments = ("-m", "benchmarks.load", *asked)
        yield Measurement(row=case + BESIDE_A_LOAD, column=WORKERS, arguments=arguments, own_folder=True)


def _section(found: Found) -> Section:
    at_full, at_share = (
        Found({cell: figures for cell, figures in found.figures.items() if cell[0].endswith(BESIDE_A_LOAD) is wanted})
        for wanted in (False, True)
    )
    busy = "All workers busy, {} in milliseconds"
    share = "Offered evenly at 60 % of capacity, {}"
    tables = [
        at_full.table(busy.format("p50"), "concurrency", "p50", "{:,.2f}", scale=1000),
        at_full.table(busy.format("p99"), "concurrency", "p99", "{:,.2f}", scale=1000),
        at_share.table(share.format("payouts or requests a second"), "workers at most", "rate", "{:,.0f}"),
        at_share.table(share.format("p50 in milliseconds"), "workers at most", "p50", "{:,.2f}", scale=1000),
        at_share.table(share.format("p99 in milliseconds"), "workers at most", "p99", "{:,.2f}", scale=1000),
    ]
    goals = [_tail(at_share, case, at_most=3.0 if case.startswith("paypro") else None) for case in CASES]
    return Section("latency", "Latency", [one for one in tables if one], goals)


def _tail(found: Found, case: str, *, at_most: float | None) -> Goal:
    cell = case + BESIDE_A_LOAD, WORKERS
    value = divided(found.median("p99", *cell), found.median("p50", *cell))
    return Goal(f"{case}: p99 over p50 at 60 %", value, at_most=at_most)


SUBJECT = Subject(name="latency", title="Latency", measurements=_measurements, section=_section)
