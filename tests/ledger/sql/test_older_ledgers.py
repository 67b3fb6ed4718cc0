"""A ledger of each schema that was ever written opens with this code, and knows what it knew.

The files of ``tests/vectors/ledgers`` were made by the code of those days: see ``make.py`` there.
"""

import shutil
from pathlib import Path

import pytest

from paypro_async import IdempotencyConflictError, ItemStatus, PayProClient, State, open_shards, run_shard
from paypro_async.ledger.admin.check import findings
from paypro_async.ledger.admin.encrypt import encrypt
from paypro_async.ledger.sql.encryption.keys import new_key
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.migrations import SCHEMA_VERSION
from paypro_async.sandbox import Sandbox
from tests.support.merchant import MERCHANT_NO, SIGNER
from tests.support.raw_sql import ask, run
from tests.vectors.ledgers.make import BATCH, NUMBERS, PAYEE

# A file that comes without its mark is taken for a restored backup, and asks before it sends.
pytestmark = pytest.mark.filterwarnings("ignore:.*looks like a restored backup")
FILES = Path(__file__).parents[2] / "vectors" / "ledgers"
OLDER = range(1, SCHEMA_VERSION)
ACCOUNTS = {
    **{number: f"5010000000000{place}" for place, number in enumerate(NUMBERS)},
    **{number: f"5020000000000{place}" for place, number in enumerate(BATCH)},
}


def put(file: Path, folder: Path) -> None:
    """Have a copy of *file* in the place of the ledger, whose mark stays, as a backup is put back."""
    for path in folder.glob("payouts.db*"):
        if not path.name.endswith("-mark"):
            path.unlink()
    shutil.copy(file, folder / "payouts.db")
    (folder / "payouts.db").chmod(0o600)


@pytest.fixture(params=OLDER)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A copy of a ledger of that schema."""
    put(FILES / f"schema-{request.param}.sqlite", tmp_path)
    url = f"sqlite:///{tmp_path / 'payouts.db'}"
    assert ask(url, "SELECT value FROM meta WHERE key = 'schema_version'") == [(str(request.param),)]
    return url


def client(sandbox: Sandbox, url: str, **more: object) -> PayProClient:
    return PayProClient(
        base_url=sandbox.base_url,
        environment="vectors",
        merchant_no=MERCHANT_NO,
        signer=SIGNER,
        ledger=url,
        settle_after=1.5,
        **more,  # type: ignore[arg-type]
    )


def row(number: str) -> dict[str, str]:
    return {**PAYEE, "trade_no": number, "bank_number": ACCOUNTS[number]}


def test_each_schema_has_its_file() -> None:
    """Who raises the version keeps a ledger of the one before."""
    assert sorted(path.name for path in FILES.glob("*.sqlite")) == [f"schema-{number}.sqlite" for number in OLDER]


async def test_it_opens_and_is_sound(old: str) -> None:
    """By itself, with every payout in the state that it had, and its history."""
    states = dict(ask(old, "SELECT trade_no, state FROM payout"))
    assert set(ACCOUNTS) <= set(states)
    async with Sandbox() as sandbox, client(sandbox, old) as payer:
        for number in ACCOUNTS:
            known = await payer.get(number)
            assert known is not None
            assert known.status is ItemStatus.of(State(states[number]))
            assert await payer.ledger.history(MERCHANT_NO, number)  # type: ignore[union-attr]
    assert ask(old, "SELECT value FROM meta WHERE key = 'schema_version'") == [(str(SCHEMA_VERSION),)]
    ledger = SqlLedger(old)
    await ledger.open_to_read()
    assert [str(one) async for one in findings(ledger)] == []
    await ledger.aclose()


async def test_nobody_is_paid_twice_from_it(old: str) -> None:
    """What is final is given back; what was unknown is asked about, and sent once where the platform has nothing."""
    states = dict(ask(old, "SELECT trade_no, state FROM payout WHERE trade_no NOT LIKE 'PAID-3%'"))
    async with Sandbox() as sandbox:
        async with client(sandbox, old) as payer:
            # It is no backup, and a person says so: else what was under way would be waited for once more.
            await payer.ledger.end_restored()  # type: ignore[union-attr]
        run(old, "UPDATE payout SET sent_at = sent_at - 120, sent_steady = sent_steady - 120")
        for _ in range(2):
            async with client(sandbox, old) as payer:
                for number, state in states.items():
                    if state in ("succeeded", "failed"):
                        assert (await payer.payout(row(number))).status == state
                assert (await payer.payout(row("UNKNOWN-1"))).attempts == 2
                with pytest.raises(IdempotencyConflictError):
                    await payer.payout({**row("PAID-1"), "amount": "301"})
                report = await payer.batch_payout([row(number) for number in BATCH], batch_id="salaries")
                assert not report.counts.get(ItemStatus.UNKNOWN)
        # Those that the sandbox does not know are processing for ever, as another platform's orders.
        unknown = [number for number, state in states.items() if state == "sending"]
        wanted = sorted(number for number in unknown if number in {"UNKNOWN-1", *BATCH})
        assert sorted(one.trade_no for one in sandbox.books.bookings) == wanted


async def test_it_can_be_encrypted(old: str) -> None:
    """After it was opened once; its guards find what they found."""
    async with Sandbox() as sandbox:
        async with client(sandbox, old):
            pass
        key = new_key()
        await encrypt(SqlLedger(old, key=key))
        async with client(sandbox, old, ledger_key=key) as payer:
            with pytest.raises(IdempotencyConflictError):
                await payer.payout({**row("PAID-1"), "amount": "301"})
        assert list(sandbox.books.bookings) == []


async def test_a_planned_batch_goes_on(tmp_path: Path) -> None:
    """What workers had not begun when the code was replaced."""
    put(FILES / "schema-6.sqlite", tmp_path)
    async with Sandbox() as sandbox, client(sandbox, f"sqlite:///{tmp_path / 'payouts.db'}") as payer:
        for shard in await open_shards(payer, "planned"):
            await run_shard(payer, shard.batch_id, shard.low, shard.high)
        assert sandbox.books.booked_once(["PAID-31", "PAID-32", "PAID-33"]).exact


@pytest.mark.parametrize("old", OLDER[1:], indirect=True)  # the first one had no name by which it is known again
async def test_the_way_back_is_a_backup_from_before(old: str, tmp_path: Path) -> None:
    """Put back, it is known as restored: it asks about each payout before it sends, so nothing is paid twice."""
    backup = tmp_path / "before.db"
    shutil.copy(tmp_path / "payouts.db", backup)
    new = {**PAYEE, "trade_no": "NEW-1", "bank_number": "50400000000001"}
    async with Sandbox() as sandbox:
        async with client(sandbox, old) as payer:
            await payer.payout(new)
        put(backup, tmp_path)
        async with client(sandbox, old) as payer:
            assert payer.ledger.restored_since is not None  # type: ignore[union-attr]
            assert (await payer.payout(new)).status == "processing"
        assert sandbox.books.booked_once(["NEW-1"]).exact
