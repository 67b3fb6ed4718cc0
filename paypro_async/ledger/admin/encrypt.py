"""Encrypting the personal values of a ledger that has some in the clear, and encrypting them anew with another key.

The first is one transaction: a ledger is encrypted as a whole or not at all, whatever ends the process meanwhile. The
second goes page by page beside those that pay, since both keys are at hand.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen
from sqlalchemy import ColumnElement, Connection, Table, and_, func, or_, select

from paypro_async.errors import ConfigurationError
from paypro_async.ledger.sql.encryption.stored import is_encrypted
from paypro_async.ledger.sql.encryption.values import ERASED, SEALED, Cipher, cipher_of, key_id_of, opened
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.ledger.sql.migrations import SCHEMA_VERSION, make_triggers, schema_version
from paypro_async.ledger.sql.schema import payout, planned

__all__ = ["Encrypted", "encrypt", "encrypt_anew", "keys_in_use"]

_PAGE = 500
_TABLES: Sequence[tuple[Table, tuple[ColumnElement[Any], ...]]] = (
    (payout, (payout.c.merchant_no, payout.c.trade_no)),
    (planned, (planned.c.merchant_no, planned.c.batch_id, planned.c.position)),
)
_NAMES = ("content", "fingerprint")
_ID = len(SEALED) + 8


@frozen
class Encrypted:
    """What was done.

    Args:
        payouts: Rows of payouts that were encrypted now; *planned*, of those that workers have not begun.
    """

    payouts: int
    planned: int


async def keys_in_use(ledger: SqlLedger) -> dict[str, int]:
    """How many rows each key has written, by its id; under an empty one those that are in the clear.

    A row whose personal values were erased counts by its fingerprint, which stays.
    """

    def count(connection: Connection) -> Counter[str]:
        found: Counter[str] = Counter()
        for table, _ in _TABLES:
            prefix = func.substr(table.c.fingerprint, 1, _ID)
            for text, number in connection.execute(select(prefix, func.count()).group_by(prefix)):
                found[key_id_of(str(text)) or ""] += number
        return found

    return dict(await ledger.read(count))


async def encrypt(ledger: SqlLedger, *, tell: Callable[[int], object] = lambda _: None) -> Encrypted:
    """Encrypt all personal values of a ledger that is not open, in one transaction in which nobody else writes.

    Args:
        ledger: With the key that is to write.
        tell: Called after each page with how many rows are done, in a thread.

    Raises:
        ConfigurationError: If no key was given, or the ledger is of another schema, or is encrypted already.
        LedgerUnavailableError: If it cannot be written. Nothing was changed then.
    """
    unlocking = ledger.unlocking

    def work(connection: Connection) -> Encrypted:
        if not unlocking.keys:
            raise ConfigurationError(
                "No key was given, so nothing was encrypted. Make one with 'paypro ledger key', keep it where the "
                "ledger's backups are not, and give it by PAYPRO_LEDGER_KEY or PAYPRO_LEDGER_KEY_FILE."
            )
        if (version := schema_version(connection)) != SCHEMA_VERSION:
            raise ConfigurationError(
                f"The ledger {ledger.name} has schema version {version}, and {SCHEMA_VERSION} is needed. Nothing was "
                "changed. Say 'paypro ledger migrate' first."
            )
        if is_encrypted(connection):
            raise ConfigurationError(
                f"The ledger {ledger.name} is encrypted already. Nothing was changed. With a new key before the old "
                "one, 'paypro ledger encrypt --anew' encrypts it with that."
            )
        if connection.dialect.name == "sqlite":
            # What is written over shall not stay readable in what the file has free.
            connection.exec_driver_sql("PRAGMA secure_delete=ON")
        else:
            # What another process adds behind a page would stay in the clear, and be refused by nothing yet. History
            # first, as those look at it first who write: so that none holds what this waits for.
            connection.exec_driver_sql("LOCK TABLE event, payout, planned IN ACCESS EXCLUSIVE MODE")
        unlocking.write(connection)
        done = [0, 0]
        for place, (table, key) in enumerate(_TABLES):
            after: Sequence[Any] | None = ()
            while after is not None:
                count, after = _page(connection, unlocking.cipher, table, key, after)
                done[place] += count
                tell(sum(done))
        # From now on; before, they would refuse these very changes.
        make_triggers(connection)
        return Encrypted(*done)

    return await ledger.alone(work)


async def encrypt_anew(ledger: SqlLedger, *, tell: Callable[[int], object] = lambda _: None) -> Encrypted:
    """Encrypt with the first key what others have written, page by page; then let no other key open the ledger.

    Args:
        ledger: Open to be maintained.
        tell: Called after each page with how many rows are done.

    Raises:
        ConfigurationError: If it is not encrypted.
        LedgerUnavailableError: If it cannot be written, or a row cannot be read. What was done stays done.
    """
    if ledger.unlocking.cipher.key_id is None:
        raise ConfigurationError(
            f"The ledger {ledger.name} is not encrypted. Nothing was changed. 'paypro ledger encrypt' does it."
        )
    done = [0, 0]
    for place, (table, key) in enumerate(_TABLES):
        after: Sequence[Any] | None = ()
        while after is not None:
            behind: Sequence[Any] = after
            count, after = await ledger.write(
                lambda connection, table=table, key=key, behind=behind: _page(  # type: ignore[misc]
                    connection, cipher_of(connection), table, key, behind
                )
            )
            done[place] += count
            tell(sum(done))
    await ledger.write(ledger.unlocking.write_last)
    return Encrypted(*done)


def _page(
    connection: Connection,
    cipher: Cipher,
    table: Table,
    key: Sequence[ColumnElement[Any]],
    after: Sequence[Any],
) -> tuple[int, Sequence[Any] | None]:
    """Encrypt a page of rows behind *after* that the first key has not written; how many, and where to go on."""
    mine = f"{SEALED}{cipher.key_id}:"
    others = or_(
        ~table.c.fingerprint.startswith(mine, autoescape=True),
        and_(~table.c.content.startswith(mine, autoescape=True), table.c.content != ERASED),
    )
    query = select(table).where(_behind(key, after), others).order_by(*key).limit(_PAGE)
    if connection.dialect.name != "sqlite":
        query = query.with_for_update()
    rows = connection.execute(query).all()
    for row in rows:
        about = (row.merchant_no, row.trade_no)
        values: dict[str, Any] = {}
        for name in _NAMES:
            stored = getattr(row, name)
            if stored != ERASED and not stored.startswith(mine):
                column = f"{table.name}.{name}"
                values[name] = cipher.encrypt(opened(cipher, stored, column, *about), column, *about)
        if table is payout and not row.fingerprint.startswith(SEALED):
            values["payment_key"] = cipher.keyed_hash(row.payment_key)
        same = [column == getattr(row, column.name) for column in key]
        connection.execute(table.update().where(*same).values(**values))
    return len(rows), [getattr(rows[-1], column.name) for column in key] if len(rows) == _PAGE else None


def _behind(key: Sequence[ColumnElement[Any]], after: Sequence[Any]) -> ColumnElement[bool]:
    """Whether a row comes after that one in the order of its key; every row does behind an empty one."""
    if not after:
        return key[0] != ""
    steps = []
    for number, column in enumerate(key):
        same = [one == value for one, value in zip(key[:number], after, strict=False)]
        steps.append(and_(*same, column > after[number]))
    return or_(*steps)
