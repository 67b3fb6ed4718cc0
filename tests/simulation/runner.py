"""Many worlds, and what was met in them."""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field

from tests.simulation.trace import Violation
from tests.simulation.world import World


@define
class Summary:
    """Of a range of seeds.

    Args:
        met: How often what happened: faults, kills by what was being done, errors, ends.
        found: Every violation.
    """

    worlds: int = 0
    steps: int = 0
    seconds: float = 0.0
    met: Counter[str] = field(factory=Counter)
    found: list[Violation] = field(factory=list)

    def add(self, other: "Summary") -> None:
        """Take over what another one has counted."""
        self.worlds += other.worlds
        self.steps += other.steps
        self.met.update(other.met)
        self.found += other.found

    def text(self) -> str:
        """For people: one line for each kind, the most frequent ones first."""
        lines = [f"{self.worlds} worlds of {self.steps / max(1, self.worlds):.0f} steps in {self.seconds:.1f} s"]
        lines[0] += f": {self.worlds / max(self.seconds, 1e-9):.0f} schedules a second"
        groups: dict[str, list[str]] = {}
        for name, count in sorted(self.met.items(), key=lambda one: (-one[1], one[0])):
            group, _, rest = name.partition(" while ") if " while " in name else name.partition(": ")
            groups.setdefault(group, []).append(f"{rest or group} {count}")
        lines += [f"  {group}: {', '.join(entries)}" for group, entries in sorted(groups.items())]
        return "\n".join(lines)


@contextmanager
def quiet() -> Iterator[None]:
    """The product's log says in thousands of worlds what it should say in one."""
    logger = logging.getLogger("paypro_async")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def run_range(first: int, count: int, *, stop: bool = False) -> Summary:
    """Run the worlds of *count* seeds from *first* on; with *stop*, only up to the first finding."""
    summary, began = Summary(), time.perf_counter()
    with quiet():
        for seed in range(first, first + count):
            world = World(seed)
            try:
                world.run()
            except Violation as violation:
                # Its traceback would keep the whole world.
                summary.found.append(violation.with_traceback(None))
            summary.worlds += 1
            summary.steps += world.loop.steps
            summary.met.update(world.trace.met)
            if stop and summary.found:
                break
    summary.seconds = time.perf_counter() - began
    return summary


def replay(seed: int) -> tuple[str, Violation | None]:
    """The trace of one world, and its finding if it has one."""
    world = World(seed)
    found = None
    with quiet():
        try:
            world.run()
        except Violation as violation:
            found = violation
    return world.trace.text(), found
