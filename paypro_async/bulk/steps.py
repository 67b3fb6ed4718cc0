"""The steps from a file to payouts, for programs: read it, check it, plan it, pay it."""

import asyncio
import getpass
import os
import sys
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypedDict, Unpack, cast

from paypro_async._core.beneficiary import beneficiary_of
from paypro_async._core.intent import Intent
from paypro_async._core.items import ItemStatus
from paypro_async._core.regions import Region, region_named
from paypro_async._core.secret import Secret
from paypro_async._core.tally import Tally
from paypro_async.bulk.apply import BatchSettings, Disbursement
from paypro_async.bulk.approval import Approval, approved
from paypro_async.bulk.evidence import Before
from paypro_async.bulk.file_plan import Plan
from paypro_async.bulk.file_source import Source, opened
from paypro_async.bulk.funds import Funds
from paypro_async.bulk.limits import PaymentLimits
from paypro_async.bulk.payout_file import PayoutFile, Row
from paypro_async.bulk.plan_file import PlanFile, PlannedRow
from paypro_async.bulk.problems import PayoutFileError
from paypro_async.bulk.results import FileReport, NotReportedError
from paypro_async.bulk.writers.target import ResultTarget
from paypro_async.client import PayProClient
from paypro_async.errors import ConfigurationError, LedgerUnavailableError
from paypro_async.ledger import Ledger
from paypro_async.report.batch_report import BatchReport

__all__ = ["PayingOptions", "ReadingOptions", "check", "ledger_name", "pay", "plan", "plan_of", "read"]

_SHOWN = 5


class ReadingOptions(TypedDict, total=False):
    """How a file is read: the arguments of :class:`Disbursement` but the client and the source."""

    name: str | None
    run: str | None
    complete: bool
    columns: Mapping[str, str] | None
    sheet: str | None


class PayingOptions(ReadingOptions, BatchSettings, total=False):
    """How a file is read and paid: the arguments of :class:`Disbursement`, and those of :meth:`Disbursement.pay`."""

    pay_again: bool
    skip_paid: bool
    paid_within: timedelta


def read(
    source: Source,
    *,
    region: Region = "india",
    columns: Mapping[str, str] | None = None,
    sheet: str | None = None,
) -> PayoutFile:
    """Open a file of payouts to look at its rows. Nothing is checked but its form, and nothing is paid.

    Args:
        source: The path of the file, or the file itself, open for reading bytes.
        region: Whose fields are looked for.
        columns, sheet: As :class:`Disbursement` takes them.

    Raises:
        PayoutFileError: If it cannot be read, or has no header with a payout's fields.
        ConfigurationError: If the source is something else, such as text.
        OSError: If it cannot be opened.
    """
    spec = region_named(region)
    given = {one.name: "" for one in spec.fields if one.default_by_client}
    with opened(source) as data:
        return PayoutFile(data, spec=spec, defaults=given, columns=columns or {}, sheet=sheet)


def check(client: PayProClient, source: Source, **reading: Unpack[ReadingOptions]) -> Plan:
    """Check a file whole: ``problems`` says what keeps it from being paid, ``doubts`` what a person should look at.

    The client says what is right and need not be open. Nothing is asked and nothing is sent. Of a file with problems
    nothing but these is told.

    Raises:
        ConfigurationError: If a value of the client for all payouts is wrong.
        OSError: If the file cannot be opened.
    """
    try:
        with Disbursement(client, source, **reading) as disbursement:
            return disbursement.plan
    except PayoutFileError as error:
        currency = client._spec.currency  # noqa: SLF001  of its region
        return Plan(rows=0, total=Decimal(0), currency=currency, digest=b"", given=(), problems=error.problems)


async def plan(
    client: PayProClient, source: str | os.PathLike[str], *, by: str | None = None, **reading: Unpack[ReadingOptions]
) -> PlanFile:
    """Plan a file: check it, look every row up in the ledger, and ask for the balance. Nothing is sent.

    Args:
        client: Open, with a ledger.
        source: The path of the file: what is paid later is read again, and compared.
        by: Who plans it; by default the name of the system's user.
        reading: As :class:`Disbursement` takes them.

    Raises:
        PayoutFileError: With everything that is wrong, or that the ledger speaks against.
        LedgerUnavailableError: If the ledger cannot be read.
        ConfigurationError: If the source is no path, or a setting is wrong.
    """
    if not isinstance(source, str | os.PathLike):
        raise ConfigurationError(
            "What was planned is read again when it is paid, so a plan is made of a file's path and not of a stream. "
            "Nothing was sent; save it as a file first, or look at it with bulk.check and pay it with bulk.pay."
        )
    # Reading takes a second for each hundred thousand rows, and others use the event loop.
    with await asyncio.to_thread(partial(Disbursement, client, source, **reading)) as disbursement:
        before = await disbursement.look_back()
        if found := before.problems():
            raise PayoutFileError(found)
        funds = await disbursement.funds(before)
        return await asyncio.to_thread(plan_of, disbursement, before, funds, by=by)


async def pay(
    client: PayProClient,
    source: Source | PlanFile,
    *,
    limits: PaymentLimits | None = None,
    accept_doubts: bool = False,
    approvals: Iterable[Approval] = (),
    approvers: Mapping[str, Secret[str] | str] | None = None,
    result: ResultTarget | None = None,
    replace_result: bool = False,
    **options: Unpack[PayingOptions],
) -> FileReport:
    """Pay a file, or what was planned of one, each row at most once; and report what became of every row.

    Args:
        client: Open, with a ledger.
        source: A plan, or the file.
        limits: What it may come to at most, and what it must come to.
        accept_doubts: Pay although something in it is seldom meant; :func:`check` tells what.
        approvals: Of the plan, by other people; those that the ledger holds are looked at too.
        approvers: The secrets of those who may approve; if they are given, a valid approval is required, and the ledger
            keeps it.
        result: Where a result file is written: a path, or a text that is open for writing.
        replace_result: Whether a file that is there is replaced, though it is not the result of this one.
        options: As :class:`Disbursement` takes them, but for a plan, which says how its file is read; and as
            :meth:`Disbursement.pay` takes them.

    Raises:
        PayoutFileError: If the file is wrong, doubtful, beyond its limits, not as it was planned, or paid before.
            Nothing was sent.
        ApprovalMissingError: If an approval is required, and none is valid. Nothing was sent.
        BalanceTooLowError: If the balance is lower than the sum. Nothing was sent.
        ConfigurationError: If a setting makes no sense, or the result cannot be written there. Nothing was sent.
        LedgerUnavailableError: If the ledger cannot be read. Nothing was sent.
        NotReportedError: If the file was paid, and the result could not be written or the report not be made.
    """
    planned = source if isinstance(source, PlanFile) else None
    reading, settings = _parted(options, planned)
    if approvers is not None:
        if planned is None:
            raise ConfigurationError("An approval is of a plan. Nothing was sent; make one with bulk.plan, and pay it.")
        merchant_no = client._account.merchant_no  # noqa: SLF001  in whose name the ledger keeps it
        await approved(planned, approvals, approvers, client.ledger, merchant_no)
    elif any(True for _ in approvals):
        raise ConfigurationError(
            "There are approvals, and nobody to check them by. Nothing was sent; give approvers=, the secret of each "
            "who may approve, or leave approvals= out."
        )
    with await asyncio.to_thread(partial(reopened, client, source, **reading)) as disbursement:
        check_before_paying(disbursement, planned, limits=limits, accept_doubts=accept_doubts)
        if result is not None:
            await disbursement.refuse_result(result, replace=replace_result)
        batch = await disbursement.pay(**settings)
        return await _reported(disbursement, result, batch)


def _parted(options: PayingOptions, planned: PlanFile | None) -> tuple[ReadingOptions, dict[str, Any]]:
    """How a file is read, and how it is paid."""
    given: dict[str, Any] = dict(options)
    reading = {name: given.pop(name) for name in ReadingOptions.__annotations__ if name in given}
    if planned is not None:
        if reading:
            raise ConfigurationError(
                f"How its file is read is a part of the plan, and {' and '.join(reading)} cannot be said again. "
                "Nothing was sent; leave that out, or make a new plan with it."
            )
        given = {"pay_again": planned.pay_again, "skip_paid": planned.skip_paid} | given
    return cast("ReadingOptions", reading), given


async def _reported(disbursement: Disbursement, result: ResultTarget | None, batch: BatchReport) -> FileReport:
    """What became of the rows; an error that comes by now says that the file was paid."""
    try:
        return await disbursement.report(result)
    except LedgerUnavailableError as error:
        raise NotReportedError("the ledger could not be read again", batch) from error
    except (ConfigurationError, OSError, TypeError, ValueError) as error:
        # What a stream or a disk says may quote what was written.
        why = getattr(error, "strerror", None) or type(error).__name__
        with suppress(LedgerUnavailableError):
            report = await disbursement.report()
            raise NotReportedError(f"its result could not be written ({why})", batch, report=report) from error
        raise NotReportedError(f"its result could not be written ({why})", batch) from error


def reopened(client: PayProClient, source: Source | PlanFile, **reading: Unpack[ReadingOptions]) -> Disbursement:
    """The file, or the one that was planned, read and checked as it is now."""
    if isinstance(source, PlanFile):
        return Disbursement(
            client,
            source.path,
            name=source.name,
            run=source.run,
            complete=source.complete,
            columns=source.columns,
            sheet=source.sheet,
        )
    return Disbursement(client, source, **reading)


def check_before_paying(
    disbursement: Disbursement, planned: PlanFile | None, *, limits: PaymentLimits | None, accept_doubts: bool
) -> None:
    """See that a file is what was planned, stays within its limits, and holds nothing that is seldom meant.

    Raises:
        PayoutFileError: If not.
    """
    found = () if planned is None else planned.differences(plan_of(disbursement, Before(), None, with_rows=False))
    found += () if limits is None else limits.problems(disbursement.plan)
    if problems := found or (() if accept_doubts else disbursement.plan.doubts):
        raise PayoutFileError(problems)


def plan_of(
    disbursement: Disbursement,
    before: Before,
    funds: Funds | None,
    *,
    by: str | None = None,
    pay_again: bool = False,
    skip_paid: bool = False,
    with_rows: bool = True,
) -> PlanFile:
    """What would be paid, as a plan to keep.

    Args:
        disbursement: The file.
        before: What the ledger knows of it.
        funds: The balance.
        by: Who plans it; by default the name of the system's user.
        pay_again, skip_paid: What is made of rows that were paid before under other numbers.
        with_rows: Whether rows to look at are wanted, which takes one more reading of the file.
    """
    path, found, account = disbursement.path, disbursement.plan, disbursement.client._account  # noqa: SLF001
    skip_paid = skip_paid and not pay_again
    rows, needed = before.to_pay(skip_paid=skip_paid)
    left_out = {one.row for one in before.repeats} if skip_paid else set[int]()
    first = tuple(islice((one for one in range(1, found.rows + 1) if one not in left_out), _SHOWN))
    largest = tuple(one.row for one in found.largest if one.row not in left_out)[:_SHOWN]
    shown = _shown_rows(disbursement, {1, found.rows, *first, *largest}) if with_rows else {}
    return PlanFile(
        made_at=datetime.now(UTC).replace(microsecond=0),
        made_by=by or _user(),
        path=Path(disbursement.name) if path is None else path.absolute(),
        kind=disbursement.file.kind,
        content=found.digest.hex(),
        name=disbursement.name,
        run=disbursement.run,
        columns=disbursement.columns,
        sheet=disbursement.sheet,
        complete=disbursement.complete,
        pay_again=pay_again,
        skip_paid=skip_paid,
        merchant_no=account.merchant_no,
        region=account.region,
        environment=account.environment,
        ledger=ledger_name(disbursement.client.ledger),
        rows=found.rows,
        amount=found.total,
        currency=found.currency,
        to_pay_rows=rows,
        to_pay=needed,
        statuses=_statuses(before.tally),
        balance=None if funds is None else funds.available,
        first_trade_no=shown[1].trade_no if shown else "",
        last_trade_no=shown[found.rows].trade_no if shown else "",
        first=tuple(shown[one] for one in first if shown),
        largest=tuple(shown[one] for one in largest if shown),
        doubts=dict(Counter(one.code for one in found.doubts)),
    )


def ledger_name(ledger: Ledger | None) -> str:
    """What people know a ledger by: the path of its file, or its address without a password."""
    if ledger is None:
        return "none"
    name = str(getattr(ledger, "name", "memory"))
    files: frozenset[Path] = getattr(ledger, "files", frozenset())
    return str(Path(name).resolve()) if any(Path(name).name == one.name for one in files) else name


def _shown_rows(disbursement: Disbursement, wanted: Container[int]) -> dict[int, PlannedRow]:
    """The rows of a file that are shown, by their numbers."""
    return {row.number: _shown(row, intent) for row, intent in disbursement.rows(wanted)}


def _shown(row: Row, intent: Intent) -> PlannedRow:
    masked = beneficiary_of(intent.region, intent.content)
    return PlannedRow(
        row=row.number,
        line=row.line,
        trade_no=intent.trade_no,
        amount=intent.amount,
        name=masked.get("name", ""),
        account=masked.get("bank_number", ""),
    )


def _statuses(tally: Tally[ItemStatus]) -> dict[str, dict[str, str]]:
    return {str(one): {"rows": str(rows), "amount": f"{tally.amounts[one]:f}"} for one, rows in tally.counts.items()}


def _user() -> str:
    try:
        # Not what USER says, or a plan could be made in the name of anybody.
        return getpass.getuser() if sys.platform == "win32" else _user_of(os.getuid())
    except (KeyError, OSError):
        return "unknown"  # A process whose user has no name, as in many containers.


def _user_of(number: int) -> str:
    import pwd  # noqa: PLC0415  Windows has none

    return pwd.getpwuid(number).pw_name
