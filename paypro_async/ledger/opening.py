"""From what a user writes to a ledger. No other module reads a ledger's URL.

====================================  =================================================================================
written                               meant
====================================  =================================================================================
``memory``                            no file: everything is forgotten when the process ends
``payouts.db``, ``./x/payouts.db``    a file, from the working folder; ``~/`` is the user's home
``sqlite:///payouts.db``              the same file
``sqlite:////var/lib/payouts.db``     a file by its absolute path, as ``/var/lib/payouts.db`` is
``postgresql://user@host/database``   a server; ``postgres://`` and ``postgresql+psycopg://`` are the same
====================================  =================================================================================

What would name another file than it seems to is refused, since an empty ledger knows of no payout and pays again: one
word alone (a misspelt ``memory``), a URL of another kind or without its colon, what SQLite takes for its own
(``:memory:``, ``file:``, a ``?``) or keeps beside a ledger (``payouts.db-wal``), a folder, quotes, a variable that no
shell has filled in, and blanks at an end. In a URL ``%20`` is a blank, in a path it is what it is.
"""

import os
import re
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from urllib.parse import unquote

from attrs import field, frozen

from paypro_async._core.endpoint import LOCAL, Endpoint
from paypro_async._core.secret import HiddenText
from paypro_async.errors import ConfigurationError, PayProWarning
from paypro_async.ledger.base import Ledger
from paypro_async.ledger.file import BESIDE, files_of
from paypro_async.ledger.memory import MemoryLedger
from paypro_async.ledger.sql.encryption.keys import KeySource
from paypro_async.runtime import Runtime

__all__ = ["LedgerUrl", "open_ledger", "warn_of_no_name"]

_MEMORY = "memory"
_SQLITE = "sqlite:///"
_POSTGRES = "postgresql://"
_POSTGRES_SPELLINGS = (_POSTGRES, "postgres://", "postgresql+psycopg://")

_HOW = (
    "Give ledger='sqlite:///payouts.db' (or just 'payouts.db'; a file, kept across crashes), "
    "'postgresql://user@host/database' (shared by many machines), or ledger='memory' to forget everything when the "
    "process ends."
)

# Two letters at least, since one is a drive.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_DRIVE = re.compile(r"[A-Za-z]:|\\\\")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Settings are often written where no shell reads them: in a .env file, a unit of systemd, a form.
_SLIPS = (
    (
        re.compile(r"(?:sqlite|postgres(?:ql)?)(?:\+\w+)?//", re.IGNORECASE),
        "the colon behind its first word is missing",
    ),
    (re.compile(r"""["'].*|.*["']"""), "quotes stand around it, which belong to no name"),
    (re.compile(r"(?:.*[/\\])?\$[A-Za-z_{(]|%\w+%"), "a variable stands in it that no shell has filled in"),
    (re.compile(r"[A-Za-z_]+="), "the name of a setting stands before it"),
    (re.compile(r"[^/\\@]+@[^/\\]+[/\\]"), "a server is written with postgresql:// before it"),
)


@frozen
class LedgerUrl:
    """Where payouts are remembered, read from one of the spellings above.

    Args:
        url: ``memory``, ``sqlite:///`` and a path, or ``postgresql://…``, which may hold a password.
        file: The path of a ledger in a file, as it was written; None for memory and for a server.
    """

    url: str = field(repr=False, converter=HiddenText)
    file: Path | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        """The ledger that *text* names. Nothing is opened and nothing is looked for.

        Raises:
            ConfigurationError: If it names none; the text is not quoted, since it may hold a password.
        """
        text = HiddenText(text)  # A traceback may show the variables of this frame.
        if text == _MEMORY:
            return cls(_MEMORY)
        for spelling in _POSTGRES_SPELLINGS:
            if text.startswith(spelling):
                return cls(_POSTGRES + text.removeprefix(spelling))
        path = unquote(text.removeprefix(_SQLITE)) if text.startswith(_SQLITE) else text
        path = HiddenText(os.path.expanduser(path))  # noqa: PTH111  pathlib would take "./~x" for a user's home
        if wrong := (None if text.startswith(_SQLITE) else _wrong_plain(text)) or _wrong_file(path):
            raise ConfigurationError(f"The ledger is not understood: {wrong}. {_HOW}")
        return cls(_SQLITE + path.replace("%", "%25"), Path(path))

    @property
    def files(self) -> frozenset[Path]:
        """The files of a ledger in a file, which nothing else may be written to; for others there are none."""
        if self.file is None:
            return frozenset()
        return files_of(self.file)

    @property
    def in_memory(self) -> bool:
        """Whether everything is forgotten when the process ends."""
        return self.url == _MEMORY


def open_ledger(ledger: str | Ledger, *, runtime: Runtime | None = None, key: KeySource | None = None) -> Ledger:
    """The ledger itself, or the one that a URL names: ``sqlite:///payouts.db``, ``postgresql://…`` or ``memory``.

    Nothing is opened or made yet: that is what the ledger's own ``open`` does.

    Args:
        ledger: A URL, a path, or a ledger.
        runtime: The clocks of a ledger in memory.
        key: What a ledger in a database encrypts personal values with; by default the environment says it.

    Raises:
        ConfigurationError: If it is neither, or if the package for PostgreSQL is not installed.
    """
    if not isinstance(ledger, str):
        if hasattr(ledger, "claim"):
            _refuse_key(key, "a Ledger object has keys of its own")
            return ledger
        raise ConfigurationError(f"The ledger is neither a text nor a Ledger object. {_HOW}")
    ledger = HiddenText(ledger)
    read = LedgerUrl.read(ledger)
    if read.in_memory:
        _refuse_key(key, "a ledger in memory is written nowhere")
        return MemoryLedger(runtime=runtime)
    if read.file is None and find_spec("psycopg") is None:
        raise ConfigurationError(
            "A ledger in PostgreSQL needs psycopg, which is not installed. Nothing was sent; install it with: "
            "pip install 'paypro-async[postgres]'."
        )
    # SQLAlchemy costs a third of a second to import; a client that keeps no file does not pay for it.
    from paypro_async.ledger.sql.ledger import SqlLedger  # noqa: PLC0415

    return SqlLedger(read.url, key=key)


def _refuse_key(key: KeySource | None, why: str) -> None:
    if key is not None:
        raise ConfigurationError(f"ledger_key is for a ledger in a file or on a server: {why}. Nothing was sent.")


def warn_of_no_name(endpoint: Endpoint, ledger: Ledger | None, *, given: str | None, stacklevel: int) -> None:
    """Warn of an address of this machine that was *given* no name, over a ledger that lasts."""
    if endpoint.environment == LOCAL and not given and not isinstance(ledger, MemoryLedger | None):
        warnings.warn(
            "base_url is on this machine, where a sandbox listens or a tunnel to production begins, and without a name "
            "both would share this ledger as 'local': payouts of the one would count as payouts of the other. Give "
            "environment='sandbox' (or PAYPRO_ENVIRONMENT) for a sandbox and another name for a tunnel; or "
            "environment='local' for a ledger that was begun so.",
            PayProWarning,
            stacklevel=stacklevel,
        )


def _wrong_file(path: str) -> str | None:
    """Why no ledger is kept under this path; None if one can be."""
    if not path:
        return "it is empty"
    if _CONTROL.search(path) or path != path.strip():
        return "a blank or a control character stands at its end or in it"
    if path.startswith((":memory:", "file:")) or "?" in path:
        return "only the plain name of a file is one, without ':memory:', 'file:' and '?'"
    if path.endswith(BESIDE):
        return "it names a file that belongs to a ledger; name the ledger itself"
    if path.endswith((os.sep, os.altsep or os.sep)) or Path(path).name in {"", ".."}:
        return "it names a folder and not a file"
    if os.name != "nt" and _DRIVE.match(path):
        return "there are no drives on this machine; put ./ before the name if it is a file's"
    return None


def _wrong_plain(text: str) -> str | None:
    """Why a text that is no URL of a file is not surely a file either."""
    if text.startswith("sqlite:"):
        return "sqlite: is followed by three slashes, and by four before an absolute path"
    for slip, meant in _SLIPS:
        if slip.match(text):
            return f"{meant}; put ./ before the name if it is a file's"
    if _SCHEME.match(text):
        return "it is a URL of another kind; put ./ before the name if it is a file's"
    if text and not re.search(r"[./\\]", text):
        return "one word alone is 'memory' or a slip; put ./ before the name if it is a file's"
    return None
