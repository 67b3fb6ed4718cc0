"""``paypro sandbox``: a PayPro on this machine, to try things out."""

import asyncio
import errno
import math
import os

import click

from paypro_async.cli.exits import Exit
from paypro_async.cli.output import note
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


@click.command()
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--merchant-no", default="0000000001", show_default=True, envvar="PAYPRO_MERCHANT_NO", metavar="NO")
@click.option(
    "--fault-rate",
    default=0.15,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of requests that meet a fault.",
)
@click.option("--fault-seed", default=0, show_default=True, metavar="N", help="Equal seeds, equal faults.")
@click.option("--booking-lag", default=0.3, show_default=True, type=click.FloatRange(0), help="Seconds.")
@click.option(
    "--paid-after", default=5, show_default=True, type=click.FloatRange(0), help="Seconds until a payout is paid."
)
@click.option(
    "--unknown-order",
    default="null",
    show_default=True,
    metavar="null|empty|code|refusal|CODE",
    callback=_unknown_order,
    help="How a query for an unknown order is answered: no data, empty data, an outer code of its own, one that payouts"
    " are refused with too, or the code that is given.",
)
def sandbox(
    port: int,
    merchant_no: str,
    fault_rate: float,
    fault_seed: int,
    booking_lag: float,
    paid_after: float,
    unknown_order: str,
) -> int:
    """Run a local PayPro over real HTTP, with faults, until Ctrl-C. It moves no money."""
    secret = os.environ.get("PAYPRO_SECRET") or _SECRET

    async def serve() -> None:
        platform = Sandbox(
            secret=secret,
            merchant_no=merchant_no,
            port=port,
            faults=FaultPlan(rate=fault_rate, query_rate=fault_rate, seed=fault_seed),
            booking_lag=booking_lag,
            paid_after=paid_after,
            unknown_order=unknown_order,
        )
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
        f"Its books: {base_url}/sandbox/books   its journal: {base_url}/sandbox/requests",
        "It forgets its orders when it ends, and a ledger does not: give the next one another ledger.",
        "To use it, in another terminal:",
        f"export PAYPRO_BASE_URL={base_url}",
        f"export PAYPRO_ENVIRONMENT={Sandbox.environment}",
        f"export PAYPRO_MERCHANT_NO={merchant_no}",
        "# PAYPRO_SECRET: the one that is set here" if own_secret else f"export PAYPRO_SECRET={_SECRET}",
        f"export PAYPRO_IP_ADDRESS={_LOOPBACK}",
        f"export PAYPRO_NOTIFY_URL=http://{_LOOPBACK}:9/paypro",
        "export PAYPRO_LEDGER=sqlite:///sandbox.db",
        # Of which a half is for sending and being answered, so the other one must be longer than the lag.
        f"export PAYPRO_SETTLE_AFTER={max(2, math.ceil(2 * booking_lag + 1))}",
    ]
    # A program that started it in a pipe waits for these lines.
    click.echo("\n".join(lines))
