"""A payout and the OpenTelemetry hook have nothing to do with one another: neither what fails nor what is secret."""

import re
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult

from paypro_async import MemoryLedger, PayProClient, PayProError
from paypro_async.sandbox import FaultPlan, Sandbox
from tests.support.callbacks import callback
from tests.support.merchant import MERCHANT_NO, PERSONAL, QUICK, SIGNER, client_of, payout, payouts, virtual_sandbox
from tests.support.secrecy import everything_logged, spellings
from tests.support.servers import Server, answer
from tests.support.telemetry import FailingExporter, Telemetry
from tests.support.valid import FIELDS, SHARED

SECRET = "sandbox-secret"
NOWHERE = [*PERSONAL, *SHARED.values(), MERCHANT_NO, *spellings(SECRET)]


async def test_nothing_personal_or_secret_leaves_by_a_span_or_a_metric():
    """Nor a trade number, an amount, a batch's name or our address: in no attribute, link, resource or exemplar."""
    telemetry = Telemetry()
    faults = FaultPlan(rate=0.5, query_rate=0.3, seed=5)
    amount = "48151"
    with everything_logged() as log:
        async with virtual_sandbox(faults=faults) as sandbox:
            settings = {"hooks": [telemetry.hook()], "timeout": 60, **QUICK}
            async with client_of(sandbox, **settings) as client:
                items = [payout(f"NUMBER-{one}", amount=amount) for one in range(12)]
                await client.batch_payout(items, batch_id="salaries-of-asha", timeout=60)
                for one in items[:3]:
                    body = callback("0000", one.trade_no, signer=SIGNER, amount=amount)
                    await client.receive_callback(body)
                with pytest.raises(PayProError):
                    await client.payout(payout("NUMBER-1", amount="1"))
                await client.reconcile(deadline=10)
    text = telemetry.everything()
    assert len(telemetry.spans) > 24
    assert not [value for value in [*NOWHERE, "NUMBER-", amount, "salaries"] if value in text]
    assert "NUMBER-1" in log.getvalue()  # what was looked for would have been found


async def test_what_the_platform_writes_instead_of_a_code_is_not_exported():
    """It may quote the account that it was to pay."""
    telemetry = Telemetry()
    async with virtual_sandbox() as sandbox, client_of(sandbox, hooks=[telemetry.hook()], timeout=10) as client:
        with suppress(PayProError):
            await client.payout(payout("T1", remark=f"sandbox:refuse:{FIELDS['bank_number']}"))
        with suppress(PayProError):
            await client.payout(payout("T2", remark="sandbox:refuse:60019"))
    text = telemetry.everything()
    assert '"paypro.code": "60019"' in text
    assert not [value for value in PERSONAL if value in text]


async def test_an_exporter_that_hangs_keeps_no_payout_waiting():
    """It never returns, and all is paid meanwhile."""
    never = threading.Event()
    exporter = FailingExporter(never.wait)
    telemetry = Telemetry(exporter)
    async with Sandbox() as sandbox:
        client = PayProClient(
            base_url=sandbox.base_url,
            merchant_no=MERCHANT_NO,
            signer=SIGNER,
            ledger=MemoryLedger(),
            hooks=[telemetry.hook()],
        )
        try:
            async with client:
                report = await client.batch_payout(payouts(50))
                assert report.counts["processing"] == 50
                assert exporter.asked == 1  # and there it stands
                began = time.monotonic()
            assert time.monotonic() - began < 10
        finally:
            never.set()
        assert len(sandbox.books.bookings) == 50


async def test_an_exporter_that_raises_changes_nothing_and_metrics_go_on():
    def refuse() -> SpanExportResult:
        raise ConnectionRefusedError("the collector is away")

    telemetry = Telemetry(FailingExporter(refuse))
    async with Sandbox() as sandbox, client_of(sandbox, hooks=[telemetry.hook()]) as client:
        report = await client.batch_payout(payouts(20))
        assert report.counts["processing"] == 20
    assert telemetry.sum("paypro.payouts", paypro_status="processing") == 20
    assert telemetry.sum("paypro.payouts.in_flight") == 0


async def test_a_request_carries_nothing_of_a_trace():
    """The platform, and who reads on the way, learn nothing from what is told of a payout."""
    telemetry, heads = Telemetry(), []
    for hooks in ([], [telemetry.hook()]):
        async with Server(answer) as server:
            async with PayProClient(
                base_url=server.base_url, merchant_no=MERCHANT_NO, signer=SIGNER, ledger=None, hooks=hooks
            ) as client:
                with telemetry.tracers.get_tracer("tests").start_as_current_span("order"), suppress(PayProError):
                    await client.balance()
            heads.append(re.findall(rb"(?m)^([A-Za-z-]+): ", server.received))
    assert heads[0] == heads[1]
    assert b"Content-Length" in heads[0] or b"content-length" in heads[0]
    assert telemetry.named("POST ")


API_ALONE = """
import asyncio, sys
sys.modules["opentelemetry.sdk"] = None  # not installed
from paypro_async import PayProClient, Md5Signer
from paypro_async.integrations.opentelemetry import OpenTelemetryHook
from paypro_async.sandbox import Sandbox
from tests.support.merchant import payouts

async def main():
    hook = OpenTelemetryHook()
    assert not hook.is_heard()
    async with Sandbox() as sandbox:
        async with PayProClient(
            base_url=sandbox.base_url, merchant_no="0000000001", signer=Md5Signer("sandbox-secret"), ledger="memory",
            hooks=[hook],
        ) as client:
            report = await client.batch_payout(payouts(20))
    assert report.counts["processing"] == 20
    assert not hook._calls and not hook._requests and not hook._batches
    assert not [name for name in sys.modules if name.startswith("opentelemetry.sdk.")]
    print("paid")

asyncio.run(main())
"""

MISSING = """
import sys
sys.modules["opentelemetry"] = None
import paypro_async
try:
    import paypro_async.integrations.opentelemetry
except ImportError as error:
    print(error)
"""

UNASKED = """
import sys
import paypro_async, paypro_async.events, paypro_async.cli.app
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (API_ALONE, "paid"),
        (MISSING, "OpenTelemetry is not installed: pip install 'paypro-async[opentelemetry]'"),
        (UNASKED, "[]"),
    ],
    ids=["the API alone", "not installed", "not asked for"],
)
def test_what_is_installed_decides_only_what_is_told(program, said):
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (said, "")
