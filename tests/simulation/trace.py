"""What happened in a world, one line for each step, and the finding that it led to."""

from collections import Counter
from typing import Any


class Violation(BaseException):
    """Something that must never be.

    Args:
        seed: Of the world; the same seed gives the same world.
        kind: Which rule is broken, in a few words that stay the same.
        what: The case.
        story: The trace of the world.
    """

    def __init__(self, seed: int, kind: str, what: str, story: str) -> None:
        super().__init__(f"seed {seed}: {kind}: {what}\n{story}\nreplay: python -m tests.simulation --replay {seed}")
        self.seed, self.kind, self.what, self.story = seed, kind, what, story

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.seed, self.kind, self.what, self.story)  # out of the process that found it


class Trace:
    """Lines are made only when somebody reads them: most worlds end well."""

    def __init__(self) -> None:
        self._lines: list[tuple[float, str, str, tuple[Any, ...]]] = []
        self.met: Counter[str] = Counter()

    def add(self, at: float, who: str, what: str, *about: Any) -> None:
        self._lines.append((at, who, what, about))

    def text(self) -> str:
        return "\n".join(
            f"{at - 1000.0:10.4f}  {who:<9} {what} {' '.join(str(one) for one in about)}".rstrip()
            for at, who, what, about in self._lines
        )
