"""``paypro reconcile``: what it says, and what it ends with."""

import json
import re
import sqlite3
import time
from typing import Any

import pytest

from paypro_async import ItemStatus, Md5Signer, OutcomeUnknownError, PayProClient
from paypro_async.sandbox import Sandbox
from tests.support.raw_sql import run
from tests.support.scripted import LOST, Scripted
from tests.support.terminal import SECRET, Done, Terminal
from tests.support.valid import FIELDS


@pytest.fixture(autouse=True)
async def paid(terminal: Terminal, sandbox: Sandbox) -> None:
    """A ledger with a payout that is processing."""
    async with client_of(terminal, sandbox) as client:
        await client.payout({**FIELDS, "trade_no": "T1"})


def client_of(terminal: Terminal, sandbox: Sandbox, **settings: Any) -> PayProClient:
    return PayProClient(
        base_url=sandbox.base_url,
        environment=sandbox.environment,
        merchant_no="0000000001",
        signer=Md5Signer(SECRET),
        ledger=f"sqlite:///{terminal.folder / 'payouts.db'}",
        **settings,
    )


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


async def test_what_has_been_missing_for_long_is_told_and_then_is_a_persons(terminal: Terminal, sandbox: Sandbox):
    """From cron the first run has the code and the line; the ones behind it go on telling."""
    sandbox.books.forget("T1")
    run(f"sqlite:///{terminal.folder / 'payouts.db'}", "UPDATE payout SET sent_at = sent_at - 3600, sent_boot = NULL")
    out = (await reconcile(terminal, "--older-than", "10m", code=6)).out
    assert "1: processing -> missing" in out
    assert "1 MISSING: the platform had accepted them" in out
    out = (await reconcile(terminal, "--older-than", "10m", code=5)).out
    assert "1: missing -> review" in out
    for words in ((), ("--older-than", "10m"), ("--older-than", "2d")):
        assert "1 wait for a person" in (await reconcile(terminal, *words, code=5)).out


async def test_a_wrong_secret_is_told_of_as_one(terminal: Terminal):
    """With the platform's code and words, and what to look at."""
    done = await terminal.run("reconcile", env={"PAYPRO_SECRET": "another-secret"})
    assert done.code == 5
    assert re.search(
        r"1: the platform refused the question \(.+, code \w+\); check the merchant number, the secret", done.out
    )


async def test_what_is_processing_for_too_long_has_it_too(terminal: Terminal):
    """A day, unless another span is said."""
    run(f"sqlite:///{terminal.folder / 'payouts.db'}", "UPDATE payout SET sent_at = sent_at - 90000, sent_boot = NULL")
    assert "1 OVERDUE" in (await reconcile(terminal, code=6)).out
    out = (await reconcile(terminal, "--overdue-after", "7d")).out
    assert "OVERDUE" not in out
    assert "the oldest is T1, for 25 h" in out
    assert "Look into these 1" in (await terminal.run("ledger", "show")).out


async def test_what_never_arrived_stays_unknown_until_it_is_paid_again(terminal: Terminal, sandbox: Sandbox):
    """The same status as everywhere else, today and tomorrow."""
    url = f"sqlite:///{terminal.folder / 'payouts.db'}"
    async with client_of(terminal, sandbox, transport=Scripted(payouts=LOST)) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.payout({**FIELDS, "trade_no": "T2", "bank_number": "10094038293"}, timeout=1, max_attempts=1)
    sandbox.books.set_status("T1", "0000")
    run(url, "UPDATE payout SET sent_at = sent_at - 90, sent_boot = NULL")
    for _ in range(2):
        out = (await reconcile(terminal, code=5)).out
        assert "1 are unknown: money may have moved." in out
        assert "1 of them never arrived, as the platform says: the same number may be paid again." in out
        assert "not_sent" not in out
        assert "Nothing is unknown" not in out
    async with client_of(terminal, sandbox) as client:
        assert (await client.get("T2")).status is ItemStatus.UNKNOWN


async def test_what_was_passed_over_is_told(terminal: Terminal):
    """Nothing is claimed of it."""
    out = (await reconcile(terminal, "--older-than", "2d")).out
    assert "1 younger than --older-than, not asked about: 1 processing." in out
    assert "Nothing is" not in out
    held = await terminal.run("ledger", "hold", "T1", "--by", "Meera", "--note", "looks odd")
    assert held.code == 0, held
    out = (await reconcile(terminal, "--older-than", "2d", code=5)).out
    assert "1 wait for a person" in out


async def test_no_answer_is_not_well(terminal: Terminal, sandbox: Sandbox):
    """It says how many and why."""
    await sandbox.aclose()
    out = (await reconcile(terminal, "--deadline", "3", code=5)).out
    assert "1 had no usable answer" in out
    assert "refused the connection" in out


async def test_a_ledger_that_another_program_holds_keeps_no_run_beyond_its_time(terminal: Terminal):
    """It ends, and says that the ledger does not answer."""
    holder = sqlite3.connect(terminal.folder / "payouts.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    done = await reconcile(terminal, "--deadline", "1", code=1)
    holder.close()
    assert time.monotonic() - began < 9
    assert "The ledger did not answer within 5 s." in done.err


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
