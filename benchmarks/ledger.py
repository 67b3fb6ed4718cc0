"""What a payout costs in the ledger's own thread, without a network: claims and changes in groups of a known size.

``python -m benchmarks.ledger GROUP COUNT FOLDER`` writes them to a new ledger in SQLite: a group of claims, then one of
what became of them. Each is one commit, so a group costs what it costs once (begin, look, commit, flush) and the same
again for each payout; two sizes tell the two apart.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.cases import FIELDS
from benchmarks.subject import Found, Goal, Measurement, Section, Setting, Subject
from benchmarks.threads import thread_seconds

__all__ = ["MERCHANT_NO", "SUBJECT", "open_ledger", "write_groups"]

ROW = "claim and move, SQLite"
GROUPS = (1, 30, 64)
MERCHANT_NO = "0000000001"


def _measurements(setting: Setting) -> Iterator[Measurement]:
    for group in GROUPS:
        payouts = (300 if setting.quick else 600) if group == 1 else 40 * group
        arguments = ("-m", "benchmarks.ledger", str(group), str(payouts))
        yield Measurement(row=ROW, column=group, arguments=arguments, own_folder=True)


def _section(found: Found) -> Section:
    tables = [
        found.table("Microseconds of CPU of the ledger's thread for each payout", "in a group", "ledger_us", "{:,.0f}"),
        found.table("Microseconds of CPU of the event loop's thread for each", "in a group", "loop_us", "{:,.0f}"),
        found.table("Microseconds by the clock for each payout", "in a group", "wall_us", "{:,.0f}"),
        found.table("Payouts in a commit", "in a group", "grouped", "{:.1f}"),
    ]
    goals = [
        Goal("ledger's thread, µs for each payout in groups of 30", None, by_cpu=_us(found, 30), at_most=220.0),
        Goal("ledger's thread, µs for a group, whatever is in it", None, by_cpu=_fixed_us(found), at_most=500.0),
    ]
    return Section("ledger", "The ledger's thread", [one for one in tables if one], goals)


def _us(found: Found, group: int) -> float | None:
    return found.median("ledger_us", ROW, group)


def _fixed_us(found: Found) -> float | None:
    """A payout is in two groups: alone it costs 2·F + E, and in groups of thirty 2·F/30 + E."""
    alone, together = _us(found, 1), _us(found, 30)
    return None if alone is None or together is None else (alone - together) / (2 - 2 / 30)


SUBJECT = Subject(name="ledger", title="The ledger's thread", measurements=_measurements, section=_section)


async def open_ledger(url: str) -> Any:
    """A ledger that payouts can be claimed in."""
    from paypro_async.ledger.base import Account
    from paypro_async.ledger.sql.ledger import SqlLedger

    ledger = SqlLedger(url)
    await ledger.open(Account(merchant_no=MERCHANT_NO, region="india", environment="benchmark"))
    return ledger


async def write_groups(ledger: Any, name: str, *, group: int, count: int) -> dict[str, float]:
    """Claim *count* payouts and write what became of them, *group* at a time; microseconds for each."""
    work = _groups(name, group=group, count=count)
    began, before = time.perf_counter(), thread_seconds()
    for claims, moves in work:
        for call, requests in ((ledger.claim, claims), (ledger.move, moves)):
            written = await asyncio.gather(*map(call, requests))
            if not all(one.done for one in written):
                raise RuntimeError("a step was not written")
    wall, after = time.perf_counter() - began, thread_seconds()
    return {"wall_us": 1e6 * wall / count} | {
        f"{one}_us": 1e6 * (after[one] - before[one]) / count for one in after if one in before
    }


def _groups(name: str, *, group: int, count: int) -> list[tuple[list[Any], list[Any]]]:
    from paypro_async._core.intent import build_payout, prepare
    from paypro_async._core.lifecycle import Cause, Change, State
    from paypro_async._core.regions import region_named
    from paypro_async._core.wire import Phase

    spec = region_named("india")

    def claim(number: int) -> Any:
        content = build_payout(spec, {**FIELDS, "bank_number": f"{10**9 + number}"})
        return prepare(
            spec, content, merchant_no=MERCHANT_NO, trade_no=f"{name}-{number}", defaults={}, settle_after=60.0
        )

    def move(number: int) -> Any:
        return Change(
            merchant_no=MERCHANT_NO,
            trade_no=f"{name}-{number}",
            state=State.SENDING,
            attempt=1,
            to=State.PROCESSING,
            cause=Cause.ATTEMPT,
            phase=Phase.ANSWERED,
            code="0015",
            message="CREDIT_INPROGRESS",
            platform_trade_no=f"{name:.8}{number:024d}",
        )

    numbers = [range(first, min(first + group, count)) for first in range(0, count, group)]
    return [([claim(one) for one in each], [move(one) for one in each]) for each in numbers]


async def _main(group: int, count: int, folder: Path) -> dict[str, float]:
    from benchmarks.commits import count_commits

    ledger = await open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    await write_groups(ledger, "warm", group=group, count=2 * group)
    commits = count_commits()
    figures = await write_groups(ledger, "bench", group=group, count=count)
    figures["grouped"] = 2 * count / commits()
    await ledger.aclose()
    return figures


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))))
