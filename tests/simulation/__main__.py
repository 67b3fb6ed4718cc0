"""`python -m tests.simulation --seeds 100000`: search for a schedule that pays twice or loses a payout."""

import argparse
import gc
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext

from tests.simulation.defects import MUTATIONS
from tests.simulation.runner import Summary, replay, run_range

_CHUNK = 500
_SHOWN = 3


def main(arguments: list[str] | None = None) -> int:
    """Run; 0 if every world held."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many worlds (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="processes at one time (default: %(default)s)")
    parser.add_argument("--replay", type=int, metavar="SEED", help="show what happens in one world")
    parser.add_argument("--mutation", choices=sorted(MUTATIONS), help="with this defect planted into the product")
    options = parser.parse_args(arguments)
    with MUTATIONS[options.mutation].planted() if options.mutation else nullcontext():
        if options.replay is not None:
            story, violation = replay(options.replay)
            print(story if violation is None else violation)
            return int(violation is not None)
        return _search(options.first, options.seeds, options.jobs)


def _search(first: int, seeds: int, jobs: int) -> int:
    total, began, said_at = Summary(), time.perf_counter(), time.perf_counter()
    for part in _parts(first, seeds, jobs):
        total.add(part)
        total.seconds = time.perf_counter() - began
        if time.perf_counter() - said_at > 10:
            said_at = time.perf_counter()
            print(f"{total.worlds} of {seeds}, {total.worlds / total.seconds:.0f} a second", file=sys.stderr)
    print(total.text())
    for violation in total.found[:_SHOWN]:
        print(f"\n{violation}")
    kinds = {violation.kind for violation in total.found}
    print(f"{len(total.found)} violations{': ' + ', '.join(sorted(kinds)) if kinds else ''}")
    return int(bool(total.found))


def _parts(first: int, seeds: int, jobs: int) -> Iterator[Summary]:
    chunks = [(start, min(_CHUNK, first + seeds - start)) for start in range(first, first + seeds, _CHUNK)]
    if jobs <= 1:
        yield from (run_range(*chunk) for chunk in chunks)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(run_range, *zip(*chunks, strict=True))


if __name__ == "__main__":
    gc.freeze()  # what is loaded is no garbage: the collector looks at what the worlds leave
    sys.exit(main())
