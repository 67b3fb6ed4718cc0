"""How long one payout takes: with all workers busy, and at a pace that takes 60 % of the client's time."""

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
        seconds = 1.0 if setting.quick else 1.5
        asked = ("offered", case, setting.url, str(WORKERS), str(seconds), setting.postgres or "")
        arguments = ("-m", "benchmarks.load", *asked)
        yield Measurement(row=case + BESIDE_A_LOAD, column=WORKERS, arguments=arguments, own_folder=True)


def _section(found: Found) -> Section:
    at_full, at_share = (
        Found(
            {cell: figures for cell, figures in found.figures.items() if cell[0].endswith(BESIDE_A_LOAD) is wanted},
            found.noisy,
        )
        for wanted in (False, True)
    )
    busy = "All workers busy, {} in milliseconds"
    share = "Offered evenly, at 60 % load, {}"
    tables = [
        at_full.table(busy.format("p50"), "concurrency", "p50", "{:,.2f}", scale=1000),
        at_full.table(busy.format("p99"), "concurrency", "p99", "{:,.2f}", scale=1000),
        at_full.table("All workers busy, microseconds of CPU for each", "concurrency", "cpu_us", "{:,.0f}"),
        at_share.table(share.format("payouts or requests a second"), "workers at most", "rate", "{:,.0f}"),
        at_share.table(share.format("part of the time in which it computes"), "workers at most", "busy", "{:.2f}"),
        at_share.table(share.format("p50 in milliseconds"), "workers at most", "p50", "{:,.2f}", scale=1000),
        at_share.table(share.format("p99 in milliseconds"), "workers at most", "p99", "{:,.2f}", scale=1000),
        at_share.table(share.format("microseconds of CPU for each"), "workers at most", "cpu_us", "{:,.0f}"),
    ]
    goals = [
        *(Goal(f"{case}: p99 over p50 at 60 %", _tail(at_share, case)) for case in CASES),
        *(
            Goal(f"{ours}: that over {bare}'s", divided(_tail(at_share, ours), _tail(at_share, bare)), at_most=1.3)
            for bare, ours in zip(CASES[::2], CASES[1::2], strict=True)
        ),
    ]
    return Section("latency", "Latency", [one for one in tables if one], goals)


def _tail(found: Found, case: str) -> float | None:
    cell = case + BESIDE_A_LOAD, WORKERS
    return divided(found.median("p99", *cell), found.median("p50", *cell))


SUBJECT = Subject(name="latency", title="Latency", measurements=_measurements, section=_section)
