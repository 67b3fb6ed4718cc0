"""What a ledger says of its own encryption: with which keys it can be opened, and the key of its hashes.

The hash key is random, the ledger's own, and never changes, so that the same account has the same hash whichever key
writes. It is kept encrypted by each key that may open the ledger.
"""

import json
import os
from collections.abc import Mapping, Sequence

from attrs import evolve, field, frozen
from sqlalchemy import Connection, select

from paypro_async._core.secret import Secret
from paypro_async.errors import ConfigurationError
from paypro_async.ledger.sql.encryption.keys import FILE_VARIABLE, VARIABLE, LedgerKey
from paypro_async.ledger.sql.encryption.values import Cipher, UnreadableError
from paypro_async.ledger.sql.schema import meta

__all__ = ["META_KEY", "Encryption", "is_encrypted"]

META_KEY = "encryption"
_HASH_KEY_BYTES = 32
_GIVE = f"Give it by ledger_key=, {VARIABLE} or {FILE_VARIABLE}."


@frozen
class Encryption:
    """How one ledger is encrypted.

    Args:
        hash_keys: Its hash key as text, encrypted by each key that opens it, by their ids.
    """

    hash_keys: Mapping[str, str] = field(repr=False)

    @classmethod
    def read(cls, connection: Connection) -> "Encryption | None":
        """What the ledger says; None if it is not encrypted."""
        text = connection.execute(select(meta.c.value).where(meta.c.key == META_KEY)).scalar()
        return None if text is None else cls(json.loads(text)["hash_keys"])

    @classmethod
    def begin(cls, keys: Sequence[LedgerKey]) -> "Encryption":
        """That of a ledger which is encrypted from now on."""
        return cls({}).opened_by_all(keys, Secret(os.urandom(_HASH_KEY_BYTES)))

    def write(self, connection: Connection) -> None:
        """Keep it in the ledger."""
        value = json.dumps({"hash_keys": dict(self.hash_keys)})
        if connection.execute(meta.update().where(meta.c.key == META_KEY).values(value=value)).rowcount == 0:
            connection.execute(meta.insert().values(key=META_KEY, value=value))

    def opened_by_all(self, keys: Sequence[LedgerKey], hash_key: Secret[bytes]) -> "Encryption":
        """With each of these keys beside those that open it already."""
        more = {key.id: _keyed([key]).encrypt(hash_key.reveal().hex(), META_KEY) for key in keys}
        return evolve(self, hash_keys={**more, **self.hash_keys})

    def opened_by_these(self, keys: Sequence[LedgerKey]) -> "Encryption":
        """With no other key than these."""
        return evolve(
            self, hash_keys={one: text for one, text in self.hash_keys.items() if one in {k.id for k in keys}}
        )

    def hash_key(self, keys: Sequence[LedgerKey], *, name: str) -> Secret[bytes]:
        """The key of its hashes.

        Args:
            keys: Those that were given.
            name: The ledger's, for the error.

        Raises:
            ConfigurationError: If none of them opens it.
        """
        if not keys:
            raise ConfigurationError(
                f"The ledger {name} is encrypted with the key {self._ids}, and none was given. Nothing was sent. "
                f"{_GIVE}"
            )
        for key in keys:
            if key.id in self.hash_keys:
                try:
                    return Secret(bytes.fromhex(_keyed([key]).decrypt(self.hash_keys[key.id], META_KEY)))
                except UnreadableError:
                    break
        given = " and ".join(key.id for key in keys)
        raise ConfigurationError(
            f"The ledger {name} cannot be opened by the key {given}: it is encrypted with the key {self._ids}. Nothing "
            f"was sent. {_GIVE} Both may be given, the new one first."
        )

    def cipher(self, keys: Sequence[LedgerKey], hash_key: Secret[bytes]) -> Cipher:
        """What encrypts and reads its values."""
        return _keyed(keys, hash_key.reveal())

    @property
    def _ids(self) -> str:
        return " or ".join(self.hash_keys)


def is_encrypted(connection: Connection) -> bool:
    """Whether the ledger says that it is."""
    return connection.execute(select(meta.c.value).where(meta.c.key == META_KEY)).first() is not None


def _keyed(keys: Sequence[LedgerKey], hash_key: bytes | None = None) -> Cipher:
    try:
        # Only who encrypts needs the package.
        from paypro_async.ledger.sql.encryption.cipher import KeyedCipher  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"An encrypted ledger needs {(error.name or '').partition('.')[0]}, which is not installed. Nothing was "
            "sent; install it with: pip install 'paypro-async[encryption]'."
        ) from error
    return KeyedCipher(keys, hash_key=hash_key)
