"""A real PgBouncer in front of a real PostgreSQL."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

import pytest

from tests.support.postgres import Server

_PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
_STARTS_WITHIN = 30.0  # seconds; it takes some hundredths

needs_pgbouncer = pytest.mark.skipif(
    _PROGRAM is None and not os.environ.get("CI"),
    reason="PgBouncer is not installed; 'apt-get install pgbouncer' or 'brew install pgbouncer' brings it",
)


class Pooler:
    """A PgBouncer in a folder of its own, with the settings that it has by itself but for those given.

    Args:
        server: What it stands before.
        files: A folder of files that the settings name; it gets a copy that it may read.
        settings: Of its configuration file: ``pool_mode="transaction"``.
    """

    def __init__(self, server: Server, *, files: Path | None = None, **settings: str | int) -> None:
        assert _PROGRAM is not None, "PgBouncer is not installed: apt-get install pgbouncer"
        self._folder = Path(tempfile.mkdtemp(prefix="paypro-pgbouncer-"))
        self._folder.chmod(0o777)  # it runs as another user, since it refuses to run as root
        for file in files.iterdir() if files else ():
            shutil.copy(file, self._folder)
            (self._folder / file.name).chmod(0o644)
        everything = {"listen_port": 6432, "unix_socket_dir": self._folder, "auth_type": "any"} | settings
        lines = [f"{name} = {value}" for name, value in everything.items()]
        databases = f"[databases]\n* = host={server.folder} user=postgres\n"
        configuration = self._folder / "pgbouncer.ini"
        configuration.write_text("\n".join([databases, "[pgbouncer]", *lines, ""]))
        configuration.chmod(0o644)  # whatever the umask is
        self._socket = self._folder / f".s.PGSQL.{everything['listen_port']}"
        self._user = server.user
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def url(self, server_url: str, **query: str) -> str:
        """The URL of the same database through the pooler."""
        database = server_url.partition("@/")[2].partition("?")[0]
        return f"postgresql://postgres@/{database}?{urlencode({'host': self._folder, 'port': 6432, **query})}"

    def restart(self) -> None:
        """Crash, and come back."""
        self._process.kill()
        self._process.wait()
        self._socket.unlink()
        self._start()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder)

    def _start(self) -> None:
        command = [str(_PROGRAM), self._folder / "pgbouncer.ini"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, user=self._user, cwd=self._folder)
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def _listens(self) -> bool:
        # The file is there a moment before anybody listens at it.
        with socket.socket(socket.AF_UNIX) as caller:
            return caller.connect_ex(str(self._socket)) == 0

    def _wait(self) -> None:
        until = time.monotonic() + _STARTS_WITHIN
        while not self._listens():
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < until, "PgBouncer does not start"
            time.sleep(0.005)
