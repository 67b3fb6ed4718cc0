"""How well a batch keeps its slots busy: the least time that N payouts could take, N·L/c, over the time they took.

``python -m benchmarks.pipeline {aiohttp,httpx,bare} COUNT CONCURRENCY URL FOLDER`` pays a batch through a ledger in
SQLite; ``bare`` sends as many requests of the same bytes through a session of aiohttp and does nothing else.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from benchmarks.cases import FIELDS, Target, aiohttp_bare
from benchmarks.subject import Found, Goal, Measurement, Section, Setting, Subject
from benchmarks.threads import thread_seconds

__all__ = ["LATE_SECONDS", "SUBJECT"]

LATE_SECONDS = 0.3
BARE, AIOHTTP, HTTPX = "bare aiohttp", "paypro, aiohttp, SQLite", "paypro, httpx, SQLite"
KINDS = {BARE: "bare", AIOHTTP: "aiohttp", HTTPX: "httpx"}
ROUNDS = {BARE: 2, AIOHTTP: 3, HTTPX: 1}
CONCURRENCIES = (200, 400)
WAVES, QUICK_WAVES = 30, 10
"""How often each slot is filled, 9 seconds: what a batch takes to begin and to end counts too."""


def _measurements(setting: Setting) -> Iterator[Measurement]:
    waves = QUICK_WAVES if setting.quick else WAVES
    for concurrency in CONCURRENCIES:
        for row, kind in KINDS.items():
            # The slower transport is the less interesting one.
            if row == HTTPX and (setting.quick or concurrency != CONCURRENCIES[0]):
                continue
            asked = (kind, str(waves * concurrency), str(concurrency), setting.late_url)
            yield Measurement(
                row=row,
                column=concurrency,
                arguments=("-m", "benchmarks.pipeline", *asked),
                rounds=ROUNDS[row],
                own_folder=True,
                both_cores=True,
            )


def _section(found: Found) -> Section:
    each = "Microseconds of CPU for each payout or request, {}"
    tables = [
        found.table("Efficiency: N·L/c over wall time", "at a time", "efficiency", "{:.3f}"),
        found.table(each.format("of the process"), "at a time", "whole_us", "{:,.0f}"),
        found.table(each.format("of the event loop's thread"), "at a time", "loop_us", "{:,.0f}"),
        found.table(each.format("of the ledger's thread"), "at a time", "ledger_us", "{:,.0f}"),
    ]
    goals = [
        Goal("efficiency over aiohttp, 200 at a time", found.median("efficiency", AIOHTTP, 200), at_least=0.95),
        Goal("efficiency over aiohttp, 400 at a time", found.median("efficiency", AIOHTTP, 400), at_least=0.85),
        Goal("efficiency over httpx, 200 at a time", found.median("efficiency", HTTPX, 200)),
        *_over_bare(found, "CPU of a payout over a bare request's", "whole_us", 2.0),
        *_over_bare(found, "event loop's thread over a bare request's", "loop_us", 1.5),
    ]
    return Section("pipeline", "Pipeline", [one for one in tables if one], goals)


def _over_bare(found: Found, name: str, figure: str, at_most: float) -> Iterator[Goal]:
    for concurrency in CONCURRENCIES:
        by_cpu = found.ratio(figure, (AIOHTTP, concurrency), (BARE, concurrency))
        yield Goal(f"{name}, {concurrency} at a time", None, by_cpu=by_cpu, at_most=at_most)


SUBJECT = Subject(name="pipeline", title="Pipeline efficiency", measurements=_measurements, section=_section)


@frozen
class _Batch:
    over: str
    count: int
    concurrency: int
    url: str
    folder: Path

    async def run(self) -> dict[str, float]:
        return await (self._send() if self.over == "bare" else self._pay())

    async def _pay(self) -> dict[str, float]:
        from paypro_async import Md5Signer, PayProClient

        payouts = ({**FIELDS, "trade_no": f"bench-{number}"} for number in range(self.count))
        async with PayProClient(
            base_url=self.url,
            environment="benchmark",
            merchant_no="0000000001",
            signer=Md5Signer("not-a-secret"),
            ledger=f"sqlite:///{self.folder / 'ledger.db'}",
            transport=self.over,
            max_connections=self.concurrency,
        ) as client:
            began, before = time.perf_counter(), thread_seconds()
            report = await client.batch_payout(payouts, concurrency=self.concurrency)
            figures = self._figures(began, before)
        if report.accepted != self.count:
            raise RuntimeError(f"not every payout was accepted: {report}")
        return figures

    async def _send(self) -> dict[str, float]:
        async with aiohttp_bare(Target(self.url, self.concurrency, self.folder)) as load:
            began, before = time.perf_counter(), thread_seconds()
            numbers = iter(range(self.count))

            async def worker() -> None:
                for _ in numbers:
                    await load.once()

            await asyncio.gather(*(worker() for _ in range(self.concurrency)))
            return self._figures(began, before)

    def _figures(self, began: float, before: dict[str, float]) -> dict[str, float]:
        wall, after = time.perf_counter() - began, thread_seconds()
        least = self.count * LATE_SECONDS / self.concurrency
        each = {f"{name}_us": 1e6 * (after[name] - before[name]) / self.count for name in before}
        return {"efficiency": least / wall, "wall": wall} | each


if __name__ == "__main__":
    given = sys.argv[1:]
    batch = _Batch(given[0], int(given[1]), int(given[2]), given[3], Path(given[4]))
    print(json.dumps(asyncio.run(batch.run())))
