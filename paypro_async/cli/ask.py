"""``paypro query`` and ``paypro balance``: questions to the platform. They move no money."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, TypeVar

import click
from attrs import asdict

from paypro_async._core.money import amount_for_people
from paypro_async.cli.exits import Exit
from paypro_async.cli.options import account_options, client_settings, ledger_option, ledger_url
from paypro_async.cli.output import note, print_json, say
from paypro_async.client import PayProClient
from paypro_async.settings import slips

__all__ = ["balance", "query"]

T = TypeVar("T")

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
def query(trade_no: str, ledger: str | None, as_json: bool, **account: Any) -> int | None:
    """Ask the platform for one payout. If there is a ledger that holds it, the answer is stored there.

    Exit code 0 if the platform holds such an order, whatever became of it, and 4 if it knows none.
    """

    async def ask(client: PayProClient) -> bool:
        result = await client.query(trade_no)
        answer = asdict(result) | {"found": result.found}
        if result.found:
            _print(answer, f"{trade_no}: {result.status}", as_json=as_json)
        elif as_json:
            # The platform's own text of this answer is "success", which is no news of a payout.
            print_json(answer | {"message": _UNKNOWN})
        else:
            say(f"{trade_no}: {_UNKNOWN}")
        return result.found

    return None if _ask(ask, ledger=_known_ledger(ledger), **account) else Exit.SOME_FAILED


@click.command()
@account_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def balance(as_json: bool, **account: Any) -> None:
    """Ask the platform for the balance."""

    async def ask(client: PayProClient) -> None:
        result = await client.balance()
        headline = f"available: {amount_for_people(result.available, result.currency)} {result.currency}"
        told = asdict(result)
        if not as_json:
            told |= {
                name: amount_for_people(value, result.currency)
                for name, value in told.items()
                if isinstance(value, Decimal)
            }
        _print(told, headline, as_json=as_json)

    # A ledger holds no balance, so no file is opened, whatever the environment says.
    _ask(ask, ledger="memory", **account)


def _known_ledger(given: str | None) -> str:
    """The ledger that is there; a question makes none."""
    url = ledger_url(given)
    if url is None:
        if "PAYPRO_LEDGER" in slips(os.environ):
            note("No ledger is named; asking without one.")
        return "memory"
    if url.file is not None and not url.file.exists():
        note(f"The ledger {url.file} does not exist; asking without one.")
        return "memory"
    return url.url


def _ask(question: Callable[[PayProClient], Awaitable[T]], **given: Any) -> T:
    settings = client_settings(**given)

    async def ask() -> T:
        async with PayProClient(**settings) as client:
            return await question(client)

    return asyncio.run(ask())


def _print(answer: dict[str, Any], headline: str, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    say(headline)
    for name, value in answer.items():
        if name not in _IN_HEADLINE and value is not None:
            say(f"{name.replace('_', ' ')}: {value}")
