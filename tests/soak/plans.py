"""``paypro plan``, then ``paypro apply``, killed again and again; books, result file and report add up to the paisa."""

import asyncio
import csv
import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.soak.audit import Audit, audit
from tests.soak.payer import MERCHANT, amount, number
from tests.soak.platform import FaultyPlatform
from tests.support.fork_server import Child, ForkServer
from tests.support.programs.command import PROGRAM
from tests.support.valid import PAYEE

PLAN = "wages.csv.plan.json"
_MOST_RUNS = 12  # each says once more of some rows that they are under way
_SETTINGS = {
    "PAYPRO_MERCHANT_NO": MERCHANT,
    "PAYPRO_SECRET": "sandbox-secret",
    "PAYPRO_ENVIRONMENT": "soak",
    "PAYPRO_IP_ADDRESS": "203.0.113.7",
    "PAYPRO_NOTIFY_URL": "https://merchant.example/paypro",
}
# The platform's clock is what runs late on a busy machine.
_TIMES = ("--settle-after", "4", "--request-timeout", "1")


@frozen
class Planned:
    """What a trial came to.

    Args:
        audit: Books and ledger.
        sums: What was paid, in paise or in rows, as each of the witnesses tells it.
        runs: How often ``apply`` had to be given after the last kill.
    """

    audit: Audit
    sums: dict[str, tuple[int, Decimal]]
    kills: int
    runs: int
    seconds: float

    @property
    def clean(self) -> bool:
        return self.audit.clean and len(set(self.sums.values())) == 1

    def __str__(self) -> str:
        told = "; ".join(f"{name}: {rows:,} rows, {money:,.2f}" for name, (rows, money) in self.sums.items())
        found = self.audit
        counts = (
            f"{len(found.doubles)} doubles, {len(found.lost)} lost, {len(found.differing) + len(found.open)} differing"
        )
        return f"{self.kills} kills, {found.payouts:,} payouts, {counts}, {self.seconds:,.0f} s. Paid as by {told}"


async def pay_a_plan(
    fork_server: ForkServer, folder: Path, platform: FaultyPlatform, url: str, *, payouts: int, kills: int
) -> Planned:
    """Plan a file, apply the plan, and kill what applies it each time that so many more rows are booked."""
    _write(folder / "wages.csv", range(payouts))
    environment = os.environ | _SETTINGS | {"PAYPRO_BASE_URL": platform.base_url, "PAYPRO_LEDGER": url}

    def start(*words: str) -> Child:
        return fork_server.start(PROGRAM, *words, folder=folder, environment=environment)

    apply = ("apply", PLAN, "--yes", "--quiet", "--json", "--refresh", *_TIMES)
    began = time.monotonic()
    await _ended(start("plan", "wages.csv", "--json"))
    done = 0
    for kill in range(kills):
        child = start(*apply)
        while len(platform.books) < payouts * (kill + 1) // (kills + 1) and child.poll() is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        child.signal(signal.SIGKILL)
        await child.ended()
        done += child.code != 0
    runs, left = 0, payouts
    while left and runs < _MOST_RUNS:
        summary = await _ended(start(*apply))
        runs, left = runs + 1, summary["processing"] + summary["unknown"] + summary["not_sent"]
    report = await _ended(start("report", PLAN, "--json", "-o", "wages.html"))
    seconds = time.monotonic() - began
    sums = {
        "the books": _sum(Decimal(one.amount) for bookings in platform.books.values() for one in bookings),
        "the command": _told(summary),
        "the result file": _in_result(folder / "wages.result.csv"),
        "the report": _said(report["message"]),
    }
    return Planned(audit(platform, url, range(payouts)), sums, done, runs, seconds)


async def _ended(child: Child) -> dict[str, Any]:
    code = await child.ended(within=7200)
    assert code in (0, 4, 5), child.errors
    return dict(json.loads(child.output))


def _write(path: Path, rows: Iterable[int]) -> None:
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["trade_no", *PAYEE])
        for row in rows:
            own = {"amount": amount(row), "bank_number": f"1009{row:08d}"}
            writer.writerow([number(row), *(PAYEE | own).values()])


def _sum(amounts: Iterable[Decimal]) -> tuple[int, Decimal]:
    found = list(amounts)
    return len(found), sum(found, Decimal(0)).quantize(Decimal("0.01"))


def _told(found: dict[str, Any]) -> tuple[int, Decimal]:
    paid = found["statuses"]["succeeded"]
    return int(paid["rows"]), Decimal(paid["amount"]).quantize(Decimal("0.01"))


def _said(message: str) -> tuple[int, Decimal]:
    said = re.match(r"([\d,]+) of [\d,]+ payouts are paid: ([\d,.]+) INR", message)
    assert said, message
    return int(said[1].replace(",", "")), Decimal(said[2].replace(",", ""))


def _in_result(path: Path) -> tuple[int, Decimal]:
    with path.open(encoding="utf-8", newline="") as text:
        found = list(csv.DictReader(text))
    assert max(Counter(one["paypro_trade_no"] for one in found).values()) == 1
    return _sum(Decimal(one["amount"].lstrip("'")) for one in found if one["paypro_status"] == "succeeded")
