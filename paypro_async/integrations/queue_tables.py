"""Procrastinate's tables: made beside the ledger's where they are not there, in the transaction of whoever asks."""

from typing import Any

from psycopg.errors import RaiseException

from paypro_async.errors import ConfigurationError

__all__ = ["make_tables", "make_tables_async"]

_TABLES = ("procrastinate_jobs", "procrastinate_events", "procrastinate_workers", "procrastinate_periodic_defers")
_THERE = " AND ".join(f"to_regclass({table!r}) IS NOT NULL" for table in _TABLES)
_LOCK = 0x70617972  # "payr"
# Procrastinate makes all of them or none. So of what is there in part the rest is removed, unless it holds the jobs of
# somebody else: these may be the tables of an older version.
_MAKE = f"""
DO $paypro$ DECLARE one text; foreign_jobs boolean := false; home oid := quote_ident(current_schema())::regnamespace;
BEGIN
  PERFORM pg_advisory_xact_lock({_LOCK});
  IF {_THERE} THEN RETURN; END IF;
  IF to_regclass('procrastinate_jobs') IS NOT NULL THEN
    SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE task_name NOT LIKE 'paypro:%') INTO foreign_jobs;
  END IF;
  IF foreign_jobs THEN RAISE 'jobs of other tasks'; END IF;
  FOR one IN SELECT format('DROP TABLE IF EXISTS %s CASCADE', oid::regclass) FROM pg_class
    WHERE relkind = 'r' AND relname LIKE 'procrastinate\\_%' AND relnamespace = home
  LOOP EXECUTE one; END LOOP;
  FOR one IN SELECT format('DROP FUNCTION IF EXISTS %s CASCADE', oid::regprocedure) FROM pg_proc
    WHERE proname LIKE 'procrastinate\\_%' AND pronamespace = home
  LOOP EXECUTE one; END LOOP;
  FOR one IN SELECT format('DROP TYPE IF EXISTS %s CASCADE', oid::regtype) FROM pg_type
    WHERE typtype IN ('c', 'e') AND typname LIKE 'procrastinate\\_%' AND typnamespace = home
  LOOP EXECUTE one; END LOOP;
  EXECUTE $schema$ """  # noqa: S608  put together of names in this file
_END = " $schema$; END $paypro$"
_OF_OTHERS = (
    "Procrastinate's tables are there in part, and hold jobs of other tasks than payouts'. They are left alone, and "
    "nothing was sent. If they are of an older version, apply Procrastinate's migrations; or give the ledger a "
    "database or a schema of its own."
)


def make_tables(driver: Any, schema: str) -> None:
    """Make the tables, if they are not there, in the transaction of a connection of psycopg's.

    Args:
        driver: The connection.
        schema: Procrastinate's statements.

    Raises:
        ConfigurationError: If what is there in part is somebody else's too.
    """
    if driver.execute(f"SELECT {_THERE}").fetchone()[0]:
        return
    try:
        driver.execute(_MAKE + schema + _END)
    except RaiseException:
        raise ConfigurationError(_OF_OTHERS) from None


async def make_tables_async(driver: Any, schema: str) -> bool:
    """The same for a connection that is awaited; whether they were not there."""
    (there,) = await (await driver.execute(f"SELECT {_THERE}")).fetchone()
    if there:
        return False
    try:
        await driver.execute(_MAKE + schema + _END)
    except RaiseException:
        raise ConfigurationError(_OF_OTHERS) from None
    return True
