"""``paypro ledger check``: whether all that a ledger holds fits together."""

import asyncio

import click
from attrs import asdict

from paypro_async.cli.answer import current_answer
from paypro_async.cli.exits import Exit
from paypro_async.cli.ledger.options import json_option, open_to
from paypro_async.cli.options import ledger_option
from paypro_async.cli.output import readable, say
from paypro_async.ledger.admin.check import findings
from paypro_async.ledger.sql.ledger import SqlLedger

__all__ = ["check"]


@click.command(short_help="Check that all that a ledger holds fits together.")
@ledger_option
@json_option
def check(ledger: str | None, as_json: bool) -> int:
    """Check that all that a ledger holds fits together; exit code 1 if something does not.

    Every payout's history must lead to its state, its fingerprint must follow from its content, and what the database
    refuses must still be refused. Nothing is changed.
    """
    return asyncio.run(_check(ledger, as_json=as_json))


async def _check(url: str | None, *, as_json: bool) -> int:
    count = 0
    async with open_to(url, "read") as ledger:
        if as_json:
            count = await _print_json(ledger)
        else:
            async for found in findings(ledger):
                say(readable(found))
                count += 1
            say(f"{count:,} findings." if count else f"The ledger {ledger.name} is sound.")
    return Exit.UNEXPECTED if count else Exit.OK


async def _print_json(ledger: SqlLedger) -> int:
    """Each finding at once, since there may be more than memory holds; how many they were."""
    answer, count = current_answer(), 0
    answer.begin_list("findings", {"sound": None})
    async for found in findings(ledger):
        answer.add(asdict(found))
        count += 1
    answer.hold({"sound": count == 0} | ({"message": f"{count:,} findings."} if count else {}))
    return count
