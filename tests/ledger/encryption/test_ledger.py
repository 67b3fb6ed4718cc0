"""A ledger that is encrypted: it pays, guards and is kept as any other, and what it stores shows nobody."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from paypro_async import (
    ConfigurationError,
    ItemStatus,
    LedgerUnavailableError,
    PayProClient,
    State,
    import_batch,
    open_shards,
    run_shard,
)
from paypro_async.ledger.admin.check import findings
from paypro_async.ledger.admin.encrypt import encrypt, encrypt_anew, keys_in_use
from paypro_async.ledger.sql.encryption.keys import LedgerKey, new_key
from paypro_async.ledger.sql.encryption.values import SEALED
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.sandbox import FaultPlan, Sandbox
from tests.support.fork_server import ForkServer
from tests.support.intents import ACCOUNT, intent
from tests.support.merchant import MERCHANT_NO, PERSONAL, QUICK, client_of, fields, payouts
from tests.support.postgres import Server
from tests.support.raw_sql import ask, run

KEY, OTHER = new_key(), new_key()
KEY_ID, OTHER_ID = LedgerKey.of(KEY).id, LedgerKey.of(OTHER).id
BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
async def database_url(request: pytest.FixtureRequest, path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{path}"
    server: Server = request.getfixturevalue("server")
    return await server.ledger()


@asynccontextmanager
async def client(sandbox: Sandbox, url: str, key: Any, **settings: Any) -> AsyncIterator[PayProClient]:
    made = client_of(
        sandbox, ledger=url, ledger_key=key, environment="encrypted", runtime=None, **{**QUICK, **settings}
    )
    async with made as opened:
        yield opened


async def sound(url: str, key: Any) -> list[str]:
    ledger = SqlLedger(url, key=key)
    await ledger.open_to_read()
    try:
        return [one.code async for one in findings(ledger)]
    finally:
        await ledger.aclose()


def stored(url: str) -> str:
    """All that a database holds, as text: of a file its bytes, and those of its log."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        return "".join(one.read_bytes().decode("latin-1") for one in path.parent.glob(f"{path.name}*"))
    tables = [name for (name,) in ask(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    return "\n".join(repr(ask(url, f"TABLE {table}")) for table in tables)


def in_the_clear(url: str) -> list[str]:
    text = stored(url)
    return [value for value in PERSONAL if value in text]


@BOTH
async def test_payouts_with_faults_leave_nothing_personal(database_url: str) -> None:
    """Paid, asked about, reconciled and paid again: once each, and no value in any byte of it."""
    async with Sandbox(faults=FaultPlan(rate=0.3, seed=5)) as sandbox:
        for _ in range(2):
            async with client(sandbox, database_url, KEY) as payer:
                report = await payer.batch_payout(payouts(30))
                assert not [one for one in report.counts if one is not ItemStatus.PROCESSING and not one.accepted]
                await payer.reconcile(wait=True)
        assert sandbox.books.booked_once(f"T{number}" for number in range(30)).exact
    assert in_the_clear(database_url) == []
    assert await sound(database_url, KEY) == []
    assert "CONTENT" not in await sound(database_url, None)  # who has no key sees that the rest is sound


@BOTH
async def test_a_batch_of_shards_is_encrypted_while_it_is_planned(database_url: str) -> None:
    """And what was planned in a row is paid from it."""
    async with Sandbox() as sandbox, client(sandbox, database_url, KEY) as payer:
        await import_batch(payer, payouts(20), batch_id="B", shard_size=5)
        await import_batch(payer, payouts(20), batch_id="B", shard_size=5)  # the same again is the same
        assert in_the_clear(database_url) == []
        assert await sound(database_url, KEY) == []
        for shard in await open_shards(payer, "B"):
            await run_shard(payer, shard.batch_id, shard.low, shard.high)
        assert sandbox.books.booked_once(f"T{number}" for number in range(20)).exact
    assert in_the_clear(database_url) == []


@BOTH
async def test_an_existing_ledger_is_encrypted_and_its_guards_find_the_same(database_url: str) -> None:
    """What was paid before is found as before: by its number, by its content and by its account."""
    async with Sandbox() as sandbox:
        async with client(sandbox, database_url, None) as payer:
            await payer.batch_payout(payouts(30))
            before = await payer.ledger.same_payments(MERCHANT_NO, [key_of("T1")])  # type: ignore[union-attr]
        assert in_the_clear(database_url) != []
        with pytest.raises(ConfigurationError, match="paypro ledger encrypt"):
            async with client(sandbox, database_url, KEY):
                pass
        done = await encrypt(SqlLedger(database_url, key=KEY))
        assert done.payouts == 30
        await SqlLedger(database_url, key=KEY).rewrite()
        assert in_the_clear(database_url) == []
        async with client(sandbox, database_url, KEY) as payer:
            report = await payer.batch_payout(payouts(30))
            assert report.sent == 0
            after = await payer.ledger.same_payments(MERCHANT_NO, [key_of("T1")])  # type: ignore[union-attr]
        assert [one.fingerprint for one in after[key_of("T1")]] == [one.fingerprint for one in before[key_of("T1")]]
        with pytest.raises(ConfigurationError, match="encrypted already"):
            await encrypt(SqlLedger(database_url, key=KEY))
    assert await sound(database_url, KEY) == []


def key_of(trade_no: str) -> str:
    from paypro_async._core.payment_key import payment_key

    one = intent(trade_no)
    found = payment_key(one.region, one.content)
    assert found is not None
    return found


@BOTH
async def test_keys_are_changed_while_others_pay(database_url: str) -> None:
    """A new key before the old one, all encrypted anew, and the old one opens nothing any more."""
    async with Sandbox() as sandbox:
        async with client(sandbox, database_url, OTHER) as payer:
            await payer.batch_payout(payouts(25))
        async with client(sandbox, database_url, [KEY, OTHER]) as payer:
            paying = asyncio.ensure_future(payer.batch_payout(payouts(25, first=25))._wait())
            ledger = SqlLedger(database_url, key=[KEY, OTHER])
            await ledger.open_to_maintain()
            done = await encrypt_anew(ledger)
            await paying
            assert done.payouts >= 25
            assert await keys_in_use(ledger) == {KEY_ID: 50}
            await ledger.aclose()
            assert (await payer.batch_payout(payouts(50))).sent == 0
        with pytest.raises(ConfigurationError, match=KEY_ID):
            async with client(sandbox, database_url, OTHER):
                pass
        async with client(sandbox, database_url, KEY) as payer:
            assert (await payer.batch_payout(payouts(50))).sent == 0
    assert await sound(database_url, KEY) == []


@BOTH
async def test_without_its_key_nothing_is_paid(database_url: str) -> None:
    """Nor with another one; both are told before anything is sent, and a look without the key shows the states."""
    async with Sandbox() as sandbox:
        async with client(sandbox, database_url, KEY) as payer:
            await payer.payout(**fields("T1"))
        for wrong in (None, OTHER):
            with pytest.raises(ConfigurationError, match="Nothing was sent"):
                async with client(sandbox, database_url, wrong) as payer:
                    await payer.payout(**fields("T2"))
        assert sandbox.books.booked_once(["T1"]).exact
        ledger = SqlLedger(database_url)
        await ledger.open_to_read()
        entry = await ledger.get(MERCHANT_NO, "T1")
        await ledger.aclose()
    assert entry is not None
    assert entry.state is State.PROCESSING
    assert dict(entry.content) == {}


@BOTH
async def test_a_process_that_opened_it_before_adds_nothing_in_the_clear(database_url: str) -> None:
    """The database refuses it, and so nothing is sent; what that process has under way is still recorded."""
    async with Sandbox() as sandbox, client(sandbox, database_url, None) as payer:
        await payer.payout(**fields("T1"))
        await encrypt(SqlLedger(database_url, key=KEY))
        for number in ("T2", "T1"):
            with pytest.raises(
                (LedgerUnavailableError, ConfigurationError), match=r"(?i)(nothing was sent|sent nothing)"
            ):
                await payer.payout(**fields(number))
    assert {number for (number,) in ask(database_url, "SELECT trade_no FROM payout")} == {"T1"}


@BOTH
async def test_what_others_claim_meanwhile_is_not_left_in_the_clear(database_url: str) -> None:
    """They wait, and are refused then; whatever they had claimed before is encrypted."""
    ledger = SqlLedger(database_url)
    await ledger.open(ACCOUNT)
    await asyncio.gather(*(ledger.claim(intent(f"A{number}")) for number in range(600)))
    encrypting = asyncio.create_task(encrypt(SqlLedger(database_url, key=KEY)))
    refused = 0
    for number in range(2_000):
        try:
            await ledger.claim(intent(f"B{number}"))
        except (LedgerUnavailableError, ConfigurationError):
            refused += 1
        if encrypting.done():
            break
    await encrypting
    await ledger.aclose()
    assert refused
    assert [code for code in await sound(database_url, KEY) if code in ("IN_THE_CLEAR", "UNREADABLE_VALUE")] == []


@BOTH
async def test_a_row_that_was_tampered_with_is_found_and_not_paid(database_url: str) -> None:
    """Another payout's account put into this one, by one who may write to the database."""
    async with Sandbox() as sandbox:
        async with client(sandbox, database_url, KEY) as payer:
            await payer.batch_payout(payouts(3))
        run(database_url, "UPDATE payout SET content = (SELECT content FROM payout AS o WHERE o.trade_no = 'T1') "
            "WHERE trade_no = 'T2'")  # fmt: skip
        assert await sound(database_url, KEY) == ["UNREADABLE_VALUE"]
        async with client(sandbox, database_url, KEY) as payer:
            with pytest.raises(LedgerUnavailableError, match="T2 cannot be read"):
                await payer.payout(**fields("T2"))
            assert (await payer.payout(**fields("T1"))).trade_no == "T1"


def test_kill_in_the_middle_of_encrypting_changes_nothing(path: Path, fork_server: ForkServer) -> None:
    """Whenever that is: the file holds what it held, and the same again encrypts it."""
    asyncio.run(_fill(path))
    for pages in (1, 2, 3):
        child = fork_server.start("tests.support.programs.encrypt_and_die", str(path), KEY, pages, folder=path.parent)
        assert asyncio.run(child.ended(within=60)) == -9, child.errors
        with closing(sqlite3.connect(path)) as file:
            assert not file.execute("SELECT 1 FROM meta WHERE key = 'encryption'").fetchall()
            assert not any(text.startswith(SEALED) for (text,) in file.execute("SELECT content FROM payout"))
    done = asyncio.run(encrypt(SqlLedger(f"sqlite:///{path}", key=KEY)))
    assert done.payouts == 1_200
    assert asyncio.run(sound(f"sqlite:///{path}", KEY)) == []


async def _fill(path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{path}")
    await ledger.open(ACCOUNT)
    await asyncio.gather(*(ledger.claim(intent(f"T{number}")) for number in range(1_200)))
    await ledger.aclose()


async def test_a_vault_is_asked_once_and_not_on_the_event_loop(path: Path) -> None:
    """However many payouts there are, and however long it takes."""
    asked: list[str] = []

    def vault() -> str:
        import threading

        asked.append(threading.current_thread().name)
        return KEY

    async with Sandbox() as sandbox, client(sandbox, f"sqlite:///{path}", vault) as payer:
        await payer.batch_payout(payouts(10))
    assert asked == ["paypro-ledger"]


def test_a_ledger_that_is_written_nowhere_takes_no_key() -> None:
    """A setting that does nothing is a slip."""
    with pytest.raises(ConfigurationError, match="ledger_key"):
        PayProClient(
            base_url="https://p.example/in",
            merchant_no=MERCHANT_NO,
            signer=client_signer(),
            ledger="memory",
            ledger_key=KEY,
        )


def client_signer() -> Any:
    from tests.support.merchant import SIGNER

    return SIGNER
