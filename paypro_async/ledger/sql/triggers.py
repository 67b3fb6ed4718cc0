"""What the database itself refuses, from any program: triggers made from the core's table of states.

A program that forgets to be conditional, a repair by hand, an older release: none of them can take a payout where the
lifecycle has no way, change what is paid to whom, or rewrite the history. The personal content of a payout may be
erased once it is final, and a payout without content is never sent again.
"""

from collections.abc import Iterator

from sqlalchemy import Connection

from paypro_async._core.lifecycle import FINAL, LEGAL, State
from paypro_async.ledger.sql.encryption.stored import is_encrypted
from paypro_async.ledger.sql.encryption.values import ERASED, SEALED

__all__ = ["ERASED", "missing_triggers", "triggers"]


def _in_the_clear(name: str) -> str:
    # Not LIKE: drivers take its sign for a place of theirs.
    return f"substr(NEW.{name}, 1, {len(SEALED)}) <> '{SEALED}'"


_STATES = ", ".join(f"'{state.value}'" for state in State)
_FINAL = ", ".join(sorted(f"'{state.value}'" for state in FINAL))
_SENDABLE = f"'{State.NEW.value}', '{State.SENDING.value}'"
_WAYS = ", ".join(f"'{before.value}>{to.value}'" for before, to in LEGAL)
_FIXED = ("merchant_no", "trade_no", "region", "fingerprint", "amount", "currency")

# What is encrypted may be encrypted anew; that it is the same is shown by who reads it.
_UNERASABLE = f"(NEW.content <> '{ERASED}' OR OLD.state NOT IN ({_FINAL})) AND {_in_the_clear('content')}"
_PLAIN = f"({_in_the_clear('content')} AND NEW.content <> '{ERASED}') OR {_in_the_clear('fingerprint')}"
_SENT_EMPTY = f"NEW.content = '{ERASED}' AND NEW.state IN ({_SENDABLE})"

_NO_WAY = "this payout has no way to that state"
_NEVER_BACK = "what a payout is, and the number of its attempt, never change back"
_CONTENT = "the content of a payout never changes, and is erased only when the payout is final"
_NEVER_AGAIN = "the content of this payout was erased, so it is never sent again"
_KEPT = "a payout is never deleted: its number must not be paid again"
_ADDED_TO = "the history is only added to"
_ENCRYPTED = "this ledger is encrypted, and takes no payout in the clear: give its key"


def triggers(dialect: str, *, encrypted: bool = False) -> Iterator[str]:
    """The statements that make the triggers, replacing older ones; of an *encrypted* ledger, which takes no plain text.

    So no program without its key, and no older release, adds a payout in the clear.
    """
    make = _sqlite_one if dialect == "sqlite" else _postgresql_one
    yield from _sqlite() if dialect == "sqlite" else _postgresql()
    for table in ("payout", "planned") if encrypted else ():
        yield from make(f"{table}_encrypted", "INSERT", table, _PLAIN, _ENCRYPTED)
        yield from make(f"{table}_encrypted_kept", "UPDATE OF content, fingerprint", table, _PLAIN, _ENCRYPTED)


def missing_triggers(connection: Connection) -> list[str]:
    """The names of the triggers that are not there, are switched off, or are not those of this release."""
    encrypted = is_encrypted(connection)
    made = [one for one in triggers(connection.dialect.name, encrypted=encrypted) if one.startswith("CREATE TRIGGER")]
    if connection.dialect.name == "sqlite":
        found = {text for (text,) in connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE type = 'trigger'")}
        return [_name(one) for one in made if one not in found]
    names = {name for (name,) in connection.exec_driver_sql(_TRIGGERS)}
    return [_name(one) for one in made if _name(one) not in names]


def _name(statement: str) -> str:
    return statement.split()[2]


# Those that are switched off, or on only for a replica, refuse nothing.
_TRIGGERS = (
    "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') "
    "AND tgrelid IN ('payout'::regclass, 'event'::regclass, 'planned'::regclass)"
)


def _sqlite() -> Iterator[str]:
    fixed = " OR ".join(_changes(name, "IS NOT") for name in _FIXED)
    columns = f"{', '.join(_FIXED)}, attempt"
    for name, moment, when, message in (
        ("payout_state", "UPDATE OF state ON payout", f"OLD.state || '>' || NEW.state NOT IN ({_WAYS})", _NO_WAY),
        ("payout_state_first", "INSERT ON payout", f"NEW.state NOT IN ({_STATES})", _NO_WAY),
        ("payout_fixed", f"UPDATE OF {columns} ON payout", f"{fixed} OR NEW.attempt < OLD.attempt", _NEVER_BACK),
        (
            "payout_content",
            "UPDATE OF content ON payout",
            f"NEW.content IS NOT OLD.content AND {_UNERASABLE}",
            _CONTENT,
        ),
        ("payout_erased", "UPDATE OF state ON payout", _SENT_EMPTY, _NEVER_AGAIN),
        ("payout_kept", "DELETE ON payout", "1", _KEPT),
        ("event_kept", "UPDATE ON event", "1", _ADDED_TO),
        ("event_kept_whole", "DELETE ON event", "1", _ADDED_TO),
    ):
        event, _, table = moment.rpartition(" ON ")
        yield from _sqlite_one(name, event, table, when, message)


def _sqlite_one(name: str, moment: str, table: str, when: str, message: str) -> Iterator[str]:
    yield f"DROP TRIGGER IF EXISTS {name}"
    yield f"CREATE TRIGGER {name} BEFORE {moment} ON {table} WHEN {when} BEGIN SELECT RAISE(ABORT, '{message}'); END"


def _changes(name: str, unlike: str) -> str:
    changes = f"NEW.{name} {unlike} OLD.{name}"
    return f"({changes} AND {_in_the_clear(name)})" if name == "fingerprint" else changes


def _postgresql() -> Iterator[str]:
    fixed = " OR ".join(_changes(name, "IS DISTINCT FROM") for name in _FIXED)
    content = f"NEW.content IS DISTINCT FROM OLD.content AND {_UNERASABLE}"
    for name, events, table, when, message in (
        ("payout_state", "UPDATE OF state", "payout", f"OLD.state || '>' || NEW.state NOT IN ({_WAYS})", _NO_WAY),
        ("payout_state_first", "INSERT", "payout", f"NEW.state NOT IN ({_STATES})", _NO_WAY),
        ("payout_fixed", "UPDATE", "payout", f"{fixed} OR NEW.attempt < OLD.attempt", _NEVER_BACK),
        ("payout_content", "UPDATE", "payout", content, _CONTENT),
        ("payout_erased", "UPDATE", "payout", _SENT_EMPTY, _NEVER_AGAIN),
        ("payout_kept", "DELETE", "payout", "true", _KEPT),
        ("event_kept", "UPDATE OR DELETE", "event", "true", _ADDED_TO),
    ):
        yield from _postgresql_one(name, events, table, when, message)


def _postgresql_one(name: str, events: str, table: str, when: str, message: str) -> Iterator[str]:
    yield (
        f"CREATE OR REPLACE FUNCTION paypro_{name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$"
    )
    yield f"DROP TRIGGER IF EXISTS {name} ON {table}"
    yield (
        f"CREATE TRIGGER {name} BEFORE {events} ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION paypro_{name}()"
    )
