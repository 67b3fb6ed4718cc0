"""``paypro --version --verbose``: all that a report of a bug needs, and nothing that is secret or personal."""

import locale
import os
import platform
import re
import sqlite3
import ssl
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from paypro_async.ledger.sql.migrations import SCHEMA_VERSION
from paypro_async.settings import KNOWN

__all__ = ["lines"]

_PACKAGE = "paypro-async"
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"""extra\s*==\s*["']([\w.-]+)["']""")


def lines() -> Iterator[tuple[str, str]]:
    """Each fact and what it is. Of the environment the names of variables alone, and no path of this machine."""
    yield _PACKAGE, f"{metadata.version(_PACKAGE)} ({_installed()})"
    yield "python", f"{platform.python_implementation()} {platform.python_version()} ({platform.python_compiler()})"
    yield "system", f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count() or '?'} cores"
    yield "encodings", f"output {sys.stdout.encoding}, files {sys.getfilesystemencoding()}, locale {_locale()}"
    yield "sqlite", sqlite3.sqlite_version
    yield "openssl", ssl.OPENSSL_VERSION
    yield "ledger schema", str(SCHEMA_VERSION)
    for extra, names in _requirements().items():
        found = ", ".join(f"{name} {_version(name)}" for name in names)
        yield (f"[{extra}]" if extra else "requires"), found or "nothing of its own"
    # What they are set to may be secret.
    yield "variables set", ", ".join(sorted(name for name in os.environ if name in KNOWN)) or "none"


def _requirements() -> dict[str, list[str]]:
    """What the package wants by itself, under an empty name, and with each extra, as its own metadata says."""
    found: dict[str, list[str]] = {"": []}
    for text in metadata.requires(_PACKAGE) or ():
        name, extra = _NAME.match(text), _EXTRA.search(text)
        known = found.setdefault(extra[1] if extra else "", [])
        if name is not None and name[0].lower() != _PACKAGE and name[0] not in known:
            known.append(name[0])
    return {extra: found[extra] for extra in sorted(found)}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "is not installed"


def _installed() -> str:
    """How it was installed."""
    told = metadata.distribution(_PACKAGE).read_text("direct_url.json") or ""
    if '"editable": true' in told or '"editable":true' in told:
        return "editable"
    place = Path(str(metadata.distribution(_PACKAGE).locate_file("paypro_async")))
    return "from a folder" if told else "from an index" if place.is_dir() else "not as a whole"


def _locale() -> str:
    language, encoding = locale.getlocale()
    return f"{language or 'C'}.{encoding or '?'}"
