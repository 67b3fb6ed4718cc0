"""What it costs that a payout survives power loss: ledgers in SQLite and PostgreSQL over one in memory."""

from collections.abc import Iterator

from benchmarks.machine import has
from benchmarks.subject import Found, Goal, Measurement, Section, Setting, Subject
from benchmarks.throughput import full

__all__ = ["SUBJECT"]

MEMORY, SQLITE, POSTGRES = "paypro, aiohttp", "paypro, aiohttp, SQLite", "paypro, aiohttp, PostgreSQL"


def _measurements(setting: Setting) -> Iterator[Measurement]:
    for concurrency in (128,) if setting.quick else (1, 32, 128, 512):
        yield full(MEMORY, concurrency, setting)
        yield full(SQLITE, concurrency, setting)
        if setting.postgres is not None and has("psycopg"):
            yield full(POSTGRES, concurrency, setting)


def _section(found: Found) -> Section:
    tables = [
        found.table("Payouts a second", "concurrency", "rate", "{:,.0f}"),
        found.table("Microseconds of CPU for each, of this process", "concurrency", "cpu_us", "{:,.0f}"),
        found.table("Commits for each payout", "concurrency", "commits", "{:.3f}"),
        found.table("Flushes of the disk (fsync) for each payout", "concurrency", "fsyncs", "{:.3f}"),
    ]
    goals = [
        _price(found, "SQLite ledger over memory ledger, at 128", SQLITE, at_least=0.6),
        Goal("commits for each payout, SQLite, at 128", found.median("commits", SQLITE, 128), at_most=0.1),
        _price(found, "PostgreSQL ledger over memory ledger, at 128", POSTGRES, at_least=None),
        Goal("commits for each payout, PostgreSQL, at 128", found.median("commits", POSTGRES, 128)),
    ]
    return Section("durability", "The price of durability", [one for one in tables if one], goals)


def _price(found: Found, name: str, case: str, *, at_least: float | None) -> Goal:
    rate, cpu = found.ratio("rate", (case, 128), (MEMORY, 128)), found.ratio("cpu_us", (MEMORY, 128), (case, 128))
    return Goal(name, rate, by_cpu=cpu, at_least=at_least)


SUBJECT = Subject(name="durability", title="The price of durability", measurements=_measurements, section=_section)
