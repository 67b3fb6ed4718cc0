"""What a finance person sees at 80 and at 120 columns: no line too long, no word broken, sums as they write them."""

import re
import shlex
from collections.abc import AsyncIterator

import pytest

from paypro_async.sandbox import Sandbox
from tests.support.terminal import SECRET, Terminal, payout, write_file

LONG = "wages of all who work in the north and in the south, november 2026, final, once more.csv"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(secret=SECRET, balance=f"{10**17}") as sandbox:
        yield sandbox


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("amounts", [["5"], ["5", "6.50", "100000"], [str(9 * 10**13 + n) for n in range(15)]])
async def test_a_plan_and_its_payment_fit_the_terminal(terminal: Terminal, width: int, amounts: list[str]) -> None:
    """One row, three rows, and sums of ten to the fifteenth."""
    write_file(terminal.folder / "p.csv", [payout(n, amount=one) for n, one in enumerate(amounts)])
    total = str(sum(map(float, amounts)) if "." in "".join(amounts) else sum(map(int, amounts)))
    for words, answers in (
        (["plan", "p.csv"], []),
        (["apply", "p.csv.plan.json"], ["1\n"]),
        (["batch", "p.csv"], [f"{total}\n"]),
        (["plan", "p.csv"], []),
        (["approve", "p.csv.plan.json", "--by", "Bo"], []),
    ):
        done = await terminal.run_on_screen(*words, answers=answers, width=width, whole=True)
        # A path may be longer.
        long = [one for one in done.err.splitlines() if len(one) > width and str(terminal.folder) not in one]
        assert not long, done.err
        assert not re.search(r"\d{4,}\.\d\d INR", done.err)


@pytest.mark.parametrize("width", [80, 120])
async def test_a_command_to_paste_is_never_broken(terminal: Terminal, width: int) -> None:
    """It stands whole on a line of its own if there is no room for it, and works as it stands."""
    write_file(terminal.folder / LONG, [payout(0)])
    done = await terminal.run_on_screen("plan", LONG, width=width)
    (command,) = (one for one in done.err.splitlines() if one.startswith("paypro apply "))
    paid = await terminal.run(*shlex.split(command)[1:])
    assert paid.code == 0, paid.err
