"""The other commands."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from paypro_async.cli.app import run
from paypro_async.sandbox import Sandbox
from tests.cli.terminal import MERCHANT_NO, SECRET, Terminal, payout, write_file

ROOT = Path(__file__).parents[2]


async def test_query_tells_what_became_of_a_payout_and_the_ledger_learns_it(
    terminal: Terminal, sandbox: Sandbox
) -> None:
    """For people and for programs."""
    write_file(terminal.folder / "p.csv", [payout(1, trade_no="T1")])
    await terminal.run("batch", "p.csv")
    sandbox.books.set_status("T1", "0000")

    told = await terminal.run("query", "T1")
    assert told.code == 0
    assert told.out.startswith("T1: succeeded\n")
    assert "utr: " in told.out
    asked = await terminal.run("query", "T1", "--json")
    assert (asked.summary["status"], asked.summary["amount"], asked.summary["found"]) == ("succeeded", "101", True)
    again = await terminal.run("batch", "p.csv", "--json")
    assert list(again.summary["statuses"]) == ["succeeded"]


async def test_query_of_an_unknown_order_and_the_balance(terminal: Terminal) -> None:
    """Answers, both; the balance makes no ledger."""
    balance = await terminal.run("balance")
    assert balance.out.startswith("available: 1,000,000,000.0000 INR\n")
    assert (await terminal.run("balance", "--json")).summary["available"] == "1000000000.0000"
    assert not list(terminal.folder.iterdir())

    unknown = await terminal.run("query", "T0")
    assert (unknown.code, unknown.out) == (0, "T0: the platform knows no such order\n")


async def test_a_question_that_gets_no_answer_is_an_error_in_a_sentence(terminal: Terminal) -> None:
    """Exit code 1; a wrong trade number is wrong usage."""
    refused = await terminal.run("balance", env={"PAYPRO_SECRET": "wrong"})
    assert refused.code == 1
    assert refused.err.startswith("Error: The platform could not be asked for the balance")
    assert (await terminal.run("query", "not a number")).code == 2


async def test_the_sandbox_says_how_to_use_it_and_that_works(terminal: Terminal) -> None:
    """The lines that it prints are all the environment that a batch needs; Ctrl-C ends it with 0."""
    process = await terminal.start("sandbox", "--port", "0", "--fault-rate", "0", env={"PAYPRO_SECRET": None})
    said: list[str] = []
    while not said or not said[-1].startswith("export PAYPRO_NOTIFY_URL"):
        said.append((await process.stdout.readline()).decode().rstrip())
    exported = dict(line.removeprefix("export ").split("=", 1) for line in said if line.startswith("export "))
    terminal.file(2)

    done = await terminal.run("batch", "payouts.csv", env=exported)
    assert done.code == 0
    assert exported["PAYPRO_SECRET"] == "sandbox-secret"
    assert any("/sandbox/books" in line for line in said)
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 0


async def test_the_sandbox_keeps_a_secret_of_ones_own_to_itself(terminal: Terminal, sandbox: Sandbox) -> None:
    """It is not printed; and a port that is taken is said in a sentence."""
    process = await terminal.start("sandbox", "--port", "0")
    said = [await process.stdout.readline() for _ in range(9)]
    process.terminate()
    await process.communicate()
    assert process.returncode == 0
    assert SECRET.encode() not in b"".join(said)

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
    assert done.stderr == f"The command line needs {missing}: pip install 'paypro-async[cli]'\n"


@pytest.mark.parametrize("name", ["single_payout.py", "batch.py"])
async def test_the_examples_run(terminal: Terminal, name: str) -> None:
    """As they stand, from any folder, without settings."""
    clean = {key: value for key, value in terminal.environment.items() if not key.startswith("PAYPRO_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "examples" / name),
        cwd=terminal.folder,
        env=clean,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()

    assert (process.returncode, err) == (0, b"")
    assert b"processing" in out


async def test_from_the_environment_alone(terminal: Terminal, sandbox: Sandbox) -> None:
    """A secret from a file, and options that beat variables."""
    (terminal.folder / "secret").write_text(f"{SECRET}\n")
    terminal.file(1)
    env = {"PAYPRO_SECRET": None, "PAYPRO_SECRET_FILE": "secret", "PAYPRO_MERCHANT_NO": "wrong"}
    done = await terminal.run("batch", "payouts.csv", "--merchant-no", MERCHANT_NO, "--json", env=env)

    assert json.loads(done.out)["exit_code"] == 0
    assert len(sandbox.books.bookings) == 1
