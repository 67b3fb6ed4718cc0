"""Who says yes to a sum, and to what: on a terminal, and where nobody can be asked."""

from collections.abc import AsyncIterator, Sequence

import pytest

from paypro_async.sandbox import Sandbox
from tests.support.fork_server import ForkServer
from tests.support.plans import planned
from tests.support.terminal import SECRET, Terminal, payout, write_file

COMMANDS = (["batch", "payouts.csv"], ["apply", "payouts.csv.plan.json"])


async def started(terminal: Terminal, words: Sequence[str], *options: str, stdin: str | None = None):
    """Run a command as it stands, without a yes, and without a terminal; *stdin* is an empty file if not given."""
    streams = {} if stdin is None else {"in": stdin}
    child = terminal.begin(*words, *options, ask=True, streams=streams)
    code = await child.ended(within=60)
    return code, child.output, child.errors


@pytest.fixture
async def file(terminal: Terminal) -> Terminal:
    """Rows of 23,000.00 and 200.00 rupees, and their plan."""
    amounts = ("23000", "200")
    write_file(terminal.folder / "payouts.csv", [payout(n, amount=one) for n, one in enumerate(amounts)])
    await planned(terminal)
    return terminal


@pytest.mark.parametrize("words", COMMANDS)
async def test_the_sum_is_typed(file: Terminal, sandbox: Sandbox, words: list[str]) -> None:
    """And it is the yes."""
    await agreed_by(file, sandbox, words, "23200")


@pytest.mark.parametrize(
    "typed",
    [
        "23,200.00",
        "23200.00 INR",
        "₹23,200",
        " ₹ 23,200.0 ",
        "inr 23200",
        "Rs. 23,200",
        "Rs 23200",
        "rs.23,200.00",
        "23,200/-",
    ],
)
async def test_the_sum_as_people_type_it(file: Terminal, sandbox: Sandbox, typed: str) -> None:
    """With commas, decimals, sign and currency, or without; what was typed is read alike for a plan."""
    await agreed_by(file, sandbox, COMMANDS[0], typed)


async def agreed_by(file: Terminal, sandbox: Sandbox, words: list[str], typed: str) -> None:
    """It is asked for the sum, and what is typed pays the file."""
    done = await file.run_on_screen(*words, answers=[f"{typed}\n"])
    assert "Pay 2 rows, 23,200.00 INR, largest 23,000.00, balance 1,00,00,00,000.00?" in " ".join(done.err.split())
    assert done.code == 0, done.err
    assert len(sandbox.books.bookings) == 2


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        ("2320\n", 3, "That is not the sum. Nothing was sent."),
        ("232000\n", 3, "That is not the sum"),
        ("23200.01\n", 3, "That is not the sum"),
        ("-23200\n", 3, "That is not the sum"),
        ("23200 23200\n", 3, "That is not the sum"),
        ("2.32e4\n", 3, "That is not the sum"),
        ("२३२००\n", 3, "That is not the sum"),
        ("USD 23200\n", 3, "That is not the sum"),
        ("y\n", 3, "That is not the sum"),
        ("yes\n", 3, "That is not the sum"),
        ("\n", 3, "Nothing was sent."),
        ("   \n", 3, "Nothing was sent."),
        ("\x04", 130, "Interrupted."),
        ("^C", 130, "Interrupted."),
    ],
)
async def test_anything_else_is_no(file: Terminal, sandbox: Sandbox, typed: str, code: int, said: str) -> None:
    """A yes alone is none, since it is typed without looking; Enter is no; Ctrl-C and Ctrl-D end it."""
    done = await file.run_on_screen("batch", "payouts.csv", "--json", answers=[typed])
    assert done.code == code
    assert said in done.err
    assert (done.summary["sent_now"], done.summary["known_before"], done.summary["failed"]) == (0, 0, 0)
    assert done.summary["exit_code"] == code
    assert not sandbox.books.bookings


async def test_yes_asks_nothing_on_a_terminal(file: Terminal, sandbox: Sandbox) -> None:
    """Nor does a run that has nothing left to pay."""
    assert (await file.run_on_screen("batch", "payouts.csv", "--yes")).code == 0
    assert (await file.run_on_screen("batch", "payouts.csv")).code == 0
    assert len(sandbox.books.bookings) == 2


async def test_only_what_is_left_is_asked_for(file: Terminal, sandbox: Sandbox) -> None:
    """A file of which a part is paid."""
    rows = [payout(number, trade_no=f"N{number}") for number in range(3)]
    write_file(file.folder / "a.csv", rows[:1])
    write_file(file.folder / "b.csv", rows)
    assert (await file.run("batch", "a.csv")).code == 0
    done = await file.run_on_screen("batch", "b.csv", answers=["203\n"])
    assert "Pay 2 rows, 203.00 INR, largest 102.00," in done.err
    assert (done.code, len(sandbox.books.bookings)) == (0, 3)


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 2),
        (["--expect-total", "23200"], 2),
        (["--expect-rows", "2"], 2),
        (["--max-total", "23200", "--max-amount", "23000"], 2),
        (["--expect-total", "23200.00", "--expect-rows", "2"], 0),
        (["--expect-total", "23200", "--expect-rows", "3"], 3),
        (["--expect-total", "23201", "--expect-rows", "2"], 3),
        (["--yes", "--expect-total", "23201"], 3),
        (["--yes", "--expect-rows", "1"], 3),
        (["--yes", "--expect-total", "23200"], 0),
        (["--yes"], 0),
        (["--yes", "--max-total", "23199.99"], 3),
        (["--yes", "--max-amount", "22999.99"], 3),
        (["--yes", "--max-amount", "23000", "--max-total", "23200"], 0),
        (["--yes", "--max-total", "0"], 2),
        (["--yes", "--max-amount", "-5"], 2),
        (["--yes", "--expect-total", "2.32e4"], 2),
        (["--yes", "--expect-total", "23,200"], 2),
        (["--yes", "--expect-rows", "0"], 2),
    ],
)
async def test_where_nobody_can_be_asked(
    file: Terminal, sandbox: Sandbox, words: list[str], options: list[str], code: int
) -> None:
    """A yes, or sum and rows together; what is refused sends nothing and says so."""
    await nobody_asked(file, sandbox, words, options, code, stdin="/dev/null")


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("stdin", [None, ""], ids=["an empty file", "closed"])
@pytest.mark.parametrize(("options", "code"), [([], 2), (["--expect-total", "23200", "--expect-rows", "2"], 0)])
async def test_whatever_standard_input_is(
    file: Terminal, sandbox: Sandbox, words: list[str], stdin: str | None, options: list[str], code: int
) -> None:
    """Where it is no terminal nobody is asked."""
    await nobody_asked(file, sandbox, words, options, code, stdin=stdin)


async def nobody_asked(
    file: Terminal, sandbox: Sandbox, words: list[str], options: list[str], code: int, *, stdin: str | None
) -> None:
    ended, out, err = await started(file, words, *options, stdin=stdin)
    assert ended == code, err
    assert len(sandbox.books.bookings) == (0 if code else 2)
    if code:
        assert out == ""
        assert "othing was sent" in err or "Invalid value" in err


async def test_what_to_say_is_said(file: Terminal) -> None:
    """With the sum and the rows of this file, ready to be copied once they were looked at."""
    code, _, err = await started(file, COMMANDS[0])
    assert code == 2
    assert "Are 2 payouts over 23,200.00 INR meant?" in err
    assert "--expect-total 23200 --expect-rows 2." in err


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("PAYPRO_MAX_AMOUNT", "22999", 3),
        ("PAYPRO_MAX_TOTAL", "23199", 3),
        ("PAYPRO_MAX_TOTAL", "23200", 0),
        ("PAYPRO_MAX_TOTAL", "nonsense", 2),
        ("PAYPRO_MAX_TOTAL", "", 2),
        ("PAYPRO_MAX_AMOUNT", " ", 2),
        ("PAYPRO_MAX_AMOUNT", "0", 2),
    ],
)
async def test_limits_of_a_whole_machine(file: Terminal, sandbox: Sandbox, name: str, value: str, code: int) -> None:
    """From variables; a wrong one is refused and never ignored."""
    done = await file.run("batch", "payouts.csv", env={name: value})
    assert done.code == code, done.err
    assert len(sandbox.books.bookings) == (0 if code else 2)


@pytest.fixture
async def doubtful(terminal: Terminal) -> Terminal:
    """A row whose name is none."""
    write_file(terminal.folder / "payouts.csv", [payout(0), payout(1, name="TRUE")])
    await planned(terminal)
    return terminal


@pytest.mark.parametrize("words", COMMANDS)
async def test_a_doubt_is_shown_and_asked_about(doubtful: Terminal, sandbox: Sandbox, words: list[str]) -> None:
    """With its line and reason; the sum is the yes to it too."""
    done = await doubtful.run_on_screen(*words, answers=["201\n"])
    shown = " ".join(done.err.split())
    assert "payouts.csv:3: row 2, name: looks like no name of a person or a company [NAME_UNLIKELY]" in shown
    assert "Something in the file is seldom meant, as listed above." in shown
    assert (done.code, len(sandbox.books.bookings)) == (0, 2)


@pytest.mark.parametrize("words", COMMANDS)
async def test_a_doubt_needs_a_yes_where_nobody_can_be_asked(
    doubtful: Terminal, sandbox: Sandbox, words: list[str]
) -> None:
    """An expected sum says nothing of it."""
    code, _, err = await started(doubtful, words, "--expect-total", "201", "--expect-rows", "2", stdin="/dev/null")
    assert code == 2
    assert "[NAME_UNLIKELY]" in err
    assert "say --yes too" in err
    assert not sandbox.books.bookings
    assert (await doubtful.run(*words, "--yes")).code == 0


async def test_a_plan_counts_its_doubts(doubtful: Terminal) -> None:
    """On the screen by line, in the plan and in --json by code."""
    done = await doubtful.run("plan", "payouts.csv", "--json")
    assert "[NAME_UNLIKELY]" in done.err
    assert done.summary["doubts"] == {"NAME_UNLIKELY": 1}


async def test_a_file_that_is_cut_off_is_not_paid_by_a_yes(terminal: Terminal, sandbox: Sandbox) -> None:
    """A yes on a terminal says no more than one without: only --file-complete says that it is whole."""
    path = terminal.file(2)
    path.write_text(path.read_text().rstrip("\n"))
    done = await terminal.run_on_screen("batch", "payouts.csv", "--yes")
    assert done.code == 3
    assert "[NO_LINE_END]" in done.err
    assert not sandbox.books.bookings


class TestRenamed:
    """A file all of whose payouts have ended, under another name."""

    @pytest.fixture
    async def sandbox(self) -> AsyncIterator[Sandbox]:
        async with Sandbox(secret=SECRET, paid_after=0.0, booking_lag=0.0) as sandbox:
            yield sandbox

    @pytest.fixture
    async def done(self, tmp_path, sandbox: Sandbox, fork_server: ForkServer) -> AsyncIterator[Terminal]:
        terminal = Terminal(tmp_path, sandbox.base_url, fork_server)
        terminal.file(2, "nov.csv")
        paid = await terminal.run("batch", "nov.csv", "--wait", "--wait-timeout", "20")
        assert paid.code == 0, paid.err
        (tmp_path / "dec.csv").write_bytes((tmp_path / "nov.csv").read_bytes())
        yield terminal
        await terminal.aclose()

    async def test_it_is_refused_on_a_terminal(self, done: Terminal, sandbox: Sandbox) -> None:
        """Where a person thinks that it pays December."""
        refused = await done.run_on_screen("batch", "dec.csv", "--json")
        assert refused.code == 3
        assert [one["code"] for one in refused.summary["problems"]] == ["PAID_UNDER_ANOTHER_NAME"]
        assert "nov.csv" in refused.err
        assert (refused.summary["sent_now"], refused.summary["known_before"]) == (0, 2)

    async def test_elsewhere_it_says_what_it_did(self, done: Terminal, sandbox: Sandbox) -> None:
        """That is nothing: all was paid before, when, and as which file."""
        for said in (
            await done.run("batch", "dec.csv", "--yes"),
            await done.run_on_screen("batch", "dec.csv", "--yes", whole=True),
            await done.run_on_screen("batch", "nov.csv", whole=True),
        ):
            assert said.code == 0
            text = " ".join((said.out + said.err).split())
            assert "Nothing new was sent: all 2 rows were accepted before" in text
            assert "nov.csv" in text
        found = (await done.run("batch", "dec.csv", "--yes", "--json")).summary
        assert (found["sent_now"], found["known_before"], found["succeeded"], found["failed"]) == (0, 2, 2, 0)
        assert found["accepted_before"]["files"] == ["nov.csv"]
        assert len(sandbox.books.bookings) == 2
