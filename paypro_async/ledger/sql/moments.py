"""What a ledger is opened for, and what a kind of database does at the moments of a connection."""

from enum import Enum

from sqlalchemy import Connection

from paypro_async.ledger.sql.provenance.watermark import NOWHERE

__all__ = ["Hooks", "Purpose", "StaleError"]


class Purpose(Enum):
    """What a ledger is opened for."""

    PAY = "pay"
    """A file is made if it is not there, and an older one is brought up to date."""
    MAINTAIN = "maintain"
    """It is changed as it is, and not made."""
    READ = "read"
    """Nothing is written, not even that it looks like a restored backup."""


class StaleError(Exception):
    """An entry is not what this process knew of it; nothing that hangs on that was written."""


class Hooks:
    """What a kind of database does at certain moments: nothing, unless it says so."""

    @property
    def place(self) -> str:
        """Where the ledger's file lies, if it is one."""
        return NOWHERE

    @property
    def open_to_others(self) -> str | None:
        """That others may read the ledger, for people; None if they may not, or a server decides it."""
        return None

    def describe(self, _connection: Connection, /) -> dict[str, str]:
        """What the database says of itself, by the names that it has for that."""
        return {}

    def _before_connecting(self) -> None:
        """Make sure that there is something to connect to."""

    def _lock_schema(self, connection: Connection) -> None:
        """Make others that would change the schema wait until this transaction ends. A file has one lock for all."""

    def _before_looking_back(self) -> None:
        """Note what must be older than the reading of the ledger to be compared with it."""

    def _suspicion(self, _connection: Connection, /) -> str | None:
        """Why this ledger may be older than what was last written to it; None if nothing says so."""
        return None

    def _forgotten(self) -> str | None:
        """Why there was a ledger in the place of the one that is made just now; None if nothing says so."""
        return None

    def _identity_noted(self, connection: Connection) -> None:
        """What this ledger is known by is noted in this transaction; after its commit it raises no suspicion."""

    def _is_noted_otherwise(self) -> bool:
        """Whether what the ledger is known by has to be noted anew, although nothing is suspicious."""
        return False

    def _check(self) -> None:
        """Raise if what is connected is no longer what other processes open."""

    def _replaced(self) -> None:
        """There is another connection in place of the one that failed."""
