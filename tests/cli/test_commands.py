"""The other commands."""

import asyncio
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from paypro_async.bulk import Before
from paypro_async.cli.app import run
from paypro_async.cli.exits import explain
from paypro_async.errors import LedgerUnavailableError
from paypro_async.sandbox import Sandbox
from tests.support.fork_server import Child, ForkServer
from tests.support.programs import python
from tests.support.programs.command import PROGRAM
from tests.support.terminal import MERCHANT_NO, SECRET, Terminal, payout, write_file

ROOT = Path(__file__).parents[2]


def exported_by(process: Child) -> dict[str, str]:
    """The variables that a sandbox prints, as soon as it has printed them all."""
    while not re.search("^export PAYPRO_SETTLE_AFTER=.*\n", process.output, re.MULTILINE):
        assert process.poll() is None, process.errors
        time.sleep(0.005)
    lines = [line for line in process.output.splitlines() if line.startswith("export ")]
    return dict(line.removeprefix("export ").split("=", 1) for line in lines)


@pytest.fixture
def local(tmp_path, monkeypatch: pytest.MonkeyPatch, fork_server: ForkServer) -> Iterator[str]:
    """A sandbox in a process of its own, and this process set up to use it; its address."""
    monkeypatch.chdir(tmp_path)
    process = fork_server.start(PROGRAM, "sandbox", "--port", "0", "--fault-rate", "0", folder=tmp_path)
    for name, value in exported_by(process).items():
        monkeypatch.setenv(name, value)
    yield os.environ["PAYPRO_BASE_URL"]
    process.signal(signal.SIGKILL)
    while process.poll() is None:
        time.sleep(0.001)


def test_query_tells_what_became_of_a_payout_and_the_ledger_learns_it(
    local: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For people and for programs."""
    write_file(Path("p.csv"), [payout(1, trade_no="T1")])
    monkeypatch.setenv("PAYPRO_LEDGER", "payouts.db")
    assert run(["batch", "p.csv", "--yes"]) == 0
    request = Request(f"{local}/sandbox/orders/T1", data=b'{"status": "0000"}', method="POST")  # noqa: S310 - ours
    with urlopen(request, timeout=5):  # noqa: S310 - loopback
        capsys.readouterr()

    assert run(["query", "T1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("T1: succeeded\n")
    assert "utr: " in out
    assert run(["query", "T1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["status"], Decimal(answer["amount"]), answer["found"]) == ("succeeded", 101, True)
    assert run(["batch", "p.csv", "--yes", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["statuses"]) == ["succeeded"]


def test_query_of_an_unknown_order_and_the_balance(local: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Answers, both; an order that is not known is exit code 4; and neither makes a ledger."""
    assert run(["balance"]) == 0
    assert capsys.readouterr().out.startswith("available: 1,00,00,00,000.00 INR\n")
    assert run(["balance", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["available"] == "1000000000.0000"
    assert run(["query", "T0"]) == 4
    out, err = capsys.readouterr()
    assert out == (
        "T0: The platform knows no such order. An order sent in the last minute may still appear: "
        "this does not prove that it was not paid.\n"
    )
    assert err == "The ledger sandbox.db does not exist; asking without one.\n"
    assert run(["query", "T0", "--json"]) == 4
    answer = json.loads(capsys.readouterr().out)
    assert (answer["found"], answer["exit_code"], answer["kind"]) == (False, 4, "some_failed")
    assert "does not prove" in answer["message"]
    assert not list(Path().iterdir())


def test_a_variable_that_is_misspelt_is_said_by_every_command_that_asks_or_pays(
    local: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A settle window that was meant to be longer would be as short as ever, and nobody would know."""
    monkeypatch.delenv("PAYPRO_SETTLE_AFTER", raising=False)
    monkeypatch.setenv("PAYPRO_SETLE_AFTER", "120")
    write_file(Path("p.csv"), [payout(1)])
    for words in (["balance"], ["query", "T0"], ["batch", "p.csv", "--dry-run"], ["batch", "p.csv"]):
        run(words)
        said = capsys.readouterr().err
        assert said.count("Note: PAYPRO_SETLE_AFTER is set and means nothing: is it PAYPRO_SETTLE_AFTER?") == 1, words


def test_a_question_that_gets_no_answer_is_an_error_in_a_sentence(
    local: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1; a wrong trade number is wrong usage."""
    assert run(["query", "not a number"]) == 2
    monkeypatch.setenv("PAYPRO_SECRET", "wrong")
    capsys.readouterr()
    assert run(["balance"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("Error: The platform could not be asked for the balance")
    assert "its position (PAYPRO_SECRET_POSITION; 'paypro doctor' tries both)" in err


def test_a_ledger_that_fails_at_the_end_is_said_in_a_sentence(
    local: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent is in it; exit code 1, and no half of a result file."""
    write_file(Path("p.csv"), [payout(1)])

    async def broken(*_: object, **__: object) -> AsyncIterator[object]:
        raise LedgerUnavailableError("The ledger has gone.")
        yield

    monkeypatch.setattr("paypro_async.bulk.apply.row_outcomes", broken)
    assert run(["batch", "p.csv", "--yes", "--ledger", "payouts.db"]) == 1
    assert capsys.readouterr().err.endswith("Error: The ledger has gone.\n")
    assert not Path("p.result.csv").exists()


def test_a_signal_before_the_first_payout_sends_nothing(
    local: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the ledger is looked through; exit code 130, and the signal's own handler is back afterwards."""
    write_file(Path("p.csv"), [payout(1)])
    Path("payouts.db").touch()
    handler = signal.getsignal(signal.SIGTERM)

    async def interrupted(*_: object, **_more: object) -> Before:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.01)
        return Before()

    monkeypatch.setattr("paypro_async.bulk.Disbursement.look_back", interrupted)
    assert run(["batch", "p.csv", "--yes", "--ledger", "payouts.db"]) == 130
    assert capsys.readouterr().err.endswith(" yet.\nInterrupted. Nothing was sent.\n")
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_failure_of_the_system_is_said_in_its_words() -> None:
    """With the file's name, and without a traceback."""
    assert explain(PermissionError(13, "Permission denied", "p.csv")) == "Error: Permission denied: p.csv"
    assert explain(BrokenPipeError(32, "Broken pipe")) == "Error: Broken pipe"


async def test_the_sandbox_says_how_to_use_it_and_that_works(terminal: Terminal) -> None:
    """The lines that it prints are all the environment that a batch needs; Ctrl-C ends it with 0."""
    process = terminal.begin("sandbox", "--port", "0", "--fault-rate", "0", env={"PAYPRO_SECRET": None})
    exported = exported_by(process)
    terminal.file(2)

    done = await terminal.run("batch", "payouts.csv", "--yes", env=exported)
    assert done.code == 0
    assert (terminal.folder / "sandbox.db").exists()
    assert exported["PAYPRO_SETTLE_AFTER"] == "2"
    assert exported["PAYPRO_SECRET"] == "sandbox-secret"
    assert "/sandbox/books" in process.output
    process.signal(signal.SIGINT)
    assert await process.ended() == 0


async def test_the_sandbox_pays_after_a_while(terminal: Terminal) -> None:
    """So that one can see a payout become paid; its settle window covers the lag that was asked for."""
    arguments = ("--port", "0", "--fault-rate", "0", "--paid-after", "0.1", "--booking-lag", "2")
    process = terminal.begin("sandbox", *arguments)
    exported = exported_by(process)
    terminal.file(1)
    assert (await terminal.run("batch", "payouts.csv", "--yes", env=exported)).code == 0
    await asyncio.sleep(0.15)  # a quick machine runs both commands before it is paid
    done = await terminal.run("batch", "payouts.csv", "--yes", "--refresh", "--json", env=exported)
    process.terminate()
    await process.ended()

    assert exported["PAYPRO_SETTLE_AFTER"] == "5"
    assert list(done.summary["statuses"]) == ["succeeded"]


async def test_the_sandbox_answers_unknown_orders_as_it_is_told(terminal: Terminal) -> None:
    """In any of its ways, or under a code that is given; another word is wrong usage."""
    process = terminal.begin("sandbox", "--port", "0", "--unknown-order", "7001:no record")
    exported = exported_by(process)
    done = await terminal.run("query", "T0", env=exported | {"PAYPRO_NO_SUCH_ORDER_CODES": "7001"})
    process.terminate()
    await process.ended()
    assert "knows no such order" in done.out

    wrong = await terminal.run("sandbox", "--unknown-order", "nothing")
    assert wrong.code == 2
    assert "null, empty, code, refusal, or a code of 4 to 8 digits" in wrong.err


async def test_the_sandbox_keeps_a_secret_of_ones_own_to_itself(terminal: Terminal, sandbox: Sandbox) -> None:
    """It is not printed; and a port that is taken is said in a sentence."""
    process = terminal.begin("sandbox", "--port", "0")
    exported_by(process)
    process.terminate()
    assert await process.ended() == 0
    assert SECRET not in process.output + process.errors

    port = sandbox.base_url.rpartition(":")[2]
    taken = await terminal.run("sandbox", "--port", port)
    assert taken.code == 1
    assert taken.err == f"Error: Port {port} is taken; name another one with --port, or 0 for a free one.\n"


@pytest.fixture
def signing(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PAYPRO_SECRET", SECRET)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "fields.json"
    fields = '{"tradeNo": "T1", "amount": 300.0, "remark": "", "name": null, "sign": "x", "flag": true, "Zeta": "é"}'
    path.write_text(fields, encoding="utf-8")
    return path


def test_sign_prints_the_signature(signing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Over sorted fields, numbers as they are written, empty ones and sign left out, the secret last."""
    assert run(["sign", "fields.json"]) == 0
    expected = hashlib.md5(f"Zeta=éamount=300.0flag=truetradeNo=T1{SECRET}".encode()).hexdigest()
    assert capsys.readouterr().out == f"{expected}\n"


@pytest.mark.parametrize("position", ["suffix", "prefix"])
def test_sign_explains_itself_without_the_secret(
    signing: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, position: str
) -> None:
    """The exact text, with the secret's place in it, and what was left out."""
    monkeypatch.setenv("PAYPRO_SECRET_POSITION", position)
    assert run(["sign", "--explain", "fields.json"]) == 0
    out = capsys.readouterr().out
    text = "Zeta=éamount=300.0flag=truetradeNo=T1"

    assert (f"\n  {text}<secret>\n" if position == "suffix" else f"\n  <secret>{text}\n") in out
    assert "Left out: remark (empty)" in out
    assert "Left out: sign (never signed itself)" in out
    assert "is another" in out
    assert SECRET not in out


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "not JSON"), ("[]", "JSON object"), ('{"data": {}}', "data"), (b"\xff", "UTF-8")],
)
def test_sign_refuses_what_it_cannot_sign(
    signing: Path, capsys: pytest.CaptureFixture[str], content: str | bytes, said: str
) -> None:
    """Exit code 2."""
    signing.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert run(["sign", "fields.json"]) == 2
    assert said in capsys.readouterr().err


def test_sign_without_a_secret_says_which_variable(signing: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2, and no other variable is asked for."""
    monkeypatch.delenv("PAYPRO_SECRET")
    assert run(["sign", "fields.json"]) == 2
    assert capsys.readouterr().err.startswith("Error: Not set: PAYPRO_SECRET (or PAYPRO_SECRET_FILE).")


async def test_the_demonstration_shows_that_a_crash_pays_nothing_twice(terminal: Terminal) -> None:
    """It kills its own payer, runs it again, compares, and ends with 0 only if all is right."""
    done = await terminal.run("demo", "--rows", "40", "--fault-rate", "0.1", "--seed", "3", "--keep", "kept")

    assert done.code == 0, done.out + done.err
    assert "Killed with SIGKILL" in done.out
    assert "booked once     40" in done.out
    assert "missing         0" in done.out
    assert "booked twice    0" in done.out
    assert "ledger agrees   40 of 40" in done.out
    assert len(terminal.result("kept/sample.result.csv")) == 40


def test_the_demonstration_overwrites_nothing(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder to keep the files in must be empty; exit code 2."""
    (tmp_path / "mine").write_text("")
    assert run(["demo", "--keep", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra_the_command_line_says_what_to_install(tmp_path, missing: str) -> None:
    """Exit code 1 and one line."""
    (tmp_path / f"{missing}.py").write_text(f"raise ModuleNotFoundError('no', name='{missing}')")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "paypro_async", "--help"],
        env=dict(os.environ) | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    words = f"The command line needs {missing}: pip install 'paypro-async[cli]'"
    assert done.stderr.removeprefix("Error: ") == f"{words}\n"


@pytest.mark.parametrize("name", ["single_payout.py", "batch.py", "pay_file.py"])
async def test_the_examples_run(terminal: Terminal, fork_server: ForkServer, name: str) -> None:
    """As they stand, from any folder, without settings."""
    clean = {key: value for key, value in terminal.environment.items() if not key.startswith("PAYPRO_")}
    example = str(ROOT / "examples" / name)
    process = fork_server.start(python.PROGRAM, example, folder=terminal.folder, environment=clean)

    assert (await process.ended(), process.errors) == (0, "")
    assert "processing" in process.output


async def test_from_the_environment_alone(terminal: Terminal, sandbox: Sandbox) -> None:
    """A secret from a file, and options that beat variables."""
    (terminal.folder / "secret").write_text(f"{SECRET}\n")
    terminal.file(1)
    env = {"PAYPRO_SECRET": None, "PAYPRO_SECRET_FILE": "secret", "PAYPRO_MERCHANT_NO": "wrong"}
    done = await terminal.run("batch", "payouts.csv", "--yes", "--merchant-no", MERCHANT_NO, "--json", env=env)

    assert json.loads(done.out)["exit_code"] == 0
    assert len(sandbox.books.bookings) == 1
