"""What the database itself refuses, whoever writes: triggers made from the core's table of states.

A program that forgets to be conditional, a repair by hand, an older release: none of them can take a payout where the
lifecycle has no way, change what is paid to whom, or rewrite the history.
"""

from collections.abc import Iterator

from paypro_async._core.lifecycle import LEGAL, State

__all__ = ["guards"]

_STATES = ", ".join(f"'{state.value}'" for state in State)
_WAYS = ", ".join(f"'{before.value}>{to.value}'" for before, to in LEGAL)
_FIXED = ("merchant_no", "trade_no", "region", "fingerprint", "amount", "currency")

_WORDS = {
    "payout_state": "this payout has no way to that state",
    "payout_fixed": "what a payout is, and the number of its attempt, never change back",
    "payout_kept": "a payout is never deleted: its number must not be paid again",
    "event_kept": "the history is only added to",
}


def guards(dialect: str) -> Iterator[str]:
    """The statements that make the triggers, replacing older ones."""
    return _sqlite() if dialect == "sqlite" else _postgresql()


def _sqlite() -> Iterator[str]:
    fixed = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in _FIXED)
    for name, moment, when in (
        ("payout_state", "UPDATE OF state ON payout", f"OLD.state || '>' || NEW.state NOT IN ({_WAYS})"),
        ("payout_state_first", "INSERT ON payout", f"NEW.state NOT IN ({_STATES})"),
        ("payout_fixed", f"UPDATE OF {', '.join(_FIXED)}, attempt ON payout", f"{fixed} OR NEW.attempt < OLD.attempt"),
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
