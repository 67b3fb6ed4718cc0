from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from paypro_async import PayProClient
from paypro_async.sandbox import Sandbox
from tests.support.merchant import QUICK, SIGNER
from tests.support.payout_files import MERCHANT_NO, SHARED, csv_text, rows


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(booking_lag=0.0, balance="100000") as sandbox:
        yield sandbox


@pytest.fixture
async def client(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[PayProClient]:
    async with PayProClient(
        base_url=sandbox.base_url,
        merchant_no=MERCHANT_NO,
        signer=SIGNER,
        ledger=str(tmp_path / "payouts.db"),
        environment="sandbox",
        **QUICK,
        **SHARED,
    ) as client:
        yield client


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "p.csv").write_text(csv_text(rows(3)))
    return tmp_path / "p.csv"
