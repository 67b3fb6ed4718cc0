"""A ledger that has paid millions: how long it takes to open, and what a claim costs over one in an empty ledger.

``python -m benchmarks.large {size,open,cold} FILE FOLDER`` looks at it and opens it once. ``python -m benchmarks.large
{later,anywhere}-GROUP FILE FOLDER`` claims payouts to new people, under numbers that come after all others, as those do
that the client makes, or that lie anywhere between them, which is the hardest on the indexes. FILE is made if it is not
there and its name says how many payouts it holds; ``-`` stands for an empty ledger in FOLDER.
"""

import asyncio
import json
import os
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.large_file import PEOPLE, make_large, spread_number
from benchmarks.ledger import open_ledger, write_groups
from benchmarks.subject import Found, Goal, Measurement, Section, Setting, Subject

__all__ = ["SUBJECT"]

OPEN, OPEN_COLD = "open it, file in the system's cache", "open it, file on the disk alone"
CLAIMS = {
    "one at a time": "later-1",
    "in groups of 30": "later-30",
    "in groups of 30, numbers at random": "anywhere-30",
}
JUDGED = tuple(CLAIMS)[:2]
MEBIBYTE = 2**20


def _measurements(setting: Setting) -> Iterator[Measurement]:
    count = 300_000 if setting.quick else 5_000_000
    file = str(setting.folder / f"large-{count}.db")

    def asked(row: str, column: int, what: str, path: str) -> Measurement:
        arguments = ("-m", "benchmarks.large", what, path)
        return Measurement(row=row, column=column, arguments=arguments, rounds=3, own_folder=True, timeout=600)

    # The first one makes the file and measures nothing that this could disturb.
    yield asked("the file", count, "size", file)
    yield asked(OPEN_COLD, count, "cold", file)
    yield asked(OPEN, count, "open", file)
    for row, what in CLAIMS.items():
        yield asked(row, 0, what, "-")
        yield asked(row, count, what, file)


def _section(found: Found) -> Section:
    each = "Microseconds for each payout, {}"
    tables = [
        found.table("Size of the file in MiB", "payouts", "size", "{:,.0f}", scale=1 / MEBIBYTE),
        found.table("Milliseconds until it is open, by the clock", "payouts", "open", "{:,.1f}", scale=1000),
        found.table("Milliseconds until it is open, by CPU", "payouts", "open_cpu", "{:,.1f}", scale=1000),
        found.table(each.format("claim alone, by the clock"), "payouts", "claim_wall", "{:,.0f}"),
        found.table(each.format("claim alone, CPU of the ledger's thread"), "payouts", "claim_ledger", "{:,.0f}"),
        found.table(each.format("claim and move, by the clock"), "payouts", "wall", "{:,.0f}"),
        found.table(each.format("claim and move, CPU of the ledger's thread"), "payouts", "ledger", "{:,.0f}"),
    ]
    count = max((column for _, column in found.figures), default=0)
    opening = found.median("open", OPEN, count)
    goals = [
        Goal(f"seconds to open a ledger of {count:,}", opening, found.median("open_cpu", OPEN, count), at_most=1.0)
    ]
    for row in CLAIMS:
        for what, prefix in (("claim", "claim_"), ("claim and move", "")):
            cells = (row, count), (row, 0)
            most = 1.2 if row in JUDGED else None
            by_clock, by_cpu = (found.ratio(f"{prefix}{figure}", *cells) for figure in ("wall", "ledger"))
            goals.append(Goal(f"{what} over an empty ledger's, {row}", by_clock, by_cpu=by_cpu, at_most=most))
    return Section("large", "A large ledger", [one for one in tables if one], goals)


SUBJECT = Subject(name="large", title="A large ledger", measurements=_measurements, section=_section)


async def _open(path: Path) -> dict[str, float]:
    import paypro_async.ledger.sql.ledger  # noqa: F401  its import is another subject's

    began, cpu_began = time.perf_counter(), time.process_time()
    ledger = await open_ledger(f"sqlite:///{path}")
    took = {"open": time.perf_counter() - began, "open_cpu": time.process_time() - cpu_began}
    await ledger.aclose()
    return took


async def _claim(path: Path, count: int, where: str, group: int) -> dict[str, float]:
    copies = max(1, count // PEOPLE)
    began = time.time_ns()

    def number(at: int) -> str:
        if where == "later":
            return f"9999-{began + at}"
        return spread_number(secrets.randbelow(copies), secrets.randbelow(PEOPLE), f"-{secrets.token_hex(4)}")

    numbers = list(map(number, range(60 * group + 250)))
    warm_up = 10 * group + 50
    ledger = await open_ledger(f"sqlite:///{path}")
    await write_groups(ledger, numbers[:warm_up], group=group)
    figures = await write_groups(ledger, numbers[warm_up:], group=group)
    await ledger.aclose()
    return figures


def _forget(path: Path) -> None:
    """Have the system drop the file from its cache."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb+") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _main(what: str, file: str, folder: Path) -> dict[str, float]:
    path = folder / "ledger.db" if file == "-" else Path(file)
    count = 0 if file == "-" else int(path.stem.partition("-")[2])
    if count and not path.exists():
        asyncio.run(make_large(path, count))
    if what == "size":
        return {"size": path.stat().st_size}
    if what == "cold":
        _forget(path)
    where, _, group = what.partition("-")
    return asyncio.run(_claim(path, count, where, int(group)) if group else _open(path))


if __name__ == "__main__":
    print(json.dumps(_main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))
