"""``paypro reconcile``: what it says, and what it ends with."""

import json

import pytest

from paypro_async import Md5Signer, PayProClient
from paypro_async.sandbox import Sandbox
from tests.support.raw_sql import run
from tests.support.terminal import SECRET, Done, Terminal
from tests.support.valid import FIELDS


@pytest.fixture(autouse=True)
async def paid(terminal: Terminal, sandbox: Sandbox) -> None:
    """A ledger with a payout that is processing."""
    client = PayProClient(
        base_url=sandbox.base_url,
        environment=sandbox.environment,
        merchant_no="0000000001",
        signer=Md5Signer(SECRET),
        ledger=f"sqlite:///{terminal.folder / 'payouts.db'}",
    )
    async with client:
        await client.payout({**FIELDS, "trade_no": "T1"})


async def reconcile(terminal: Terminal, *words: str, code: int = 0) -> Done:
    done = await terminal.run("reconcile", *words)
    assert done.code == code, done
    assert "Traceback" not in done.out + done.err
    return done


async def test_what_became_of_payouts_is_told(terminal: Terminal, sandbox: Sandbox):
    """And a later run has nothing to ask."""
    out = (await reconcile(terminal)).out
    assert "1 asked about" in out
    assert "Open: 1 processing; the oldest is T1, for" in out
    sandbox.books.set_status("T1", "0000")
    assert "1: processing -> succeeded" in (await reconcile(terminal, "--deadline", "30", "--rate", "50")).out
    assert "0 asked about" in (await reconcile(terminal)).out


async def test_what_is_missing_has_an_exit_code_and_a_line_of_its_own(terminal: Terminal, sandbox: Sandbox):
    """Also in what programs read, and in the ledger at a glance."""
    sandbox.books.forget("T1")
    assert "1 MISSING: the platform had accepted them" in (await reconcile(terminal, code=6)).out
    found = json.loads((await reconcile(terminal, "--json", code=6)).out)
    assert (found["missing"], found["ok"], found["exit_code"]) == (1, False, 6)
    assert "Look into these 1" in (await terminal.run("ledger", "show")).out


async def test_what_is_processing_for_too_long_has_it_too(terminal: Terminal):
    """A day, unless another span is said."""
    run(f"sqlite:///{terminal.folder / 'payouts.db'}", "UPDATE payout SET sent_at = sent_at - 90000, sent_boot = NULL")
    assert "1 OVERDUE" in (await reconcile(terminal, code=6)).out
    out = (await reconcile(terminal, "--overdue-after", "7d")).out
    assert "OVERDUE" not in out
    assert "the oldest is T1, for 25 h" in out
    assert "Look into these 1" in (await terminal.run("ledger", "show")).out


async def test_no_answer_is_not_well(terminal: Terminal, sandbox: Sandbox):
    """It says how many and why."""
    await sandbox.aclose()
    out = (await reconcile(terminal, "--deadline", "3", code=5)).out
    assert "1 had no usable answer" in out
    assert "refused the connection" in out


@pytest.mark.parametrize(
    "arguments",
    [("--older-than", "soon"), ("--rate", "0"), ("--rate", "1e300"), ("--rate", "nan"), ("--deadline", "0")],
)
async def test_what_cannot_be_read_is_wrong_usage(terminal: Terminal, arguments: tuple[str, str]):
    """Nothing is asked."""
    assert (await reconcile(terminal, *arguments, code=2)).err


async def test_without_a_ledger_there_is_nothing_to_ask_about(terminal: Terminal):
    """A file that is not there is not made."""
    done = await terminal.run("reconcile", env={"PAYPRO_LEDGER": None})
    assert (done.code, "No ledger is named" in done.err) == (2, True)
    assert "There is no ledger" in (await reconcile(terminal, "--ledger", "none.db", code=2)).err
    assert not (terminal.folder / "none.db").exists()
    done = await reconcile(terminal, "--ledger", "memory", code=2)
    assert (done.out, "in memory is empty" in done.err) == ("", True)
