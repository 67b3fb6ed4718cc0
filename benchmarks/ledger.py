"""What a payout costs in the ledger's own thread, without a network: claims and changes in groups of a known size.

``python -m benchmarks.ledger GROUP COUNT FOLDER`` writes them to a new ledger in SQLite: a group of claims, then one of
what became of them. Each is one commit, so a group costs what it costs once (begin, look, commit, flush) and the same
again for each payout; two sizes tell the two apart.
"""

import asyncio
import json
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cases import FIELDS
from benchmarks.subject import Found, Goal, Measurement, Section, Setting, Subject
from benchmarks.threads import thread_seconds

__all__ = ["MERCHANT_NO", "SUBJECT", "open_ledger", "prepared", "write_groups"]

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
        found.table("Microseconds of CPU of the ledger's thread for each payout", "in a group", "ledger", "{:,.0f}"),
        found.table("Microseconds of CPU of the event loop's thread for each", "in a group", "loop", "{:,.0f}"),
        found.table("Microseconds by the clock for each payout", "in a group", "wall", "{:,.0f}"),
        found.table("Payouts in a commit", "in a group", "grouped", "{:.1f}"),
    ]
    goals = [
        Goal("ledger's thread, µs for each payout in groups of 30", None, by_cpu=_us(found, 30), at_most=220.0),
        Goal("ledger's thread, µs for a group, whatever is in it", None, by_cpu=_fixed_us(found), at_most=500.0),
    ]
    return Section("ledger", "The ledger's thread", [one for one in tables if one], goals)


def _us(found: Found, group: int) -> float | None:
    return found.median("ledger", ROW, group)


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


async def write_groups(ledger: Any, numbers: Sequence[str], *, group: int) -> dict[str, float]:
    """Claim payouts of these trade numbers, and write that they were paid, *group* at a time; microseconds for each.

    Returns:
        By the clock and of each thread, for the claims alone (``claim_wall``) and with what became of them (``wall``).
    """
    work = [(list(map(prepared, each)), list(map(_move, each))) for each in _groups(numbers, group)]
    claiming, total = Counter[str](), Counter[str]()
    for claims, moves in work:
        for call, requests, sums in ((ledger.claim, claims, (claiming, total)), (ledger.move, moves, (total,))):
            before = {"wall": time.perf_counter(), **thread_seconds()}
            written = await asyncio.gather(*map(call, requests))
            after = {"wall": time.perf_counter(), **thread_seconds()}
            if not all(one.done for one in written):
                raise RuntimeError("a step was not written")
            for one in sums:
                one.update({name: after[name] - before[name] for name in before})
    each = {f"claim_{name}": seconds for name, seconds in claiming.items()} | total
    return {name: 1e6 * seconds / len(numbers) for name, seconds in each.items()}


def _groups(numbers: Sequence[str], group: int) -> Iterator[Sequence[str]]:
    return (numbers[first : first + group] for first in range(0, len(numbers), group))


def prepared(trade_no: str) -> Any:
    """The intent of a valid payout."""
    from paypro_async._core.intent import fields_of, prepare
    from paypro_async._core.regions import region_named

    spec = region_named("india")
    # Each pays another person.
    content = fields_of(spec, {**FIELDS, "bank_number": f"{secrets.randbelow(9 * 10**11) + 10**11}"})
    return prepare(spec, content, merchant_no=MERCHANT_NO, trade_no=trade_no, defaults={}, settle_after=60.0)


def _move(trade_no: str) -> Any:
    from paypro_async._core.lifecycle import Cause, Change, State
    from paypro_async._core.wire import Phase

    return Change(
        merchant_no=MERCHANT_NO,
        trade_no=trade_no,
        state=State.SENDING,
        attempt=1,
        to=State.SUCCEEDED,
        cause=Cause.ATTEMPT,
        phase=Phase.ANSWERED,
        code="0000",
        message="CREDIT_SUCCESS",
        platform_trade_no=secrets.token_hex(16),
    )


async def _main(group: int, count: int, folder: Path) -> dict[str, float]:
    from benchmarks.commits import count_commits

    ledger = await open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    await write_groups(ledger, [f"warm-{number}" for number in range(2 * group)], group=group)
    commits = count_commits()
    figures = await write_groups(ledger, [f"bench-{number}" for number in range(count)], group=group)
    figures["grouped"] = 2 * count / commits()
    await ledger.aclose()
    return figures


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))))
