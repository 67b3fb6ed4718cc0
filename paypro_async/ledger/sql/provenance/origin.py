"""Which tables a ledger in PostgreSQL has, so that a dump that was put back is noticed.

What a dump brings back are other tables (``pg_restore --clean``), other files of the same tables (``TRUNCATE``, then
the data alone), or at least other rows: each row says which transaction wrote it, and none of a dump was written by the
one that first did. So the ledger notes its tables and their files, and two witnesses with their transactions: the note
itself and a step of history, which is never changed. ``VACUUM FULL`` and ``CLUSTER`` write new files, and the witnesses
stay what they are.
"""

from typing import Self

from attrs import frozen
from sqlalchemy import Connection, text
from sqlalchemy.dialects import postgresql

from paypro_async.ledger.sql.provenance.restored import Restored
from paypro_async.ledger.sql.schema import CLOCK, meta
from paypro_async.ledger.sql.statements import Statement

__all__ = ["Origin"]

_KEY = "tables"
# The tables by their numbers, and their files; a transaction by the 32 bits of it that a row keeps.
_TABLES = "concat_ws('/', 'payout'::regclass::oid, 'event'::regclass::oid)"
_FILES = "concat_ws('/', pg_relation_filenode('payout'), pg_relation_filenode('event'))"
_READ = text(
    f"SELECT {_TABLES} AS tables, {_FILES} AS files, note.value AS noted, note.xmin::text AS noted_by,"  # noqa: S608
    " (SELECT xmin::text FROM event WHERE id = split_part(note.value, ' ', 3)::bigint) AS witness,"
    " (SELECT max(id) FROM event) AS last,"
    " has_table_privilege('meta', 'INSERT') AND has_table_privilege('meta', 'UPDATE') AS may_write"
    " FROM (SELECT) AS one LEFT JOIN meta AS note ON note.key = 'tables'"
)
_WRITE = text(
    f"SELECT concat_ws(' ', {_TABLES}, {_FILES}, coalesce(id, 0), coalesce(xmin::text, '0'),"  # noqa: S608
    " txid_current() % 4294967296)"
    " FROM (SELECT) AS one LEFT JOIN (SELECT id, xmin FROM event ORDER BY id DESC LIMIT 1) AS last ON true"
)
_GLANCE = Statement(
    {
        "postgresql": text(
            f"SELECT {_TABLES}, {_FILES},"  # noqa: S608
            " (SELECT xmin::text FROM meta WHERE key = 'tables'),"
            " (SELECT xmin::text FROM event WHERE id = :witness),"
            " (SELECT value FROM meta WHERE key = 'forgetful_since'),"
            " (SELECT id FROM event WHERE id = :last),"
            f" {CLOCK['postgresql']}"
        )
    }
)
# The last step of history and the payout that it belongs to, which it has left in its state.
_LAST_STEP = text(
    "SELECT coalesce(payout.state = step.to_state AND payout.attempt = step.attempt, false)"
    " FROM (SELECT * FROM event ORDER BY id DESC LIMIT 1) AS step LEFT JOIN payout USING (merchant_no, trade_no)"
)


@frozen
class Origin:
    """The tables as they were found, and what had been noted of them.

    Args:
        tables: Their numbers.
        files: The numbers of their files.
        noted: What stands in the ledger: tables, files, a step of history, the transactions that wrote that and this.
        noted_by: The transaction that wrote that note, as its row says.
        witness: The transaction that wrote the step of history which the note names, as its row says.
        last: The number of the last step of history; 0 if there is none.
        may_note: Whether this user may write such a note. Else it is left to the owner, who migrates.
    """

    tables: str
    files: str
    noted: tuple[str, ...] | None
    noted_by: str | None
    witness: str | None
    last: int
    may_note: bool

    @classmethod
    def read(cls, connection: Connection) -> Self:
        """The tables as they are."""
        row = connection.execute(_READ).one()
        noted = None if row.noted is None else tuple(row.noted.split(" "))
        return cls(row.tables, row.files, noted, row.noted_by, row.witness, row.last or 0, row.may_write)

    @classmethod
    def note(cls, connection: Connection) -> Self:
        """Write down what the ledger is known by from now on."""
        value = connection.execute(_WRITE).scalar_one()
        insert = postgresql.insert(meta).values(key=_KEY, value=value)
        connection.execute(insert.on_conflict_do_update(index_elements=["key"], set_={"value": value}))
        return cls.read(connection)

    def with_witness(self, connection: Connection) -> Self:
        """The same, and the first step of history is noted as a witness; or what was noted, if it is another ledger."""
        found = type(self).read(connection)
        if found.is_noted or (found.tables, found.files, found.noted_by) != (self.tables, self.files, self.noted_by):
            return self
        return type(self).note(connection)

    @property
    def has_witness(self) -> bool:
        """Whether a step of history is noted, or this user cannot note one."""
        return bool(self._step) or not self.may_note

    @property
    def is_noted(self) -> bool:
        """Whether all is noted as it is, and there is a witness if there can be one; or this user cannot note it."""
        if not self.may_note:
            return True
        return (
            self.noted is not None and self.noted[:2] == (self.tables, self.files) and bool(self._step or not self.last)
        )

    def suspicion(self, connection: Connection) -> str | None:
        """Why the ledger may have been filled from a dump; None if nothing says so."""
        if self.noted is None:
            return None  # That of an earlier release, which noted nothing.
        tables, files, _, witness, writer = self.noted
        if tables != self.tables:
            return "its tables are others than those that it was made with, as after pg_restore --clean"
        if writer != self.noted_by or (self._step and witness != self.witness):
            return "its rows were written anew, as from a dump"
        # Files that are new although nothing else is may be those of VACUUM FULL, if what is known of the rows agrees.
        if files != self.files and not (self._step and connection.execute(_LAST_STEP).scalar()):
            return "its tables were emptied or written anew, as with TRUNCATE and a dump"
        return None

    def glance(self, connection: Connection, restored: Restored) -> float | None:
        """The database's clock; None if a glance shows other tables, or something that *restored* does not know."""
        if restored.last_event and not self.has_witness:
            return None  # The first step of its history is there to be a witness.
        *found, since, last, now = _GLANCE.first(connection, witness=self._step, last=restored.last_event)
        same = found == [self.tables, self.files, self.noted_by, self.witness]
        return now if same and restored.agrees(since, last) else None

    @property
    def _step(self) -> int:
        return 0 if self.noted is None else int(self.noted[2])
