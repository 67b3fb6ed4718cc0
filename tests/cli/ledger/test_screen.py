"""What ``paypro ledger`` shows on a terminal of 80 columns, whatever it is asked."""

import pytest
from attrs import evolve
from rich.cells import cell_len

from paypro_async._core.lifecycle import Cause, State
from paypro_async.ledger import BatchRecord
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.intents import ACCOUNT, MERCHANT, change, intent
from tests.support.terminal import Terminal

LONGEST = "A1-" + "x" * 61
NUMBERS = ["T1", "0123456789abcdef0123-0000001", "20261126180000123456789012345678", LONGEST]
NAMES = ["Asha Rao", "पेरुमल्ल वेंकटेश्वरराव", "山田太郎山田太郎", "Asha " * 30]
SAID = "no account of this number is known at the bank of the beneficiary, says the bank, and again " * 3


@pytest.fixture
async def screen(terminal: Terminal) -> Terminal:
    """A ledger with long numbers, wide names and large sums."""
    ledger = SqlLedger(f"sqlite:///{terminal.folder}/payouts.db")
    await ledger.open(ACCOUNT)
    source = f"/srv/payments/{'salaries-' * 12}november.csv"
    for batch in ("file-0123456789abcdef0123456789abcdef", "B" * 64):
        await ledger.record_batch(BatchRecord(merchant_no=MERCHANT, batch_id=batch, source=source, total=12345678))
    for at, number in enumerate(NUMBERS):
        one = intent(number, amount="1234567.50", name=NAMES[at])
        await ledger.claim(evolve(one, batch_id="B" * 64, position=at))
        to = [State.SUCCEEDED, State.FAILED, State.REVIEW, State.SUCCEEDED][at]
        cause = Cause.QUERY if to is State.REVIEW else Cause.ATTEMPT
        told = {"utr": f"UTR{at:022d}", "code": "0000", "message": SAID, "platform_trade_no": f"P{at}" * 20}
        await ledger.move(change(to, number, cause=cause, **told))
    await ledger.aclose()
    return terminal


ASKED = {
    "overview": (),
    "list": ("--state", "succeeded", "--state", "failed"),
    "batch": ("--batch", "B" * 64),
    "days": ("--since", "2020-01-01"),
    **{number[:8]: (number,) for number in NUMBERS},
}


@pytest.mark.parametrize("words", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("width", [80, 120])
async def test_nothing_is_wider_than_the_screen_and_no_number_is_broken(
    screen: Terminal, words: tuple[str, ...], width: int
):
    """Whatever is asked; sums are grouped as the region's people do."""
    done = await screen.run_on_screen("ledger", "show", *words, whole=True, width=width)
    assert done.code == 0, done.err
    lines = done.err.splitlines()
    assert [line for line in lines if cell_len(line) > width] == []
    assert [number for number in NUMBERS if number in words and number not in done.err] == []
    if words[:1] in [("--batch",), ("--since",)]:
        assert [number for number in NUMBERS if not any(line.startswith(number) for line in lines)] == []
    assert "12,34,567.50" in done.err
    assert not [name for name in NAMES if name in done.err]
    assert "Asha" not in done.err


async def test_history_fits_and_times_are_local(screen: Terminal):
    """In the region's time, or in UTC if that is asked for."""
    done = await screen.run_on_screen("ledger", "history", LONGEST, whole=True)
    assert [line for line in done.err.splitlines() if cell_len(line) > 80] == []
    assert "(IST)" in done.err
    assert "(UTC)" in (await screen.run_on_screen("ledger", "history", LONGEST, "--utc", whole=True)).err


async def test_one_payout_says_what_to_do_and_no_inner_words(screen: Terminal):
    """Who is paid, masked, the bank's number, local times; nothing of attempts and phases."""
    shown = (await screen.run_on_screen("ledger", "show", NUMBERS[1], whole=True)).err
    assert f"{NUMBERS[1]}: failed (not paid; no money moved)" in shown
    for words in ("what to do", "12,34,567.50 INR", "प••••", "UTR0000000000000000000001", " IST"):
        assert words in shown
    for words in ("attempt", "phase", "reply", "doubt", "position"):
        assert words not in shown


async def test_elsewhere_values_stand_between_tabs(screen: Terminal):
    """Whole, plain, below their names, a line for each payout."""
    done = await screen.run("ledger", "show", "--batch", "B" * 64)
    header, *rows = [line.split("\t") for line in done.out.splitlines()]
    assert header[:5] == ["trade_no", "state", "amount", "currency", "name"]
    assert sorted(row[0] for row in rows) == sorted(NUMBERS)
    assert {row[2] for row in rows} == {"1234567.50"}
    assert all(row[-1].endswith("+05:30") for row in rows)


async def test_days_are_those_of_the_region(screen: Terminal):
    """A day counts from its midnight there to the next; a time with a zone is that time."""
    for words, count in (
        (("--since", "2020-01-01", "--until", "2999-01-01"), 4),
        (("--until", "2020-01-01"), 0),
        (("--since", "2999-01-01T00:00+05:30"), 0),
    ):
        done = await screen.run("ledger", "show", *words)
        assert len(done.out.splitlines()) == 1 + count
    assert "is not a date" in (await screen.run("ledger", "show", "--since", "soon")).err
