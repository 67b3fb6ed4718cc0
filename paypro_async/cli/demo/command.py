"""``paypro demo``: the product's promise, shown with a crash in the middle."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
from attrs import evolve

from paypro_async.cli.demo.comparison import compare
from paypro_async.cli.demo.payer import Payer
from paypro_async.cli.demo.receiver import Receiver
from paypro_async.cli.demo.sample import write_sample
from paypro_async.cli.exits import Exit
from paypro_async.cli.options import NumberRange
from paypro_async.cli.output import say
from paypro_async.sandbox import FaultPlan, Sandbox
from paypro_async.sandbox.orders import PROCESSING

__all__ = ["demo"]

_BOOKING_LAG = 0.3  # seconds
_PAID_AFTER = 1  # seconds
_LONGEST_WAIT = 20  # seconds for the last callbacks; some of them may have to come again
_GLANCE = 0.05  # seconds
_LAST_LINES = 8


@click.command(short_help="Pay a sample file through a local sandbox, with faults and a crash.")
@click.option("--rows", default=1000, show_default=True, type=click.IntRange(1), help="Payouts in the sample file.")
@click.option(
    "--fault-rate",
    default=0.15,
    show_default=True,
    type=NumberRange(0, 0.9),
    help="Share of requests that meet a fault.",
)
@click.option("--seed", default=7, show_default=True, metavar="N", help="Equal seeds, equal file and faults.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Keep the files there.")
def demo(rows: int, fault_rate: float, seed: int, keep: Path | None) -> int:
    """Pay a sample file through a local sandbox with faults, kill the payer half-way, run it again, compare the books.

    Nothing to configure; no money moves; nothing leaves this machine. Ends with 0 only if every row was booked exactly
    once, the ledger agrees on every row, and knows it as paid.
    """
    with _folder(keep) as folder:
        return asyncio.run(_show(folder, rows=rows, fault_rate=fault_rate, seed=seed, kept=keep is not None))


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="paypro-demo-") as name:
            yield Path(name)
        return
    keep.mkdir(parents=True, exist_ok=True)
    if any(keep.iterdir()):
        raise click.UsageError(f"{keep} is not empty; name a new folder.")
    yield keep.absolute()


async def _show(folder: Path, *, rows: int, fault_rate: float, seed: int, kept: bool) -> int:
    began = time.monotonic()
    sample = folder / "sample.csv"
    write_sample(sample, rows=rows, seed=seed)
    _say(f"1. A sample file: {rows:,} payouts to invented people.", str(sample))
    faults = FaultPlan(rate=fault_rate, query_rate=fault_rate / 3, seed=seed)
    async with Sandbox(faults=faults, booking_lag=_BOOKING_LAG, paid_after=_PAID_AFTER) as sandbox:
        payer = Payer(sample=sample, ledger=folder / "payouts.db", base_url=sandbox.base_url)
        async with payer.client() as service, Receiver(service) as receiver:
            _say(
                f"2. A PayPro on this machine, the sandbox, at {sandbox.base_url}. No money moves.",
                f"{fault_rate:.0%} of all payouts meet a fault: resets, lost or broken replies, error pages, …",
                f"So do {fault_rate / 3:.0%} of the questions about them.",
                f"It pays after {_PAID_AFTER} s, and says so by a callback to {receiver.url}, which is stored.",
            )
            payer = evolve(payer, notify_url=receiver.url)
            code, killed_at = await _pay_twice(payer, lambda: len(sandbox.books.bookings), rows)
            await _until_told(sandbox)
        if not kept:
            _say("", "(This folder is removed at the end; --keep DIR keeps the files.)")
        _say(f"5. {receiver.answered:,} callbacks were received and answered with OK.")
        _say(f"6. The sandbox's books (GET {sandbox.base_url}/sandbox/books) against the ledger, row by row:")
        comparison = await compare(payer)
    seconds = time.monotonic() - began
    _say(
        "",
        f"killed at       {killed_at or 0:,} of {rows:,} booked",
        *comparison.lines(),
        f"seconds         {seconds:.1f}",
    )
    if comparison.right and comparison.paid == rows and code == 0:
        say("Every payout was booked exactly once and is paid, and the ledger knows it of every one.")
        return Exit.OK
    say("\n".join([f"This is not right (the second run ended with {code}):", *comparison.findings()]))
    return Exit.UNEXPECTED


async def _pay_twice(payer: Payer, booked: Callable[[], int], rows: int) -> tuple[int, int | None]:
    _say("3. Paying: paypro batch sample.csv --ledger payouts.db")
    killed_at = await payer.run_and_kill(booked, at=(rows + 1) // 2)
    if killed_at is None:
        _say("", "It ended before it could be killed.")
    else:
        _say("", f"Killed with SIGKILL when {killed_at:,} of {rows:,} were booked, in the middle of its work.")
    _say(
        "4. The same command again: what is paid stays paid, what is unknown is asked about, the rest is paid.",
        "With --wait, it ends when every row is final.",
    )
    code, said = await payer.run()
    _say("", *(f"| {line}" for line in said.splitlines()[-_LAST_LINES:]))
    return code, killed_at


async def _until_told(sandbox: Sandbox) -> None:
    """Until every order has ended, and the callback of each was answered with OK; or until that takes too long."""
    # A booking may be on its way when its payer has gone.
    await asyncio.sleep(_BOOKING_LAG)
    with suppress(TimeoutError):
        async with asyncio.timeout(_LONGEST_WAIT):
            while _any_processing(sandbox) or sandbox.callbacks_waiting:  # noqa: ASYNC110  the books send no events
                await asyncio.sleep(_GLANCE)


def _any_processing(sandbox: Sandbox) -> bool:
    return any(order.status == PROCESSING for order in sandbox.books.orders.values())


def _say(step: str, *more: str) -> None:
    """A step, and what belongs to it below."""
    say("\n".join([*([step] if step else []), *(f"   {line}" for line in more)]))
