"""A hook that raises, hangs or floods never touches a payment."""

import asyncio
import logging
import sys
import threading
import time
from typing import Any

import pytest

from paypro_async import ConfigurationError, PayProClient
from paypro_async.events import ClientEvent, ClientMeasured, PayoutEnded
from paypro_async.hooks import dispatcher
from paypro_async.sandbox import Sandbox
from tests.support.merchant import MERCHANT_NO, SIGNER, client_of, fields, payouts
from tests.test_public_api import child


def client(sandbox: Sandbox, *hooks: Any) -> PayProClient:
    return client_of(sandbox, runtime=None, ledger="memory", hooks=list(hooks))


@pytest.mark.parametrize("error", [RuntimeError("no"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
async def test_a_hook_that_raises_is_told_of_and_no_payout_is_touched(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it raises; the hooks behind it are called all the same."""
    heard: list[ClientEvent] = []

    def failing(event: ClientEvent) -> None:
        raise error

    with caplog.at_level(logging.WARNING):
        async with Sandbox() as sandbox, client(sandbox, failing, heard.append) as payer:
            report = await payer.batch_payout(payouts(30))
            assert report.sent == 30
    assert sum(isinstance(event, PayoutEnded) for event in heard) == 30
    told = [one.getMessage() for one in caplog.records if "It has touched no payout" in one.getMessage()]
    assert 1 <= len(told) <= 4
    assert type(error).__name__ in told[0]


async def test_a_hook_that_hangs_keeps_nothing_waiting(caplog: pytest.LogCaptureFixture) -> None:
    """Payouts go on, and the client is closed in time; what the hook was not told is counted."""
    release = threading.Event()
    began = time.monotonic()
    try:
        with caplog.at_level(logging.WARNING):
            async with Sandbox() as sandbox, client(sandbox, lambda _: release.wait()) as payer:
                report = await payer.batch_payout(payouts(50))
                assert report.sent == 50
                closing = time.monotonic()
            assert time.monotonic() - closing < 5
    finally:
        release.set()
    assert time.monotonic() - began < 60
    assert any("is left behind" in one.getMessage() for one in caplog.records)


async def test_events_beyond_a_bound_are_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A slow hook takes no memory without end, and those who look at the numbers see that some are missing."""
    monkeypatch.setattr(dispatcher, "MOST_KEPT", 20)
    heard: list[ClientEvent] = []
    gate = threading.Event()

    def slow(event: ClientEvent) -> None:
        gate.wait()
        heard.append(event)

    with caplog.at_level(logging.WARNING):
        async with Sandbox() as sandbox, client(sandbox, slow) as payer:
            await payer.batch_payout(payouts(30))
            gate.set()
            await asyncio.sleep(0.2)
    assert 20 <= len(heard) < 60
    last = [event for event in heard if isinstance(event, ClientMeasured)][-1]
    assert last.dropped > 0
    assert any(f"too slow for {last.dropped} events" in one.getMessage() for one in caplog.records)


async def test_a_busy_hook_ends_no_payout_late() -> None:
    """A hook that computes has Python's lock again and again, and the payouts have it in between."""

    def busy(_: ClientEvent) -> None:
        until = time.monotonic() + 0.01
        while time.monotonic() < until:
            pass

    async with Sandbox() as sandbox, client(sandbox, busy) as payer:
        report = await payer.batch_payout(payouts(20))
        assert report.sent == 20


async def _async_hook(event: ClientEvent) -> None:
    pass


class _AsyncObject:
    async def __call__(self, event: ClientEvent) -> None:
        pass


@pytest.mark.parametrize("hooks", [[_async_hook], [_AsyncObject()], [3], "hook", print, {"a": print}, None])
def test_what_is_no_list_of_plain_functions_is_refused(hooks: Any) -> None:
    """When the client is made, with what to do."""
    with pytest.raises(ConfigurationError, match="Nothing was sent"):
        PayProClient(base_url="https://p.example/in", merchant_no=MERCHANT_NO, signer=SIGNER, hooks=hooks)


async def test_a_client_without_hooks_has_no_thread_for_them() -> None:
    """Nor anything else of theirs."""
    async with Sandbox() as sandbox, client(sandbox) as payer:
        await payer.payout(**fields("T1"))
        assert not [one for one in threading.enumerate() if one.name == "paypro-hooks"]


def test_a_client_without_hooks_does_not_even_import_the_events() -> None:
    """Those are some classes, and a tenth of what the import of the package takes."""
    code = (
        "import sys\nfrom paypro_async import Md5Signer, PayProClient\n"
        "PayProClient(base_url='https://p.example/in', merchant_no='0000000001', signer=Md5Signer('s'))\n"
        "print([one for one in sys.modules if 'events' in one and 'paypro' in one or 'hooks.wat' in one])"
    )
    assert child(code) == "[]"
    assert sys.executable
