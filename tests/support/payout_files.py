"""Files of payouts for the tests."""

import io
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from paypro_async._core.regions import region_named
from paypro_async.bulk.file_plan import Plan, Planned, make_plan, planned
from paypro_async.bulk.payout_file import PayoutFile
from paypro_async.engine.intake import Intake
from paypro_async.runtime import SystemRuntime
from tests.support.valid import PAYEE, SHARED

_NO_COLUMNS: Mapping[str, str] = MappingProxyType({})
MERCHANT_NO = "0000000001"
INDIA = region_named("india")

HEADER = "amount,name,mobile,email,bank_number,bank_code"
ACCOUNT = "00100940382920001"


def row(amount: str = "300", account: str = ACCOUNT, **changes: str) -> str:
    cells = {**PAYEE, **changes}
    return ",".join([amount, cells["name"], cells["mobile"], cells["email"], account, cells["bank_code"]])


def rows(count: int, *, first: int = 0) -> str:
    return "\n".join(row(str(100 + number), f"{10**12 + number}") for number in range(first, first + count))


def csv_text(*lines: str, header: str = HEADER) -> str:
    return "\n".join([header, *lines, ""])


def open_file(
    data: str | bytes,
    *,
    defaults: Mapping[str, str] = SHARED,
    columns: Mapping[str, str] = _NO_COLUMNS,
    sheet: str | None = None,
) -> PayoutFile:
    raw = data.encode() if isinstance(data, str) else data
    return PayoutFile(io.BytesIO(raw), spec=INDIA, defaults=defaults, columns=columns, sheet=sheet)


def intake(defaults: Mapping[str, str] = SHARED) -> Intake:
    """What a client takes that has these values for all payouts."""
    return Intake(spec=INDIA, merchant_no=MERCHANT_NO, defaults=defaults, runtime=SystemRuntime())


def plan_of(file: PayoutFile, *, run: str | None = None) -> Plan:
    return make_plan(file, intake().intent_of, run=run)


def rows_of(file: PayoutFile, *, run: str | None = None) -> Iterator[Planned]:
    """Every row with its payout."""
    return planned(file, plan_of(file, run=run), intake().intent_of)


def trade_nos(file: PayoutFile, *, run: str | None = None) -> list[str]:
    return [intent.trade_no for _, intent in rows_of(file, run=run)]
