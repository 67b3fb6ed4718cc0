"""``paypro query`` and ``paypro balance``: questions to the platform. They move no money."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import click
from attrs import asdict

from paypro_async.cli.options import account_options, client_settings, ledger_option, ledger_url
from paypro_async.cli.output import note
from paypro_async.client import PayProClient

__all__ = ["balance", "query"]

_IN_HEADLINE = frozenset({"trade_no", "status", "found", "available", "currency"})
_UNKNOWN = (
    "The platform knows no such order. An order sent in the last minute may still appear: "
    "this does not prove that it was not paid."
)


@click.command()
@click.argument("trade_no")
@ledger_option
@account_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def query(trade_no: str, ledger: str | None, as_json: bool, **account: Any) -> None:
    """Ask the platform for one payout. If there is a ledger that holds it, the answer is stored there."""

    async def ask(client: PayProClient) -> None:
        result = await client.query(trade_no)
        if not result.found and not as_json:
            # The platform's own text of this answer is "success", which is no news of a payout.
            click.echo(f"{trade_no}: {_UNKNOWN}")
            return
        _print(asdict(result) | {"found": result.found}, f"{trade_no}: {result.status}", as_json=as_json)

    _ask(ask, ledger=_known_ledger(ledger), **account)


@click.command()
@account_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def balance(as_json: bool, **account: Any) -> None:
    """Ask the platform for the balance."""

    async def ask(client: PayProClient) -> None:
        result = await client.balance()
        _print(asdict(result), f"available: {result.available:,} {result.currency}", as_json=as_json)

    # A ledger holds no balance, so no file is opened, whatever the environment says.
    _ask(ask, ledger="memory", **account)


def _known_ledger(given: str | None) -> str:
    """The ledger that is there; a question makes none."""
    url = ledger_url(given)
    if url is None:
        return "memory"
    if url.file is not None and not url.file.exists():
        note(f"The ledger {url.file} does not exist; asking without one.")
        return "memory"
    return url.url


def _ask(question: Callable[[PayProClient], Awaitable[None]], **given: Any) -> None:
    settings = client_settings(**given)

    async def ask() -> None:
        async with PayProClient(**settings) as client:
            await question(client)

    asyncio.run(ask())


def _print(answer: dict[str, Any], headline: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(answer, default=str, indent=2))
        return
    click.echo(headline)
    for name, value in answer.items():
        if name not in _IN_HEADLINE and value is not None:
            click.echo(f"{name.replace('_', ' ')}: {value}")
