"""The demonstration's service stores callbacks in the ledger that another process pays from."""

from pathlib import Path

import pytest
from attrs import evolve

from paypro_async.cli.demo.command import _until_told
from paypro_async.cli.demo.payer import SECRET, Payer
from paypro_async.cli.demo.receiver import Receiver
from paypro_async.sandbox import Sandbox
from tests.sandbox.merchant import Clock
from tests.support.merchant import fields
from tests.support.terminal import Terminal


async def test_a_callback_that_comes_is_in_the_ledger(tmp_path: Path) -> None:
    """Of a payout that another client has sent and will ask no more about."""
    clock = Clock()
    async with Sandbox(secret=SECRET, paid_after=1, clock=clock) as sandbox:
        payer = Payer(sample=tmp_path / "sample.csv", ledger=tmp_path / "payouts.db", base_url=sandbox.base_url)
        async with payer.client() as service, Receiver(service) as receiver:
            async with evolve(payer, notify_url=receiver.url).client() as client:
                result = await client.payout(**fields("T1", notify_url=None, ip_address=None))
            assert (result.status, sandbox.callbacks_waiting) == ("processing", 0)
            clock.now += 1
            assert sandbox.callbacks_waiting == 1
            await _until_told(sandbox)
            known = await service.get("T1")
            assert known is not None
            assert (known.status, receiver.answered) == ("succeeded", 1)


@pytest.mark.trial
async def test_the_demonstration_ends_in_paid(terminal: Terminal) -> None:
    """A small one, with its crash and without faults."""
    done = await terminal.run("demo", "--rows", "20", "--fault-rate", "0")
    assert done.code == 0, done.out
    assert "known as paid   20" in done.out
    assert done.out.endswith("is paid, and the ledger knows it of every one.\n")
