"""Uses of the public face that mypy and pyright must accept. Nothing here is run; ``check.py`` has it checked."""

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO, assert_type

from paypro_async import (
    Batch,
    BatchReport,
    InvalidPayoutError,
    Md5Signer,
    MemoryLedger,
    OutcomeNotRecordedError,
    Payout,
    PayoutFailedError,
    PayoutResult,
    PayProClient,
    Problem,
    bulk,
)
from paypro_async.bulk import FileReport


def clients() -> list[PayProClient]:
    signer = Md5Signer("secret")
    return [
        PayProClient(base_url="https://x.example", merchant_no="1", signer=signer),
        PayProClient(base_url="https://x.example", merchant_no="1", signer=signer, region="india", transport="aiohttp"),
        PayProClient(base_url="https://x.example", merchant_no="1", signer=signer, ledger=MemoryLedger()),
        PayProClient.from_env(),
        PayProClient.from_env(ledger="payouts.db", timeout=5, transport="httpx2", resend="never"),
    ]


async def single(client: PayProClient, payout: Payout, row: dict[str, str]) -> None:
    result = await client.payout(
        amount="300",
        name="Asha Rao",
        mobile="8234567890",
        email="asha@example.com",
        bank_number="10094038292",
        bank_code="IDFB0043121",
    )
    assert_type(result, PayoutResult)
    await client.payout(
        amount=Decimal(300),
        name="Asha Rao",
        mobile="8234567890",
        email="asha@example.com",
        bank_number="10094038292",
        bank_code="IDFB0043121",
        ip_address="203.0.113.7",
        notify_url="https://merchant.example/paypro",
        remark="invoice 17",
        trade_no="T1",
        timeout=5,
        max_attempts=2,
    )
    await client.payout(payout, timeout=5)
    await client.payout(row)
    await client.payout({"amount": 300, "name": "Asha Rao"})


def rows() -> Iterator[dict[str, str]]:
    yield {"amount": "300"}


async def payouts() -> AsyncIterator[Payout]:
    yield Payout(amount="300", name="A", mobile="8", email="a@x.example", bank_number="1", bank_code="I")


async def many(client: PayProClient, payout: Payout) -> None:
    batch: Batch = client.batch_payout(rows(), concurrency=5, rate=2.5)
    assert_type(await batch, BatchReport)
    await client.batch_payout(payouts())
    await client.batch_payout([payout, {"amount": "300"}])


def errors(invalid: InvalidPayoutError, unrecorded: OutcomeNotRecordedError, failed: PayoutFailedError) -> None:
    assert_type(invalid.problems, tuple[Problem, ...])
    assert_type(unrecorded.result, PayoutResult)
    assert_type(failed.result, PayoutResult)


async def files(client: PayProClient, path: Path, upload: BinaryIO) -> FileReport:
    with bulk.read(path) as found:
        assert_type(found, bulk.PayoutFile)
    assert_type(bulk.check(client, upload, columns={"Konto": "bank_number"}).doubts, tuple[bulk.FileProblem, ...])
    planned = await bulk.plan(client, path, by="asha", sheet="wages", run="2", complete=True)
    assert_type(planned, bulk.PlanFile)
    await bulk.pay(client, upload, accept_doubts=True, concurrency=5, skip_paid=True)
    limits = bulk.PaymentLimits(max_amount=Decimal(5), max_total="500.50", expect_total=303, expect_rows=3)
    approvers = bulk.read_approvers(path)
    return await bulk.pay(client, planned, limits=limits, approvals=[bulk.Approval.load(path)], approvers=approvers)
