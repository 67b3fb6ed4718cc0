"""A person who has only the text of the error mends a server, a role or a URL that does not let the ledger in."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import trustme
from sqlalchemy.exc import OperationalError

from paypro_async import ConfigurationError, LedgerUnavailableError
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.postgres import PostgresDatabase
from tests.support.intents import ACCOUNT, PERSONAL, intent
from tests.support.machine_faults import Make
from tests.support.pooler import Pooler, needs_pgbouncer
from tests.support.postgres import Server

Change = Callable[[str], str]
"""Makes another URL of the right one."""

PASSWORD = "geheim"


def as_role(role: str) -> Change:
    return lambda url: url.replace("postgres@", f"{role}:{PASSWORD}@")


def more(query: str) -> Change:
    return lambda url: f"{url}&{query}"


def instead(url: str) -> Change:
    return lambda _: url


ROLES = """
    CREATE ROLE reader LOGIN; CREATE ROLE limited LOGIN CONNECTION LIMIT 0; CREATE ROLE locked NOLOGIN;
    CREATE ROLE pathless LOGIN; ALTER ROLE pathless SET search_path = ''
"""
REFUSED: dict[str, tuple[Change, str]] = {
    "no such database": (lambda url: url.replace("ledger_", "lodger_"), r"make it, or mend.*does not exist.*3D000"),
    "no such role": (as_role("nosuch"), r'not let in.*role "nosuch" does not exist.*28000'),
    "a role that may not log in": (as_role("locked"), r"not let in.*not permitted to log in"),
    "a role without a connection left": (as_role("limited"), r"no connection left; end some.*too many.*53300"),
    "a role without rights": (as_role("reader"), r"grant it.*permission denied for table meta.*42501"),
    "a role without a schema": (as_role("pathless"), r"names no schema.*Grant USAGE"),
    "nothing listens": (instead(f"postgresql://u:{PASSWORD}@127.0.0.1:1/x"), r"start it, or mend host and port"),
    "none of several listens": (instead(f"postgresql://u:{PASSWORD}@127.0.0.1:1,127.0.0.1:2/x"), r"start it, or mend"),
    "no such host": (instead(f"postgresql://u:{PASSWORD}@nosuch.invalid/x"), r"mend the host in the URL|its DNS"),
    "no such socket": (instead("postgresql:///x?host=/nowhere"), r"no server listens on that socket.*No such file"),
    "a host that is a folder": (instead("postgresql://%2Fnowhere/x"), r'socket "/nowhere/.s.PGSQL'),
    "no such service": (instead("postgresql://?service=nosuch"), r"not understood; mend it.*nosuch"),
    "no such parameter": (more(f"passwort={PASSWORD}"), r"does not know: 'passwort'. Nothing was sent.*\?options="),
    "a wrong parameter": (more("sslmode=verify"), r'invalid sslmode value: "verify"'),
    "no such setting": (more("options=-cno_such=1"), r"does not take a setting.*no_such.*42704"),
    "a wrong setting": (more("options=-clock_timeout%3Dsoon"), r'mend options.*"lock_timeout": "soon".*22023'),
    "a setting of the server": (more("options=-cmax_connections%3D3"), r"mend options.*cannot be changed.*55P02"),
    "a standby is wanted": (more("target_session_attrs=standby"), r"no standby, and target_session_attrs"),
}


@pytest.fixture(scope="module")
def url(server: Server) -> str:
    """Of a database that holds a ledger's tables."""
    server.run(ROLES)
    url = server.database()
    server.run(
        "CREATE TABLE meta (key text PRIMARY KEY, value text); INSERT INTO meta VALUES ('schema_version', '3')", url=url
    )
    return url


async def refusal(ledger: SqlLedger) -> str:
    with pytest.raises((LedgerUnavailableError, ConfigurationError)) as caught:
        await ledger.open(ACCOUNT)
    assert not caught.value.money_may_have_moved
    assert caught.value.__context__ is None, "what logs print of it would hold the password"
    return str(caught.value)


@pytest.mark.parametrize("what", REFUSED)
async def test_the_text_says_what_to_mend(url: str, make: Make, what: str):
    """In words of its own, with the server's own first line and its code, without the password, and at once."""
    make_wrong, words = REFUSED[what]
    begun = time.monotonic()
    text = await refusal(make(make_wrong(url), patience=0))
    assert re.search(words, text), text
    assert "Nothing was sent" in text
    assert PASSWORD not in text
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    "what", ["no such database", "no such role", "no such host", "no such parameter", "a wrong setting"]
)
async def test_what_a_person_has_to_mend_is_said_at_once(url: str, make: Make, what: str):
    """The patience is for servers that come back by themselves."""
    begun = time.monotonic()
    await refusal(make(REFUSED[what][0](url), patience=15))
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("postgresql://u:ge@heim@host/db", "%40"),
        ("postgresql://u:geh:eim/@host:x/db", "no number"),
        ("postgresql:///u:geheim@host/db", "%40"),
        ("postgresql://u:geheim@host/db\0", "control character"),
        ("postgresql://u:geheim\ud800@host/db", "broken"),
        (f"postgresql://u:geheim@{'h' * 70}/db", "a host that cannot be one"),
        ("postgresql://u:geheim@one:1,two:x/db", "no number"),
        ("postgresql://u:geheim@[::1/db", "cannot be read"),
        ("postgresql://host/db?options=-d%205", "-c name=value"),
        ("postgresql://host/db?options=-cgeheim", "-c name=value"),
    ],
)
def test_a_url_that_cannot_be_read_is_not_quoted(text: str, words: str):
    """It may hold a password; what is wrong with it is said all the same."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        SqlLedger(text)
    assert "heim" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_role_that_may_not_make_tables(url: str, server: Server, make: Make):
    """Migrating says which right is missing."""
    with pytest.raises(
        LedgerUnavailableError, match=r"CREATE on its schema.*permission denied for schema public.*42501"
    ):
        await make(as_role("reader")(server.database())).migrate()


@pytest.mark.parametrize(
    "made", ["CREATE TABLE meta (a int)", "CREATE TABLE meta (key text, value text); CREATE TABLE payout (a int)"]
)
async def test_tables_of_another_program(server: Server, make: Make, made: str):
    """Names such as meta are common; a schema of the ledger's own keeps them apart."""
    other = server.database()
    server.run(made, url=other)
    with pytest.raises(LedgerUnavailableError, match=r"another program.*\?search_path=payments.*42"):
        await make(other).migrate()


async def test_a_database_that_cannot_hold_every_name(server: Server, make: Make):
    """A message that it cannot hold would cost the record of what became of the money."""
    server.run("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    with pytest.raises(ConfigurationError, match=r"encoded in LATIN1.*ENCODING 'UTF8'"):
        await make(server.url("latin")).migrate()


async def test_a_value_of_a_statement_is_never_told(server: Server, make: Make):
    """What the server says of a value holds it; its code is told alone."""
    direct = await server.ledger()
    server.run(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no %', NEW.content; END $$;"
        "CREATE TRIGGER no BEFORE INSERT ON payout FOR EACH ROW EXECUTE FUNCTION no()",
        url=direct,
    )
    ledger = make(direct)
    await ledger.open(ACCOUNT)
    with pytest.raises(LedgerUnavailableError, match=r"\(the answer was: SQLSTATE P0001\)") as caught:
        await ledger.claim(intent())
    assert [value for value in PERSONAL if value in str(caught.value)] == []


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost, the authority that signed it, another one, and users."""
    folder = tmp_path_factory.mktemp("keys")
    authority, other = trustme.CA(), trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(folder / "key")
    certificate.cert_chain_pems[0].write_to_path(folder / "certificate")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    other.cert_pem.write_to_path(folder / "other.pem")
    (folder / "users").write_text('"payer" "right"\n')
    return folder


@contextmanager
def over_tls(server: Server, keys: Path, **settings: str) -> Iterator[tuple[Pooler, str]]:
    """A pooler that wants TLS, and where it listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tls = {"client_tls_sslmode": "require", "client_tls_key_file": "key", "client_tls_cert_file": "certificate"}
    with Pooler(server, files=keys, listen_addr="127.0.0.1", listen_port=port, **tls, **settings) as pooler:
        yield pooler, f"localhost:{port}"


@pytest.fixture(scope="module")
def listening(server: Server, keys: Path) -> Iterator[str]:
    """Where something listens that wants TLS and a password."""
    with over_tls(server, keys, auth_type="scram-sha-256", auth_file="users") as (_, where):
        yield f"{where}/postgres"


TRUST = {
    "another authority": (
        "payer:right",
        "sslmode=verify-full&sslrootcert={keys}/other.pem",
        r"sslrootcert.*verify failed",
    ),
    "no authority": ("payer:right", "sslmode=verify-full&sslrootcert={keys}/no.pem", r"sslrootcert.*does not exist"),
    "no TLS": ("payer:right", "sslmode=disable", r"mend sslmode.*SSL required"),
    "a wrong password": (f"payer:{PASSWORD}", "sslmode=require", r"password is refused.*authentication failed.*28P01"),
    "no password": ("payer", "sslmode=require", r"wants a password.*PGPASSWORD"),
    "nothing wrong with it": (
        "payer:right",
        "sslmode=verify-full&sslrootcert={keys}/authority.pem",
        r"no ledger in localhost/postgres yet",
    ),
}


@needs_pgbouncer
@pytest.mark.parametrize("what", TRUST)
async def test_who_is_trusted(listening: str, keys: Path, make: Make, what: str):
    """Certificates and passwords that do not fit are told apart from a server that is not there."""
    user, query, words = TRUST[what]
    text = await refusal(make(f"postgresql://{user}@{listening}?{query.format(keys=keys)}"))
    assert re.search(words, text), text
    assert "right" not in text
    assert PASSWORD not in text


@needs_pgbouncer
async def test_a_crash_behind_tls_is_no_question_of_trust(server: Server, keys: Path, make: Make):
    """TLS has a word of its own for an end that nobody announced; what met it is written over another connection."""
    direct = await server.ledger()
    with over_tls(server, keys, pool_mode="transaction") as (pooler, where):
        database = direct.partition("@/")[2].partition("?")[0]
        ledger = make(f"postgresql://postgres@{where}/{database}?sslmode=verify-full&sslrootcert={keys}/authority.pem")
        await ledger.open(ACCOUNT)
        pooler.restart()
        assert (await ledger.claim(intent("T1"))).done


NOT_PROVOKED: dict[str, tuple[str, bool]] = {
    "connection failed: FATAL:  the database system is starting up": ("is starting", True),
    "connection failed: FATAL:  the database system is not yet accepting connections": ("is starting", True),
    "connection failed: FATAL:  the database system is shutting down": ("is shutting down", True),
    "connection failed: FATAL:  sorry, too many clients already": ("no connection left", True),
    "connection failed: FATAL:  remaining connection slots are reserved for roles": ("no connection left", True),
    'connection failed: FATAL:  no pg_hba.conf entry for host "10.0.0.1"': ("pg_hba.conf", False),
    "connection failed: FATAL:  no more connections allowed (max_client_conn)": ("no connection left", True),
    "connection failed: FATAL:  client_login_timeout (server down)": ("the pooler had no connection", True),
    "connection failed: FATAL:  server login failed: FATAL password authentication failed": ("cannot log in", True),
    "connection failed: server does not support SSL, but SSL was required": ("mend sslmode", False),
    "connection timeout expired": ("does not answer", True),
    "the transaction had ended before its commit": ("ended a transaction before its commit; look", True),
    "server closed the connection unexpectedly": ("cannot be reached", True),
    "consuming input failed: SSL error: unexpected eof while reading": ("cannot be reached", True),
    "connection failed: No route to host": ("cannot be reached", True),
    "connection failed: SSL error: tlsv1 alert unknown ca": ("not trusted", False),
    "connection failed: SSL connection is required": ("mend sslmode", False),
    "connection failed: failed to resolve host 'h': [Errno -3] Temporary failure in name resolution": ("its DNS", True),
    "server conn crashed?": ("has ended this connection", True),
    "query_timeout": ("has ended this connection", True),
    "PQexec disallowed": ("set disable_pqexec = 0", False),
    "connection failed: Zeitüberschreitung": ("the server refused (the answer was: Zeitüberschreitung)", True),
}


@pytest.mark.parametrize("line", NOT_PROVOKED)
def test_lines_that_no_test_provokes(line: str):
    """They say what to mend, and whether it mends itself; what is not understood is tried again, and quoted."""
    words, passing = NOT_PROVOKED[line]
    database = PostgresDatabase("postgresql://host/db", patience=0)
    error = OperationalError("BEGIN", None, psycopg.OperationalError(f"{line}\nmore of it"))
    text = str(database.unavailable(error))
    assert words in text
    assert "more of it" not in text
    assert database.passing(error) is passing


def test_a_line_without_an_end_is_cut_and_shows_no_password():
    """And it draws nothing on a terminal."""
    database = PostgresDatabase(f"postgresql://u:{PASSWORD}@host/db", patience=0)
    line = f"\x1b[31m{PASSWORD} {'x' * 100_000}"
    text = str(database.unavailable(OperationalError("BEGIN", None, psycopg.OperationalError(line))))
    assert len(text) < 500
    assert "\x1b" not in text
    assert PASSWORD not in text
