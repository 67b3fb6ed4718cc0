"""What an encrypted value looks like, and what the rows of a ledger that has none of it do."""

from typing import Protocol

from sqlalchemy import Connection

from paypro_async.errors import LedgerUnavailableError

__all__ = [
    "ERASED",
    "SEALED",
    "Cipher",
    "PlainText",
    "UnreadableError",
    "WithoutKey",
    "cipher_of",
    "key_id_of",
    "opened",
    "shown",
    "use",
]

ERASED = "{}"
"""The content of a payout whose personal values were erased."""
SEALED = "enc1:"
"""What every encrypted value begins with."""
_CIPHER = "paypro_cipher"


class UnreadableError(ValueError):
    """An encrypted value cannot be read; the text says why."""


class Cipher(Protocol):
    """Between the values of rows and what is stored of them."""

    key_id: str | None
    """The id of the key that writes; None where nothing is encrypted."""

    def encrypt(self, text: str, *about: str) -> str:
        """*text* for the column of the row that *about* names."""
        ...

    def decrypt(self, stored: str, *about: str) -> str:
        """What was encrypted for that column of that row; a text that is not encrypted is itself.

        Raises:
            UnreadableError: If it cannot be read.
        """
        ...

    def keyed_hash(self, value: str | None) -> str | None:
        """A hash of *value* that is the same in all of the ledger."""
        ...


class PlainText:
    """The cipher of a ledger that is not encrypted."""

    key_id: str | None = None

    def encrypt(self, text: str, *_about: str) -> str:
        """*text* as it is."""
        return text

    def decrypt(self, stored: str, *_about: str) -> str:
        """The text as it is.

        Raises:
            UnreadableError: If it is encrypted: the ledger was, after this process had opened it.
        """
        if stored.startswith(SEALED):
            raise UnreadableError("it was encrypted after this process had opened the ledger")
        return stored

    def keyed_hash(self, value: str | None) -> str | None:
        """*value* as it is."""
        return value


class WithoutKey(PlainText):
    """The cipher of an encrypted ledger that is only looked into, by a person who has no key: nothing can be read."""

    def decrypt(self, stored: str, *_about: str) -> str:
        """An empty text in place of what is encrypted."""
        return "" if stored.startswith(SEALED) else stored


_PLAIN = PlainText()


def shown(cipher: Cipher, stored: str, *about: str) -> str:
    """What is stored in that column of the payout of that merchant and number, for people; empty if it is unreadable.

    ``paypro ledger check`` tells which cannot be read, and why.
    """
    try:
        return cipher.decrypt(stored, *about)
    except UnreadableError:
        return ""


def key_id_of(stored: str) -> str | None:
    """The id of the key that has encrypted a value; None for one that is not encrypted."""
    return stored[len(SEALED) :].partition(":")[0] if stored.startswith(SEALED) else None


def use(connection: Connection, cipher: Cipher) -> None:
    """Let everything that goes over *connection* be encrypted so."""
    connection.info[_CIPHER] = cipher


def cipher_of(connection: Connection) -> Cipher:
    """What the values of rows go through that are read and written over *connection*."""
    found: Cipher = connection.info.get(_CIPHER, _PLAIN)
    return found


def opened(cipher: Cipher, stored: str, *about: str) -> str:
    """What is stored in that column of the payout of that merchant and number.

    Raises:
        LedgerUnavailableError: If it cannot be read.
    """
    try:
        return cipher.decrypt(stored, *about)
    except UnreadableError as error:
        raise LedgerUnavailableError(
            f"What the ledger holds of payout {about[-1]} cannot be read: {error}. Nothing was sent for it. Give the "
            "ledger all keys that it was written with; 'paypro ledger check' names each row that cannot be read."
        ) from None
