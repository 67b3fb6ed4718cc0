"""Measure the client beside its peers: ``python -m benchmarks [--quick] [--rounds N] [--json PATH]``.

A constant server on one core, one client at a time on another. Every measurement is a process of its own; rounds go
through all measurements in turn, so that a busy moment of the machine hits all alike, and medians are compared.
"""

import argparse
import importlib.util
import itertools
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.cases import CASES
from benchmarks.constant_server import ConstantServer, constant_server
from benchmarks.processes import Cores, FailedError, run_python
from benchmarks.report import Results, as_json, as_text

CONCURRENCIES = (1, 8, 32, 128, 512)
QUICK = (8, 128, 512)
# httpx's pool takes some ten seconds at 512 until its pace is steady, and no goal is set by it.
LEFT_OUT = frozenset({("httpx, one pool", 512)})
MODULES = ("httpx", "paypro_async", "paypro_async.transport.httpx")
OPTIONAL = ("aiohttp",)
TIME_IMPORT = """
import json, sys, time
wall, cpu = time.perf_counter(), time.process_time()
__import__(sys.argv[1])
print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}))
"""


def main() -> int:
    """Run everything, print the report, and return 1 only if something could not run."""
    options = _options()
    began = time.monotonic()
    cores = Cores.of_this_machine()
    results = Results(about=_about(options))
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.folder) as name:
        folder = Path(name)
        results.about["one fsync"] = f"{1000 * _fsync_seconds(folder):.2f} ms, where the ledger's file lies"
        try:
            with constant_server(folder, core=cores.server, kind=options.server) as server:
                where = "" if cores.server is None else f" on core {cores.server}, client on core {cores.client}"
                results.about["server"] = server.name + where
                _measure_imports(results, cores, rounds=options.import_rounds)
                done = _measure_cases(results, cores, server, folder, options, give_up=began + options.budget)
        except FailedError as error:
            results.failures.append(str(error))
            done = 0
    results.about["rounds"] = f"{done} of {options.seconds:g} s each; {options.import_rounds} imports of each module"
    results.about["load after"] = _load()
    results.about["took"] = f"{time.monotonic() - began:.0f} s"
    print(as_text(results))
    if options.json:
        options.json.write_text(as_json(results) + "\n", encoding="utf-8")
    return 1 if results.failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="one short round of a few: shows the order of things, no more"
    )
    parser.add_argument("--rounds", type=int, help="rounds through all measurements (3)")
    parser.add_argument("--seconds", type=float, help="how long each measurement counts (0.5)")
    parser.add_argument("--budget", type=float, help="begin no round that would end after so many seconds (175)")
    parser.add_argument("--server", choices=["nginx", "asyncio"], help="the constant server (nginx if installed)")
    parser.add_argument("--folder", type=Path, help="where the ledger's file lies; its disk matters (temporary folder)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write every figure there too")
    options = parser.parse_args()
    rounds, seconds, budget, options.import_rounds = (1, 0.2, 45.0, 5) if options.quick else (3, 0.5, 175.0, 15)
    options.rounds = options.rounds or rounds
    options.seconds = options.seconds or seconds
    # Who asks for more rounds or longer ones wants them all.
    asked = options.rounds > rounds or options.seconds > seconds
    options.budget = options.budget or (float("inf") if asked else budget)
    return options


def _measure_imports(results: Results, cores: Cores, *, rounds: int) -> None:
    for module in MODULES:
        run_python(["-c", TIME_IMPORT, module], core=cores.client)  # compiles what has no bytecode yet
    for _, module in itertools.product(range(rounds), MODULES):
        results.add_import(module, run_python(["-c", TIME_IMPORT, module], core=cores.client))


def _measure_cases(
    results: Results, cores: Cores, server: ConstantServer, folder: Path, options: argparse.Namespace, *, give_up: float
) -> int:
    """Go through all measurements as often as there is time for, at least once; return how often."""
    done = 0
    longest = 0.0
    while done < options.rounds and (not done or time.monotonic() + longest < give_up):
        began = time.monotonic()
        for case, concurrency in _cells(QUICK if options.quick else CONCURRENCIES):
            _note(f"round {done + 1}: {case}, {concurrency} at a time")
            try:
                _measure(results, case, concurrency, cores, server, folder, options.seconds)
            except FailedError as error:
                results.failures.append(f"{case} at {concurrency}: {error}")
        done += 1
        longest = max(longest, time.monotonic() - began)
    _note("")
    return done


def _cells(concurrencies: Sequence[int]) -> Iterator[tuple[str, int]]:
    # What is compared stands close together in time.
    for concurrency, case in itertools.product(concurrencies, CASES):
        if _can_run(case) and (case, concurrency) not in LEFT_OUT:
            yield case, concurrency


def _can_run(case: str) -> bool:
    return not case.startswith(OPTIONAL) or importlib.util.find_spec(case.partition(",")[0]) is not None


def _measure(
    results: Results,
    case: str,
    concurrency: int,
    cores: Cores,
    server: ConstantServer,
    folder: Path,
    seconds: float,
) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        arguments = ["-m", "benchmarks.cases", case, server.url, str(concurrency), str(seconds), own]
        figures = run_python(arguments, core=cores.client)
    results.add((case, concurrency), figures)


def _about(options: argparse.Namespace) -> dict[str, object]:
    packages = ["paypro-async", "httpx", "httpcore", "sqlalchemy"]
    packages += [name for name in OPTIONAL if importlib.util.find_spec(name)]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": ", ".join(f"{name} {version(name)}" for name in packages),
        "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
        "load before": _load(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _load() -> str:
    return ", ".join(f"{one:.2f}" for one in os.getloadavg()) if hasattr(os, "getloadavg") else "not known"


def _fsync_seconds(folder: Path) -> float:
    """The median of 50, since a ledger cannot be faster than its disk; close to nothing means memory, no disk."""
    taken = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(50):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
    return median(taken)


def _note(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text:70}", end="" if text else "\r", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
