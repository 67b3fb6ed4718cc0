"""``paypro sandbox``: a PayPro on this machine, to try things out."""

import asyncio
import errno
import math
import os
from typing import Any

import click

from paypro_async.cli.exits import Exit
from paypro_async.cli.listen import LISTEN_PATH, LISTEN_PORT
from paypro_async.cli.options import NumberRange
from paypro_async.cli.output import note, say
from paypro_async.cli.signals import Stop
from paypro_async.sandbox import FaultPlan, Sandbox
from paypro_async.sandbox.replies import UNKNOWN_ORDERS, is_code

__all__ = ["sandbox"]

_SECRET = "sandbox-secret"  # noqa: S105  opens nothing but the sandbox
_LOOPBACK = "127.0.0.1"


def _unknown_order(_: click.Context, __: click.Parameter, text: str) -> str:
    if text not in UNKNOWN_ORDERS and not is_code(text):
        raise click.BadParameter(f"One of {', '.join(UNKNOWN_ORDERS)}, or a code of 4 to 8 digits.")
    return text


def _amount_rules(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    return {ending: wish for ending, _, wish in (text.partition("=") for text in texts)}


@click.command(short_help="Run a local PayPro, with faults and callbacks.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--merchant-no", default="0000000001", show_default=True, envvar="PAYPRO_MERCHANT_NO", metavar="NO")
@click.option(
    "--fault-rate",
    default=0.15,
    show_default=True,
    type=NumberRange(0, 1),
    help="Share of requests that meet a fault.",
)
@click.option("--fault-seed", default=0, show_default=True, metavar="N", help="Equal seeds, equal faults.")
@click.option("--booking-lag", default=0.3, show_default=True, type=NumberRange(0, 86_400), help="Seconds.")
@click.option("--paid-after", default=5, show_default=True, type=NumberRange(0), help="Seconds until a payout is paid.")
@click.option(
    "--unknown-order",
    default="null",
    show_default=True,
    metavar="null|empty|code|refusal|CODE",
    callback=_unknown_order,
    help="How a query for an unknown order is answered: no data, empty data, an outer code of its own, one that payouts"
    " are refused with too, or the code that is given.",
)
@click.option(
    "--speed",
    default=1.0,
    show_default=True,
    type=NumberRange(0, min_open=True),
    metavar="FACTOR",
    help="How fast its clock goes: at 100, the retry after an hour comes after 36 seconds.",
)
@click.option(
    "--amount-rule",
    "amount_rules",
    multiple=True,
    metavar="DIGITS=WISH",
    callback=_amount_rules,
    help="What becomes of payouts whose amount ends so, as --amount-rule 13=later:fail:00029.",
)
@click.option("--callbacks/--no-callbacks", default=True, help="Whether it sends any.  [default: callbacks]")
@click.option("--processing-callbacks", is_flag=True, help="One more for each booking, which says 0015.")
@click.option(
    "--allow-callbacks-to",
    "callback_hosts",
    multiple=True,
    metavar="HOST",
    help="Another host than this machine to which callbacks may go, by its name in the callback URL.",
)
def sandbox(
    port: int,
    merchant_no: str,
    fault_rate: float,
    fault_seed: int,
    booking_lag: float,
    **settings: Any,
) -> int:
    """Run a local PayPro over real HTTP, with faults, until Ctrl-C. It moves no money.

    Each payout is paid --paid-after seconds later, and a signed callback goes to its callback URL if that is on this
    machine: at once, and again after 2, 5, 10 and 30 seconds, 1 hour and three times 3 hours, until it is answered with
    HTTP 200 and exactly OK. `paypro listen` receives callbacks.

    The remark of a payout may wish for something else, and --amount-rule has the same wishes without `sandbox:`. One
    remark may hold several, with a blank between. A :MESSAGE may follow each CODE.

    \b
      sandbox:paid                  paid at once
      sandbox:fail:00029            booked, and failed at once with that code
      sandbox:refuse:1001           not booked; refused with that code
      sandbox:reply:1001            booked, and refused with that code
      sandbox:status:00029          booked, and the reply says that status
      sandbox:vanish                accepted, and then no query knows it
      sandbox:later:paid            paid after --paid-after seconds, as all are
      sandbox:later:fail:00029      failed after --paid-after seconds
      sandbox:later:reverse[:CODE]  paid after --paid-after seconds, then failed
      sandbox:later:never           processing for ever
      sandbox:callback:twice        each callback is sent twice
      sandbox:callback:late[:60]    so many seconds late
      sandbox:callback:processing   one for the booking too, which says 0015
      sandbox:callback:disorder     one that says 0015 comes behind each other one
      sandbox:callback:wrong-signature
      sandbox:callback:amount:299   states that amount
      sandbox:callback:none         none is sent

    By hand, below the address that it prints: GET /sandbox/books, /sandbox/requests and /sandbox/callbacks show what
    there was. POST /sandbox/orders/NO {"status": "00029"} gives an order another status, and its callback follows;
    POST /sandbox/orders/NO/callback {"status": "0000", "amount": "1", "twice": true, "delay": 5, "wrong_signature":
    true, "repeat": false} sends any callback; POST /sandbox/clock {"advance": 3600} puts the clock forward.
    """  # noqa: D301  click wants the character itself
    secret = os.environ.get("PAYPRO_SECRET") or _SECRET
    try:
        platform = Sandbox(
            secret=secret,
            merchant_no=merchant_no,
            port=port,
            faults=FaultPlan(rate=fault_rate, query_rate=fault_rate, seed=fault_seed),
            booking_lag=booking_lag,
            **settings,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None

    async def serve() -> None:
        with Stop() as stop:
            async with platform:
                _introduce(platform.base_url, merchant_no, booking_lag, own_secret=secret != _SECRET)
                await _until(stop, platform)

    try:
        asyncio.run(serve())
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        note(f"Error: {error.strerror}; name another one with --port, or 0 for a free one.")
        return Exit.UNEXPECTED
    return Exit.OK


async def _until(stop: Stop, platform: Sandbox) -> None:
    """Until it is told to stop; or until it cannot go on, which is raised."""
    serving, stopping = asyncio.ensure_future(platform.serve_forever()), asyncio.ensure_future(stop.wait())
    done, others = await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for one in others:
        one.cancel()
    for one in done:
        one.result()


def _introduce(base_url: str, merchant_no: str, booking_lag: float, *, own_secret: bool) -> None:
    lines = [
        f"A local PayPro listens on {base_url}. It moves no money. End it with Ctrl-C.",
        f"Its pages: {base_url}/sandbox/books   {base_url}/sandbox/requests   {base_url}/sandbox/callbacks",
        "It forgets its orders when it ends, and a ledger does not: give the next one another ledger.",
        "To use it, in another terminal (and `paypro listen` in a third one, which receives its callbacks):",
        f"export PAYPRO_BASE_URL={base_url}",
        f"export PAYPRO_ENVIRONMENT={Sandbox.environment}",
        f"export PAYPRO_MERCHANT_NO={merchant_no}",
        "# PAYPRO_SECRET: the one that is set here" if own_secret else f"export PAYPRO_SECRET={_SECRET}",
        f"export PAYPRO_IP_ADDRESS={_LOOPBACK}",
        f"export PAYPRO_NOTIFY_URL=http://{_LOOPBACK}:{LISTEN_PORT}{LISTEN_PATH}",
        "export PAYPRO_LEDGER=sqlite:///sandbox.db",
        # Of which a half is for sending and being answered, so the other one must be longer than the lag.
        f"export PAYPRO_SETTLE_AFTER={max(2, math.ceil(2 * booking_lag + 1))}",
    ]
    # A program that started it in a pipe waits for these lines.
    say("\n".join(lines))
