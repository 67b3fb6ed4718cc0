"""``paypro ledger``: the group of its commands."""

import click

from paypro_async.cli.ledger.check import check
from paypro_async.cli.ledger.decide import decide, hold
from paypro_async.cli.ledger.encrypt import encrypt_ledger, key
from paypro_async.cli.ledger.export import export
from paypro_async.cli.ledger.listeners import consumers, release
from paypro_async.cli.ledger.maintain import backup, migrate, prune, restored
from paypro_async.cli.ledger.show import history, show

__all__ = ["ledger"]


@click.group(short_help="Look into a ledger, and keep it sound.")
def ledger() -> None:
    """Look into a ledger, keep it sound, and decide what only a person can.

    Names, account numbers and the like are masked in all that is printed.
    """


_LOOKING = (show, history, check, export)
_KEEPING = (migrate, prune, key, encrypt_ledger, decide, hold, consumers, release, restored, backup)
for _command in (*_LOOKING, *_KEEPING):
    ledger.add_command(_command)
