"""What the database itself refuses, from any program: triggers made from the core's table of states.

A program that forgets to be conditional, a repair by hand, an older release: none of them can take a payout where the
lifecycle has no way, change what is paid to whom, or rewrite the history. The personal content of a payout may be
erased once it is final, and a payout without content is never sent again.
"""

from collections.abc import Iterator

from sqlalchemy import Connection

from paypro_async._core.lifecycle import FINAL, LEGAL, State

__all__ = ["ERASED", "missing_triggers", "triggers"]

ERASED = "{}"
"""The content of a payout whose personal values were erased."""

_STATES = ", ".join(f"'{state.value}'" for state in State)
_FINAL = ", ".join(sorted(f"'{state.value}'" for state in FINAL))
_SENDABLE = f"'{State.NEW.value}', '{State.SENDING.value}'"
_WAYS = ", ".join(f"'{before.value}>{to.value}'" for before, to in LEGAL)
_FIXED = ("merchant_no", "trade_no", "region", "fingerprint", "amount", "currency")

_UNERASABLE = f"(NEW.content <> '{ERASED}' OR OLD.state NOT IN ({_FINAL}))"
_SENT_EMPTY = f"NEW.content = '{ERASED}' AND NEW.state IN ({_SENDABLE})"

_NO_WAY = "this payout has no way to that state"
_NEVER_BACK = "what a payout is, and the number of its attempt, never change back"
_CONTENT = "the content of a payout never changes, and is erased only when the payout is final"
_NEVER_AGAIN = "the content of this payout was erased, so it is never sent again"
_KEPT = "a payout is never deleted: its number must not be paid again"
_ADDED_TO = "the history is only added to"


def triggers(dialect: str) -> Iterator[str]:
    """The statements that make the triggers, replacing older ones."""
    return _sqlite() if dialect == "sqlite" else _postgresql()


def missing_triggers(connection: Connection) -> list[str]:
    """The names of the triggers that are not there, are switched off, or are not those of this release."""
    made = [one for one in triggers(connection.dialect.name) if one.startswith("CREATE TRIGGER")]
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
    "AND tgrelid IN ('payout'::regclass, 'event'::regclass)"
)


def _sqlite() -> Iterator[str]:
    fixed = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in _FIXED)
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
        yield f"DROP TRIGGER IF EXISTS {name}"
        yield f"CREATE TRIGGER {name} BEFORE {moment} WHEN {when} BEGIN SELECT RAISE(ABORT, '{message}'); END"


def _postgresql() -> Iterator[str]:
    fixed = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in _FIXED)
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
        yield (
            f"CREATE OR REPLACE FUNCTION paypro_{name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$"
        )
        yield f"DROP TRIGGER IF EXISTS {name} ON {table}"
        yield (
            f"CREATE TRIGGER {name} BEFORE {events} ON {table} FOR EACH ROW WHEN ({when}) "
            f"EXECUTE FUNCTION paypro_{name}()"
        )
