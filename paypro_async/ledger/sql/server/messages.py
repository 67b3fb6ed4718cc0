"""What a server's, a pooler's and libpq's errors mean, in words that say how to mend it.

The server's own first line stands behind them. Where it may hold a value of a statement, and so a person's, only the
code does. What fails before there is a connection comes from libpq as English text without a code.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["NOT_PREPARED", "UNKNOWN_HOST", "code_of", "is_hopeless", "line_of", "message_of", "passes"]

# Codes that are ours, for what has no SQLSTATE. A digit never stands at such a place in one of the server's.
_UNREACHABLE = "not reachable"
_NO_SOCKET = "no socket"
_NO_POSTGRES = "no PostgreSQL"
_SILENT = "silent"
UNKNOWN_HOST: str = "unknown host"
_NO_LOOKUP = "no look-up"
_TLS = "not trusted"
_NO_TLS = "no TLS"
_PARAMETER = "parameter"
_STATEMENT_MODE = "statement mode"
_NO_SIMPLE_QUERY = "no simple query"
_POOLER_WAITS = "pooler waits"
_POOLER_LOGIN = "pooler login"
_LOGIN = "login"
_NO_STANDBY = "no standby"
_ONLY_READS = "only reads"
_OPTION = "option"
_CHANGED = "changed"
_ENDED = "ended"
NOT_PREPARED: tuple[str, ...] = ("26000", "42P05")
"""What was prepared in the server is not there, or another's: connections share its processes."""

# In this order: the first that matches says what it is. Of PostgreSQL, PgBouncer and libpq, whose lines these are.
_LINES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(line), code)
    for line, code in (
        ("an entry changed under its own transaction", _CHANGED),
        ("had ended before its commit", _ENDED),
        ("unsupported startup parameter", _PARAMETER),
        ("in statement pooling mode", _STATEMENT_MODE),
        ("PQexec disallowed", _NO_SIMPLE_QUERY),
        ("query_wait_timeout|client_login_timeout|cannot connect to server", _POOLER_WAITS),
        ("server login (has been failing|failed)|server_login_retry", _POOLER_LOGIN),
        (
            r"connection option|URI query|(invalid \w+|bad) value|invalid (integer|port)|of service|could not parse",
            "URL",
        ),
        ("invalid response to SSL|expected authentication request|unsupported frontend protocol", _NO_POSTGRES),
        ("no password supplied", _LOGIN),
        ("(password|SASL) authentication failed|auth failed", "28P01"),
        (r"no pg_hba\.conf entry|pg_hba\.conf rejects|authentication failed|no such user", "28000"),
        (r'role ".*" (does not exist|is not permitted to log in)', "28000"),
        (r'database ".*" does not exist|no such database', "3D000"),
        (r"permission denied for database", "42501"),
        (r"too many (clients|connections)|connection slots are reserved|no more connections allowed", "53300"),
        (r"starting up|not (yet )?accepting connections|in recovery mode|not yet reached", "57P03"),
        (r"shutting down|terminating connection due to administrator|conn crashed|forced disconnect", "57P01"),
        (r"(client_idle|idle_transaction|query)_timeout", "57P01"),
        # TLS tells so that the other side is gone, or that a record was spoilt; that is no question of trust.
        ("SSL error: (unexpected eof|decryption failed|bad (length|record))", _UNREACHABLE),
        (r"certificate|unknown ca|SSL error", _TLS),
        (
            r"does not support SSL|(SSL|TLS)( connections?)?( is)? required|requires (SSL|TLS)|SSL off|SSL encryption",
            _NO_TLS,
        ),
        (r"not in hot standby|not read-only", _NO_STANDBY),
        (r"read-only|hot standby mode|during recovery", _ONLY_READS),
        (r"unrecognized configuration parameter|invalid value for parameter|cannot be (set|changed)", _OPTION),
        ("Temporary failure in name resolution", _NO_LOOKUP),
        (r"could not translate host name|failed to resolve host|Name or service not known", UNKNOWN_HOST),
        (r"on socket .* failed: (No such file|Connection refused|Permission denied)", _NO_SOCKET),
        (r"timeout expired|timed out|no answer within", _SILENT),
        (
            r"(?i)refused|reset|closed|no (route|connection) to|unreachable|terminated|abort|lost|broken pipe",
            _UNREACHABLE,
        ),
        ("consuming input", _UNREACHABLE),
    )
)

_SETTING = "the server does not take a setting; mend options in the URL, or PGOPTIONS"
_READS = "the server only reads, as a standby does; name the primary in the URL, or all hosts"
# By the code, or by its first letters. What may hold anything is told by its code alone.
_MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        _UNREACHABLE: "the server cannot be reached; start it, or mend host and port in the URL",
        _NO_SOCKET: "no server listens on that socket; start it, or mend the folder (and the port) in the URL",
        _NO_POSTGRES: "what listens there is no PostgreSQL; mend host and port in the URL",
        _SILENT: "the server does not answer; look whether it, a pooler or a firewall before it stands still",
        UNKNOWN_HOST: "there is no host of that name; mend the host in the URL",
        _NO_LOOKUP: "the host's name cannot be looked up just now; look at this machine's network and its DNS",
        _TLS: (
            "the server's certificate is not trusted for that host, or ours is missing; set sslrootcert in the URL to "
            "the file of the authority that signed it, and name the host as the certificate does"
        ),
        _NO_TLS: "the one side wants TLS and the other does not; mend sslmode in the URL, or switch TLS on there",
        _PARAMETER: (
            "the pooler refuses a parameter that was sent with the connection. The ledger sends none such, so it comes "
            "from PGOPTIONS, PGGEQO or a service file: write it as ?options=-c... into the ledger's URL, from where it "
            "is set later, or name it in the pooler's ignore_startup_parameters"
        ),
        _STATEMENT_MODE: (
            "the pooler is in statement mode, which has no transactions; set pool_mode = transaction (or session) for "
            "this database"
        ),
        _NO_SIMPLE_QUERY: "the pooler lets no simple query through, as BEGIN is one; set disable_pqexec = 0 there",
        _POOLER_WAITS: (
            "the pooler had no connection to the server in time; look whether the server is up, or raise the pooler's "
            "default_pool_size"
        ),
        _POOLER_LOGIN: (
            "the pooler cannot log in to the server; start the server, or mend what the pooler knows of it. PgBouncer "
            "tries again after its server_login_retry"
        ),
        _NO_STANDBY: "the server is no standby, and target_session_attrs in the URL wants one; mend it",
        _ONLY_READS: _READS,
        _OPTION: _SETTING,
        "22023": _SETTING,
        "42704": _SETTING,
        "55P02": _SETTING,
        "URL": "a parameter in the URL, in its service or in a PG* variable is not understood; mend it",
        _CHANGED: "an entry changed under its own transaction; look at the triggers and rules of its tables",
        _LOGIN: "the server wants a password; write it into the URL, PGPASSWORD or the password file",
        _ENDED: "the server, or a pooler before it, ended a transaction before its commit; look at its log",
        "28P01": "the password is refused; mend it in the URL, PGPASSWORD or the password file",
        "28": "the user is not let in; mend the user in the URL, or let the server's pg_hba.conf and the role allow it",
        "25P": "this process stood still in the middle of a transaction; look at its machine, and try again",
        "40": "two writers met; try again",
        "3D": "there is no such database; make it, or mend the URL",
        "3F": "there is no such schema; make it with CREATE SCHEMA, or mend search_path in the URL",
        "42501": (
            "the user may not do that; grant it (SELECT, INSERT and UPDATE on the ledger's tables; CREATE on its "
            "schema to migrate), or let the owner run 'paypro ledger migrate'"
        ),
        "42P05": "statements that were prepared are another connection's, as behind a pooler; try again",
        "26000": "statements that were prepared are another connection's, as behind a pooler; try again",
        "42": (
            "tables are missing, or are those of another program; run 'paypro ledger migrate', or give the ledger a "
            "schema of its own with ?search_path=payments in the URL"
        ),
        "53100": "the server's disk is full; make room",
        "53300": "the server or the pooler has no connection left; end some, or raise max_connections",
        "53": "the server is short of memory or of another means; look at its load, and try again",
        "54": "the server takes no text of that length",
        "58": "the server cannot read or write its files; look at its log and its disk",
        "XX": "the server has failed, or its files are damaged; look at its log",
        "55P03": "another process holds a lock for too long; end that process or try again",
        "57014": "the server took too long; look at its load, and try again",
        "57P": "the server is shutting down, or has ended this connection; try again",
        "57P03": "the server is starting; try again",
        "25006": _READS,
        "0A000": _READS,
        "P0001": "it refused the change",
    }
)

# Classes of SQLSTATE after which the same may go through a moment later.
_PASSING = (
    "08",  # the connection failed
    "40",  # rolled back: a deadlock, a serialization failure
    "53",  # insufficient resources: too many connections, out of memory
    "55P03",  # a lock was not to be had in time
    "57P",  # the server shuts down, crashed, or starts up
    "25P03",  # this session was idle in a transaction for too long: the process was frozen
    "25P04",  # its transaction took too long: the process was frozen while it was sending
    "26000",  # a prepared statement is another connection's: from now on there are none
    "42P05",
    _UNREACHABLE,
    _NO_SOCKET,
    _SILENT,
    _NO_LOOKUP,
    _POOLER_WAITS,
    _POOLER_LOGIN,
    _ENDED,
    _ONLY_READS,  # of several hosts one takes over soon
)
_HOPELESS = (_TLS, _NO_TLS, _PARAMETER, _STATEMENT_MODE, _NO_SIMPLE_QUERY, _OPTION, _LOGIN, _NO_STANDBY, "URL")
# Classes whose messages name tables, users and settings, and no value of a statement.
_TOLD = ("08", "22023", "0A", "25", "26", "28", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "XX")
_LONGEST = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_SQLSTATE = re.compile("[0-9A-Z]{5}")
_LIBPQ = re.compile(r"^(connection failed|connection is bad): ")


def code_of(error: BaseException | None) -> str:
    """The SQLSTATE of a driver's error, or a code of ours where the server told none; empty if nothing is known."""
    state = getattr(error, "sqlstate", None)
    if state and not state.startswith("08"):
        return str(state)
    if isinstance(error, TimeoutError):
        return _SILENT
    said = _first_line(error)
    return next((code for line, code in _LINES if line.search(said)), state or "")


def is_hopeless(error: BaseException | None) -> bool:
    """Whether a person has to mend something before the same can go through."""
    return code_of(error) in _HOPELESS


def passes(error: BaseException | None) -> bool:
    """Whether the same may go through a moment later: the server restarts, or two writers met."""
    return code_of(error).startswith(_PASSING)


def line_of(error: BaseException | None, *, secrets: Iterable[str] = ()) -> str:
    """The first line of what was said, and its SQLSTATE; bounded, and without secrets and values of statements."""
    code = code_of(error)
    state = getattr(error, "sqlstate", None) or (code if _SQLSTATE.fullmatch(code) else None)
    if state and not state.startswith(_TOLD):
        return f"SQLSTATE {state}"
    line = _first_line(error)
    for secret in filter(None, secrets):
        line = line.replace(secret, "•••")
    if len(line) > _LONGEST:
        line = f"{line[:_LONGEST]}…"
    return f"{line} [SQLSTATE {state}]" if state else line


def message_of(error: BaseException | None, *, secrets: Iterable[str] = ()) -> str:
    """What happened and what to do, for people, and in whose words it was said."""
    code = code_of(error)
    known = next((_MESSAGES[one] for one in (code, code[:3], code[:2]) if one in _MESSAGES), "the server refused")
    line = line_of(error, secrets=secrets)
    return known if code == _CHANGED or not line else f"{known} (the answer was: {line})"


def _first_line(error: BaseException | None) -> str:
    diagnosis: Any = getattr(error, "diag", None)
    said = getattr(diagnosis, "message_primary", None) or str(error or "")
    line = next(iter(said.strip().splitlines()), "")
    return _CONTROL.sub(" ", _LIBPQ.sub("", line)).strip()
