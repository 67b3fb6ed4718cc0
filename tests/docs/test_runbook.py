"""What docs/runbook.md says to do on one machine is typed here, where that fault is really there."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from paypro_async.sandbox import Fault, Sandbox
from tests.docs.pages import ROOT, blocks_of, commands_of
from tests.docs.stage import SALARY, WORDS
from tests.docs.terminal import Terminal
from tests.many.gate import Gate

pytestmark = pytest.mark.docs

PAGE = ROOT / "docs" / "runbook.md"
WORKERS = "\n# With many workers\n"  # what follows is rehearsed in tests/many and tests/engines
_HEADER = "amount,name,mobile,email,bank_number,bank_code,trade_no"
_ROW = ",Asha Rao,8234567890,asha@example.com,10094038292,IDFB0043121"
_PAY = """python -c '
import asyncio
from paypro_async import PayProClient, PayProError
async def main():
    async with PayProClient.from_env(timeout=8, settle_after=60) as client:
        try:
            await client.payout(
                trade_no="TRADE_NO", amount="17", name="Asha Rao", mobile="8234567890", email="asha@example.com",
                bank_number="10094038292", bank_code="IDFB0043121")
        except PayProError as error:
            print(type(error).__name__)
asyncio.run(main())
'"""


def entries() -> dict[str, list[int]]:
    """The entries for one machine, and in which lines each begins and ends."""
    text = PAGE.read_text(encoding="utf-8").partition(WORKERS)[0]
    starts = [
        (found[1], text.count("\n", 0, found.start()) + 1) for found in re.finditer(r"^## (.*)$", text, re.MULTILINE)
    ]
    ends = [line for _, line in starts[1:]] + [text.count("\n") + 1]
    return {name: [line, end] for (name, line), end in zip(starts, ends, strict=True)}


class Place:
    """A machine with a ledger, a list of salaries, and the page's commands."""

    def __init__(self, sandbox: Sandbox, opened: Terminal, home: Path) -> None:
        self.sandbox, self.home = sandbox, home
        self._terminal = opened
        self.numbers = [f"S{number}" for number in range(6)]
        rows = "".join(f"{300 + at}{_ROW},{number}\n" for at, number in enumerate(self.numbers))
        (home / "salaries.csv").write_text(f"{_HEADER}\n{rows}")

    async def type(self, typed: str, *codes: int) -> str:
        """What happened before, or what the reader does by hand."""
        code, said = await self._terminal.type(typed)
        assert code in (codes or (0,)), f"{code} of {typed}\n{said}"
        return said

    async def steps(self, entry: str, number: int = 0) -> list[str]:
        """Type the commands of one block of an entry; what each said."""
        start, end = entries()[entry]
        blocks = [one for one in blocks_of(PAGE) if start < one.line < end and one.language == "console"]
        said = []
        for command in commands_of(blocks[number]):
            code, one = await self._terminal.type(command.typed)
            assert code == command.exits, f"exit code {code} of {command.typed}\n{one}"
            assert "Traceback" not in one
            said.append(one)
        return said

    def paid_once(self, *trade_nos: str) -> None:
        assert self.sandbox.books.booked_once(trade_nos or self.numbers).exact


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="paypro-runbook-", dir="/var/tmp") as name:
        yield Path(name)


@pytest.fixture
async def place(folder: Path) -> AsyncIterator[Place]:
    async with Sandbox(paid_after=0) as sandbox:
        variables = {
            "PAYPRO_BASE_URL": sandbox.base_url,
            "PAYPRO_ENVIRONMENT": sandbox.environment,
            "PAYPRO_MERCHANT_NO": "0000000001",
            "PAYPRO_SECRET": "sandbox-secret",
            "PAYPRO_IP_ADDRESS": "203.0.113.7",
            "PAYPRO_NOTIFY_URL": "http://127.0.0.1:9/paypro",
            "PAYPRO_LEDGER": "sqlite:///payouts.db",
            "PAYPRO_SETTLE_AFTER": "2",
        }
        opened = Terminal(folder, variables, WORDS)
        yield Place(sandbox, opened, folder / "home")
        await opened.close()


async def test_payouts_are_unknown(place: Place) -> None:
    """No reply and no answer came; as soon as the platform answers, a question ends it."""
    place.sandbox.decide(SALARY, "paid", faults=[Fault.RESET_AFTER], unanswered=True)
    said = await place.type(_PAY)
    assert "ReplyLostError" in said or "OutcomeUnknownError" in said, said
    place.sandbox.answer(SALARY)
    shown, _ = await place.steps("Payouts are unknown")
    assert re.search(r"^unknown\t1\t17\t", shown, re.MULTILINE), shown
    place.paid_once(SALARY)


async def test_a_callback_never_came(place: Place) -> None:
    """Nobody listens where it should go; a question finds the end."""
    place.sandbox.decide(SALARY, "later:paid")
    await place.type(_PAY)
    _, history = await place.steps("A callback never came")
    assert "succeeded" in history.splitlines()[-1] or "succeeded" in history
    assert all(one.outcome != "ok" for one in place.sandbox.callbacks)
    place.paid_once(SALARY)


async def test_the_platform_does_not_answer(place: Place) -> None:
    """Nothing is sent, the doctor says so, and the same file is paid when it is back."""
    entry = "The platform does not answer"
    async with Gate(place.sandbox.base_url) as gate:
        await place.type(f"export PAYPRO_BASE_URL={gate.url}")
        await gate.shut()
        said = await place.type(_PAY)
        assert "NotSent" in said or "Connect" in said, said
        await place.steps(entry, 0)
        assert place.sandbox.books.bookings == []
        await gate.open()
        await place.steps(entry, 1)
    place.paid_once()


async def test_the_secret_is_wrong(place: Place) -> None:
    """Nothing is booked until the right one is given, and then each row once."""
    entry = "The secret is wrong"
    await place.type("printf sandbox-secret > right.secret && chmod 600 right.secret")
    await place.type("export PAYPRO_SECRET=the-old-one")
    await place.type("paypro batch salaries.csv --yes", 1, 3, 4, 5)
    await place.steps(entry, 0)
    assert place.sandbox.books.bookings == []
    await place.type("unset PAYPRO_SECRET")
    await place.steps(entry, 1)
    place.paid_once()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can mount a small disk")
async def test_the_ledgers_disk_is_full(place: Place) -> None:
    """A disk of two megabytes that another program has filled: nothing is sent until there is room."""
    await place.type("mkdir disk")
    said = await place.type("mount -t tmpfs -o size=2m tmpfs disk 2>&1", 0, 1, 32)
    if not (place.home / "disk").is_mount():
        pytest.skip(f"no disk can be mounted here: {said}")
    try:
        await place.type("cp salaries.csv disk/ && cd disk && export PAYPRO_LEDGER=sqlite:///$PWD/payouts.db")
        await place.type("paypro ledger migrate")
        await place.type("cat /dev/zero > other 2>/dev/null; true")
        said = await place.type(f"{_PAY}; paypro batch salaries.csv --yes", 1, 2, 3, 4, 5, 6, 7)
        assert "the disk is full" in said or "the disk failed to read or write" in said, said
        assert place.sandbox.books.bookings == []
        await place.type("rm other")
        await place.steps("The ledger's disk is full")
        place.paid_once()
    finally:
        await place.type(f"cd {place.home} && umount -l disk")


async def _pay_half_of_it(place: Place) -> None:
    await place.type("head -3 salaries.csv > some.csv && paypro batch some.csv --yes && paypro ledger backup copy.db")


async def test_the_ledger_was_put_back(place: Place) -> None:
    """The backup has half of the payouts; of the others the platform is asked first."""
    await _pay_half_of_it(place)
    await place.type("paypro batch salaries.csv --yes")
    await place.type("rm payouts.db* && mv copy.db payouts.db && rm -f salaries.*.csv")
    await place.steps("The ledger was put back")
    place.paid_once()


async def test_the_machine_is_lost(place: Place) -> None:
    """It was killed in the middle of a batch; another one goes on with the list and the backup."""
    await _pay_half_of_it(place)
    place.sandbox.decide("S3", "paid", faults=[Fault.SILENCE])
    typed = "python -m paypro_async batch salaries.csv --yes & echo $! > pid; wait $!"
    paying = asyncio.create_task(place.type(typed, 137))
    while "S3" not in place.sandbox.books.orders:
        assert not paying.done(), paying.result()
        await asyncio.sleep(0.02)
    os.kill(int((place.home / "pid").read_text()), signal.SIGKILL)
    await paying
    await place.type("mkdir -p ../new/backup && cp salaries.csv ../new && mv copy.db ../new/backup/payouts.db")
    await place.type("rm payouts.db* && cd ../new")
    await place.steps("The machine is lost")
    place.paid_once()


async def test_the_ledgers_key_is_missing(place: Place) -> None:
    """Nothing is paid without it; with it all is as before."""
    await place.type("mkdir kept && paypro ledger key > kept/ledger.key && chmod 600 kept/ledger.key")
    await place.type("PAYPRO_LEDGER_KEY_FILE=kept/ledger.key paypro batch salaries.csv --yes")
    said = await place.type("rm -f salaries.*.csv; paypro batch salaries.csv --yes", 1, 2, 3, 4, 5, 6, 7)
    assert "key" in said
    await place.steps("The ledger's key is missing")
    place.paid_once()


def test_each_entry_and_each_block_has_its_rehearsal() -> None:
    """One that is added to the page without a test that plays it fails here."""
    source = Path(__file__).read_text(encoding="utf-8")
    table = PAGE.read_text(encoding="utf-8").partition("\n## Rehearsals\n")[2]
    for entry, (start, end) in entries().items():
        blocks = [one for one in blocks_of(PAGE) if start < one.line < end and one.language == "console"]
        name = "test_" + re.sub(r"\W+", "_", entry.lower().replace("'", ""))
        body = source.partition(f"async def {name}(")[2].partition("\n\n\n")[0]
        assert body, f"no {name}"
        assert f"| {entry[0].lower()}{entry[1:]} | `tests/docs/test_runbook.py::{name}` |" in table
        assert body.count("place.steps(") == len(blocks) > 0, entry


def test_each_entry_about_workers_is_in_the_table() -> None:
    """By its own name."""
    workers, _, table = PAGE.read_text(encoding="utf-8").partition(WORKERS)[2].partition("\n## Rehearsals\n")
    named = {row.lower() for row in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)}
    assert [one for one in re.findall(r"^## (.*)$", workers, re.MULTILINE) if one.lower() not in named] == []
