"""The report of a file that a program has paid, as a page."""

from pathlib import Path

from paypro_async import PayProClient
from paypro_async.bulk import Disbursement
from paypro_async.sandbox import Sandbox
from tests.support.merchant import SIGNER
from tests.support.payout_files import MERCHANT_NO, SHARED, csv_text, row
from tests.support.valid import PAYEE


async def test_the_page_of_a_file_tells_its_hash_its_ledger_and_that_it_adds_up(tmp_path: Path):
    """After the client is closed as well, and without a personal value."""
    path, page = tmp_path / "wages.csv", tmp_path / "wages.html"
    path.write_text(csv_text(row(amount="1500"), row(amount="250.50", account="50100000000018")), encoding="utf-8")
    async with Sandbox() as sandbox:
        client = PayProClient(
            base_url=sandbox.base_url,
            environment="sandbox",
            merchant_no=MERCHANT_NO,
            signer=SIGNER,
            ledger=str(tmp_path / "payouts.db"),
            **SHARED,
        )
        async with client:
            with Disbursement(client, path) as disbursement:
                await disbursement.pay()
                report = await disbursement.report()
                digest = disbursement.plan.digest.hex()
    assert report.to_html(page) is None
    text = page.read_text(encoding="utf-8")
    for told in (digest, "payouts.db", "sandbox", "wages.csv", "2 payouts, 1,750.50 INR"):
        assert told in text
    assert "The rows add up to what was planned: 2 payouts, 1,750.50 INR." in text
    for personal in (PAYEE["name"], "50100000000018"):
        assert personal not in text
    assert "50100000000018" in (report.to_html(unmasked=True) or "")
