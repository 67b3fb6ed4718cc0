"""What one module of this package tells the others: what it measures, and how it reads what was found."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

from attrs import define, field, frozen

__all__ = ["Cell", "Found", "Goal", "Measurement", "Section", "Setting", "Subject", "Table", "divided"]

MOST_SPREAD = 0.3
"""How far the rounds of a figure may lie apart, of their median, before the report says so: on a quiet machine they
were less than a tenth apart, and half of it and more where something else ran.
"""
Cell = tuple[str, int]
"""A row and a column of a table: a case and its concurrency, or what was measured and how many."""


@frozen(kw_only=True)
class Setting:
    """Where and how a run measures.

    Args:
        url: The constant server.
        late_url: The server that answers late.
        postgres: A database that may be filled, or None.
        folder: Where ledgers and files lie; its disk matters.
        seconds: How long a measurement of pace counts.
        quick: Whether to show the order of things only.
    """

    url: str
    late_url: str
    postgres: str | None
    folder: Path
    seconds: float
    quick: bool


@frozen(kw_only=True)
class Measurement:
    """One process, and where its figures belong.

    Args:
        arguments: Of this Python.
        rounds: How often at most, for what takes minutes.
        timeout: Seconds after which it has failed.
        own_folder: Whether a fresh folder is the last argument.
        both_cores: Whether it may use the server's core too, since it has two threads that work at one time.
    """

    row: str
    column: int
    arguments: tuple[str, ...]
    rounds: int = 1000
    timeout: float = 90.0
    own_folder: bool = False
    both_cores: bool = False

    @property
    def cell(self) -> Cell:
        return self.row, self.column

    @property
    def process(self) -> tuple[bool, tuple[str, ...]]:
        """What tells it from others: two subjects that ask for the same share one process a round."""
        return self.both_cores, self.arguments


@frozen
class Goal:
    """A figure to judge by.

    Args:
        value: By the clock, or neither by the clock nor by CPU; None if it could not be measured, or is of CPU alone.
        by_cpu: The same from CPU seconds instead of the clock: what it would be if nothing else ran on the machine.
        at_least: The goal, if more is better.
        at_most: The goal, if less is better.
    """

    name: str
    value: float | None
    by_cpu: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool | None:
        value = self.by_cpu if self.value is None else self.value
        if value is None or (self.at_least is None and self.at_most is None):
            return None
        enough = self.at_least is None or value >= self.at_least
        return enough and (self.at_most is None or value <= self.at_most)


@frozen
class Table:
    """Rows of text under a title; *corner* says what the columns are."""

    title: str
    corner: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]


@define
class Section:
    """What one subject has to say.

    Args:
        noisy: The figures whose rounds lie far apart, as people read them.
    """

    name: str
    title: str
    tables: list[Table] = field(factory=list)
    goals: list[Goal] = field(factory=list)
    noisy: Sequence[str] = ()


@define
class Found:
    """The figures of one subject, one for each round.

    Attributes:
        noisy: Those that a table was made of and whose rounds lie far apart.
    """

    figures: dict[Cell, list[Mapping[str, float]]] = field(factory=dict)
    noisy: list[str] = field(factory=list)

    def all(self, figure: str, row: str, column: int) -> list[float]:
        return [one[figure] for one in self.figures.get((row, column), []) if figure in one]

    def median(self, figure: str, row: str, column: int) -> float | None:
        values = self.all(figure, row, column)
        return median(values) if values else None

    def ratio(self, figure: str, one: Cell, other: Cell) -> float | None:
        """The median of one cell over that of another."""
        return divided(self.median(figure, *one), self.median(figure, *other))

    def table(self, title: str, corner: str, figure: str, form: str, *, scale: float = 1.0) -> Table | None:
        """One figure of all cells, with the spread of the rounds, which says how much a figure is worth."""
        cells = [cell for cell in self.figures if self.all(figure, *cell)]
        if not cells:
            return None
        columns = sorted({column for _, column in cells})
        rows: dict[str, tuple[str, ...]] = {}
        for row in dict.fromkeys(row for row, _ in cells):
            middles = [self.median(figure, row, column) for column in columns]
            texts = ["-" if one is None else form.format(scale * one) for one in middles]
            spreads = [self._spread(figure, row, column) for column in columns]
            apart = [f"{column:,}" for column, one in zip(columns, spreads, strict=True) if one > MOST_SPREAD]
            if apart:
                self.noisy.append(f"{title}, {row} at {', '.join(apart)}")
            rows[row] = (*texts, f"{max(spreads):.0%}")
        return Table(title, corner, (*(f"{one:,}" for one in columns), "spread"), rows)

    def _spread(self, figure: str, row: str, column: int) -> float:
        values = self.all(figure, row, column)
        return (max(values) - min(values)) / (median(values) or 1.0) if values else 0.0


@frozen(kw_only=True)
class Subject:
    """One module: what it measures in a round, in this order, and what it makes of the figures."""

    name: str
    title: str
    measurements: Callable[[Setting], Iterable[Measurement]]
    section: Callable[[Found], Section]


def divided(value: float | None, by: float | None) -> float | None:
    """The quotient, if there are both."""
    return value / by if value is not None and by else None
