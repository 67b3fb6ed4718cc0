"""Options that several commands share, and the client's settings from them and the environment."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from paypro_async._core.events import Hook
from paypro_async.cli.output import note
from paypro_async.engine.rate import check_rate
from paypro_async.errors import ConfigurationError
from paypro_async.ledger.opening import LedgerUrl, open_ledger
from paypro_async.ledger.sql.ledger import SqlLedger
from paypro_async.settings import settings_from_environment, slips

__all__ = [
    "LEDGER_EXAMPLE",
    "NumberRange",
    "account_options",
    "client_settings",
    "files_of_ledger",
    "hooks_asked_for",
    "ledger_files",
    "ledger_option",
    "ledger_url",
    "payout_options",
    "platform_options",
    "queue_option",
    "rate_option",
]

OPENTELEMETRY_VARIABLE = "PAYPRO_OPENTELEMETRY"
LEDGER_EXAMPLE = "sqlite:///payouts.db (or just payouts.db), or postgresql://user@host/database"

C = TypeVar("C", bound=Callable[..., Any])


class NumberRange(click.FloatRange):
    """A range of numbers, in which nothing infinite is, nor what is no number, though every comparison lets it pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a number, before anything is made or sent."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


def platform_options(command: C) -> C:
    """Adds the options that say which platform is meant."""
    for option in (
        click.option("--allow-plain-http", is_flag=True, help="Allow http to another machine; your own network only."),
        click.option("--environment", metavar="NAME", help="A name for the platform, kept if its address changes."),
        click.option("--region", metavar="NAME", help="The country.  [default: india]"),
        click.option("--base-url", metavar="URL", help="The platform's address for the region."),
    ):
        command = option(command)
    return command


def account_options(command: C) -> C:
    """Adds the options that say whose account it is, on which platform."""
    return click.option("--merchant-no", metavar="NO", help="The merchant number, with its zeros.")(
        platform_options(command)
    )


def payout_options(command: C) -> C:
    """Adds the options for what all payouts of a file may share."""
    for option in (
        click.option("--notify-url", metavar="URL", help="The callback URL of payouts that name none."),
        click.option("--ip-address", metavar="IP", help="The payer's IP address of payouts that name none."),
    ):
        command = option(command)
    return command


def ledger_option(command: C) -> C:
    """Adds the option that says where payouts are remembered."""
    message = f"Where payouts are remembered: {LEDGER_EXAMPLE}.  [default: PAYPRO_LEDGER]"
    return click.option("--ledger", metavar="URL", help=message)(command)


def queue_option(command: C) -> C:
    """Adds the option that says by which queue workers are given a file."""
    return click.option(
        "--queue",
        default="paypro",
        show_default=True,
        envvar="PAYPRO_QUEUE",
        metavar="NAME",
        help="The workers' queue; merchants that share a database have one each. PAYPRO_QUEUE says it too.",
    )(command)


def rate_option(message: str) -> Callable[[C], C]:
    """Adds the option that says how many a second."""
    return click.option("--rate", type=float, metavar="N", callback=_rate, help=message)


def _rate(_context: click.Context, _parameter: click.Parameter, rate: float | None) -> float | None:
    try:
        if rate is not None:
            check_rate(rate)
    except ConfigurationError as error:
        raise click.BadParameter(str(error)) from None
    return rate


def client_settings(**given: Any) -> dict[str, Any]:
    """The arguments of a client: those that were given, and the environment's for the rest.

    Raises:
        ConfigurationError: If something is missing or cannot be read.
    """
    arguments = {name: value for name, value in given.items() if value is not None}
    missing = [
        f"--{name.replace('_', '-')} (or {variable})"
        for name, variable in (("base_url", "PAYPRO_BASE_URL"), ("merchant_no", "PAYPRO_MERCHANT_NO"))
        if name not in arguments and not os.environ.get(variable)
    ]
    if not (os.environ.get("PAYPRO_SECRET") or os.environ.get("PAYPRO_SECRET_FILE")):
        missing.append("PAYPRO_SECRET (or PAYPRO_SECRET_FILE)")
    if missing:
        raise ConfigurationError(f"Not set: {', '.join(missing)}. Nothing was sent.{slips(os.environ)}")
    settings = settings_from_environment(arguments)
    if hooks := hooks_asked_for():
        settings["hooks"] = hooks
    return settings


def hooks_asked_for() -> list[Hook]:
    """What ``PAYPRO_OPENTELEMETRY`` asks for: ``yes``, or what spans shall hold beside, as in ``trade_no,amount``.

    Raises:
        ConfigurationError: If it says neither, or OpenTelemetry is not installed.
    """
    asked = os.environ.get(OPENTELEMETRY_VARIABLE, "").strip()
    if asked.lower() in ("", "no", "false", "0"):
        return []
    try:
        from paypro_async.integrations.opentelemetry import OpenTelemetryHook  # noqa: PLC0415  an extra
    except ImportError as error:
        raise ConfigurationError(f"{error}. Nothing was sent.") from None
    names = () if asked.lower() in ("yes", "true", "1") else tuple(one.strip() for one in asked.split(","))
    try:
        hook = OpenTelemetryHook(attributes=names)
    except ConfigurationError as error:
        raise ConfigurationError(f"{OPENTELEMETRY_VARIABLE} is neither yes nor no nor such a list: {error}") from None
    if not hook.is_heard():
        note(
            f"{OPENTELEMETRY_VARIABLE} is set, and OpenTelemetry's SDK is not set up: nothing is exported. Begin the "
            "command with opentelemetry-instrument, as in: opentelemetry-instrument paypro worker"
        )
    return [hook]


def ledger_url(given: str | None) -> LedgerUrl | None:
    """The ledger that the option or PAYPRO_LEDGER names; None if neither is set.

    Raises:
        ConfigurationError: If what is set names no ledger.
    """
    text = given or os.environ.get("PAYPRO_LEDGER")
    return LedgerUrl.read(text) if text else None


def ledger_files(given: str | None) -> frozenset[Path]:
    """The files of that ledger, which nothing else may be written to."""
    url = ledger_url(given)
    return frozenset() if url is None else files_of_ledger(url)


def files_of_ledger(url: LedgerUrl) -> frozenset[Path]:
    """The files of a ledger, its mark elsewhere among them."""
    ledger = open_ledger(url.url)
    return ledger.files if isinstance(ledger, SqlLedger) else frozenset()
