"""Everything at DEBUG, and every error with the variables of our frames: no personal value and no secret in any."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from paypro_async import Md5Signer, MemoryLedger, Payout, PayProClient, PayProError
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.sandbox import FaultPlan, Sandbox
from tests.support.merchant import MERCHANT_NO, PERSONAL, fields
from tests.support.programs.command_at_debug import PROGRAM
from tests.support.scripted import LOST, NOT_SENT, PROCESSING, Scripted, page, refusal, reply
from tests.support.secrecy import everything_logged, held_by, shown_by, spellings
from tests.support.servers import Peer, Server, no_room, unused_url
from tests.support.terminal import Terminal, account, payout, write_file
from tests.support.valid import PAYEE
from tests.support.virtual_time import VirtualRuntime, virtual_time

SECRET = "kept-to-itself-4711"
PROXY, DATABASE = "hunter2-of-the-proxy", "hunter2-of-the-ledger"
NOWHERE = [*PERSONAL, *(spelling for one in (SECRET, PROXY, DATABASE) for spelling in spellings(one))]
SIGNER = Md5Signer(SECRET)


def found(text: str, values: list[str] = NOWHERE) -> list[str]:
    """The lines of *text* that hold one of the values."""
    return [line[:300] for line in text.splitlines() for value in values if value in line]


async def failing(call: Awaitable[Any]) -> str:
    """What is shown of the error that a call ends in; nothing of one that ends well."""
    try:
        await call
    except (PayProError, TypeError, asyncio.CancelledError) as error:
        return shown_by(error)
    return ""


class Vault:
    """A signer that waits, or fails."""

    def __init__(self, *, waits: bool) -> None:
        self.waits = waits

    async def sign(self, _: object) -> str:
        if self.waits:
            await asyncio.sleep(100)
        raise RuntimeError("the vault is sealed")


def client(transport: Any, **settings: Any) -> PayProClient:
    defaults = {"base_url": "https://payouts.example/in", "signer": SIGNER, "ledger": "memory", "settle_after": 10}
    if isinstance(transport, Scripted):
        defaults |= {"ledger": MemoryLedger(runtime=VirtualRuntime()), "runtime": VirtualRuntime()}
    return PayProClient(merchant_no=MERCHANT_NO, transport=transport, **(defaults | settings))


ANSWERS = {
    "lost": (LOST, LOST),
    "refused": (refusal("0100001", f"no {PERSONAL[0]}"), refusal("0100001", f"no {PERSONAL[0]}")),
    "not sent": (NOT_SENT, NOT_SENT),
    "page": (page(502), page(502)),
    "echoed": (reply({"status": PERSONAL[0], "name": PERSONAL[0], "amount": [PERSONAL[3]]}), LOST),
}


@pytest.mark.parametrize("kind", ANSWERS)
@virtual_time
async def test_calls_that_fail(kind: str):
    """Unknown and refused payouts, conflicts, wrong fields and batches of them."""
    shown = []
    rows = [fields("B1"), fields("B2", bank_code="x"), fields("B3", amount=1.5), fields("T1", amount="5"), PERSONAL[0]]
    with everything_logged() as said:
        async with client(Scripted(*ANSWERS[kind])) as payer:
            calls = (
                payer.payout(**fields("T1"), timeout=1),
                payer.query("T1", timeout=1),
                payer.balance(timeout=1),
                payer.payout(**fields("T1", amount="301")),
                payer.payout(**fields("T2", bank_code="x")),
                payer.payout(**fields("T2", amount=1.5)),
                payer.payout(**fields("T2"), account=PERSONAL[3]),
                payer.payout({**fields("T2"), "bank_code": "x"}),  # type: ignore[call-overload]  # as a row of a file
            )
            shown += [await failing(call) for call in calls]
            report = await payer.batch_payout(rows, timeout=1)
            shown += [shown_by(item.error) for item in report.failures if item.error is not None]
            shown += [repr(report), repr(report.failures)]
            await payer.reconcile()
    assert found("\n".join(shown)) == []
    assert found(said.getvalue()) == []


@pytest.mark.parametrize("waits", [True, False])
@virtual_time
async def test_signers_that_fail(waits: bool):
    """A vault's failure leaves frames in which the fields are variables."""
    with everything_logged() as said:
        async with client(Scripted(PROCESSING), signer=Vault(waits=waits)) as payer:
            shown = await failing(payer.payout(**fields(), timeout=1)) + await failing(payer.query("T1", timeout=1))
    assert "vault" in shown or waits
    assert found(shown + said.getvalue()) == []


async def refuse(peer: Peer) -> None:
    await peer.read_request()
    await peer.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
    await peer.hang()


@pytest.mark.parametrize("transport", ["httpx", "httpx2", "aiohttp"])
async def test_proxies_that_fail(transport: str):
    """A proxy's password is in no error, in no line, and reached from no attribute of the client."""
    async with Server(refuse) as proxy:
        at = f"127.0.0.1:{proxy.port}"
        for url in (f"http://user:{PROXY}@{at}", f"http://user:{PROXY}@127.0.0.1:1", f"http://user:{PROXY}/@{at}"):
            with everything_logged() as said:
                payer = client(transport, proxy=url)
                assert found(held_by(payer), NOWHERE[4:]) == []
                try:
                    async with payer:
                        shown = await failing(payer.payout(**fields(), timeout=0.5))
                        shown += await failing(payer.query("T1", timeout=0.5))
                        assert found(held_by(payer), NOWHERE[4:]) == []
                except PayProError as error:
                    shown = shown_by(error)
            assert "proxy" in shown
            assert found(shown + said.getvalue()) == []


@pytest.mark.parametrize("transport", ["httpx", "httpx2", "aiohttp"])
@pytest.mark.parametrize("status", [200, 302, 429, 502])
async def test_replies_that_repeat_it_in_their_head(transport: str, status: int):
    """A library that logs every header logs none of a reply, nor its reason."""
    said = " ".join(PERSONAL)
    fields_of_head = [f"{name}: {said}" for name in ("X-Echo", "Location", "Set-Cookie", "Retry-After", "Content-Type")]
    head = "\r\n".join([f"HTTP/1.1 {status} {said}", *fields_of_head, "Content-Length: 2", "\r\n{}"]).encode()

    async def repeat(peer: Peer) -> None:
        while True:
            await peer.read_request()
            await peer.write(head)

    async with Server(repeat) as server:
        with everything_logged() as log:
            async with client(transport, base_url=server.base_url, environment="sandbox") as payer:
                shown = await failing(payer.payout(**fields(), timeout=0.3)) + await failing(payer.balance(timeout=0.3))
    assert len(server.requests) > 1
    assert found(shown + log.getvalue()) == []


@pytest.mark.parametrize("more", ["", f"?sslpassword={DATABASE}", f"?sslpassword={DATABASE}&sslmode=nonsense"])
async def test_ledger_that_cannot_be_reached(more: str):
    """The passwords of a ledger's URL are in no error, and reached from no attribute."""
    port = unused_url().split(":")[2].partition("/")[0]
    with everything_logged() as said:
        ledger = SqlLedger(f"postgresql://user:{DATABASE}@127.0.0.1:{port}/payouts{more}", patience=0.0)
        payer = client(Scripted(), ledger=ledger)
        assert found(held_by(payer), NOWHERE[4:]) == []
        shown = await failing(payer.open())
        await ledger.aclose()
    assert "127.0.0.1" in shown
    assert found(shown + said.getvalue()) == []


@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
async def test_run_that_succeeds(tmp_path, transport: str):
    """What goes well is logged by all libraries too: SQLAlchemy alone would print whole rows."""
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    ledger = f"sqlite:///{tmp_path}/payouts.db"
    with everything_logged() as said:
        async with Sandbox(secret=SECRET) as sandbox:
            settings = {"base_url": sandbox.base_url, "ledger": ledger, "environment": "sandbox"}
            async with client(transport, **settings) as payer:
                await payer.payout(Payout(**fields()))
                await payer.payout(**fields())
                await payer.batch_payout([fields(f"R{number}") for number in range(3)])
                await payer.query("T1")
                await payer.balance()
                await payer.reconcile()
                assert found(held_by(payer), [SECRET]) == []
    loop.set_debug(False)
    assert "Payout T1, attempt 1: answered" in said.getvalue()
    assert found(said.getvalue()) == []


@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
@pytest.mark.parametrize("connects", [True, False])
async def test_calls_that_are_cancelled(transport: str, connects: bool):
    """A call that is cancelled leaves the frames of the transport, in which the request is a variable."""

    async def hang(peer: Peer) -> None:
        await peer.read_request()
        await peer.hang()

    async with Server(hang) as server, no_room() as full:
        url = (server.url if connects else full).removesuffix("/v1/paypro/payout")
        async with client(transport, base_url=url, environment="sandbox") as payer:
            calling = asyncio.create_task(payer.payout(**fields()))
            await asyncio.sleep(0.2)
            calling.cancel()
            with everything_logged() as said:
                shown = await failing(calling)
    assert shown.count("\n") > 10
    assert found(shown + said.getvalue()) == []


@pytest.mark.trial
async def test_command_line_at_debug(tmp_path, fork_server):
    """Whole runs of the command line in which everything logs, with faults, slips and wrong secrets."""
    async with Sandbox(secret=SECRET, faults=FaultPlan(rate=0.3, seed=7)) as sandbox:
        terminal = Terminal(tmp_path, sandbox.base_url, fork_server)
        terminal.environment |= {"PAYPRO_SECRET": SECRET, "PYTHONASYNCIODEBUG": "1", "PAYPRO_LOG": "debug"}
        terminal.file(20)
        write_file(tmp_path / "wrong.csv", [payout(1, bank_code="x"), payout(2, mobile="12")])
        people = [PAYEE[name] for name in ("name", "mobile", "email")] + [account(number) for number in range(20)]

        async def run(*arguments: str, **variables: str) -> str:
            environment = terminal._environment(variables)
            child = fork_server.start(PROGRAM, *arguments, folder=tmp_path, environment=environment)
            await child.ended(within=60)
            return f"{child.output}{child.errors}"

        proxy = f"http://user:{PROXY}@127.0.0.1:1"
        runs = [
            await run("batch", "payouts.csv", "--yes"),
            await run("batch", "payouts.csv", "--yes", "--json"),
            await run("batch", "wrong.csv"),
            await run("query", "T1"),
            await run("ledger", "show"),
            await run("balance", PAYPRO_SECRET=f"{SECRET}\n"),
            await run("balance", PAYPRO_SECRET=f"\ufeff{SECRET}"),
            await run("balance", PAYPRO_SECRET=f"wrong-{SECRET}"),
            await run("balance", PAYPRO_PROXY=proxy, PAYPRO_TIMEOUT="1", PAYPRO_TRANSPORT="aiohttp"),
            await run("balance", PAYPRO_PROXY=proxy, PAYPRO_TIMEOUT="1", PAYPRO_TRANSPORT="httpx"),
            await run("doctor"),
        ]
    assert "DEBUG:paypro_async:Payout " in runs[0]
    assert "DEBUG:asyncio:" in runs[0]
    assert found("\n".join(runs), [*people, *NOWHERE[4:]]) == []
