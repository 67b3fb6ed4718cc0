"""Reading and validating a file of payouts, beside ``csv.DictReader`` alone.

``python -m benchmarks.csv_file ROW ROWS FOLDER`` makes the file if it is not there yet; ROW is one of the names below.
That of the workbook, which needs ``paypro-async[xlsx]``, is measured by hand alone.
"""

import csv
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.machine import peak_bytes
from benchmarks.subject import Found, Goal, Measurement, Section, Setting, Subject

__all__ = ["SUBJECT", "write_file"]

READER, PLAN = "csv.DictReader alone", "paypro, read and validate"
SPREADSHEET = "paypro, without trade_no"
WORKBOOK = "paypro, a workbook"
MEBIBYTE = 2**20
HEADER = "trade_no,amount,name,mobile,email,bank_number,bank_code,ip_address,notify_url,remark"


def _measurements(setting: Setting) -> Iterator[Measurement]:
    least, most = (5_000, 50_000) if setting.quick else (10_000, 1_000_000)
    for count in (least, most):
        for row in (READER, PLAN, SPREADSHEET):
            arguments = ("-m", "benchmarks.csv_file", row, str(count), str(setting.folder))
            rounds = 2 if count > 100_000 else 1000
            yield Measurement(row=row, column=count, arguments=arguments, rounds=rounds, timeout=300)


def _section(found: Found) -> Section:
    tables = [
        found.table("Rows a second", "rows", "rate", "{:,.0f}"),
        found.table("Microseconds of CPU for each row", "rows", "cpu", "{:.2f}", scale=1e6),
        found.table("Peak memory in MiB", "rows", "peak", "{:.1f}", scale=1 / MEBIBYTE),
    ]
    counts = sorted({count for _, count in found.figures})
    goals = []
    if counts:
        least, most = counts[0], counts[-1]
        for row in (PLAN, SPREADSHEET):
            over = found.ratio("rate", (row, most), (READER, most))
            by_cpu = found.ratio("cpu", (READER, most), (row, most))
            goals.append(Goal(f"{row}, over DictReader", over, by_cpu=by_cpu, at_least=0.25))
        for row in (PLAN, SPREADSHEET):
            peaks = [found.median("peak", row, count) for count in (least, most)]
            growth = None if None in peaks else (peaks[1] - peaks[0]) / MEBIBYTE
            goals.append(Goal(f"{row}: MiB more at {most:,} rows than at {least:,}", growth, at_most=30.0))
    return Section("csv", "A file of payouts", [one for one in tables if one], goals)


SUBJECT = Subject(name="csv", title="A file of payouts", measurements=_measurements, section=_section)


def write_file(path: Path, count: int, *, numbered: bool) -> None:
    """Valid payouts, no two alike."""
    header = HEADER if numbered else HEADER.partition(",")[2]
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{header}\n")
        for number in range(count):
            first = f"T{number}," if numbered else ""
            file.write(
                f"{first}{100 + number % 900},Asha Rao,9{number % 10**9:09d},asha{number}@gmail.com,"
                f"{10**12 + number},IDFB0{number % 10**6:06d},203.0.113.7,https://merchant.example/paypro,salary\n"
            )


def _write_workbook(path: Path, source: Path) -> None:
    """The same with every cell a text, as Excel saves it."""
    from xlsxwriter import Workbook

    with Workbook(str(path)) as book, source.open(encoding="utf-8", newline="") as rows:
        sheet = book.add_worksheet()
        for number, row in enumerate(csv.reader(rows)):
            for column, cell in enumerate(row):
                sheet.write_string(number, column, cell)


def _read(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        deque(csv.DictReader(file), maxlen=0)


def _planner() -> Callable[[Path, int], None]:
    """Plans a file; what it takes to import the client is another subject's."""
    from paypro_async import Md5Signer, PayProClient
    from paypro_async.bulk import Disbursement

    client = PayProClient(base_url="https://paypro.example", merchant_no="0000000001", signer=Md5Signer("unused"))

    def plan(path: Path, count: int) -> None:
        with Disbursement(client, path) as disbursement:
            rows = disbursement.plan.rows
        if rows != count:
            raise RuntimeError(f"the file was misread: {rows} rows")

    return plan


def _main() -> dict[str, float]:
    row, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    numbered = row != SPREADSHEET
    path = folder / f"payouts-{count}-{'numbered' if numbered else 'plain'}.csv"
    if not path.exists():
        write_file(path, count, numbered=numbered)
    if row == WORKBOOK:
        path, source = path.with_suffix(".xlsx"), path
        if not path.exists():
            _write_workbook(path, source)
    else:
        _read(path)  # into the system's cache
    work = (lambda path, _: _read(path)) if row == READER else _planner()
    began, cpu_began = time.perf_counter(), time.process_time()
    work(path, count)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    return {"rate": count / wall, "cpu": cpu / count, "peak": peak_bytes()}


if __name__ == "__main__":
    print(json.dumps(_main()))
