"""Measure the client beside its peers: ``python -m benchmarks [subject ...] [--rounds N] [--quick] [--write]``.

A constant server on one core, one client at a time on another. Every measurement is a process of its own; rounds go
through all measurements in turn, so that a busy moment of the machine hits all alike, and medians are compared.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks import (
    callbacks,
    cpu,
    csv_file,
    durability,
    large,
    latency,
    ledger,
    machine,
    memory,
    pipeline,
    throughput,
)
from benchmarks.constant_server import constant_server, late_server
from benchmarks.databases import postgres
from benchmarks.processes import Cores, FailedError, run_python
from benchmarks.report import PAGE, Report, as_json, as_text, with_figures
from benchmarks.subject import Found, Measurement, Setting, Subject

SUBJECTS = {
    one.SUBJECT.name: one.SUBJECT
    for one in (throughput, latency, durability, pipeline, ledger, large, memory, cpu, callbacks, csv_file)
}


def main() -> int:
    """Run everything, print the report, and return 1 only if something could not run."""
    options = _options()
    began = time.monotonic()
    subjects = [one for name, one in SUBJECTS.items() if name in (options.subjects or SUBJECTS)]
    cores = Cores.of_this_machine()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.folder) as name:
        folder = Path(name)
        report = Report(about=machine.about(folder))
        try:
            with _servers(folder, cores, options, report) as setting:
                _measure(report, subjects, setting, cores, options.rounds)
        except FailedError as error:
            report.failures.append(str(error))
    report.about["rounds"] = f"{options.rounds}, each measurement of pace {options.seconds:g} s"
    report.others.append(machine.busy())
    report.about["load after"] = machine.load()
    report.about["took"] = f"{time.monotonic() - began:.0f} s"
    print(as_text(report))
    if options.json:
        options.json.write_text(as_json(report) + "\n", encoding="utf-8")
    if options.write:
        PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8"), report), encoding="utf-8")
    return 1 if report.failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("subjects", nargs="*", metavar="subject", help=f"what to measure: {', '.join(SUBJECTS)} (all)")
    parser.add_argument("--quick", action="store_true", help="one short round of less: the order of things, no more")
    parser.add_argument("--rounds", type=int, help="rounds through all measurements (5; 1 with --quick)")
    parser.add_argument("--seconds", type=float, help="how long each measurement of pace counts (0.3)")
    parser.add_argument("--server", choices=["nginx", "asyncio"], help="the constant server (nginx if installed)")
    parser.add_argument("--postgres", metavar="URL", help="a database that may be filled (a server of our own)")
    parser.add_argument("--folder", type=Path, help="where ledgers and files lie; its disk matters (temporary folder)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write every figure there too")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/performance.md")
    options = parser.parse_args()
    if unknown := set(options.subjects) - set(SUBJECTS):
        parser.error(f"no subject: {', '.join(sorted(unknown))}")
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (0.2 if options.quick else 0.3)
    return options


@contextmanager
def _servers(folder: Path, cores: Cores, options: argparse.Namespace, report: Report) -> Iterator[Setting]:
    with ExitStack() as stack:
        constant = stack.enter_context(constant_server(folder, core=cores.server, kind=options.server))
        late = stack.enter_context(late_server(pipeline.LATE_SECONDS, core=cores.server))
        database = options.postgres or stack.enter_context(postgres(core=cores.server))
        where = "" if cores.server is None else f" on core {cores.server}, client on core {cores.client}"
        report.about["server"] = constant.name + where
        report.about["late server"] = late.name
        yield Setting(
            url=constant.url,
            late_url=late.url,
            postgres=database,
            folder=folder,
            seconds=options.seconds,
            quick=options.quick,
        )


def _measure(report: Report, subjects: Sequence[Subject], setting: Setting, cores: Cores, rounds: int) -> None:
    plans = {subject.name: list(subject.measurements(setting)) for subject in subjects}
    wanted = {one.process: one for plan in plans.values() for one in plan}
    figures: dict[object, list[dict[str, Any]]] = {process: [] for process in wanted}
    failed: set[object] = set()
    for number in range(rounds):
        report.others.append(machine.busy())
        for at, one in enumerate(wanted.values(), 1):
            if number >= one.rounds or one.process in failed:
                continue
            _note(f"round {number + 1} of {rounds}, {at} of {len(wanted)}: {one.row}, {one.column:,}")
            try:
                figures[one.process].append(_run(one, setting, cores))
            except FailedError as error:
                failed.add(one.process)
                report.failures.append(f"{one.row} at {one.column}: {error}")
    _note("")
    for subject in subjects:
        found = Found({one.cell: figures[one.process] for one in plans[subject.name] if figures[one.process]})
        section = subject.section(found)
        section.noisy = found.noisy
        report.sections.append(section)
        report.raw[subject.name] = {f"{row}, {column}": each for (row, column), each in found.figures.items()}


def _run(one: Measurement, setting: Setting, cores: Cores) -> dict[str, Any]:
    run: Callable[[Sequence[str]], dict[str, Any]] = lambda words: run_python(  # noqa: E731  one call, two ways
        words, core=None if one.both_cores else cores.client, timeout=one.timeout
    )
    if not one.own_folder:
        return run(one.arguments)
    with tempfile.TemporaryDirectory(dir=setting.folder) as own:
        return run([*one.arguments, own])


def _note(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text:78}", end="" if text else "\r", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
