"""``paypro ledger key`` and ``paypro ledger encrypt``: personal values that only who has the key can read."""

import asyncio

import click

from paypro_async.cli.exits import Exit
from paypro_async.cli.ledger.options import json_option, ledger_of, open_to
from paypro_async.cli.options import ledger_option
from paypro_async.cli.output import note, print_json, say
from paypro_async.ledger.admin.encrypt import Encrypted, encrypt, encrypt_anew, keys_in_use
from paypro_async.ledger.sql.encryption.keys import LedgerKey, new_key
from paypro_async.ledger.sql.ledger import SqlLedger

__all__ = ["encrypt_ledger", "key"]


@click.command(short_help="Make a new key, with which a ledger can be encrypted.")
@json_option
def key(as_json: bool) -> int:
    """Print a new key, with which a ledger can be encrypted. Nothing is stored.

    Keep it where the ledger's backups are not: who has both can read them, and who has lost the key can read neither.
    """
    made = new_key()
    if as_json:
        print_json({"key": made, "id": LedgerKey.of(made).id})
        return Exit.OK
    say(made)
    note(f"Its id is {LedgerKey.of(made).id}. Put it into a file that only one user may read: PAYPRO_LEDGER_KEY_FILE.")
    return Exit.OK


@click.command("encrypt", short_help="Encrypt the personal values of a ledger, or encrypt them anew.")
@click.option(
    "--anew", is_flag=True, help="Of an encrypted ledger: encrypt with the first key what others have written."
)
@click.option("--keys", "only_keys", is_flag=True, help="Only tell which keys have written how many payouts.")
@ledger_option
@json_option
def encrypt_ledger(anew: bool, only_keys: bool, ledger: str | None, as_json: bool) -> int:
    """Encrypt names, accounts and all else that is personal, with PAYPRO_LEDGER_KEY or PAYPRO_LEDGER_KEY_FILE.

    It is one transaction: stop what pays from the ledger first. Broken off, nothing is changed. From then on every
    process needs the key. With --anew, a new key before the old one: beside those that pay, who have both as well.
    """
    if anew and only_keys:
        raise click.UsageError("Give --anew or --keys, not both.")
    if only_keys:
        return asyncio.run(_tell_keys(ledger, as_json=as_json))
    return asyncio.run(_encrypt(ledger, anew=anew, as_json=as_json))


async def _encrypt(url: str | None, *, anew: bool, as_json: bool) -> int:
    ledger = ledger_of(url)
    if anew:
        async with open_to(url, "maintain") as opened:
            done = await encrypt_anew(opened)
            used = await keys_in_use(opened)
    else:
        done = await encrypt(ledger)
        used = {}
    rewritten = await ledger.rewrite()
    if as_json:
        told = {"ledger": ledger.name, "payouts": done.payouts, "planned": done.planned, "file_rewritten": rewritten}
        print_json(told | ({"keys": used} if anew else {}))
        return Exit.OK
    _say(ledger, done, anew=anew)
    if not rewritten:
        note(
            "The server frees the old values' space some time later; VACUUM FULL payout, planned does it at once. Its "
            "log and its backups keep them."
        )
    note("Backups from before hold what they held. Put the new key and the ledger's backups into different places.")
    return Exit.OK


def _say(ledger: SqlLedger, done: Encrypted, *, anew: bool) -> None:
    planned = f" and {done.planned:,} that are planned" if done.planned else ""
    how = "encrypted anew with" if anew else "encrypted with"
    key_id = ledger.unlocking.keys[0].id
    say(f"The personal values of {done.payouts:,} payouts{planned} were {how} the key {key_id}.")


async def _tell_keys(url: str | None, *, as_json: bool) -> int:
    async with open_to(url, "read") as ledger:
        used = await keys_in_use(ledger)
    if as_json:
        print_json({"ledger": ledger.name, "keys": {name or "none": count for name, count in used.items()}})
        return Exit.OK
    for name, count in sorted(used.items()):
        say(f"{count:,} written with the key {name}." if name else f"{count:,} in the clear.")
    if not used:
        say(f"The ledger {ledger.name} holds no payouts.")
    return Exit.OK
