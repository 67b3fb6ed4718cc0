"""From what a user writes to a ledger."""

from importlib.util import find_spec

from paypro_async.errors import ConfigurationError
from paypro_async.ledger.base import Ledger
from paypro_async.ledger.memory import MemoryLedger
from paypro_async.runtime import Runtime

__all__ = ["open_ledger"]


def open_ledger(ledger: str | Ledger, *, runtime: Runtime | None = None) -> Ledger:
    """The ledger itself, or the one that a URL names: ``sqlite:///payouts.db``, ``postgresql://…`` or ``memory``.

    Raises:
        ConfigurationError: If it is neither.
    """
    if not isinstance(ledger, str) and hasattr(ledger, "claim"):
        return ledger
    url = str(ledger) if isinstance(ledger, str) else ""
    if url == "memory":
        return MemoryLedger(runtime=runtime)
    # A plain file name only: what stands behind a "?" or "file:" would name a file that nobody else finds again.
    name = url.removeprefix("sqlite:///")
    if url.startswith("sqlite:///") and name and "?" not in name and not name.startswith((":memory:", "file:")):
        # SQLAlchemy costs a third of a second to import; who keeps no file does not pay for it.
        from paypro_async.ledger.sql.ledger import SqlLedger  # noqa: PLC0415

        return SqlLedger(url)
    if url.startswith(("postgresql://", "postgres://")):
        if find_spec("psycopg") is None:
            raise ConfigurationError("A ledger in PostgreSQL needs psycopg: pip install 'paypro-async[postgres]'.")
        from paypro_async.ledger.sql.ledger import SqlLedger  # noqa: PLC0415

        return SqlLedger("postgresql://" + url.partition("://")[2])
    raise ConfigurationError(
        "The ledger is not understood. Give ledger='sqlite:///payouts.db' (a file, kept across crashes), "
        "'postgresql://user@host/database' (shared by many machines), a Ledger object, or ledger='memory' to "
        "forget everything when the process ends."
    )
