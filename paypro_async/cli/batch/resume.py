"""``paypro resume``: go on with a batch that was cut off."""

import asyncio
import os
import shlex
from pathlib import Path
from typing import Any

import click
from attrs import evolve, frozen

from paypro_async.bulk import PayoutFileError, PlanFile
from paypro_async.bulk.plan_file import plan_at
from paypro_async.cli.batch.command import pay_file
from paypro_async.cli.batch.known import Reading, batch_meant, known_of_file
from paypro_async.cli.batch.options import file_options, ledger_look_options, pay_options, platform_file_options
from paypro_async.cli.batch.plans import planned_file
from paypro_async.cli.batch.refusal import refuse
from paypro_async.cli.exits import Exit
from paypro_async.cli.ledger.options import open_to, the_merchant
from paypro_async.cli.output import note, readable, say
from paypro_async.cli.worker.resuming import hand_out_again
from paypro_async.ledger.admin import records
from paypro_async.ledger.admin.records import BatchState
from paypro_async.ledger.sql.ledger import SqlLedger

__all__ = ["resume"]

# What was agreed to when it began.
_AGREED: dict[str, Any] = {
    "yes": False,
    "expect_total": None,
    "expect_rows": None,
    "max_amount": None,
    "max_total": None,
    "require_approval": False,
    "ignore_balance": False,
    "dry_run": False,
}


@frozen(kw_only=True)
class _Begun:
    """A batch that the ledger knows: its name, its file, and the plan if it is one that is given."""

    batch_id: str
    path: Path
    planned: PlanFile | None = None
    shared: bool = False


@click.command(short_help="Go on with a batch that was cut off.")
@click.argument("what", metavar="[FILE|PLAN|BATCH]", required=False)
@pay_options
@ledger_look_options
@file_options
@platform_file_options
def resume(what: str | None, ledger: str | None, **options: Any) -> int:
    """Go on with a FILE, a PLAN or a BATCH whose run was stopped or cut off; without one, with the only such batch.

    Nothing is asked, since it was agreed to when it began: rows that were not sent are sent, and what is unknown is
    asked about. A file that the ledger does not know, or that was changed since, is refused. Exit codes are those of
    'paypro batch'.

    A batch that workers pay is let go on if it was paused, and what is open of it is given to them again, whatever
    their queue has lost, its tables included.
    """
    reading = Reading(run=options["run"], columns=options["columns"], sheet=options["sheet"])
    try:
        begun = asyncio.run(_begun(what, ledger, options["merchant_no"], reading))
    except PayoutFileError as error:
        return refuse(readable(what), error.problems, as_json=options["as_json"])
    if begun is not None and begun.shared:
        return asyncio.run(hand_out_again(begun.batch_id, ledger, options))
    if begun is None:
        say("Every batch has ended; there is nothing to go on with. 'paypro status' shows them.")
        return Exit.OK
    if not begun.path.is_file():
        raise click.UsageError(
            f"The file of batch {begun.batch_id}, {readable(begun.path)}, is not there. Nothing was sent now. If it "
            "was moved, say where it is: paypro resume FILE. If it is gone, 'paypro reconcile' brings what was sent to "
            f"its end, and 'paypro status {begun.batch_id}' shows it; what was not sent is not paid."
        )
    planned = begun.planned
    if planned is not None:
        options |= {"run": planned.run, "columns": dict(planned.columns), "sheet": planned.sheet}
    # It is whole, since its content is the one that was agreed to.
    return pay_file(
        begun.path, ledger, {**options, **_AGREED, "file_complete": True}, planned=planned, begun=begun.batch_id
    )


async def _begun(what: str | None, url: str | None, merchant: str | None, reading: Reading) -> _Begun | None:
    async with open_to(url, "read") as ledger:
        merchant_no = await the_merchant(ledger, merchant or os.environ.get("PAYPRO_MERCHANT_NO"))
        if what is None:
            return await _only_one(ledger, merchant_no)
        named = await records.batches(ledger, merchant_no, batch_id=what)
        if named and named[0].status is not None:
            return _of_ledger(named[0])
        path = Path(what)
        if not path.is_file():  # noqa: ASYNC240  nobody else waits in the event loop of a command
            batch_id = await batch_meant(ledger, merchant_no, what)
            (batch,) = await records.batches(ledger, merchant_no, batch_id=batch_id)
            return _of_ledger(batch)
        planned = plan_at(path)
        if planned is not None:
            found = _Begun(batch_id=planned.batch_id, path=planned_file(planned, path), planned=planned)
        else:
            found = _Begun(batch_id=(await known_of_file(ledger, merchant_no, path, reading)).batch_id, path=path)
        begun = await records.batches(ledger, merchant_no, batch_id=found.batch_id)
        if not begun:
            raise click.UsageError(
                f"The ledger {ledger.name} knows no run of {readable(what)} with this content: it was not begun, or "
                "was changed since, or is read otherwise (--run, --map, --sheet). Nothing was sent. 'paypro batch' "
                "pays it, and looks up first what was paid before."
            )
        return evolve(found, shared=begun[0].status is not None)


async def _only_one(ledger: SqlLedger, merchant_no: str) -> _Begun | None:
    found = [one for one in await records.batches(ledger, merchant_no, limit=1000) if one.goes_on]
    if not found:
        return None
    if len(found) > 1:
        note("Several batches have not ended:")
        for one in found:
            about = f"  # {readable(one.source)}, {one.claimed:,} rows in the ledger" if one.source else ""
            note(f"  paypro resume {shlex.quote(one.batch_id)}{about}")
        raise click.UsageError("Which of them? Nothing was sent.")
    return _of_ledger(found[0])


def _of_ledger(batch: BatchState) -> _Begun:
    return _Begun(batch_id=batch.batch_id, path=Path(batch.source or ""), shared=batch.status is not None)
