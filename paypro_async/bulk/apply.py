"""Pay a file, without a terminal."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Container, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict, Unpack

from attrs import evolve

from paypro_async._core.intent import Intent
from paypro_async._core.payment_key import payment_key
from paypro_async._core.stopping import StopRules
from paypro_async.batch.batch import Batch
from paypro_async.bulk.evidence import Before, Repeat
from paypro_async.bulk.failed_rows import FailedRows, write_failed_rows
from paypro_async.bulk.file_plan import Plan, Planned, make_plan, planned
from paypro_async.bulk.file_source import Source, name_of, opened
from paypro_async.bulk.funds import Funds
from paypro_async.bulk.payout_file import PayoutFile
from paypro_async.bulk.problems import FileProblem, PayoutFileError
from paypro_async.bulk.repeats import PAID_WITHIN, LookBack
from paypro_async.bulk.results import FileReport, RowOutcome, row_outcomes
from paypro_async.bulk.writers.result_file import ResultFile, write_results
from paypro_async.bulk.writers.target import ResultTarget, refuse_place, refuse_taken
from paypro_async.client import PayProClient
from paypro_async.engine.intake import CheckedPayout, Intake
from paypro_async.errors import ConfigurationError, PayProError
from paypro_async.ledger import BatchRecord, Ledger
from paypro_async.ledger.file import real_path
from paypro_async.ledger.patience import answer_within
from paypro_async.ledger.shared import refuse_without_workers
from paypro_async.report.base import Origin
from paypro_async.report.batch_report import BatchProgress, BatchReport
from paypro_async.report.row_store import RowStore

__all__ = ["BatchSettings", "Disbursement"]

# The question moves no money and is answered at once, or not worth waiting for.
_BALANCE_SECONDS = 10.0


class BatchSettings(TypedDict, total=False):
    """How a file is paid: the arguments of :meth:`~paypro_async.PayProClient.batch_payout` but ``batch_id``."""

    concurrency: int
    rate: float | None
    timeout: float | None
    max_attempts: int | None
    refresh: bool
    wait: bool
    wait_timeout: float | None
    stop: StopRules | None
    on_progress: Callable[[BatchProgress], object] | None
    progress: bool


class Disbursement:
    """A file of payouts that has been checked whole, and the client that pays it, each row at most once.

    ::

        async with PayProClient.from_env() as client:
            with Disbursement(client, "payouts.csv") as disbursement:
                await disbursement.pay()
                report = await disbursement.report("payouts.result.csv")

    Making one reads and checks every row, which takes about as long as a second for each hundred thousand: a service
    does it with ``await asyncio.to_thread(Disbursement, client, path)``. The client need not be open for that. What is
    paid is what was checked, whatever becomes of the file meanwhile.

    A row without a ``trade_no`` gets one that follows from the content of the file. So the same file again, after a
    crash or a stop, goes on where it was, and a file that was edited is looked up in the ledger before it is paid.

    Args:
        client: Says what is right, by its region, its merchant and its values for all payouts; and pays.
        source: The path of a file (CSV, XLSX or JSON lines), or the file itself, open for reading bytes.
        name: What the ledger calls the file. By default its path.
        run: Mixed into the trade numbers that are made: under another name of a run the same file has other numbers,
            and is paid a second time.
        complete: Take the file for whole although its last line has no end or another program has it open for writing.
        columns: The field of each column that docs/bulk.md does not list, as ``{"Konto": "bank_number"}``; an empty
            field means that a column is none.
        sheet: The sheet of a workbook, if several hold payouts.

    Raises:
        PayoutFileError: With everything that is wrong with the file. Nothing was sent.
        ConfigurationError: If a value of the client for all payouts is wrong.
        OSError: If the file cannot be read.

    Attributes:
        name: What the ledger calls the file.
        file: Its columns and rows.
        plan: How many rows, their sum, their trade numbers, and what is worth a look before paying.
        client: Who pays it.
        path: Where the file stands, if it is one.
        run, complete, columns: As they were given.
        sheet: The sheet that was read, or None.
    """

    def __init__(
        self,
        client: PayProClient,
        source: Source,
        *,
        name: str | None = None,
        run: str | None = None,
        complete: bool = False,
        columns: Mapping[str, str] | None = None,
        sheet: str | None = None,
    ) -> None:
        self.client = client
        self._intake: Intake = client._intake  # noqa: SLF001  rows are checked as the client checks any payout
        self.path: Path | None = Path(source) if isinstance(source, str | os.PathLike) else None
        self._patience: float = client._timing.timeout  # noqa: SLF001  the ledger has it for each page
        self._left_out: Mapping[int, Repeat] = {}
        self.run: str | None = run
        self.complete: bool = complete
        self.columns: Mapping[str, str] = dict(columns or {})
        self.sheet: str | None = sheet
        # A name that is not UTF-8, as any file may have, could be neither stored nor printed.
        self.name: str = (name or name_of(self.path or source)).encode("utf-8", "backslashreplace").decode()
        defaults = _shared(self._intake)
        with ExitStack() as held:
            with opened(source) as data:
                file = PayoutFile(data, spec=self._intake.spec, defaults=defaults, columns=self.columns, sheet=sheet)
                self.file: PayoutFile = held.enter_context(file)
            self.plan: Plan = make_plan(self.file, self._intake.intent_of, run=run)
            problems = self.plan.problems if complete else (*self.file.incomplete, *self.plan.problems)
            if problems:
                raise PayoutFileError(problems)
            # A plan is of the sheet that was read, whichever others the workbook has by the time it is paid.
            self.sheet = next(iter(self.file.sheets), None)
            held.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget the copy of the file that was taken when it was read."""
        self.file.close()

    async def look_back(self, *, paid_within: timedelta = PAID_WITHIN, ledger: Ledger | None = None) -> Before:
        """Look every row up in the ledger: what is known, was paid under another number, or is in conflict.

        Args:
            paid_within: How old a payment of a run that has ended may be and still speak against a row.
            ledger: That of the client, by default, which has to be open then.

        Raises:
            LedgerUnavailableError: If the ledger cannot be read. ConfigurationError: If the client has none.
        """
        before = LookBack(
            plan=self.plan,
            name=self.name,
            ledger=ledger or self._ledger(),
            merchant_no=self._intake.merchant_no,
            within=paid_within,
            patience=self._patience,
        )
        return await before.run(self._rows())

    async def pay(
        self,
        *,
        pay_again: bool = False,
        skip_paid: bool = False,
        paid_within: timedelta = PAID_WITHIN,
        **settings: Unpack[BatchSettings],
    ) -> BatchReport:
        """Look back, and pay what is not paid yet.

        Rows for which there is only weak evidence that they were paid before (see
        :class:`~paypro_async.bulk.Evidence`) are paid; :meth:`look_back` tells which they are.

        Args:
            pay_again: Pay rows although the ledger holds the same amount to the same account under other numbers.
            skip_paid: Leave such rows out, and pay the others. A payment for which a row is left out and whose outcome
                is not known yet is taken on, under its own number.
            paid_within: As :meth:`look_back` takes it.
            settings: As :meth:`~paypro_async.PayProClient.batch_payout` takes them.

        Raises:
            BalanceTooLowError: If the balance is lower than the sum that is still to be paid, unless *stop* has
                ``low_balance=False``. Nothing was sent.
            PayoutFileError: If the ledger speaks against the file: rows were paid before, or have the trade number of
                another payout; or if the file has grown since it was read. Nothing was sent.
            LedgerUnavailableError: If the ledger cannot be read.
            ConfigurationError: If a setting makes no sense, or the client has no ledger.
        """
        before = await self.look_back(paid_within=paid_within)
        if (settings.get("stop") or StopRules()).low_balance and not before.problems(
            pay_again=pay_again, skip_paid=skip_paid
        ):
            (await self.funds(before, skip_paid=skip_paid and not pay_again)).check()
        return await (await self.start(before, pay_again=pay_again, skip_paid=skip_paid, **settings))

    async def funds(self, before: Before, *, skip_paid: bool = False, client: PayProClient | None = None) -> Funds:
        """The balance beside the sum that is still to be paid. A balance that cannot be had is no error.

        Args:
            before: What :meth:`look_back` found; *skip_paid*, whether rows that it found paid before are left out.
            client: Who asks, if not the one that pays.
        """
        _, needed = before.to_pay(skip_paid=skip_paid)
        currency = self.plan.currency
        if not needed:
            return Funds(needed=needed, currency=currency)
        try:
            balance = await (client or self.client).balance(
                timeout=min(_BALANCE_SECONDS, self._patience), max_attempts=2
            )
        except PayProError as error:
            return Funds(needed=needed, currency=currency, unknown=str(error))
        return Funds(needed=needed, currency=currency, available=balance.available)

    async def start(
        self, before: Before, *, pay_again: bool = False, skip_paid: bool = False, **settings: Unpack[BatchSettings]
    ) -> Batch:
        """The batch that pays what is not paid yet: await it, iterate over it, or close it early.

        Each item's ``position`` is its row, from 0 without those that are left out; its ``payout``, what is paid.

        Args:
            before: What :meth:`look_back` found. A payment of the same to the same that is stored later, by another
                run, keeps its row from being paid (:class:`~paypro_async.PaidMeanwhileError`).
            pay_again: As :meth:`pay` takes it; and so are *skip_paid* and *settings*.

        Raises:
            PayoutFileError: As :meth:`pay` raises it. ConfigurationError: If workers pay the file.
        """
        payouts = self.payouts(before, pay_again=pay_again, skip_paid=skip_paid)
        batch = self.client.batch_payout(payouts, batch_id=self.plan.batch_id, **settings)
        rows, _ = before.to_pay(skip_paid=skip_paid)
        if not rows and before.accepted.sources:
            return batch  # The name under which it was paid stays: this run only looks at it.
        # So that `paypro ledger show` can name the file.
        merchant_no, ledger = self._intake.merchant_no, self._ledger()
        await answer_within(self._patience, ledger, refuse_without_workers(ledger, merchant_no, self.plan.batch_id))
        record = BatchRecord(merchant_no=merchant_no, batch_id=self.plan.batch_id, source=self.name)
        await answer_within(self._patience, ledger, ledger.record_batch(record))
        return batch

    def payouts(
        self, before: Before, *, pay_again: bool = False, skip_paid: bool = False
    ) -> Iterator[Mapping[str, str]]:
        """What :meth:`start` pays, by what it takes and with its errors."""
        if self.has_grown:
            message = "has grown since it was read; wait until it is whole, and run this again"
            raise PayoutFileError([FileProblem(line=1, code="FILE_CHANGED", message=message)])
        if problems := before.problems(pay_again=pay_again, skip_paid=skip_paid):
            raise PayoutFileError(problems)
        self._left_out = {one.row: one for one in before.repeats} if skip_paid and not pay_again else {}
        return self._payouts(others=None if pay_again else before.others)

    @property
    def has_grown(self) -> bool:
        """Whether more was written behind what was read of the file. One that was edited since is another file."""
        return self.path is not None and self.file.has_grown(self.path)

    def rows(self, numbers: Container[int]) -> Iterator[Planned]:
        """Those rows of the file, and the payouts that they are, which pass through memory one by one."""
        for row in self.file.rows():
            if row.number in numbers:
                yield row, self._intake.intent_of(row.values, self.plan.trade_no(row))

    def outcomes(self, ledger: Ledger | None = None, *, before: Before | None = None) -> AsyncIterator[RowOutcome]:
        """Every row in the order of the file, with what the ledger holds of it.

        Args:
            ledger: That of the client, by default, which has to be open then.
            before: What :meth:`look_back` found: rows that it found under other numbers are said to be left out.

        Raises:
            LedgerUnavailableError: If the ledger cannot be read.
        """
        repeats = [*self._left_out.values(), *(before.repeats if before else ())]
        left_out = {one.row: one.trade_no for one in repeats}
        merchant_no, patience, known = self._intake.merchant_no, self._patience, ledger or self._ledger()
        return row_outcomes(self._rows(), known, merchant_no, left_out=left_out, patience=patience)

    async def report(self, path: ResultTarget | None = None) -> FileReport:
        """Count the rows by what became of them, and write each into a result file if *path* names one or is one.

        A result file holds the columns of the input and, behind them, ``paypro_trade_no``, ``paypro_status`` and more.
        It is there whole or not at all, and only its owner can read it; a file that is there is replaced. An open file,
        as standard output, is written to row by row; open one with ``newline=""``.

        Raises:
            LedgerUnavailableError: If the ledger cannot be read.
            ConfigurationError: If *path* is the input itself, or belongs to the ledger.
            OSError: If the result file cannot be written.
        """
        report = FileReport().of(self._origin())
        with self._result_file(path) as result:
            async for outcome in self.outcomes():
                report.add(outcome)
                if result:
                    result.write(outcome)
        return report

    async def refuse_result(self, target: ResultTarget, *, replace: bool = False) -> None:
        """See, before anything is sent, that :meth:`report` will be able to write its result there.

        Args:
            target: As :meth:`report` takes it.
            replace: Whether a file that is there and is not the result of this one is replaced.

        Raises:
            ConfigurationError: If not; it says why. Nothing was sent.
        """
        look = partial(refuse_place, source=self.path, ledger=self._ledger_files, replace=replace)
        await asyncio.to_thread(look, target, self.file, self.plan)

    async def failed_rows(self, path: str | os.PathLike[str]) -> FailedRows:
        """Write the rows that have failed for good to a file of their own, ready to mend and to pay under new numbers.

        What a former run wrote there is replaced, and taken away if no such row is left; a file that was mended since
        is left as it is, and what it does not hold is written beside it.

        Raises:
            LedgerUnavailableError: If the ledger cannot be read.
            OSError: If the file cannot be written.
        """
        ledger = self._ledger()
        own = set() if self.path is None else {real_path(self.path)}
        return await write_failed_rows(
            Path(path),
            self.file,
            self.outcomes(),
            ledger=ledger,
            merchant_no=self._intake.merchant_no,
            defaults=_shared(self._intake),
            taken=own | self._ledger_files,
            patience=self._patience,
        )

    def _origin(self) -> Origin:
        spec, title = self._intake.spec, os.path.basename(self.name)  # noqa: PTH119  a name may be no path
        return Origin(
            rows=RowStore(),
            title=title,
            batch_id=self.plan.batch_id,
            digest=self.plan.digest.hex(),
            planned=(self.plan.rows, self.plan.total),
            ledger=getattr(self.client.ledger, "name", None),  # of a ledger in a database
            merchant_no=self._intake.merchant_no,
            environment=self.client._account.environment,  # noqa: SLF001  of the platform that it pays by
            region=spec.name,
            currency=self.plan.currency,
            zone=spec.zone,
        )

    def _result_file(self, path: ResultTarget | None) -> AbstractContextManager[ResultFile | None]:
        if path is None:
            return nullcontext()
        if not isinstance(path, str | os.PathLike):
            return nullcontext(ResultFile.on(path, self.file))
        refuse_taken(Path(path), source=self.path, ledger=self._ledger_files)
        return write_results(Path(path), self.file)

    def _rows(self) -> Iterator[Planned]:
        return planned(self.file, self.plan, self._intake.intent_of)

    def _payouts(self, *, others: Mapping[str, int] | None) -> Iterator[CheckedPayout]:
        for row, intent in self._rows():
            paid_before = self._left_out.get(row.number)
            pays: Intent | None = intent if paid_before is None else paid_before.pending
            if pays is intent and others is not None:
                key = payment_key(intent.region, intent.content)
                pays = evolve(intent, others=others.get(key, 0) if key else None)
            if pays is not None:
                yield CheckedPayout({**row.values, "trade_no": pays.trade_no}, pays)

    @property
    def _ledger_files(self) -> frozenset[Path]:
        return frozenset(getattr(self._ledger(), "files", ()))  # of a ledger in a database of ours

    def _ledger(self) -> Ledger:
        return self.client._paying().recording.ledger  # noqa: SLF001  only of a client that can pay


def _shared(intake: Intake) -> dict[str, str]:
    """The client's values for all rows; one that is wrong is said to be so once, and not once a row."""
    shared = {name: value for name, value in intake.defaults.items() if value}
    checks = {one.name: one.check for one in intake.spec.fields}
    for name, value in shared.items():
        if name in checks and (wrong := checks[name].wrong(value)):
            raise ConfigurationError(f"{name} {wrong[1]}. Nothing was sent.")
    return shared
