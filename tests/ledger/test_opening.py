"""A ledger's URL: each spelling means the same in a client, in its environment and in every command."""

import os
from pathlib import Path

import pytest

from paypro_async import ConfigurationError, Md5Signer, MemoryLedger, PayProClient
from paypro_async.cli.app import run
from paypro_async.cli.ledger.options import ledger_of
from paypro_async.ledger import Ledger, open_ledger
from paypro_async.ledger.opening import LedgerUrl
from paypro_async.ledger.sql.ledger import SqlLedger

FILES = {
    "payouts.db": "payouts.db",
    "payouts.sqlite3": "payouts.sqlite3",
    ".payouts": ".payouts",
    "./payouts": "payouts",
    "./x/payouts.db": "x/payouts.db",
    "x/payouts": "x/payouts",
    "../here/payouts.db": "payouts.db",
    "{here}/payouts": "payouts",
    "~/payouts.db": "home/payouts.db",
    "./~payouts.db": "~payouts.db",
    "our payouts.db": "our payouts.db",
    "pay%20outs.db": "pay%20outs.db",
    "payouts#1.db": "payouts#1.db",
    "2026:11.db": "2026:11.db",
    "./payouts:11.db": "payouts:11.db",
    "Überweisungen.db": "Überweisungen.db",
    "sqlite:///payouts.db": "payouts.db",
    "sqlite:///payouts": "payouts",
    "sqlite:///./x/payouts.db": "x/payouts.db",
    "sqlite:///{here}/payouts.db": "payouts.db",
    "sqlite:///~/payouts.db": "home/payouts.db",
    "sqlite:///our payouts.db": "our payouts.db",
    "sqlite:///our%20payouts.db": "our payouts.db",
    "sqlite:///pay%2520outs.db": "pay%20outs.db",
    "sqlite:///100%.db": "100%.db",
}
"""What a user writes, and the file that is meant, below the working folder."""

SERVERS = [
    "postgresql://payer:geheim@db.example/payouts?sslmode=require",
    "postgres://payer:geheim@db.example/payouts?sslmode=require",
    "postgresql+psycopg://payer:geheim@db.example/payouts?sslmode=require",
]

WRONG = {
    "": "empty",
    "sqlite:///": "empty",
    "Memory": "one word",
    "memorie": "one word",
    "payouts": "one word",
    ":memory:": "one word",
    "memory ": "one word",
    "payouts.db ": "blank",
    " sqlite:///payouts.db": "blank",
    "sqlite:///payouts.db\n": "blank",
    "pay\0outs.db": "blank or a control character",
    "sqlite://": "three slashes",
    "sqlite://payouts.db": "three slashes",
    "sqlite:payouts.db": "three slashes",
    "sqlite:///:memory:": "plain name",
    "sqlite:///file:payouts.db?uri=true": "plain name",
    "sqlite:///file:payouts.db": "plain name",
    "sqlite:///payouts.db?timeout=30": "plain name",
    "sqlite:///%3Amemory%3A": "plain name",
    "payouts.db?mode=ro": "plain name",
    "file:payouts.db": "another kind",
    "payouts:11.db": "another kind",
    "mysql://host/db": "another kind",
    "postgresql+asyncpg://host/db": "another kind",
    "postgresql:host/db": "another kind",
    "db.example:5432/payouts": "another kind",
    ".": "folder",
    "./": "folder",
    "x/..": "folder",
    "x/": "folder",
    "sqlite:///x/": "folder",
    "sqlite///x.db": "colon behind its first word is missing",
    "postgresql//u:geheim@db.example/payouts": "colon behind its first word is missing",
    "'x.db'": "quotes stand around it",
    '"sqlite:///x/p.db"': "quotes stand around it",
    "$HOME/x.db": "no shell has filled in",
    "x/${FOLDER}/p.db": "no shell has filled in",
    "%APPDATA%/x.db": "no shell has filled in",
    "PAYPRO_LEDGER=x.db": "name of a setting",
    "u:geheim@db.example/payouts": "a server is written with postgresql://",
    "x/p.db-wal": "belongs to a ledger",
    "sqlite:///x/p.db-mark": "belongs to a ledger",
}

on_posix = pytest.mark.skipif(os.name == "nt", reason="Windows has drives")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a home in it, and the settings of a client in the environment."""
    folder = (tmp_path / "here").resolve()
    (folder / "x").mkdir(parents=True)
    (folder / "home").mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("USERPROFILE", str(folder / "home"))
    monkeypatch.setenv("PAYPRO_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PAYPRO_ENVIRONMENT", "sandbox")
    monkeypatch.setenv("PAYPRO_MERCHANT_NO", "1")
    monkeypatch.setenv("PAYPRO_SECRET", "secret")
    monkeypatch.delenv("PAYPRO_LEDGER", raising=False)
    return folder


def ways(text: str, monkeypatch: pytest.MonkeyPatch) -> list[Ledger | None]:
    """The ledgers of a client, of one from the environment, of a command's option and of a command's environment."""
    settings = {
        "base_url": "http://127.0.0.1:9",
        "environment": "sandbox",
        "merchant_no": "1",
        "signer": Md5Signer("s"),
    }
    made = [PayProClient(**settings, ledger=text).ledger]
    made.append(ledger_of(text))
    monkeypatch.setenv("PAYPRO_LEDGER", text)
    return [*made, PayProClient.from_env().ledger, ledger_of(None)]


@pytest.mark.parametrize("text", FILES)
def test_a_file_is_the_same_wherever_its_name_is_written(text: str, here: Path, monkeypatch: pytest.MonkeyPatch):
    """A bare path and a URL, relative or not, with what a path may hold."""
    written = text.format(here=here)
    for ledger in ways(written, monkeypatch):
        assert isinstance(ledger, SqlLedger)
        assert Path(os.path.normpath(ledger.name)) == here / FILES[text]
    read = LedgerUrl.read(written)
    assert read.file is not None
    assert read.file.resolve() == here / FILES[text]
    assert LedgerUrl.read(read.url) == read
    assert not (here / FILES[text]).exists()


@pytest.mark.parametrize("text", FILES)
def test_every_command_knows_the_file(text: str, here: Path, capsys: pytest.CaptureFixture[str]):
    """One looks for it, one would write over it, one makes it, one reads it."""
    option = f"--ledger={text.format(here=here)}"
    file = here / FILES[text]
    assert run(["query", "no number", option]) == 2
    assert "does not exist; asking without one." in capsys.readouterr().err
    Path("p.csv").touch()
    assert run(["batch", "p.csv", "--yes", option, "--result", str(file)]) == 2
    assert "is the input or belongs to the ledger" in capsys.readouterr().err
    assert not file.exists()

    assert run(["ledger", "migrate", option]) == 0
    assert file.stat().st_size
    assert run(["ledger", "show", option]) == 0
    capsys.readouterr()
    assert run(["query", "no number", option]) == 2
    assert "does not exist" not in capsys.readouterr().err


@pytest.mark.parametrize("text", SERVERS)
def test_a_server_is_the_same_wherever_it_is_written(text: str, here: Path, monkeypatch: pytest.MonkeyPatch):
    """As libpq, as many hosts and as SQLAlchemy spell it; the password is not shown."""
    for ledger in ways(text, monkeypatch):
        assert isinstance(ledger, SqlLedger)
        assert ledger.name == "db.example/payouts"
        assert ledger._database._address.parameters["password"] == "geheim"
    assert LedgerUrl.read(text) == LedgerUrl.read(SERVERS[0])
    assert LedgerUrl.read(text).file is None
    assert "geheim" not in repr(LedgerUrl.read(text))


def test_memory_is_a_ledger_for_a_client_alone(here: Path, monkeypatch: pytest.MonkeyPatch):
    """Commands would forget it at once."""
    assert LedgerUrl.read("memory").in_memory
    assert LedgerUrl.read("memory").file is None
    assert not LedgerUrl.read("./memory").in_memory
    assert isinstance(open_ledger("memory"), MemoryLedger)
    monkeypatch.setenv("PAYPRO_LEDGER", "memory")
    assert isinstance(PayProClient.from_env().ledger, MemoryLedger)
    assert run(["ledger", "show"]) == 2
    Path("p.csv").touch()
    assert run(["batch", "p.csv", "--yes"]) == 2


@pytest.mark.parametrize("text", WRONG, ids=repr)
def test_what_surely_names_no_ledger_is_refused(text: str, here: Path):
    """The text says what is wrong and what to write, and does not quote what may hold a password."""
    for use in (LedgerUrl.read, open_ledger):
        with pytest.raises(ConfigurationError, match=WRONG[text]) as caught:
            use(text)
        assert "ledger='sqlite:///payouts.db'" in str(caught.value)
        assert text not in str(caught.value) or len(text) < 12


@pytest.mark.parametrize("text", [text for text in WRONG if text and "\0" not in text], ids=repr)
def test_every_command_refuses_it(
    text: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Wrong usage, in the words of the option, and nothing is made."""
    monkeypatch.setenv("PAYPRO_LEDGER", text)
    Path("p.csv").touch()
    for command in (["query", "T1"], ["batch", "p.csv"], ["ledger", "migrate"], ["ledger", "show"]):
        assert run(command) == 2
        assert run([*command, f"--ledger={text}"]) == 2
        said = capsys.readouterr().err
        assert said.count("The ledger is not understood: ") == 2
        assert "Give --ledger='sqlite:///payouts.db' (or just 'payouts.db'" in said
    with pytest.raises(ConfigurationError):
        PayProClient.from_env()
    assert {one.name for one in here.iterdir()} == {"x", "home", "p.csv"}


@on_posix
@pytest.mark.parametrize("text", [r"C:\data\payouts.db", "C:/payouts.db", "sqlite:///C:/payouts.db", r"\\host\x\p.db"])
def test_a_drive_is_refused_where_there_are_none(text: str):
    """It would be a file of that very name in the working folder."""
    with pytest.raises(ConfigurationError, match="no drives"):
        LedgerUrl.read(text)


def test_two_slashes_are_no_drive():
    """A path that was put together from two may begin so."""
    assert LedgerUrl.read("//var/lib/payouts.db").file == Path("//var/lib/payouts.db")


@pytest.mark.parametrize("given", [Path("payouts.db"), 1, b"payouts.db"])
def test_what_is_no_text_is_a_ledger_or_refused(given: object):
    """An object counts as a ledger by what it can do."""
    mine = MemoryLedger()
    assert open_ledger(mine) is mine
    with pytest.raises(ConfigurationError, match="neither a text nor a Ledger"):
        open_ledger(given)  # type: ignore[arg-type]
