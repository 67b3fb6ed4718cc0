"""Signers of the user's own: a vault that waits, fails, or returns nonsense."""

import asyncio
from collections.abc import Mapping

import pytest

from paypro_async import (
    ConfigurationError,
    HmacSha256Signer,
    ItemStatus,
    NotSentError,
    OutcomeUnknownError,
    PayProError,
    QuestionFailedError,
    State,
)
from paypro_async._core.wire import Exchange, WireRequest
from tests.support.merchant import MERCHANT_NO, SIGNER, bookings, client_of, fields, scripted_client, virtual_sandbox
from tests.support.scripted import ABSENT, LOST, PROCESSING, Scripted
from tests.support.virtual_time import now, virtual_time


class Vault:
    """Signs after a while; raises what it is told to, from its call number *broken_from* on."""

    def __init__(self, *, takes: float = 0.1, error: BaseException | None = None, broken_from: int = 1) -> None:
        self._takes = takes
        self._error = error
        self._broken_from = broken_from
        self.calls = 0

    async def sign(self, fields: Mapping[str, str]) -> str:
        self.calls += 1
        await asyncio.sleep(self._takes)
        if self._error is not None and self.calls >= self._broken_from:
            raise self._error
        return SIGNER.sign(fields)


@virtual_time
async def test_an_async_signer_is_waited_for():
    """A secret may live in a vault: its signature is as good as any."""
    async with virtual_sandbox() as sandbox, client_of(sandbox, signer=Vault()) as client:
        await client.payout(**fields())
        assert (await client.query("T1")).found
        assert (await client.balance()).currency == "INR"
    assert bookings(sandbox) == ["T1"]


@pytest.mark.parametrize("error", [RuntimeError("the vault is sealed"), ConfigurationError("no key")])
@virtual_time
async def test_a_signer_that_raises_has_sent_nothing(error: Exception):
    """Nothing left, the ledger says NEW, the cause is kept, and the payout can be paid once the signer works."""
    transport = Scripted(PROCESSING)
    async with scripted_client(transport, signer=Vault(error=error)) as client:
        with pytest.raises(NotSentError if type(error) is RuntimeError else ConfigurationError) as caught:
            await client.payout(**fields())
        assert (await client.ledger.get(MERCHANT_NO, "T1")).state is State.NEW
    assert transport.log == []
    assert caught.value is error or caught.value.__cause__ is error
    assert "sealed" not in str(caught.value)  # a vault's words may hold a secret
    async with scripted_client(transport, ledger=client.ledger) as mended:
        assert (await mended.payout(**fields())).attempts == 2


@virtual_time
async def test_a_signature_that_is_no_text_is_refused():
    """Bytes or None would be sent as something else than was signed."""

    class Bytes:
        def sign(self, fields):
            return SIGNER.sign(fields).encode()

    transport = Scripted()
    async with scripted_client(transport, signer=Bytes()) as client:
        with pytest.raises(ConfigurationError, match="str"):
            await client.payout(**fields())
        assert (await client.ledger.get(MERCHANT_NO, "T1")).state is State.NEW
        with pytest.raises(ConfigurationError, match="str"):
            await client.balance()
    assert transport.log == []


@virtual_time
async def test_a_signer_that_fails_at_the_question_leaves_the_payout_unknown():
    """The payout is out and cannot be asked for: the error must say that money may have moved."""
    transport = Scripted(LOST, PROCESSING)
    async with scripted_client(transport, signer=Vault(error=RuntimeError("sealed"), broken_from=2)) as client:
        with pytest.raises(OutcomeUnknownError) as caught:
            await client.payout(**fields())
        assert (await client.ledger.get(MERCHANT_NO, "T1")).state is State.SENDING
    assert caught.value.trade_no == "T1"
    assert transport.kinds == ["payout"]


@pytest.mark.parametrize("rate", [None, 5])
@virtual_time
async def test_a_signer_that_fails_at_the_second_attempt_proves_nothing_of_the_first(rate: float | None):
    """What was sent once, and believed not to have arrived, is unknown to the caller as it is in the ledger."""

    class SignsOnePayout(Vault):
        async def sign(self, fields: Mapping[str, str]) -> str:
            if "amount" in fields and self.calls:
                raise RuntimeError("sealed")
            self.calls += "amount" in fields
            return SIGNER.sign(fields)

    async with scripted_client(Scripted(LOST, ABSENT), signer=SignsOnePayout()) as client:
        for _ in range(2):
            report = await client.batch_payout([fields()], rate=rate)
            assert report.counts == {ItemStatus.UNKNOWN: 1}
            assert report.failures[0].error.money_may_have_moved
        with pytest.raises(OutcomeUnknownError, match="Money may have moved"):
            await client.payout(**fields(), timeout=200)


@pytest.mark.parametrize("question", ["query", "balance"])
@virtual_time
async def test_a_signer_that_fails_makes_a_question_fail(question: str):
    """Every error of the client is a PayProError, whatever the vault raises."""
    async with scripted_client(Scripted(), signer=Vault(error=RuntimeError("sealed"))) as client:
        with pytest.raises(PayProError):
            await (client.query("T1") if question == "query" else client.balance())


@pytest.mark.parametrize("question", ["query", "balance", "reconcile"])
@virtual_time
async def test_a_transport_that_raises_leaves_a_question_unanswered(question: str):
    """A transport of one's own may forget that it never raises for a fault of the network."""

    class Raising(Scripted):
        keeps_time = False

        async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
            if not request.url.endswith("payout"):
                raise OSError("unplugged")
            return await super().send(request, timeout=timeout)

    async with scripted_client(Raising(LOST)) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.payout(**fields(), timeout=1)
        if question == "reconcile":
            assert (await client.reconcile()).unanswered == 1
            return
        with pytest.raises(QuestionFailedError, match=r"transport\.send\(\) raised OSError\. Mend the transport"):
            await (client.query("T1") if question == "query" else client.balance())


@virtual_time
async def test_a_transport_that_raises_is_named():
    """Of a payout it is not known how far it got; whose fault it is, the error says."""

    class Raising(Scripted):
        keeps_time = False

        async def send(self, request: WireRequest, *, timeout: float) -> Exchange:
            raise KeyError(request.body.decode())

    async with scripted_client(Raising()) as client:
        with pytest.raises(
            OutcomeUnknownError, match=r"transport\.send\(\) raised KeyError\. Money may have"
        ) as caught:
            await client.payout(**fields(), timeout=1)
    assert fields()["name"] not in str(caught.value)


@virtual_time
async def test_a_signer_that_hangs_does_not_outlive_the_deadline():
    """The total deadline holds over the signature too: nothing was sent, and the call says so in time."""
    transport = Scripted()
    async with scripted_client(transport, signer=Vault(takes=10_000), timeout=30) as client:
        with pytest.raises(NotSentError):
            await client.payout(**fields())
        assert now() - 1000 <= 31
        assert (await client.ledger.get(MERCHANT_NO, "T1")).state is State.NEW
    assert transport.log == []


@virtual_time
async def test_another_scheme_can_sign():
    """HmacSha256Signer is a signer like any other."""
    transport = Scripted()
    async with scripted_client(transport, signer=HmacSha256Signer("k")) as client:
        await client.payout(**fields())
    assert len(transport.payouts[0].fields["sign"]) == 64
