"""A platform whose texts steer terminals, fake lines and repeat persons does no harm through any way out of the SDK."""

import logging
import traceback
import unicodedata
from collections.abc import Iterator

import pytest
from attrs import evolve

from paypro_async import MemoryLedger, PayProClient, PayProError
from paypro_async._core.wire import Exchange, Phase
from tests.support.fork_server import ForkServer
from tests.support.merchant import MERCHANT_NO, PERSONAL, SIGNER, fields, scripted_client
from tests.support.scripted import Scripted, reply
from tests.support.servers import Peer, Server, unused_url
from tests.support.terminal import Terminal
from tests.support.virtual_time import VirtualRuntime, virtual_time

STEERING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
HOSTILE = "\x1b]0;paid\x07\r\n 30 rows  all paid\u202e\u2028\u200b\x9b2J" + " ".join(PERSONAL) + " and on" * 1_500
DATA = {"status": "0000", "platFormTradeNo": "P-1", "desc": HOSTILE, "utr": HOSTILE, "successTime": HOSTILE}

REPLIES = {
    "paid": reply(DATA, msg=HOSTILE),
    "refused": reply(None, code="60030", msg=HOSTILE),
    "unlisted": reply(None, code="1001", msg=HOSTILE),
    "code": reply(None, code=HOSTILE, msg=HOSTILE),
    "status": reply(DATA | {"status": HOSTILE}),
    "number": reply(DATA | {"platFormTradeNo": HOSTILE}),
    "number of the payout": reply(DATA | {"tradeNo": HOSTILE}),
    "name of a member": reply({HOSTILE: HOSTILE, "status": "0001"}),
    "data": reply(HOSTILE),
}


def harm(text: str) -> set[str]:
    """What is in *text* that must not be; line ends and tabs between the SDK's own words are no harm."""
    steering = {f"{ord(one):x}" for one in text if unicodedata.category(one) in STEERING and one not in "\n\t"}
    faked = {line for line in text.splitlines() if line.startswith(" 30 rows")}
    return steering | faked | {one for one in PERSONAL if one in text}


def ways_out(error: BaseException) -> Iterator[str]:
    yield str(error)
    yield repr(error)
    yield repr(vars(error))
    yield "".join(traceback.format_exception(error))


@pytest.mark.parametrize("what", REPLIES)
@virtual_time
async def test_no_text_of_a_reply_does_harm(what: str, caplog: pytest.LogCaptureFixture):
    """Results, errors, logs and the ledger hold it masked, escaped and in bounds."""
    caplog.set_level(logging.DEBUG, "paypro_async")
    said = REPLIES[what]
    # A question for the balance names nobody, so no name is known that could be looked for.
    nameless = evolve(said, body=said.body.replace(PERSONAL[0].encode(), b"nobody"))
    ledger = MemoryLedger(runtime=VirtualRuntime())
    found: list[str] = []
    async with scripted_client(Scripted(said, said, nameless), ledger=ledger) as client:
        for call in (lambda: client.payout(**fields("T1")), lambda: client.query("T1"), client.balance):
            try:
                found.append(repr(await call()))
            except PayProError as error:
                found += ways_out(error)
        report = await client.batch_payout([fields("T2")])
        found += [repr(report), repr(report.failures), repr(report.codes), repr(report.reasons)]
    found += [repr(await ledger.get(MERCHANT_NO, trade_no)) for trade_no in ("T1", "T2")]
    found += [repr(await ledger.history(MERCHANT_NO, "T1")), caplog.text]
    assert {text: harm(text) for text in found if harm(text)} == {}
    assert max(len(text) for text in found[:-1]) < 20_000
    assert max(len(record.getMessage()) for record in caplog.records) < 3_000


@pytest.mark.parametrize("value", [*PERSONAL, PERSONAL[0].upper()])
@pytest.mark.parametrize("member", ["platFormTradeNo", "serialNumber", "utr", "successTime", "desc"])
@virtual_time
async def test_a_payee_in_the_place_of_a_number_is_not_shown(member: str, value: str):
    """Of a payout that was paid, in its result, in what the ledger holds of it, and when it is asked about."""
    numbers = {} if member == "serialNumber" else {"platFormTradeNo": "P-1"}
    said = reply({"status": "0000", "tradeNo": "T1", **numbers, member: value})
    ledger = MemoryLedger(runtime=VirtualRuntime())
    async with scripted_client(Scripted(said, said), ledger=ledger) as client:
        paid, asked = await client.payout(**fields("T1")), await client.query("T1")
    assert paid.status == asked.status == "succeeded"
    assert (
        value not in f"{paid} {asked} {await ledger.get(MERCHANT_NO, 'T1')} {await ledger.history(MERCHANT_NO, 'T1')}"
    )


async def test_no_text_of_a_reply_reaches_a_terminal_as_it_is(tmp_path, fork_server: ForkServer):
    """Nor JSON, nor a result file, nor the ledger on the disk."""
    body = REPLIES["paid"].body

    async def answer(peer: Peer) -> None:
        while True:
            await peer.read_request()
            await peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with Server(answer) as server:
        terminal = Terminal(tmp_path, server.base_url, fork_server)
        terminal.file(1)
        outputs = [
            await terminal.run("batch", "payouts.csv", "--yes"),
            await terminal.run("query", "T1"),
            await terminal.run("ledger", "show"),
        ]
        await terminal.aclose()
    texts = [done.out + done.err for done in outputs]
    assert "succeeded" in texts[1]
    assert {text: harm(text) - set(PERSONAL) for text in texts if harm(text) - set(PERSONAL)} == {}
    assert max(len(text) for text in texts) < 20_000
    assert b"\x1b]0;" not in (tmp_path / "payouts.db").read_bytes()
    [row] = terminal.result()
    assert harm(row["paypro_message"]) == set()


@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
@pytest.mark.parametrize("listens", [False, True])
async def test_the_platforms_address_is_shown_though_a_payout_holds_the_same(transport: str, listens: bool):
    """A sandbox and its payer are 127.0.0.1 both. Where no reply came, nobody has repeated anything."""

    async def hang_up(peer: Peer) -> None:
        await peer.read_request()

    async with Server(hang_up) as server:
        url = f"http://127.0.0.1:{server.port}" if listens else unused_url(path="")
        settings = {"environment": "e", "transport": transport, "ledger": "memory", "timeout": 0.4, "max_attempts": 1}
        async with PayProClient(base_url=url, merchant_no=MERCHANT_NO, signer=SIGNER, **settings) as client:
            for call in (lambda: client.payout(**fields("T1", ip_address="127.0.0.1")), lambda: client.query("T1")):
                with pytest.raises(PayProError) as caught:
                    await call()
                assert "characters>" not in str(caught.value)
                assert listens or f"{url.removeprefix('http://')} refused the connection" in str(caught.value)


@virtual_time
async def test_what_a_transport_of_ones_own_says_may_be_a_quotation():
    """It is masked, unless it is sure that nothing was sent."""
    quoting = Exchange(phase=Phase.MAYBE_SENT, cause=f"half a reply came: {' '.join(PERSONAL)}")
    async with scripted_client(Scripted(quoting, quoting)) as client:
        for call in (lambda: client.payout(**fields("T1"), timeout=3), lambda: client.query("T1")):
            with pytest.raises(PayProError) as caught:
                await call()
            assert "half a reply came" in str(caught.value)
            assert not [one for text in ways_out(caught.value) for one in PERSONAL if one in text]
