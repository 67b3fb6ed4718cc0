"""From the keys that are given to the cipher of an open ledger. A ledger never holds both kinds of rows."""

import os
from collections.abc import Sequence

from sqlalchemy import Connection, select

from paypro_async._core.secret import Secret
from paypro_async.errors import ConfigurationError
from paypro_async.ledger.sql.encryption.keys import KeySource, LedgerKey, check_source, read_keys
from paypro_async.ledger.sql.encryption.stored import Encryption
from paypro_async.ledger.sql.encryption.values import Cipher, PlainText, WithoutKey
from paypro_async.ledger.sql.schema import payout, planned

__all__ = ["Unlocking"]


class Unlocking:
    """Opens one ledger with the keys that are given, which are read once: a vault is asked at the opening alone.

    Args:
        name: The ledger's, for errors.
        source: Where the keys come from; None for the environment.
    """

    def __init__(self, name: str, source: KeySource | None = None) -> None:
        check_source(source)
        self._name, self._source = name, source
        self._keys: Sequence[LedgerKey] | None = None
        self.cipher: Cipher = PlainText()

    @property
    def keys(self) -> Sequence[LedgerKey]:
        """The one that writes first; none if nobody gives any.

        Raises:
            ConfigurationError: If they cannot be had.
        """
        if self._keys is None:
            self._keys = read_keys(self._source, os.environ)
        return self._keys

    def look(self, connection: Connection, *, pays: bool, reads_only: bool) -> bool:
        """Open the ledger, in a transaction that reads; whether :meth:`write` has to write something first.

        Raises:
            ConfigurationError: If the keys do not fit: nothing may be paid from it.
        """
        found = Encryption.read(connection)
        if found is None:
            self.cipher = PlainText()
            if not (pays and self.keys):
                return False
            if _holds_payouts(connection):
                raise ConfigurationError(
                    f"A key was given for the ledger {self._name}, which is not encrypted and holds payouts. Nothing "
                    "was sent. Encrypt it with 'paypro ledger encrypt', or take the key away."
                )
            return True
        if not self.keys and reads_only:
            self.cipher = WithoutKey()
            return False
        hash_key = found.hash_key(self.keys, name=self._name)
        self.cipher = found.cipher(self.keys, hash_key)
        return not reads_only and self.keys[0].id not in found.hash_keys

    def write(self, connection: Connection) -> None:
        """Let the ledger be encrypted from now on, if it is not; and let each key that was given open it."""
        found = Encryption.read(connection)
        new = Encryption.begin(self.keys) if found is None else found
        hash_key = new.hash_key(self.keys, name=self._name)
        new.opened_by_all(self.keys, hash_key).write(connection)
        self.cipher = new.cipher(self.keys, hash_key)

    def write_last(self, connection: Connection) -> None:
        """Let no other key than the one that writes open the ledger."""
        found = Encryption.read(connection)
        if found is not None:
            hash_key: Secret[bytes] = found.hash_key(self.keys, name=self._name)
            found.opened_by_all(self.keys[:1], hash_key).opened_by_these(self.keys[:1]).write(connection)


def _holds_payouts(connection: Connection) -> bool:
    return any(connection.execute(select(table.c.trade_no).limit(1)).first() is not None for table in (payout, planned))
