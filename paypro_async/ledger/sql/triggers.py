"""What the database itself refuses, whoever writes: triggers made from the core's table of states.

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

_WORDS = {
    "payout_state": "this payout has no way to that state",
    "payout_fixed": "what a payout is, and the number of its attempt, never change back",
    "payout_content": "the content of a payout never changes, and is erased only when the payout is final",
    "payout_erased": "the content of this payout was erased, so it is never sent again",
    "payout_kept": "a payout is never deleted: its number must not be paid again",
    "event_kept": "the history is only added to",
}


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


# Those that are switched off, or on only for a replica, guard nothing.
_TRIGGERS = (
    "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') "
    "AND tgrelid IN ('payout'::regclass, 'event'::regclass)"
)


def _sqlite() -> Iterator[str]:
    fixed = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in _FIXED)
    for name, moment, when in (
        ("payout_state", "UPDATE OF state ON payout", f"OLD.state || '>' || NEW.state NOT IN ({_WAYS})"),
        ("payout_state_first", "INSERT ON payout", f"NEW.state NOT IN ({_STATES})"),
        ("payout_fixed", f"UPDATE OF {', '.join(_FIXED)}, attempt ON payout", f"{fixed} OR NEW.attempt < OLD.attempt"),
        ("payout_content", "UPDATE OF content ON payout", f"NEW.content IS NOT OLD.content AND {_UNERASABLE}"),
        ("payout_erased", "UPDATE OF state ON payout", _SENT_EMPTY),
        ("payout_kept", "DELETE ON payout", "1"),
        ("event_kept", "UPDATE ON event", "1"),
        ("event_kept_whole", "DELETE ON event", "1"),
    ):
        words = _WORDS[name.removesuffix("_first").removesuffix("_whole")]
        yield f"DROP TRIGGER IF EXISTS {name}"
        yield f"CREATE TRIGGER {name} BEFORE {moment} WHEN {when} BEGIN SELECT RAISE(ABORT, '{words}'); END"


def _postgresql() -> Iterator[str]:
    fixed = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in _FIXED)
    for name, moment, when in (
        ("payout_state", "UPDATE OF state ON payout", f"OLD.state || '>' || NEW.state NOT IN ({_WAYS})"),
        ("payout_state_first", "INSERT ON payout", f"NEW.state NOT IN ({_STATES})"),
        ("payout_fixed", "UPDATE ON payout", f"{fixed} OR NEW.attempt < OLD.attempt"),
        ("payout_content", "UPDATE ON payout", f"NEW.content IS DISTINCT FROM OLD.content AND {_UNERASABLE}"),
        ("payout_erased", "UPDATE ON payout", _SENT_EMPTY),
        ("payout_kept", "DELETE ON payout", "true"),
        ("event_kept", "UPDATE OR DELETE ON event", "true"),
    ):
        words = _WORDS[name.removesuffix("_first")]
        yield (
            f"CREATE OR REPLACE FUNCTION paypro_{name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{words}'; END $$"
        )
        yield f"DROP TRIGGER IF EXISTS {name} ON {moment.rsplit(' ', 1)[-1]}"
        yield f"CREATE TRIGGER {name} BEFORE {moment} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION paypro_{name}()"
