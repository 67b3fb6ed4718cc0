"""Reports to look at: usual ones of any size, and one whose texts are hostile."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from paypro_async._core.items import ItemStatus
from paypro_async._core.regions import REGIONS
from paypro_async.report.html import About
from paypro_async.report.rows import ReportRow

BEGUN = datetime(2026, 11, 28, 4, 0, tzinfo=UTC)
HOSTILE = (
    "</script><script>window.hacked = 1</script>",
    "<!--<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    '"><svg onload=window.hacked=1>',
    "'); window.hacked = 1; ('",
    "</title><script>window.hacked = 1</script>",
    "</dialog></table><h1>paid</h1>",
    "abc\u202egnp.exe\u2028\u2029\x00\x1b[31m",
    "javascript:window.hacked=1",
    "&lt;b&gt; &amp; {{constructor}} ${window.hacked = 1} `x`",
    "\ud800 \ufeff\u200b zero",
    "x" * 5000,
)
_NAMES = ("Asha Rao", "Bharat Kumar", "Chitra Iyer", "Deepak Shah", "Esha Nair", "Farhan Ali")
_MESSAGES = {
    "0100019": "PAYEE_DAILY_CUMULATIVE_AMT_REACHED",
    "00029": "REJECTED_TRANSACTION",
    "60019": "INSUFFICIENT_FUNDS",
    "77777": "Bank is not reachable at the moment",
}
_STATUSES = (ItemStatus.SUCCEEDED, ItemStatus.PROCESSING, ItemStatus.FAILED, ItemStatus.UNKNOWN, ItemStatus.NOT_SENT)
_WEIGHTS = (900, 30, 40, 8, 12)
_RARE = {7: ItemStatus.REVERSED, 11: ItemStatus.REVIEW, 13: ItemStatus.MISSING}


def about(rows: int | None = None, title: str = "salaries-november-2026.csv") -> About:
    spec = REGIONS["india"]
    return About(
        title=title,
        batch_id="file-3f9a2b7c11d04e553f9a2b7c11d04e55",
        digest="3f9a2b7c11d04e55" * 4,
        merchant_no="0000000042",
        environment="api.paypro.example",
        region=spec.name,
        currency=spec.currency,
        zone=spec.zone,
        ledger="/srv/payouts/payouts.db",
        rows=rows,
        begun_at=BEGUN,
        ended_at=BEGUN + timedelta(seconds=300),
        elapsed=300.2,
        made_at=BEGUN + timedelta(seconds=420),
        python="3.13.1",
    )


def rows(count: int) -> Iterator[ReportRow]:
    """As of a real batch: most are paid, and each other status occurs."""
    dice = random.Random(count)
    for number in range(1, count + 1):
        status = _RARE.get(number) or dice.choices(_STATUSES, _WEIGHTS)[0]
        failed = status in (ItemStatus.FAILED, ItemStatus.REVERSED)
        code = dice.choice(list(_MESSAGES)) if failed else None
        lost = "The connection broke while the reply was read." if status is ItemStatus.UNKNOWN else None
        begun = None if status is ItemStatus.NOT_SENT else BEGUN + timedelta(seconds=number / count * 300)
        yield ReportRow(
            row=number,
            trade_no=f"3f9a2b7c11d04e55ab12-{number:07d}",
            status=status,
            amount=Decimal(dice.randrange(10_000, 9_000_000)) / 100,
            currency="INR",
            name=dice.choice(_NAMES),
            bank_number=str(dice.randrange(10**11, 10**12)),
            code=code,
            message=_MESSAGES.get(code or "", lost),
            platform_trade_no=f"P20261128{number:010d}" if begun and status is not ItemStatus.UNKNOWN else None,
            utr=f"SBIN{dice.randrange(10**10, 10**11)}" if status is ItemStatus.SUCCEEDED else None,
            attempts=0 if begun is None else 1,
            begun_at=begun,
            changed_at=begun and begun + timedelta(seconds=dice.lognormvariate(0.4, 1)),
        )


def hostile_rows() -> Iterator[ReportRow]:
    """Every field of a row holds every hostile text once."""
    fields = ("trade_no", "name", "bank_number", "code", "message", "platform_trade_no", "utr")
    for number, text in enumerate(HOSTILE, 1):
        texts = dict.fromkeys(fields, text)
        yield ReportRow(row=number, status=ItemStatus.FAILED, amount=Decimal(1), currency="INR", **texts)
