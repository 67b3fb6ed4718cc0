"""``paypro query`` and ``paypro balance``: questions to the platform. They move no money."""

import asyncio
import json
from typing import Any

import click

from paypro_async.cli.options import account_options, client_settings, ledger_option, ledger_url

__all__ = ["balance", "query"]


@click.command()
@click.argument("trade_no")
@ledger_option
@account_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def query(trade_no: str, ledger: str | None, as_json: bool, **account: str | None) -> None:
    """Ask the platform for one payout. If there is a ledger that holds it, the answer is stored there."""
    from attrs import asdict

    result = _ask("query", trade_no, ledger=ledger_url(ledger), **account)
    answer = asdict(result) | {"found": result.found}
    if as_json:
        click.echo(json.dumps(answer, default=str, indent=2))
    elif not result.found:
        click.echo(f"{trade_no}: the platform knows no such order")
    else:
        click.echo(f"{trade_no}: {result.status}")
        _print_rest(answer, "trade_no", "status", "found")


@click.command()
@account_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def balance(as_json: bool, **account: str | None) -> None:
    """Ask the platform for the balance."""
    from attrs import asdict

    # A balance has no place in a ledger, so none is opened, whatever the environment says.
    result = _ask("balance", ledger="memory", **account)
    answer = asdict(result)
    if as_json:
        click.echo(json.dumps(answer, default=str, indent=2))
    else:
        click.echo(f"available: {result.available:,} {result.currency}")
        _print_rest(answer, "available", "currency")


def _ask(question: str, *arguments: str, **given: str | None) -> Any:
    from paypro_async.client import PayProClient

    settings = client_settings(**given)

    async def ask() -> Any:
        async with PayProClient(**settings) as client:
            return await getattr(client, question)(*arguments)

    return asyncio.run(ask())


def _print_rest(answer: dict[str, Any], *shown: str) -> None:
    for name, value in answer.items():
        if name not in shown and value is not None:
            click.echo(f"{name.replace('_', ' ')}: {value}")
