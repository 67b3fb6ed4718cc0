"""Encrypting the values of one ledger. No other module speaks to ``cryptography``.

A value becomes ``enc1:KEY:TEXT``: the id of its key, and in base64 a salt, a nonce and what AES-256-GCM makes. Each
opening of a ledger draws a salt of its own and derives its key from that (HKDF-SHA256), so that the bound on random
nonces, some billions for one key, counts for each opening and not for all that is ever written. What a value belongs to
is authenticated with it: one that is moved to another payout, or changed by a bit, is refused.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from paypro_async._core.secret import HiddenText, Secret
from paypro_async.ledger.sql.encryption.keys import LedgerKey
from paypro_async.ledger.sql.encryption.values import SEALED, UnreadableError, key_id_of

__all__ = ["KeyedCipher"]

_SALT_BYTES, _NONCE_BYTES = 16, 12
_DERIVED = 1024
"""Keys that were derived for reading and are kept: one for each opening that has written what is read."""


class KeyedCipher:
    """Encrypts with the first of its keys, and reads what any of them has encrypted.

    Args:
        keys: The one that writes first.
        hash_key: The ledger's own, for hashes that are compared; None before it is known.
    """

    def __init__(self, keys: Sequence[LedgerKey], *, hash_key: bytes | None = None) -> None:
        self._keys = {key.id: key.value for key in keys}
        self.key_id: str | None = keys[0].id
        self._salt = os.urandom(_SALT_BYTES)
        self._writer = _derived(keys[0].value, self._salt)
        # A cache of its own, so that no key outlives its ledger.
        self._reader = lru_cache(_DERIVED)(_derived)
        self._hash_key = None if hash_key is None else Secret(hash_key)

    def encrypt(self, text: str, *about: str) -> str:
        """*text* for the column of the row that *about* names."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._writer.encrypt(nonce, text.encode("utf-8", "surrogatepass"), self._bound(self.key_id, about))
        return f"{SEALED}{self.key_id}:{base64.b64encode(self._salt + nonce + sealed).decode()}"

    def decrypt(self, stored: str, *about: str) -> str:
        """What was encrypted for that column of that row; a text that is not encrypted is itself.

        Raises:
            UnreadableError: If its key is not here, or it was changed, or belongs to another row.
        """
        key_id = key_id_of(stored)
        if key_id is None:
            return stored
        if (key := self._keys.get(key_id)) is None:
            raise UnreadableError(f"it was encrypted with the key {key_id}, which was not given")
        try:
            raw = base64.b64decode(stored[len(SEALED) + len(key_id) + 1 :], validate=True)
            salt, nonce = raw[:_SALT_BYTES], raw[_SALT_BYTES : _SALT_BYTES + _NONCE_BYTES]
            cipher = self._reader(key, salt)
            text = cipher.decrypt(nonce, raw[_SALT_BYTES + _NONCE_BYTES :], self._bound(key_id, about))
        except (InvalidTag, ValueError):
            raise UnreadableError("it was changed, or is another row's") from None
        return HiddenText(text.decode("utf-8", "surrogatepass"))

    def keyed_hash(self, value: str | None) -> str | None:
        """A hash of *value* that is the same in all of the ledger, and that nobody can try values against.

        It stays the same when the keys are changed.
        """
        if value is None or self._hash_key is None:
            return value
        return hmac.new(self._hash_key.reveal(), value.encode(), hashlib.sha256).hexdigest()[: len(value)]

    def _bound(self, key_id: str | None, about: Sequence[str]) -> bytes:
        return "\0".join([SEALED, key_id or "", *about]).encode("utf-8", "surrogatepass")


def _derived(key: Secret[bytes], salt: bytes) -> Any:
    derived = HKDF(algorithm=SHA256(), length=32, salt=salt, info=b"paypro-async ledger values 1").derive(key.reveal())
    return AESGCM(derived)
