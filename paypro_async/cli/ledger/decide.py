"""The commands of ``paypro ledger`` for a person who has looked a payout up: decide about it, or hold it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
from attrs import asdict

from paypro_async._core.items import ItemStatus
from paypro_async._core.lifecycle import Entry
from paypro_async._core.models import PayoutStatus, QueryResult
from paypro_async._core.transitions import Decision
from paypro_async.cli.exits import Exit, explain
from paypro_async.cli.ledger.options import json_option, merchant_option, open_to, the_merchant
from paypro_async.cli.options import NumberRange, client_settings, ledger_option, platform_options
from paypro_async.cli.output import note, print_json, readable, say
from paypro_async.client import PayProClient
from paypro_async.errors import DecisionRefusedError, LedgerUnavailableError, PayProError
from paypro_async.ledger import changes
from paypro_async.ledger.sql.ledger import SqlLedger

__all__ = ["decide", "hold"]

C = TypeVar("C", bound=Callable[..., Any])

_NOBODY_ASKED = "without asking the platform"
_NO_MONEY = (Decision.NOT_PAID, Decision.PAY_AGAIN)
_ENDED = (PayoutStatus.FAILED, PayoutStatus.REVERSED)
_PARTIAL = "0001"  # paid in part
_AGREEING = {
    Decision.PAID: (PayoutStatus.SUCCEEDED,),
    Decision.PROCESSING: (PayoutStatus.PROCESSING,),
    Decision.REVERSED: _ENDED,
}
_TIMES = ("timeout", "settle_after", "request_timeout")


def _person_options(command: C) -> C:
    for option in (
        click.option(
            "--settle-after",
            type=NumberRange(0),
            metavar="S",
            envvar="PAYPRO_SETTLE_AFTER",
            help="Seconds for which an attempt may still be on its way.  [default, and at least: as stored with it]",
        ),
        click.option("--note", "why", required=True, metavar="TEXT", help="Why; it stays in the payout's history."),
        click.option("--by", required=True, metavar="NAME", help="Who decides; it stays in the payout's history."),
        json_option,
        merchant_option,
        ledger_option,
    ):
        command = option(command)
    return command


@click.command(short_help="Store what a person found out about a payout.")
@click.argument("trade_no")
@click.argument("decision", type=click.Choice(["paid", "not-paid", "processing", "pay-again", "reversed"]))
@_person_options
@platform_options
@click.option("--without-asking", is_flag=True, help="Do not ask the platform; the payout's history says so.")
def decide(
    trade_no: str,
    decision: str,
    *,
    without_asking: bool,
    base_url: str | None,
    region: str | None,
    environment: str | None,
    allow_plain_http: bool,
    **options: Any,
) -> int:
    """Store what a person found out about a payout, having looked it up in PayPro's dashboard. Nothing is sent.

    \b
    paid        it was paid
    not-paid    it was not paid and must not be: it ends as failed
    processing  the platform works on it
    pay-again   it was not paid and shall be: the same payout once more sends it
    reversed    it was paid and came back

    A payout that waits for a person allows all but the last; one that succeeded allows that. For others, `hold` first.

    The platform is asked first, with the settings of the other commands, and what it says is shown. Not-paid and
    pay-again are refused for an order that it holds as paid or processing, and everything is if it cannot be asked.
    """  # noqa: D301  click wants the character itself, which a raw string cannot hold
    platform = {
        "base_url": base_url,
        "region": region,
        "environment": environment,
        "allow_plain_http": allow_plain_http,
    }
    return asyncio.run(_decide(trade_no, decision, None if without_asking else platform, **options))


@click.command()
@click.argument("trade_no")
@_person_options
def hold(trade_no: str, **options: Any) -> int:
    """Send nothing more for a payout until a person has decided."""
    return asyncio.run(_decide(trade_no, "hold", None, **options))


async def _decide(
    trade_no: str,
    decision: str,
    platform: Mapping[str, Any] | None,
    *,
    by: str,
    why: str,
    settle_after: float | None,
    ledger: str | None,
    merchant: str | None,
    as_json: bool,
) -> int:
    choice = Decision(decision)
    heard: list[QueryResult] = []
    if platform is None and choice is not Decision.HOLD and why.strip():
        why = f"{_NOBODY_ASKED}: {why}"
    async with open_to(ledger, "maintain") as opened:
        merchant_no = await the_merchant(opened, merchant)

        async def ask(entry: Entry) -> QueryResult:
            heard.append(await _asked(opened, entry, platform or {}))
            if not as_json:
                say(f"PayPro {_told(heard[0])}.")
            _compare(choice, heard[0])
            return heard[0]

        entry = await changes.decide(
            opened,
            merchant_no,
            trade_no,
            choice,
            by=by,
            note=why,
            settle_after=settle_after,
            ask=None if platform is None else ask,
        )
        last = (await opened.history(merchant_no, trade_no))[-1]
    status = ItemStatus.of(entry.state)
    if as_json:
        about = {"trade_no": entry.trade_no, "state": status, "attempt": entry.attempt}
        print_json(about | {"asked": _as_json(heard[0]) if heard else None})
    else:
        source = f"as {readable(by)} decided" if last.by is not None else "as the platform says itself"
        say(f"{entry.trade_no}: {status}, {source}.")
    return Exit.OK


async def _asked(ledger: SqlLedger, entry: Entry, platform: Mapping[str, Any]) -> QueryResult:
    """What the platform says of a payout; the ledger learns it too, as from any query."""
    try:
        settings = client_settings(**{**platform, "merchant_no": entry.merchant_no})
        # Times are the client's that pays, and may be none that fit each other here.
        settings = {name: value for name, value in settings.items() if name not in _TIMES}
        async with PayProClient(**{**settings, "ledger": ledger}) as client:
            return await client.query(entry.trade_no)
    except LedgerUnavailableError:
        raise
    except PayProError as error:
        raise DecisionRefusedError(
            f"{explain(error).removeprefix('Error: ')} The platform is asked before a decision is stored, and it was "
            "not heard: no decision was stored and nothing was sent. Mend that; or, if the dashboard shows it beyond "
            "doubt, say --without-asking, which stays in the payout's history.",
            trade_no=entry.trade_no,
            state=entry.state.value,
        ) from error


def _compare(decision: Decision, heard: QueryResult) -> None:
    """Refuse what would pay twice or call a paid payout failed; other contradictions are only said.

    Raises:
        DecisionRefusedError: If the platform holds an order of which money has moved, or may yet move.
    """
    none_moved = not heard.found or (heard.status in _ENDED and heard.code != _PARTIAL)
    if decision in _NO_MONEY and not none_moved:
        raise DecisionRefusedError(
            f"PayPro {_told(heard)}, so {decision.value!r} cannot be decided: money has moved for it, or may yet. No "
            "decision was stored and nothing was sent. Decide 'paid' or 'processing', or wait and ask again; if it is "
            "another's order, or PayPro has confirmed a mistake, say --without-asking, which stays in the payout's "
            "history.",
            trade_no=heard.trade_no,
        )
    if heard.status not in _AGREEING.get(decision, (heard.status,)):
        note(f"Note: {decision.value!r} is not what PayPro says of it now. It is stored as decided.")


def _told(heard: QueryResult) -> str:
    """What the platform says, as the rest of a sentence that begins with its name."""
    if not heard.found:
        return f"knows no order {heard.trade_no}"
    code = f" (code {readable(heard.code)})" if heard.code else ""
    amount = f", over {heard.amount:,}" if heard.amount is not None else ""
    return f"holds {heard.trade_no} as {heard.status}{code}{amount}"


def _as_json(heard: QueryResult) -> dict[str, Any]:
    return {**asdict(heard), "found": heard.found}
