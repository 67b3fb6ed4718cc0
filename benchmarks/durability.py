"""What it costs that a payout survives power loss: ledgers in SQLite and PostgreSQL over one in memory."""

from collections.abc import Iterator

from benchmarks.machine import has
from benchmarks.subject import Cell, Found, Goal, Measurement, Section, Setting, Subject
from benchmarks.throughput import full

__all__ = ["SUBJECT"]

MEMORY, SQLITE, POSTGRES = "paypro, aiohttp", "paypro, aiohttp, SQLite", "paypro, aiohttp, PostgreSQL"


def _measurements(setting: Setting) -> Iterator[Measurement]:
    for concurrency in (1, 128) if setting.quick else (1, 32, 128, 512):
        for case in (MEMORY, SQLITE, POSTGRES):
            if case != POSTGRES or (setting.postgres is not None and has("psycopg")):
                yield full(case, concurrency, setting, both_cores=True)


def _section(found: Found) -> Section:
    tables = [
        found.table("Payouts a second", "concurrency", "rate", "{:,.0f}"),
        found.table("Microseconds of CPU for each, of the client's process", "concurrency", "cpu_us", "{:,.0f}"),
        found.table("Microseconds of CPU for each, of the ledger's thread", "concurrency", "ledger_us", "{:,.0f}"),
        found.table("Commits for each payout", "concurrency", "commits", "{:.3f}"),
        found.table("Flushes of the disk (fsync) for each payout", "concurrency", "fsyncs", "{:.3f}"),
    ]
    goals = [
        _price(found, "SQLite", (SQLITE, 1), at_least=0.4),
        _price(found, "SQLite", (SQLITE, 128), at_least=0.8),
        _price(found, "PostgreSQL", (POSTGRES, 128), at_least=0.6),
        Goal("commits for each payout, SQLite, at 128", found.median("commits", SQLITE, 128), at_most=0.1),
        Goal("commits for each payout, PostgreSQL, at 128", found.median("commits", POSTGRES, 128)),
    ]
    return Section("durability", "The price of durability", [one for one in tables if one], goals)


def _price(found: Found, name: str, cell: Cell, *, at_least: float) -> Goal:
    memory = MEMORY, cell[1]
    rate, cpu = found.ratio("rate", cell, memory), found.ratio("cpu_us", memory, cell)
    return Goal(f"{name} ledger over memory ledger, at {cell[1]}", rate, by_cpu=cpu, at_least=at_least)


SUBJECT = Subject(name="durability", title="The price of durability", measurements=_measurements, section=_section)
