"""``paypro pause``, ``cancel`` and ``rate``: what the workers of a batch may do, said in the ledger alone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import click

from paypro_async.cli.exits import Exit
from paypro_async.cli.ledger.options import json_option, merchant_option, open_to, the_merchant
from paypro_async.cli.options import ledger_option
from paypro_async.cli.output import note, print_json, readable, say
from paypro_async.cli.worker.telling import told_of_workers, workers_as_data
from paypro_async.engine.rate import check_rate
from paypro_async.errors import ConfigurationError
from paypro_async.ledger.shared import BatchStatus, SharedBatch
from paypro_async.ledger.sql.ledger import SqlLedger

__all__ = ["cancel", "pause", "rate"]

_Change = Callable[[SqlLedger, str], Awaitable[SharedBatch]]


def _rate(_context: click.Context, _parameter: click.Parameter, text: str) -> float | None:
    if text == "none":
        return None
    try:
        number = float(text)
        check_rate(number)
    except (ValueError, ConfigurationError):
        raise click.BadParameter(f"{text!r} is no rate: payouts a second, or 'none' for no limit.") from None
    return number


@click.command(short_help="Let workers begin nothing more of a batch for now.")
@click.argument("name", metavar="BATCH")
@click.option("--why", metavar="TEXT", help="What 'paypro status' says of it.")
@ledger_option
@merchant_option
@json_option
def pause(name: str, why: str | None, **options: Any) -> int:
    """Pause a BATCH that workers pay: from now on none of them begins anything of it. What is under way is recorded.

    'paypro resume BATCH' lets them go on.
    """
    return _carry_out(name, lambda ledger, of: ledger.set_batch_status(of, name, BatchStatus.PAUSED, why=why), options)


@click.command(short_help="Let workers never begin anything more of a batch.")
@click.argument("name", metavar="BATCH")
@click.option("--why", metavar="TEXT", help="What 'paypro status' says of it.")
@click.option("--yes", is_flag=True, help="Do not ask: it cannot be taken back.")
@ledger_option
@merchant_option
@json_option
def cancel(name: str, why: str | None, yes: bool, **options: Any) -> int:
    """Cancel a BATCH that workers pay, for good: what was not begun never will be.

    What was begun stays what it is, and 'paypro reconcile' brings it to its end.
    """
    if not yes and not click.confirm(f"Cancel batch {readable(name)} for good?", err=True):
        note("Nothing was changed.")
        return Exit.NOT_VALID
    return _carry_out(
        name, lambda ledger, of: ledger.set_batch_status(of, name, BatchStatus.CANCELLED, why=why), options
    )


@click.command(short_help="Set how many payouts a second all workers begin.")
@click.argument("name", metavar="BATCH")
@click.argument("per_second", metavar="N|none", callback=_rate)
@ledger_option
@merchant_option
@json_option
def rate(name: str, per_second: float | None, **options: Any) -> int:
    """Let all workers of a BATCH together begin N payouts a second at most; they follow within two seconds."""
    return _carry_out(name, lambda ledger, of: ledger.set_batch_rate(of, name, per_second), options)


def _carry_out(name: str, change: _Change, options: dict[str, Any]) -> int:
    return asyncio.run(_change(name, change, options["ledger"], options["merchant"], as_json=options["as_json"]))


async def _change(name: str, change: _Change, url: str | None, merchant: str | None, *, as_json: bool) -> int:
    async with open_to(url, "maintain") as ledger:
        merchant_no = await the_merchant(ledger, merchant)
        try:
            await change(ledger, merchant_no)
        except KeyError:
            raise click.UsageError(
                f"The ledger {ledger.name} holds no batch {readable(name)} that workers pay. Nothing was changed. "
                "'paypro status' shows the latest batches."
            ) from None
        progress = await ledger.shared_progress(merchant_no, name)
    if progress is not None and as_json:
        print_json(workers_as_data(progress))
    elif progress is not None:
        say(told_of_workers(progress))
    return Exit.OK
