"""``paypro ledger check``: whether all that a ledger holds fits together."""

import asyncio
import json

import click
from attrs import asdict

from paypro_async.cli.exits import Exit
from paypro_async.cli.ledger.options import json_option, open_to
from paypro_async.cli.options import ledger_option
from paypro_async.cli.output import readable
from paypro_async.ledger.admin.check import findings

__all__ = ["check"]


@click.command()
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
        # Each at once, since there may be more than memory holds.
        if as_json:
            click.echo('{"findings": [', nl=False)
        async for found in findings(ledger):
            if as_json:
                click.echo(f"{',' if count else ''}\n  {json.dumps(asdict(found), ensure_ascii=False)}", nl=False)
            else:
                click.echo(readable(found))
            count += 1
        if as_json:
            click.echo(f'\n], "sound": {json.dumps(count == 0)}}}')
    if not as_json:
        click.echo(f"{count:,} findings." if count else f"The ledger {ledger.name} is sound.")
    return Exit.UNEXPECTED if count else Exit.OK
