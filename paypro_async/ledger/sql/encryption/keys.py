"""Where the keys of a ledger come from: the environment, a file, or a function that asks a vault.

A key is 32 random bytes, written as base64 (44 characters) or in hexadecimal (64). The first one of several writes, the
others read what was written before. A key is known by its *id*, eight letters that follow from it and tell nothing.
"""

import base64
import binascii
import hashlib
import inspect
import os
import secrets
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from attrs import field, frozen

from paypro_async._core.secret import HiddenText, Secret
from paypro_async.errors import ConfigurationError
from paypro_async.log import logger

__all__ = ["FILE_VARIABLE", "VARIABLE", "KeySource", "LedgerKey", "check_source", "new_key", "read_keys"]

VARIABLE = "PAYPRO_LEDGER_KEY"
FILE_VARIABLE = "PAYPRO_LEDGER_KEY_FILE"
KEY_BYTES = 32
_ID_LETTERS = 8
_MOST_BYTES = 64 * 1024

KeySource = str | Sequence[str] | Callable[[], str | Sequence[str]]
"""One key as text, several of which the first one writes, or a function that returns either."""

_MAKE_ONE = "Make one with 'paypro ledger key', and give it unchanged."


@frozen
class LedgerKey:
    """A key of a ledger.

    Args:
        value: Its 32 bytes.
        id: What it is known by.
    """

    value: Secret[bytes] = field(repr=False)
    id: str

    @classmethod
    def of(cls, text: str) -> Self:
        """The key that *text* spells.

        Raises:
            ConfigurationError: If it spells none; the text is not shown.
        """
        raw = _bytes_of(HiddenText(text.strip()))
        if raw is None:
            raise ConfigurationError(
                f"A key of the ledger cannot be read: it is not {KEY_BYTES} bytes in base64 or hexadecimal. Nothing "
                f"was sent. {_MAKE_ONE}"
            )
        digest = hashlib.sha256(b"paypro-async ledger key\0" + raw).hexdigest()
        return cls(Secret(raw), digest[:_ID_LETTERS])


def new_key() -> str:
    """A new key as text."""
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def read_keys(source: KeySource | None, environ: Mapping[str, str]) -> tuple[LedgerKey, ...]:
    """The keys, the one that writes first; none if nobody gives any. It may wait for a file or a vault.

    Args:
        source: What a program has given; else the environment is looked at.
        environ: Its variables.

    Raises:
        ConfigurationError: If they cannot be had or read.
    """
    texts = _given(source) if source is not None else _from_environment(environ)
    keys = [LedgerKey.of(one) for one in texts]
    return tuple({key.id: key for key in keys}.values())


def check_source(source: Any) -> None:
    """Refuse what can be no source of keys, before anything is opened.

    Raises:
        ConfigurationError: If it is none.
    """
    if inspect.iscoroutinefunction(source):
        raise ConfigurationError(
            "ledger_key is called in the ledger's thread, so it cannot be an 'async def' function. Nothing was sent. "
            "Give a plain function, which may wait, or the key itself."
        )
    texts = isinstance(source, Sequence) and all(isinstance(one, str) for one in source)
    if not (source is None or isinstance(source, str) or callable(source) or texts):
        raise ConfigurationError(
            "ledger_key must be a key as text, a list of keys, or a function that returns one. Nothing was sent."
        )


def _given(source: KeySource) -> Sequence[str]:
    check_source(source)
    found: Any = source
    if callable(source):
        try:
            found = source()
        except Exception as error:  # noqa: BLE001  whatever a vault's client raises
            # Neither its text nor its traceback: they are another's, with whatever they hold.
            raise ConfigurationError(
                f"The function that gives the ledger's key raised {type(error).__name__}. Nothing was sent. Mend it, "
                "or its way to the vault, and open the client again."
            ) from None
    texts = _split(found) if isinstance(found, str) else found
    if not isinstance(texts, Sequence) or not texts or not all(isinstance(one, str) for one in texts):
        raise ConfigurationError(f"ledger_key gave no key. Nothing was sent. {_MAKE_ONE}")
    return [HiddenText(one) for one in texts]


def _from_environment(environ: Mapping[str, str]) -> Sequence[str]:
    text, path = environ.get(VARIABLE, ""), environ.get(FILE_VARIABLE, "")
    if text and path:
        raise ConfigurationError(f"Both {VARIABLE} and {FILE_VARIABLE} are set. Nothing was sent. Keep one of them.")
    found = _split(HiddenText(text)) if text else _from_file(path) if path else []
    if not found and (path or text):
        raise ConfigurationError(
            f"{FILE_VARIABLE if path else VARIABLE} holds no key of the ledger. Nothing was sent. {_MAKE_ONE}"
        )
    return found


def _from_file(path: str) -> Sequence[str]:
    """The keys in a file, one in each line; what begins with ``#`` is for people."""
    try:
        with Path(path).expanduser().open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = HiddenText(file.read(_MOST_BYTES).decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
    else:
        if stat.S_ISREG(mode) and mode & 0o077 and os.name != "nt":
            # No error: Kubernetes mounts what only a container sees so.
            logger.warning(
                "Other users of this machine may use the file that %s names (mode %04o). 'chmod 600' ends that; a key "
                "that others may have seen is replaced by a new one.",
                *(FILE_VARIABLE, stat.S_IMODE(mode)),
            )
        return [part for line in text.splitlines() if not line.lstrip().startswith("#") for part in _split(line)]
    # The path is not shown: it may be the key by mistake. Out here, since the error about the text would hold it.
    raise ConfigurationError(
        f"{FILE_VARIABLE} cannot be read: {reason}. Nothing was sent. It is the path of a file that this user may "
        f"read; the key itself belongs into {VARIABLE}."
    )


def _split(text: str) -> list[str]:
    return [HiddenText(one) for one in text.replace(",", " ").split()]


def _bytes_of(text: str) -> bytes | None:
    try:
        if len(text) == 2 * KEY_BYTES:
            return bytes.fromhex(text)
        padded = text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
        raw = base64.b64decode(padded, validate=True)
    except (ValueError, binascii.Error):
        return None
    return raw if len(raw) == KEY_BYTES else None
