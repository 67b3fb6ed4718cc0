"""``paypro ledger decide`` and ``hold``: the platform is heard before a person is."""

from collections.abc import AsyncIterator, Callable

import pytest
from attrs import evolve

from paypro_async._core.lifecycle import Cause, State
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.sandbox import Fault, FaultPlan, Sandbox
from tests.sandbox.merchant import Merchant
from tests.support.commands import Commands
from tests.support.intents import ACCOUNT, change, intent
from tests.support.raw_sql import ask, run
from tests.support.servers import unused_url
from tests.support.terminal import SECRET

ON_A_FILE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WHO = ("--by", "Meera", "--note", "seen in the dashboard")
LATER = "UPDATE payout SET sent_at = sent_at - 120, sent_steady = sent_steady - 120"
PAID, PROCESSING, FAILED, PARTIAL = "0000", "0015", "00029", "0001"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(secret=SECRET, faults=FaultPlan()) as sandbox:
        yield sandbox


@pytest.fixture
def settings(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts the settings of the sandbox into the environment, with changes."""

    def put(**changes: str) -> None:
        known = {
            "PAYPRO_BASE_URL": sandbox.base_url,
            "PAYPRO_MERCHANT_NO": ACCOUNT.merchant_no,
            "PAYPRO_SECRET": SECRET,
            "PAYPRO_ENVIRONMENT": ACCOUNT.environment,
        }
        for name, value in (known | changes).items():
            monkeypatch.setenv(name, value)

    put()
    return put


async def order(sandbox: Sandbox, trade_no: str, status: str, amount: str = "200.10") -> None:
    """An order that the platform holds in that status."""
    async with Merchant(sandbox, secret=SECRET) as merchant:
        await merchant.payout(trade_no, amount=amount)
    sandbox.books.set_status(trade_no, status)


async def last_step(commands: Commands, trade_no: str) -> dict[str, str]:
    return dict((await commands.json("history", trade_no))["steps"][-1])


@pytest.mark.parametrize("decision", ["not-paid", "pay-again"])
@pytest.mark.parametrize(("status", "word"), [(PAID, "succeeded"), (PROCESSING, "processing"), (PARTIAL, "")])
@pytest.mark.usefixtures("settings")
async def test_what_would_pay_twice_or_call_a_paid_payout_failed_is_refused(
    used: str, ledger_command: Commands, sandbox: Sandbox, decision: str, status: str, word: str
) -> None:
    """However old it is: it says what the platform holds, and the payout goes on waiting for a person."""
    run(used, LATER)
    await order(sandbox, "T2", status)
    done = await ledger_command("decide", "T2", decision, *WHO, code=1)
    assert f"{word} (code {status}), over 200.10" in done.out
    assert f"{decision!r} cannot be decided" in done.err
    assert "--without-asking" in done.err
    assert ask(used, "SELECT state FROM payout WHERE trade_no = 'T2'") == [("review",)]
    assert (await last_step(ledger_command, "T2"))["cause"] == "query"


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(("decision", "state"), [("not-paid", "failed"), ("pay-again", "not_sent")])
@pytest.mark.parametrize("known", [True, False], ids=["failed", "no-such-order"])
async def test_what_the_platform_does_not_contradict_is_stored(
    used: str, ledger_command: Commands, sandbox: Sandbox, decision: str, state: str, known: bool
) -> None:
    """An order that failed, or that it does not know; what it said is shown, to programs too."""
    run(used, LATER)
    if known:
        await order(sandbox, "T2", FAILED)
    found = await ledger_command.json("decide", "T2", decision, *WHO)
    assert (found["state"], found["asked"]["found"]) == (state, known)
    assert found["asked"]["status"] == ("failed" if known else None)
    step = await last_step(ledger_command, "T2")
    assert (step["by"], step["note"]) == ("Meera", "seen in the dashboard")


@pytest.mark.usefixtures("settings")
async def test_the_window_that_was_stored_with_the_attempt_counts_too(
    used: str, ledger_command: Commands, sandbox: Sandbox
) -> None:
    """An operator's short one does not make an attempt arrive sooner, and a longer one of the operator's counts."""
    run(used, LATER)
    run(used, "UPDATE payout SET settle_after = 3600 WHERE trade_no = 'T2'")
    done = await ledger_command("decide", "T2", "not-paid", *WHO, "--settle-after", "5", code=1)
    assert "can be decided 3600 seconds after it" in done.err
    run(used, "UPDATE payout SET settle_after = 5 WHERE trade_no = 'T2'")
    done = await ledger_command("decide", "T2", "not-paid", *WHO, "--settle-after", "600", code=1)
    assert "can be decided 600 seconds after it" in done.err
    assert not sandbox.books.requests, "nobody asks about what cannot be decided yet"
    await ledger_command("decide", "T2", "not-paid", *WHO)


@pytest.mark.parametrize("decision", ["paid", "not-paid", "processing", "pay-again", "reversed"])
async def test_without_settings_nothing_is_decided(used: str, ledger_command: Commands, decision: str) -> None:
    """Exit code 1; what is missing, and the way on."""
    run(used, LATER)
    trade_no = "T1" if decision == "reversed" else "T2"
    done = await ledger_command("decide", trade_no, decision, *WHO, code=1)
    assert "Not set: --base-url (or PAYPRO_BASE_URL), PAYPRO_SECRET (or PAYPRO_SECRET_FILE)." in done.err
    assert "--without-asking" in done.err
    assert (await last_step(ledger_command, trade_no))["cause"] != "person"


@ON_A_FILE
@pytest.mark.parametrize("why", ["nothing", "secret", "code", "environment", "words"])
async def test_without_a_usable_answer_nothing_is_decided(
    used: str, ledger_command: Commands, settings: Callable[..., None], sandbox: Sandbox, why: str
) -> None:
    """Nobody listens, the caller is refused, an unlisted code, another platform, settings that do not fit."""
    run(used, LATER)
    changes = {
        "nothing": {"PAYPRO_BASE_URL": unused_url(path=""), "PAYPRO_TIMEOUT": "1"},
        "secret": {"PAYPRO_SECRET": "another"},
        "environment": {"PAYPRO_ENVIRONMENT": "elsewhere"},
        "words": {"PAYPRO_BASE_URL": "http://paypro.example"},
    }
    settings(**changes.get(why, {}))
    sandbox.change(unknown_order="7001")
    done = await ledger_command("decide", "T2", "not-paid", *WHO, code=1)
    assert "no decision was stored and nothing was sent" in done.err
    assert "--without-asking" in done.err
    assert ask(used, "SELECT state FROM payout WHERE trade_no = 'T2'") == [("review",)]


async def test_that_nobody_asked_stays_in_the_history(used: str, ledger_command: Commands) -> None:
    """It stands in front of the person's own words; and a blank reason is none."""
    run(used, LATER)
    assert (
        "T2: failed, as Meera decided"
        in (await ledger_command("decide", "T2", "not-paid", *WHO, "--without-asking")).out
    )
    step = await last_step(ledger_command, "T2")
    assert (step["by"], step["note"]) == ("Meera", "without asking the platform: seen in the dashboard")
    done = await ledger_command("hold", "T4", *WHO)
    assert (await last_step(ledger_command, "T4"))["note"] == "seen in the dashboard"
    found = await ledger_command.json("decide", "T4", "paid", *WHO, "--without-asking")
    assert (found["state"], found["asked"]) == ("succeeded", None)
    done = await ledger_command("decide", "T4", "reversed", "--by", "M", "--note", " ", "--without-asking", code=1)
    assert "needs note=" in done.err


@pytest.mark.usefixtures("settings")
async def test_a_decision_that_the_platform_does_not_share_is_stored_and_said(
    used: str, ledger_command: Commands, sandbox: Sandbox
) -> None:
    """A person may know more: it was paid by another way, or the platform has not noticed yet."""
    await order(sandbox, "T2", PROCESSING)
    done = await ledger_command("decide", "T2", "paid", *WHO)
    assert "PayPro holds T2 as processing (code 0015), over 200.10." in done.out
    assert "'paid' is not what PayPro says of it now" in done.err
    assert "T2: succeeded, as Meera decided" in done.out


@pytest.mark.usefixtures("settings")
async def test_what_the_platform_says_itself_needs_no_decision(
    used: str, ledger_command: Commands, sandbox: Sandbox
) -> None:
    """A success that it has taken back is reversed by its answer; and nobody is named who did not decide."""
    await order(sandbox, "T1", FAILED, amount="100.10")
    done = await ledger_command("decide", "T1", "reversed", *WHO)
    assert "T1: reversed, as the platform says itself" in done.out
    assert (await last_step(ledger_command, "T1"))["cause"] == "query"


@ON_A_FILE
@pytest.mark.usefixtures("settings")
async def test_a_reply_that_is_lost_once_is_asked_for_again(
    used: str, ledger_command: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As any query is."""
    run(used, LATER)
    faults = FaultPlan(query_rate=0.5, seed=2, kinds=frozenset({Fault.PAGE_502}))
    async with Sandbox(secret=SECRET, faults=faults) as shaky:
        monkeypatch.setenv("PAYPRO_BASE_URL", shaky.base_url)
        await ledger_command("decide", "T2", "not-paid", *WHO)
        assert {one.fault for one in shaky.books.requests} == {None, Fault.PAGE_502}


@pytest.mark.usefixtures("settings")
async def test_the_platform_is_asked_for_the_merchant_that_is_meant(
    database_url: str, ledger_command: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger of two merchants: the one of the payout, whatever the environment names."""
    monkeypatch.setenv("PAYPRO_LEDGER", database_url)
    other = evolve(ACCOUNT, merchant_no="0000000002")
    ledger = SqlLedger(database_url)
    for account in (ACCOUNT, other):
        await ledger.open(account)
    await ledger.claim(intent("T7", merchant_no=other.merchant_no))
    in_review = {"merchant_no": other.merchant_no, "cause": Cause.QUERY}
    await ledger.move(change(State.REVIEW, "T7", **in_review))
    await ledger.aclose()
    run(database_url, LATER)
    async with Sandbox(secret=SECRET, merchant_no=other.merchant_no) as sandbox:
        monkeypatch.setenv("PAYPRO_BASE_URL", sandbox.base_url)
        done = await ledger_command("decide", "T7", "not-paid", *WHO, "--merchant", other.merchant_no)
    assert "PayPro knows no order T7" in done.out
