"""The commands of ``paypro ledger`` that keep a ledger sound: its tables, what it may forget, and its backups."""

import asyncio
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from paypro_async.cli.exits import Exit
from paypro_async.cli.ledger.options import json_option, ledger_of, moment, open_to
from paypro_async.cli.options import ledger_files, ledger_option
from paypro_async.cli.output import note, print_json, readable, say
from paypro_async.cli.places import new_file
from paypro_async.ledger.admin.prune import erasable, erase
from paypro_async.ledger.sql.migrations import SCHEMA_VERSION

__all__ = ["backup", "migrate", "prune", "restored"]

_AGE = re.compile(r"([1-9][0-9]{0,4})([dw])", re.ASCII)
_DAYS = {"d": 1, "w": 7}


def _age(_context: click.Context, _parameter: click.Parameter, text: str | None) -> timedelta | None:
    """Read a number of days or weeks."""
    if text is None:
        return None
    found = _AGE.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is not a number of days or weeks (90d, 12w).")
    return timedelta(days=int(found[1]) * _DAYS[found[2]])


@click.command(short_help="Make the tables, or bring them up to date.")
@ledger_option
@json_option
def migrate(ledger: str | None, as_json: bool) -> int:
    """Make the ledger's tables, or bring them and their guards up to date.

    PostgreSQL needs it before the first payout and after an update; a file does it by itself when it is paid from.
    """
    return asyncio.run(_migrate(ledger, as_json=as_json))


@click.command()
@click.option("--before", callback=moment, metavar="DATE", help="Payouts that did not change since that day (UTC).")
@click.option(
    "--older-than", "age", callback=_age, metavar="AGE", help="Payouts that did not change for so long: 90d, 12w."
)
@click.option("--apply", is_flag=True, help="Do it. Without this it is only said what would be done.")
@ledger_option
@json_option
def prune(before: datetime | None, age: timedelta | None, apply: bool, ledger: str | None, as_json: bool) -> int:
    """Erase the personal values of payouts that have long been final.

    The payouts themselves stay, with number, fingerprint, amount, state and history: their numbers are never paid
    again. Backups keep what they hold.
    """
    if (before is None) == (age is None):
        raise click.UsageError("Give --before DATE or --older-than AGE.")
    now = datetime.now(UTC)
    until = before or now - (age or timedelta())
    if until > now:
        raise click.UsageError("--before is a day to come; nothing was erased. Give one that has been.")
    return asyncio.run(_prune(ledger, until, apply=apply, as_json=as_json))


@click.command(short_help="Show, begin or end the asking of a restored ledger.")
@click.option("--begin", "change", flag_value="begin", help="This ledger was restored from a backup: ask first.")
@click.option("--end", "change", flag_value="end", help="No payout that it has forgotten can come again.")
@click.option("--yes", is_flag=True, help="End it without asking back.")
@ledger_option
@json_option
def restored(change: str | None, yes: bool, ledger: str | None, as_json: bool) -> int:
    """Show whether the ledger is a restored backup, which asks the platform before it sends anything.

    A restored ledger has forgotten what was paid since the backup was made. End the asking when every payout that it
    may have forgotten is settled, and none of them will be paid again.
    """
    return asyncio.run(_restored(ledger, change, yes=yes, as_json=as_json))


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@ledger_option
@json_option
def backup(file: Path, ledger: str | None, as_json: bool) -> int:
    """Copy a ledger file to FILE, consistently and while others pay.

    The copy knows that it is a backup: a client that pays from it later asks the platform first.
    """
    return asyncio.run(_backup(file, ledger, as_json=as_json))


async def _migrate(url: str | None, *, as_json: bool) -> int:
    ledger = ledger_of(url)
    before = await ledger.migrate()
    if as_json:
        print_json({"ledger": ledger.name, "from": before, "to": SCHEMA_VERSION})
    elif before is None:
        say(f"The ledger {ledger.name} was made, with schema version {SCHEMA_VERSION}.")
    elif before == SCHEMA_VERSION:
        say(f"The ledger {ledger.name} has schema version {SCHEMA_VERSION} and all its guards.")
    else:
        say(f"The ledger {ledger.name} was brought from schema version {before} to {SCHEMA_VERSION}.")
    return Exit.OK


async def _prune(url: str | None, until: datetime, *, apply: bool, as_json: bool) -> int:
    async with open_to(url, "maintain" if apply else "read") as ledger:
        found = await erasable(ledger, until)
        erased = await erase(ledger, until) if apply else 0
    # Also when nothing was left to erase: the last time may have ended between the two.
    rewritten = await ledger.rewrite() if apply else False
    if as_json:
        told = {"before": until.isoformat(), "payouts": dict(found), "erased": erased, "file_rewritten": rewritten}
        print_json(told)
        return Exit.OK
    states = ", ".join(f"{count:,} {readable(state)}" for state, count in sorted(found.items())) or "none"
    if not apply:
        say(f"{found.total():,} payouts would be erased ({states}). Nothing was; --apply does it.")
        return Exit.OK
    say(f"The personal values of {erased:,} payouts were erased.")
    if not rewritten:
        note(
            "The server frees their space some time later; VACUUM FULL payout does it at once. Its log and its backups "
            "keep them."
        )
    return Exit.OK


async def _restored(url: str | None, change: str | None, *, yes: bool, as_json: bool) -> int:
    async with open_to(url, "read") as ledger:
        since, suspicion = ledger.restored_since, ledger.suspicion
    if change == "begin":
        since = await _begin(url, known=since is not None)
        suspicion = None
    elif change == "end" and since is not None:
        _confirm(ledger.name, yes=yes)
        async with open_to(url, "maintain") as ledger:
            await ledger.end_restored()
        since = None
    if as_json:
        told = since.isoformat(timespec="seconds") if since else None
        print_json({"ledger": ledger.name, "asks_first_since": told, "suspicion": suspicion})
    elif since is not None:
        say(f"The ledger {ledger.name} asks the platform before it sends, since {since:%Y-%m-%d %H:%M:%S} UTC.")
    elif suspicion is not None:
        say(f"The ledger {ledger.name} looks like a restored backup: {suspicion}. Who pays from it will ask first.")
    else:
        say(f"The ledger {ledger.name} sends without asking first: it is not known to be a restored backup.")
    return Exit.OK


async def _begin(url: str | None, *, known: bool) -> datetime | None:
    async with open_to(url, "maintain") as ledger:
        # Opening may have noticed it by itself.
        if known or ledger.restored_since is None:
            await ledger.mark_restored(why="a person says so")
        return ledger.restored_since


def _confirm(name: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("Nothing was changed. Say --yes, since this is no terminal where one could be asked.")
    text = (
        f"What {name} has forgotten may have been paid. From now on a number that it does not hold is sent without "
        "asking. Is every payout from before the restore settled?"
    )
    click.confirm(text, abort=True, err=True)


async def _backup(file: Path, url: str | None, *, as_json: bool) -> int:
    ledger = ledger_of(url)
    with new_file(file, ledger_files(url), replace=None) as part:
        await ledger.copy_to(part)
    if as_json:
        print_json({"ledger": ledger.name, "file": str(file)})
    else:
        say(f"The ledger {ledger.name} was copied to {readable(file)}.")
    return Exit.OK
