"""What the commands about a ledger share: which ledger, and whose payouts in it."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, TypeVar

import click

from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import State
from paypro_async._core.regions import REGIONS
from paypro_async.cli.options import LEDGER_EXAMPLE, ledger_url
from paypro_async.cli.output import readable
from paypro_async.ledger import open_ledger
from paypro_async.ledger.admin.records import region_of
from paypro_async.ledger.sql.ledger import SqlLedger

__all__ = [
    "json_option",
    "ledger_of",
    "merchant_option",
    "moment",
    "open_to",
    "span",
    "span_options",
    "state_option",
    "the_merchant",
    "zone_of",
]

C = TypeVar("C", bound=Callable[..., Any])
T = TypeVar("T")

_DATE = len("2026-11-30")


def moment(context: click.Context, parameter: click.Parameter, text: str | None) -> datetime | None:
    """A date, or a time in ISO 8601; UTC where no zone is given."""
    found = _day(context, parameter, text)
    return None if found is None else _in_zone(datetime.fromisoformat(found), UTC)


def span_options(command: C) -> C:
    """Adds the options that choose payouts by the days on which they were claimed, in the region's time."""
    for option in (
        click.option("--until", callback=_day, metavar="DATE", help="Payouts that were claimed on that day or before."),
        click.option("--since", callback=_day, metavar="DATE", help="Payouts that were claimed on that day or later."),
    ):
        command = option(command)
    return command


def _day(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """A date, or a time in ISO 8601."""
    try:
        if text is not None:
            datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is not a date (2026-11-30) or a time (2026-11-30T18:00, with +05:30 for another zone)."
        raise click.BadParameter(message) from None
    return text


def span(since: str | None, until: str | None, zone: tzinfo) -> tuple[datetime | None, datetime | None]:
    """The first moment that counts, and the first that no longer does: a day counts to its end.

    Args:
        since: A date or a time in ISO 8601, in *zone* where it names none.
        until: The same.
        zone: The region's.
    """
    first = None if since is None else _in_zone(datetime.fromisoformat(since), zone)
    if until is None:
        return first, None
    end = datetime.fromisoformat(until)
    is_day = len(until.strip()) <= _DATE and (end.hour, end.minute, end.second) == (0, 0, 0)
    return first, _in_zone(end + timedelta(days=1) if is_day else end, zone)


def _in_zone(at: datetime, zone: tzinfo) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=zone)


async def zone_of(ledger: SqlLedger, merchant_no: str) -> tzinfo:
    """The time that the merchant's people go by; UTC if the ledger does not know their region."""
    region = await region_of(ledger, merchant_no) or ""
    return REGIONS[region].zone if region in REGIONS else UTC


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
