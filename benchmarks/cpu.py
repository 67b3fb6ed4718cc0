"""Where the CPU of one payout goes, without a network: each step in a loop of its own, beside the whole.

``python -m benchmarks.cpu COUNT`` prints seconds for each. The rest is what holds the steps together: the client's
call, time-outs, clocks, and the decision what comes next.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from attrs import evolve

from benchmarks.cases import FIELDS
from benchmarks.machine import has
from benchmarks.null import NullTransport, OneOrderLedger
from benchmarks.subject import Found, Goal, Measurement, Section, Setting, Subject, Table, divided

__all__ = ["SUBJECT"]

STEPS = "steps"
MODULES = ("httpx", "aiohttp", "paypro_async", "paypro_async.transport.httpx", "paypro_async.transport.aiohttp")
LOOPS = 7
"""The best of so many counts: whatever else runs on the machine can only make it slower."""
TIME_IMPORT = """
import json, sys, time
wall, cpu = time.perf_counter(), time.process_time()
__import__(sys.argv[1])
print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}))
"""
# Those that add up to the whole, and those that are parts of them.
PARTS = ("validate", "claim", "sign and make the body", "send (null transport)", "classify", "decide and record")
WITHIN = ("the fingerprint alone", "the signature alone", "the body alone")


def _measurements(setting: Setting) -> Iterator[Measurement]:
    count = "300" if setting.quick else "2000"
    yield Measurement(row=STEPS, column=1, arguments=("-m", "benchmarks.cpu", count))
    # Each twice a round, for an import is over before the machine has settled.
    for again, module in itertools.product(range(2), MODULES):
        if has(module.partition(".")[0]) and has(module.rpartition(".")[2]):
            yield Measurement(row=module, column=again, arguments=("-c", TIME_IMPORT, module, str(again)))


def _section(found: Found) -> Section:
    whole = found.median("the whole", STEPS, 1)
    section = Section("cpu", "CPU for each payout")
    if whole is not None:
        steps = {name: found.median(name, STEPS, 1) or 0.0 for name in (*PARTS, *WITHIN)}
        rest = whole - sum(steps[name] for name in PARTS)
        ordered = {name: steps[name] for name in PARTS} | {"the rest": rest, "the whole": whole}
        ordered |= {f"of that: {name}": steps[name] for name in WITHIN}
        rows = {name: (f"{1e9 * one:,.0f}", f"{one / whole:.0%}") for name, one in ordered.items()}
        section.tables.append(Table("With a null transport and a memory ledger", "step", ("ns", "share"), rows))
    wall, cpu = ({one: _import(found, one, clock) for one in MODULES} for clock in ("wall", "cpu"))
    rows = {
        one: (f"{1000 * wall[one]:.0f}", f"{1000 * cpu[one]:.0f}")
        for one in MODULES
        if wall[one] is not None and cpu[one] is not None
    }
    if rows:
        section.tables.append(Table("Milliseconds to import", "module", ("clock", "CPU"), rows))
    name = "import paypro_async over import httpx"
    by_clock, by_cpu = (divided(one["paypro_async"], one["httpx"]) for one in (wall, cpu))
    section.goals.append(Goal(name, by_clock, by_cpu=by_cpu, at_most=1.3))
    return section


def _import(found: Found, module: str, clock: str) -> float | None:
    values = [value for again in range(2) for value in found.all(clock, module, again)]
    return sorted(values)[len(values) // 2] if values else None


SUBJECT = Subject(name="cpu", title="CPU for each payout", measurements=_measurements, section=_section)


def _best(work: Callable[[], object], count: int) -> float:
    """Seconds of CPU for one call."""
    best = float("inf")
    for _ in range(LOOPS):
        began = time.process_time()
        for _ in range(count):
            work()
        best = min(best, (time.process_time() - began) / count)
    return best


async def _best_of(work: Callable[[], Awaitable[object]], count: int) -> float:
    best = float("inf")
    for _ in range(LOOPS):
        began = time.process_time()
        for _ in range(count):
            await work()
        best = min(best, (time.process_time() - began) / count)
    return best


async def _steps(count: int) -> dict[str, float]:
    from paypro_async import Md5Signer, PayProClient
    from paypro_async._core.intent import fingerprint_of
    from paypro_async._core.outcome import classify_payout
    from paypro_async._core.platform_codes import Codes
    from paypro_async._core.transitions import after_attempt
    from paypro_async._core.wire import request_body

    numbers = itertools.count()
    ledger, transport, signer = OneOrderLedger(), NullTransport(), Md5Signer("not-a-secret")

    def payout() -> dict[str, Any]:
        return {**FIELDS, "trade_no": f"bench-{next(numbers)}"}

    async with PayProClient(
        base_url="http://127.0.0.1:9", merchant_no="0000000001", signer=signer, ledger=ledger, transport=transport
    ) as client:
        await client.payout(payout())
        intake, platform = client._intake, client._asking().platform  # the steps have no public names
        intent = intake.intent(payout(), {})
        path = platform.spec.payout_path
        request = await platform.sign(intent.content, path, timeout=30.0, send_by=1e9)
        outcome = classify_payout(transport.exchange, Codes(), trade_no=intent.trade_no)
        signed = {**intent.content, "timestamp": "1724149702962"}
        # Enough distinct ones that each is new to the ledger.
        fresh = (evolve(intent, trade_no=f"step-{next(numbers)}") for _ in range(10**9))
        waiting = [next(fresh) for _ in range(LOOPS * count)]
        to_claim = iter(waiting)

        async def record() -> None:
            entry = next(entries)
            change = after_attempt(entry, outcome, sent=entry.attempt)
            if change is None or not (await ledger.move(change)).done:
                raise RuntimeError("the step was not recorded")

        times = {
            "validate": _best(lambda: intake.intent(payout(), {}), count) - _best(payout, count),
            "claim": await _best_of(lambda: ledger.claim(next(to_claim)), count),
            "sign and make the body": await _best_of(
                lambda: platform.sign(intent.content, path, timeout=30.0, send_by=1e9), count
            ),
            "send (null transport)": await _best_of(lambda: transport.send(request, timeout=30.0), count),
            "classify": _best(
                lambda: classify_payout(transport.exchange, platform.codes, trade_no=intent.trade_no), count
            ),
            "the fingerprint alone": _best(lambda: fingerprint_of(platform.spec, intent.content), count),
            "the signature alone": _best(lambda: signer.sign(signed), count),
            "the body alone": _best(lambda: request_body(signed, "677550dd9156c8ba942bcf096f57df50"), count),
        }
        entries = iter([ledger._entries[one.merchant_no, one.trade_no].entry for one in waiting])
        times["decide and record"] = await _best_of(record, count)
        prepared = iter([payout() for _ in range(LOOPS * count)])
        times["the whole"] = await _best_of(lambda: client.payout(next(prepared)), count)
    return times


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_steps(int(sys.argv[1])))))
