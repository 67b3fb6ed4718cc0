"""Who has only the text of an error mends each of these set-ups: it names the setting, the file or the command."""

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from paypro_async import LedgerUnavailableError, PayProClient
from paypro_async.cli.app import run
from paypro_async.ledger.held import is_held
from paypro_async.ledger.sql.ledger import SqlLedger
from tests.support.servers import Peer, Server, replies, unused_url

SECRET, PASSWORD = "not-for-any-screen-91", "nor-is-this-77"
HEAD = "amount,name,mobile,email,bank_number,bank_code,remark,trade_no\n"
ROW = "1500,Asha Rao,8234567890,asha@example.com,50100000000017,IDFB0043121,salary November,\n"
HIDDEN = (SECRET, PASSWORD, "Asha Rao", "8234567890", "asha@example.com", "50100000000017", "Traceback")

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command where all is well but what a test breaks: its exit code, and all that it says."""
    monkeypatch.chdir(tmp_path)
    Path("payouts.csv").write_text(HEAD + ROW, encoding="utf-8")
    good = {
        "PAYPRO_BASE_URL": unused_url(path=""),
        "PAYPRO_ENVIRONMENT": "sandbox",
        "PAYPRO_MERCHANT_NO": "0000000001",
        "PAYPRO_SECRET": SECRET,
        "PAYPRO_LEDGER": "payouts.db",
        "PAYPRO_IP_ADDRESS": "203.0.113.7",
        "PAYPRO_NOTIFY_URL": "https://merchant.example/paypro",
        "PAYPRO_TIMEOUT": "0.5",
    }

    def call(*words: str, **broken: str | None) -> tuple[int, str]:
        for name, value in (good | broken).items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        code = run(list(words))
        said = "".join(capsys.readouterr())
        assert not [one for one in HIDDEN if one in said], said
        return code, said

    return call


@pytest.mark.parametrize(
    ("broken", "mend"),
    [
        ({"PAYPRO_MERCHANT_NO": None}, "PAYPRO_MERCHANT_NO"),
        ({"PAYPRO_MERCHANT_NO": None, "PAYPRO_MERCHANT_NUMBER": "1"}, "is it PAYPRO_MERCHANT_NO?"),
        ({"PAYPRO_MERCHANT_NO": "0000000001 "}, "PAYPRO_MERCHANT_NO (or --merchant-no) begins or ends with a blank"),
        ({"PAYPRO_MERCHANT_NO": "no.1"}, "text of letters and digits"),
        ({"PAYPRO_SECRET": None, "PAYPRO_SECRETFILE": "s.txt"}, "is it PAYPRO_SECRET_FILE?"),
        ({"PAYPRO_SECRET": f"{SECRET}\n"}, "The secret in PAYPRO_SECRET begins or ends with a line break"),
        ({"PAYPRO_SECRET": f'"{SECRET}"'}, "Give it without them"),
        ({"PAYPRO_SECRET_POSITION": "front"}, "PAYPRO_SECRET_POSITION is neither 'suffix' nor 'prefix'"),
        ({"PAYPRO_SECRET": None, "PAYPRO_SECRET_FILE": SECRET}, "the secret itself belongs into PAYPRO_SECRET"),
        (
            {"PAYPRO_SECRET": None, "PAYPRO_SECRET_FILE": os.devnull},
            "names is empty. Nothing was sent. Write the app secret into it",
        ),
        ({"PAYPRO_BASE_URL": "https://pay.example/v1/paypro/payout"}, "stands before '/v1/paypro/…': https://pay.ex"),
        ({"PAYPRO_BASE_URL": f"https://pay.example/?key={SECRET}"}, "Give host and path only"),
        ({"PAYPRO_BASE_URL": "api.paypro.tech"}, "PAYPRO_BASE_URL (or --base-url) is not an absolute http or https"),
        ({"PAYPRO_BASE_URL": "http://pay.example"}, "Use https"),
        ({"PAYPRO_REGION": "Brazil"}, "Known regions: india"),
        ({"PAYPRO_TIMEOUT": "30s"}, "PAYPRO_TIMEOUT is not a number of seconds"),
        (
            {"PAYPRO_SETTLE_AFTER": "1", "PAYPRO_REQUEST_TIMEOUT": "2"},
            "(1 s) must be longer than --request-timeout (2 s)",
        ),
        ({"PAYPRO_TRANSPORT": "requests"}, "Give 'httpx', 'aiohttp', 'httpx2'"),
        ({"PAYPRO_LEDGER": f"mysql://u:{PASSWORD}@h/x"}, "postgresql://user@host/database"),
        ({"PAYPRO_PROXY": f"http://u:{PASSWORD}@proxy:31x28"}, "PAYPRO_PROXY"),
    ],
)
def test_a_setting_is_named_with_its_mend(command: Command, broken: dict[str, str | None], mend: str) -> None:
    """Before anything is asked, with the exit code for settings."""
    code, said = command("query", "T-1", **broken)
    assert code == 2
    assert mend in said


def test_a_ledger_that_is_misspelt_is_no_silence(command: Command) -> None:
    """Nothing is paid without it, and a question says that it was asked without."""
    misspelt = {"PAYPRO_LEDGER": None, "PAYPRO_LEGDER": "payouts.db"}
    code, said = command("batch", "payouts.csv", "--yes", **misspelt)
    assert (code, said.rstrip().endswith("PAYPRO_LEGDER is set and means nothing: is it PAYPRO_LEDGER?")) == (2, True)
    said = command("query", "T-1", **misspelt)[1]
    assert said.startswith("No ledger is named; asking without one.\nNote: PAYPRO_LEGDER is set and means nothing")


@pytest.mark.parametrize(
    ("content", "mend"),
    [
        (HEAD + ROW.replace("Asha", "Ash\u00e9"), 'save it again as "CSV UTF-8"'),
        ("amount,name,mobile\n1500,Asha Rao,8234567890\n", "bank_number: has no column; add one"),
        (HEAD + ROW.replace("1500", "15.005"), "amount: is written with more than 2 decimals"),
        (HEAD + ROW.replace("50100000000017", "5.01E+13"), "format the column as text"),
        ("", "is empty"),
        (HEAD, "has a header only"),
        ("PK\x03\x04[Content_Types].xml", "save it again as .xlsx"),
        (HEAD + ROW.rstrip("\n"), "See that the last row is whole, and make a plan of it"),
    ],
)
def test_a_file_is_told_how_to_be_saved(command: Command, content: str, mend: str) -> None:
    """With its line, and that nothing was sent."""
    Path("payouts.csv").write_bytes(content.encode("latin-1"))
    code, said = command("batch", "payouts.csv", "--yes")
    assert code == 3
    assert mend in said
    assert "Nothing was sent" in said


def test_where_the_result_cannot_go_is_told(command: Command) -> None:
    """With the reason: there is no such folder, or something else stands there."""
    code, said = command("batch", "payouts.csv", "--yes", "--result", "nowhere/r.csv")
    assert (code, "there is no folder" in said) == (2, True)
    Path("payouts.result.csv").mkdir()
    assert "it is no file" in command("batch", "payouts.csv", "--yes")[1]


def _folder(path: Path) -> None:
    path.mkdir()


def _table(path: Path) -> None:
    path.write_text("name;amount\n" * 500)


def _world_writable(path: Path) -> None:
    sqlite3.connect(path).close()
    path.chmod(0o666)


@pytest.mark.parametrize(
    ("make", "mend"),
    [
        (_folder, "Name a file in it"),
        (_table, "the file is not a ledger; name another one"),
        (_world_writable, "chmod 600"),
    ],
)
def test_a_file_that_is_no_ledger_is_told(command: Command, make: Callable[[Path], None], mend: str) -> None:
    """With what is certain: nothing was sent."""
    make(Path("payouts.db"))
    code, said = command("query", "T-1")
    assert code in (1, 2)
    assert mend in said
    assert "Nothing was sent" in said


def test_a_port_that_nobody_listens_at(command: Command) -> None:
    """A question moves no money; the setting is named as the command line knows it."""
    code, said = command("query", "T-1", PAYPRO_LEDGER=None)
    assert code == 1
    assert "nothing listens there. Check host and port of PAYPRO_BASE_URL (or --base-url)" in said
    assert "Asking moves no money" in said


def test_the_doctor_blames_no_network_for_a_setting(command: Command) -> None:
    """What cannot be asked because of a setting is mended there."""
    code, said = command("doctor", PAYPRO_REGION="Brazil")
    assert code == 1
    assert "The platform was not asked, as a setting cannot be used." in said
    assert "Check the network" not in said


async def test_the_doctor_tells_what_answers_instead(command: Command) -> None:
    """Another server than PayPro's is no matter of the network."""
    page = b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
    async with Server(replies(page)) as server:
        code, said = await asyncio.to_thread(command, "doctor", PAYPRO_BASE_URL=server.base_url)
    assert code == 1
    assert "compare PAYPRO_BASE_URL (or --base-url) with the address that PayPro gave" in said
    assert "Check the network" not in said


def _circle(path: Path) -> None:
    path.symlink_to(path.name)


def _taken_away(path: Path) -> None:
    path.with_name(f"{path.name}-mark").write_text("")


@pytest.mark.parametrize(
    ("make", "line", "mend"),
    [
        (_circle, "disk", "Mend it, or name the file itself"),
        (_taken_away, "ledger", "was taken away"),
        (_folder, "disk", "Name a file for the ledger"),
    ],
)
def test_the_doctor_is_not_content_with_such_a_ledger(
    command: Command, make: Callable[[Path], None], line: str, mend: str
) -> None:
    """What a batch would be refused for, or would have to ask about, is a line with its own mend."""
    make(Path("payouts.db"))
    code, said = command("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(said)["checks"]}
    assert code == 1
    assert not checks[line]["ok"]
    assert mend in f"{checks[line]['found']} {checks[line]['advice']}"


@pytest.mark.parametrize(
    ("broken", "line", "said"),
    [
        ({"PAYPRO_IP_ADDRESS": "localhost"}, "settings", "PAYPRO_IP_ADDRESS (or --ip-address) must be an IP address"),
        ({"PAYPRO_NOTIFY_URL": "merchant.example"}, "settings", "PAYPRO_NOTIFY_URL (or --notify-url) must be an"),
        ({"PAYPRO_LEDGER_MARK": "nowhere"}, "mark", "make the folder"),
        ({"PAYPRO_LEDGER": "payouts"}, "ledger", "--ledger='sqlite:///payouts.db'"),
    ],
)
def test_the_doctor_refuses_what_a_batch_refuses(
    command: Command, broken: dict[str, str], line: str, said: str
) -> None:
    """In the words of the command line."""
    code, out = command("doctor", "--json", **broken)
    checks = {check["name"]: check for check in json.loads(out)["checks"]}
    assert (code, checks[line]["ok"]) == (1, False)
    assert said in f"{checks[line]['found']} {checks[line]['advice']}"


async def test_a_ledger_that_is_held_is_not_ready(
    command: Command, path: Path, account: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line, and the exit code, say so."""
    async with client(str(path)):
        pass
    monkeypatch.setattr("paypro_async.ledger.held.is_held", lambda path, seconds: True)
    code, said = await asyncio.to_thread(command, "doctor", "--json", PAYPRO_LEDGER=str(path))
    found = next(check for check in json.loads(said)["checks"] if check["name"] == "database")
    assert (code, found["level"]) == (1, "problem")
    assert "holds it for writing" in found["found"]


async def test_another_process_that_holds_the_ledger_is_seen(path: Path, account: None) -> None:
    """By a lock that is taken and given back; nothing is written."""
    async with client(str(path)):
        pass
    holder = sqlite3.connect(path, isolation_level=None)
    reader = SqlLedger(f"sqlite:///{path}")
    await reader.open_to_read()
    try:
        assert (await reader.describe())["held"] == "no"
        holder.execute("BEGIN IMMEDIATE")
        assert is_held(path, seconds=0.01)
        holder.execute("ROLLBACK")
        assert not is_held(path, seconds=0.01)
    finally:
        holder.close()
        await reader.aclose()


def client(ledger: str, **others: float) -> PayProClient:
    return PayProClient.from_env(ledger=ledger, base_url=unused_url(path=""), environment="sandbox", **others)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYPRO_MERCHANT_NO", "0000000001")
    monkeypatch.setenv("PAYPRO_SECRET", SECRET)


@pytest.mark.usefixtures("account")
async def test_who_waits_no_longer_for_a_server_hears_why() -> None:
    """A deadline that ends before the ledger's patience does not hide what the server said."""
    port = unused_url().split(":")[2].split("/")[0]
    with pytest.raises(LedgerUnavailableError, match=r"did not answer within 0\.3 s.*mend host and port") as caught:
        await client(f"postgresql://payer:{PASSWORD}@127.0.0.1:{port}/pay", timeout=0.3).__aenter__()
    assert "Nothing was sent" in str(caught.value)
    assert PASSWORD not in str(caught.value)


@pytest.mark.usefixtures("account")
async def test_what_is_no_postgresql_is_told_at_once() -> None:
    """It is not waited for, and the mend is the address."""

    async def page(peer: Peer) -> None:
        await peer.read()
        await peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with Server(page) as server:
        url = f"postgresql://payer:{PASSWORD}@127.0.0.1:{server.port}/pay"
        with pytest.raises(LedgerUnavailableError, match="is no PostgreSQL; mend host and port in the URL"):
            await asyncio.wait_for(client(url).__aenter__(), 10)


@pytest.mark.usefixtures("account")
async def test_a_ledger_that_another_program_holds(path: Path) -> None:
    """Whoever gives up is told where to look."""
    async with client(str(path)):
        pass
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(LedgerUnavailableError, match="Look whether another program holds it"):
            await client(str(path), timeout=0.3).__aenter__()
    finally:
        holder.close()
