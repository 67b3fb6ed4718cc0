"""What the commands about a ledger share: which ledger, and whose payouts in it."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import State
from paypro_async.cli.options import LEDGER_EXAMPLE, ledger_url
from paypro_async.cli.output import readable
from paypro_async.ledger import open_ledger
from paypro_async.ledger.sql.ledger import SqlLedger

__all__ = [
    "json_option",
    "ledger_of",
    "merchant_option",
    "moment",
    "open_to",
    "state_option",
    "the_merchant",
]

C = TypeVar("C", bound=Callable[..., Any])
T = TypeVar("T")


def moment(_context: click.Context, _parameter: click.Parameter, text: str | None) -> datetime | None:
    """A date, or a time in ISO 8601; UTC where no zone is given."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is not a date (2026-11-30) or a time (2026-11-30T18:00+05:30)."
        raise click.BadParameter(message) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def state_option(message: str) -> Callable[[C], C]:
    """The option that chooses payouts by what is known of them."""
    kind = click.Choice([status.value for status in ItemStatus if status.state], case_sensitive=False)
    return click.option("--state", "states", type=kind, multiple=True, callback=_states, help=message)


def _states(_context: click.Context, _parameter: click.Parameter, names: tuple[str, ...]) -> frozenset[State]:
    return frozenset(state for name in names if (state := ItemStatus(name).state))


def merchant_option(command: C) -> C:
    """Adds the option that says whose payouts are meant."""
    message = "Whose payouts; needed only if the ledger holds those of several merchants."
    return click.option("--merchant", "--merchant-no", "merchant", metavar="NO", help=message)(command)


def json_option(command: C) -> C:
    """Adds the option to print JSON, for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


def ledger_of(given: str | None) -> SqlLedger:
    """The ledger that an option or PAYPRO_LEDGER names."""
    url = ledger_url(given)
    ledger = None if url is None else open_ledger(url.url)
    if not isinstance(ledger, SqlLedger):
        raise click.UsageError(f"Which ledger? Give --ledger {LEDGER_EXAMPLE}, or set PAYPRO_LEDGER.")
    return ledger


@asynccontextmanager
async def open_to(given: str | None, purpose: str) -> AsyncIterator[SqlLedger]:
    """An open ledger: ``read``, or ``maintain``."""
    ledger = ledger_of(given)
    try:
        await (ledger.open_to_read() if purpose == "read" else ledger.open_to_maintain())
        yield ledger
    finally:
        await ledger.aclose()


async def the_merchant(ledger: SqlLedger, given: str | None) -> str:
    """Whose payouts are meant; empty if the ledger holds none."""
    known = [account.merchant_no for account in await ledger.merchants()]
    if given is not None and given not in known:
        raise click.UsageError(f"The ledger {ledger.name} holds no payouts of merchant {readable(given)}.")
    usual = os.environ.get("PAYPRO_MERCHANT_NO")
    found = given or (known[0] if len(known) == 1 else usual if usual in known else None)
    if found is None and known:
        raise click.UsageError(f"Whose payouts? The ledger holds those of {', '.join(known)}; give --merchant.")
    return found or ""
