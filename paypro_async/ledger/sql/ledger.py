"""The durable ledger: SQLAlchemy Core on one writer thread, for SQLite and PostgreSQL."""

import asyncio
import os
import threading
import time
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio.to_thread
from sqlalchemy import Connection, exc

from paypro_async._core.intent import Intent
from paypro_async._core.lifecycle import Change, Entry
from paypro_async._core.secret import HiddenText, hidden
from paypro_async.errors import PayProWarning
from paypro_async.ledger.base import (
    PAGE,
    Account,
    LedgerClosedError,
    Turns,
    Written,
)
from paypro_async.ledger.sql import queries
from paypro_async.ledger.sql.database import Database
from paypro_async.ledger.sql.encryption.keys import KeySource
from paypro_async.ledger.sql.encryption.unlocking import Unlocking
from paypro_async.ledger.sql.group import Answer, Claim, Group, Key, Known, Learn, Move, Work, find
from paypro_async.ledger.sql.group_commit import GroupCommit, OnGroup, Request
from paypro_async.ledger.sql.identity import announcement_name
from paypro_async.ledger.sql.in_flight import InFlight
from paypro_async.ledger.sql.moments import Purpose, StaleError
from paypro_async.ledger.sql.outbox import SqlOutbox
from paypro_async.ledger.sql.postgres import PostgresDatabase
from paypro_async.ledger.sql.records import SqlRecords
from paypro_async.ledger.sql.shards.sharing import SqlSharing
from paypro_async.ledger.sql.sqlite import SqliteDatabase
from paypro_async.log import logger
from paypro_async.process import refuse_forked, this_process

__all__ = ["SqlLedger"]

T = TypeVar("T")

# A server that took a query and never answers would keep the thread, and the caller that closes, for good.
_CLOSING_SECONDS = 40.0
# A pause that a person would notice.
_TELLING_SECONDS = 1.0
_MOST_CONFLICTS = 3


class SqlLedger(SqlRecords, SqlOutbox, SqlSharing):
    """Payouts in a database that survives ``kill -9`` and power loss.

    Args:
        url: ``sqlite:///relative.db`` or ``sqlite:////absolute.db``: a file for the processes of one machine. It is
            made if it is not there, readable by its owner only, since it holds names and account numbers. Or
            ``postgresql://user:password@host/database`` for any number of machines; ``paypro ledger migrate`` makes
            its queries.
        busy_timeout: Seconds to wait for another process that is writing to the file.
        patience: Seconds for which a group of writes, and opening, is tried again while a PostgreSQL server restarts.
        mark: A folder, or the path of a file, where it is noted how far the ledger has come, on another disk than the
            ledger's: so a ledger that was rolled back as a whole is noticed. By default the environment's
            ``PAYPRO_LEDGER_MARK``, so that every process that writes to a ledger keeps it up.
        key: What personal values are encrypted with: a key as ``paypro ledger key`` makes it, several of which the
            first one writes, or a function that gives them, called in the ledger's thread when it is opened. By default
            the environment's ``PAYPRO_LEDGER_KEY`` or ``PAYPRO_LEDGER_KEY_FILE``; without any, nothing is encrypted.
    """

    def __init__(
        self,
        url: str,
        *,
        busy_timeout: float = 10.0,
        patience: float = 15.0,
        mark: str | Path | None = None,
        key: KeySource | None = None,
    ) -> None:
        url, key = HiddenText(url), hidden(key)  # A traceback may show the variables of this frame.
        given = mark or os.environ.get("PAYPRO_LEDGER_MARK")
        where = Path(given).expanduser().absolute() if given else None
        self._database: Database = (
            SqliteDatabase(url, busy_timeout=busy_timeout, mark=where)
            if url.startswith("sqlite:")
            else PostgresDatabase(url, patience=patience, mark=where)
        )
        self._database.unlocking = Unlocking(self._database.name, key)
        self._writer: GroupCommit | None = None
        # A caller waits for the writer's thread, and may leave at any time; of what is made of this class, who knows.
        self.ends_when_cancelled: bool = type(self) is SqlLedger
        self._opened_by = this_process()
        # Why what is asked just now is tried again, for a caller that waits no longer.
        self.trouble: str | None = None
        self._in_flight = InFlight()
        self._given_up = threading.Event()

    async def open(self, account: Account) -> None:
        """Make ready for *account* and start the writer.

        Raises:
            LedgerUnavailableError: If the database cannot be read or written.
            ConfigurationError: If it holds the merchant's payouts on another environment, or another schema.
        """
        self._start(Purpose.PAY)
        await self._submit(Work(lambda connection: queries.bind(connection, account), writes=True))
        self._tell()

    def watch_commits(self, on_group: OnGroup | None) -> None:
        """Have *on_group* called after each group, in the writer's thread: how many requests, seconds, all failed."""
        if self._writer is not None:
            self._writer.on_group = on_group

    async def open_to_read(self) -> None:
        """Make ready for looking into a ledger that is there, while others pay from it. Nothing is written to it.

        Raises:
            LedgerUnavailableError: If it cannot be read.
            ConfigurationError: If there is none, or one with another schema.
        """
        self._start(Purpose.READ)
        await self._submit(Work(lambda _: None))
        self._warn_of_others()

    async def open_to_maintain(self) -> None:
        """Make ready for work on a ledger that is there, as a whole; no merchant is bound and nothing is claimed.

        Raises:
            LedgerUnavailableError: If it cannot be read or written.
            ConfigurationError: If there is none, or one with another schema.
        """
        self._start(Purpose.MAINTAIN)
        await self._submit(Work(lambda _: None))
        self._tell()

    async def migrate(self) -> int | None:
        """Make the tables or bring them up to date; the version that was there before, or None for a new ledger."""
        before = await self._alone(Purpose.PAY, self._database.migrate)
        self._database.restored.tell()
        return before

    @property
    def unlocking(self) -> Unlocking:
        """The keys that it is opened with."""
        return self._database.unlocking

    async def alone(self, work: Callable[[Connection], T]) -> T:
        """What *work* comes to in a transaction of its own in which nobody else writes; not while this is open."""
        return await self._alone(Purpose.MAINTAIN, lambda: self._database.alone(work))

    async def copy_to(self, target: Path) -> None:
        """Copy a ledger file consistently into the empty file *target*, while others write; not while this is open.

        The copy says of itself that it is a backup: a client that pays from it asks the platform first.

        Raises:
            ConfigurationError: If the ledger is a server's, or there is none.
        """
        await self._alone(Purpose.READ, partial(self._database.copy_to, target))

    async def rewrite(self) -> bool:
        """Leave no byte of what was erased in a ledger's file; not while this is open.

        Returns:
            Whether that was done; a server frees the space by itself, some time later.
        """
        return await self._alone(Purpose.MAINTAIN, self._database.rewrite)

    @property
    def name(self) -> str:
        """What a user calls it: a file's path, or a server and a database."""
        return self._database.name

    async def describe(self) -> dict[str, str]:
        """What the database says of itself, by the names that it has for that: its version, and how durable it is."""
        return await self._submit(Work(self._database.describe))

    @property
    def files(self) -> frozenset[Path]:
        """The files on this machine that belong to it, which nothing else may be written to."""
        return self._database.files

    @property
    def restored_since(self) -> datetime | None:
        """Since when this ledger is known to be a restored backup, and asks before it sends; None if it is not."""
        since = self._database.restored.since
        return datetime.fromtimestamp(since, UTC) if since else None

    @property
    def suspicion(self) -> str | None:
        """Why the ledger looks like a restored backup that was not paid from yet; after opening it to read."""
        return self._database.restored.suspicion

    async def claim(self, intent: Intent) -> Written:
        """Store *intent* as attempt 1, unless its trade number is there already."""
        return await self._submit(Claim(intent))

    async def move(self, change: Change) -> Written:
        """Carry out *change* if the entry is still as its writer saw it."""
        return await self._submit(Move(change))

    async def learn(self, merchant_no: str, trade_no: str, decide: Callable[[Entry], Change | None]) -> Written | None:
        """Write what *decide* makes of the entry as it is, in the ledger's thread; None if there is no such payout."""
        return await self._submit(Learn((merchant_no, trade_no), decide))

    async def get(self, merchant_no: str, trade_no: str) -> Entry | None:
        """The entry, or None."""
        return (await self.get_many(merchant_no, [trade_no])).get(trade_no)

    async def get_many(self, merchant_no: str, trade_nos: Sequence[str]) -> dict[str, Entry]:
        """The entries of those numbers that are there."""

        def read(connection: Connection) -> dict[str, Entry]:
            found = find(connection, {(merchant_no, one) for one in trade_nos})
            return {trade_no: entry for (_, trade_no), entry in found.items()}

        return await self._submit(Work(read))

    async def open_entries(self, merchant_no: str, *, after: str = "", limit: int = PAGE) -> list[Entry]:
        """A page of the entries that are not final, by trade number."""
        return await self._submit(
            Work(lambda connection: queries.open_entries(connection, merchant_no, after=after, limit=limit))
        )

    async def reserve(self, pace: str, *, spacing: float, count: int) -> Turns:
        """Take the next *count* turns, *spacing* seconds apart, of the rate that all processes keep under this name."""

        def take(connection: Connection) -> tuple[float, float]:
            return queries.reserve(connection, pace, spacing=spacing, count=count), time.monotonic()

        first, read_at = await self._submit(Work(take, writes=True))
        # What passed since the database's clock was read does not count twice.
        return Turns(first=first - (time.monotonic() - read_at), count=count)

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run ``query(connection)`` in a transaction that only reads; what it returns."""
        return await self._submit(Work(query))

    def read_first(self, query: Callable[[Connection], T]) -> Awaitable[T]:
        """As ``read``, begun when this is called: it does not see what this process asks for later."""
        return self._submit(Work(query, first=True))

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work(connection)`` in a transaction of its group; what it returns once that is durable."""
        return await self._submit(Work(work, writes=True))

    async def mark_restored(self, *, why: str) -> None:
        """From now on treat this ledger as a restored backup: the platform is asked before anything is sent."""
        await self._submit(Work(lambda connection: self._database.restored.mark(connection, why), writes=True))
        self._database.restored.tell()

    async def end_restored(self) -> None:
        """A person says that no payout that a restored ledger has forgotten can come again."""
        await self._submit(Work(self._database.restored.end, writes=True))

    async def aclose(self) -> None:
        """Write what waits and close the database."""
        if self._writer is None or self._opened_by != this_process():
            return  # What a process has opened, one that was forked from it does not close.
        if not self._database.was_connected:
            self._given_up.set()  # There is nothing to be written, and nobody waits for it to open.
        if not await self._writer.aclose(within=_CLOSING_SECONDS):
            # The thread still has the connection, so this object is not opened again; both end when it answers.
            logger.warning(
                "The ledger %s does not answer; what it was last told to write may not be stored.", self.name
            )
            return
        self._writer = None

    def _start(self, purpose: Purpose) -> None:
        if self._writer is None:
            self._opened_by = this_process()
            self._database.purpose = purpose
            self._given_up.clear()
            enough, close = self._in_flight.enough, self._database.close  # which may flush what the log holds
            self._writer = GroupCommit(self._work, name="paypro-ledger", enough=enough, at_end=close)

    def _warn_of_others(self) -> None:
        if (why := self._database.open_to_others) is not None:
            warnings.warn(why, PayProWarning, stacklevel=2)

    def _tell(self) -> None:
        self._warn_of_others()
        self._database.restored.tell()
        self._database.in_use = True

    def _submit(self, request: Request[T]) -> "asyncio.Future[T]":
        if self._writer is None:
            raise LedgerClosedError("The ledger is not open. Nothing was sent; open the client first.")
        refuse_forked(self._opened_by, f"The ledger {self.name}")
        return self._writer.submit(request)

    async def _alone(self, purpose: Purpose, work: Callable[[], T]) -> T:
        """Do *work* on a connection of its own, without the writer."""
        self._database.purpose = purpose

        def do() -> T:
            try:
                return self._patiently(lambda _: work())
            finally:
                self._database.close()

        return await anyio.to_thread.run_sync(do)

    # What follows runs in the writer thread. A group is of all kinds, so here alone an answer is of any type.

    def _work(self, requests: Sequence[Request[Any]]) -> list[Any]:
        owner = announcement_name()  # the same for each try
        trusts = True

        def do(conflicts: int) -> list[Any]:
            nonlocal trusts
            # Once: a commit that is in doubt may have gone through, and then what is known is old.
            known, trusts = self._in_flight.known if trusts else None, False
            try:
                return self._carry_out(requests, owner=owner, known=known, look_first=conflicts > 0)
            except StaleError:
                return self._carry_out(requests, owner=owner, known=None, look_first=False)

        return self._patiently(do)

    def _patiently(self, do: Callable[[int], T]) -> T:
        """``do(conflicts)``, again and again while the server restarts, and when another writer came first."""
        # A person who looks into a ledger is told at once; what pays may be started together with its server.
        waits = self._database.opened or self._database.purpose is Purpose.PAY
        began = time.monotonic()
        until = began + (self._database.patience if waits else 0.0)
        pause, conflicts, told = 0.02, 0, False
        while True:
            try:
                answer = do(conflicts)
            except exc.SQLAlchemyError as error:
                # Two payouts with one order number: which of them, a group finds out that looks before it writes.
                # Meanwhile another process may write one more.
                conflicts += isinstance(error, exc.IntegrityError)
                if isinstance(error, exc.IntegrityError) and conflicts < _MOST_CONFLICTS:
                    continue
                unavailable = self._database.unavailable(error)
                hopeless = not self._database.passing(error) or time.monotonic() + pause > until
            else:
                self.trouble = None
                return answer
            # Out here, so that the database's error, which holds personal values, is not the context of this one.
            if hopeless or self._given_up.wait(pause):
                self.trouble = None
                raise unavailable
            self.trouble = str(unavailable)
            pause = min(0.5, pause * 2)
            if not told and time.monotonic() - began > _TELLING_SECONDS:
                told = True
                logger.warning("%s It is tried again, for up to %.0f seconds.", unavailable, self._database.patience)

    def _carry_out(
        self, requests: Sequence[Request[Any]], *, owner: str, known: Mapping[Key, Known] | None, look_first: bool
    ) -> list[Any]:
        payouts = [request for request in requests if isinstance(request, Claim | Move | Learn)]
        works = [request for request in requests if isinstance(request, Work)]
        writes = bool(payouts) or any(work.writes for work in works)
        database = self._database
        group: Group | None = None
        answers: list[Answer] = []
        with database.transaction(write=writes) as connection:
            early = {id(work): work.run(connection) for work in works if work.first}
            if payouts:
                since = database.restored.since
                group = Group(
                    connection,
                    payouts,
                    owner=owner,
                    began=database.began,
                    restored_since=since,
                    # Who found it restored has changed what is open.
                    known=known if since is None else None,
                    look_first=look_first,
                )
                answers = group.carry_out()
            # Other readings come last: they see what the group wrote.
            later = {id(work): work.run(connection) for work in works if not work.first}
            in_order, done = iter(answers), early | later
            results = [done[id(request)] if isinstance(request, Work) else next(in_order) for request in requests]
        if group is not None:
            if group.last_event is not None:
                database.committed(group.last_event)
            self._in_flight.note(payouts, answers, group.rows)
        return results
