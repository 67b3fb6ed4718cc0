"""From measurements to medians, ratios, a table and JSON."""

import json
from collections.abc import Mapping, Sequence
from statistics import median
from types import MappingProxyType
from typing import Any

from attrs import asdict, define, field, frozen

__all__ = ["Ratio", "Results", "as_json", "as_text"]

MEMORY, SQLITE, POOL, LANES = "paypro, memory ledger", "paypro, SQLite ledger", "httpx, one pool", "httpx, bare lanes"
AIOHTTP, AIOHTTP_BARE = "paypro, aiohttp, memory", "aiohttp, bare"

Cell = tuple[str, int]
"""A case and its concurrency."""


@frozen
class Ratio:
    """One figure to judge by; *value* is None if something that it needs could not be measured.

    Args:
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
        if self.value is None or (self.at_least is None and self.at_most is None):
            return None
        return self.value >= (self.at_least or 0.0) and (self.at_most is None or self.value <= self.at_most)


@define
class Results:
    """Everything that one run has measured, each list with one figure a round.

    Args:
        about: The machine, the versions, and how it was measured.
        figures: By what they say: ``rate`` (payouts or requests a second), ``cpu_us`` (for each of them),
            ``requests`` and ``commits`` (for each payout).
        imports: Seconds by module, on the clock (``wall``) and of CPU (``cpu``).
        failures: What could not run, in words.
    """

    about: dict[str, Any]
    figures: dict[str, dict[Cell, list[float]]] = field(factory=dict)
    imports: dict[str, dict[str, list[float]]] = field(factory=dict)
    failures: list[str] = field(factory=list)

    def add(self, cell: Cell, figures: Mapping[str, float]) -> None:
        """Keep what one measurement of *cell* has found."""
        for name, value in figures.items():
            self.figures.setdefault(name, {}).setdefault(cell, []).append(value)

    def add_import(self, module: str, seconds: Mapping[str, float]) -> None:
        """Keep what one import of *module* took."""
        for clock, value in seconds.items():
            self.imports.setdefault(clock, {}).setdefault(module, []).append(value)

    def ratios(self) -> list[Ratio]:
        """The medians, set against each other."""
        commits = _medians(self.figures.get("commits", {})).get((SQLITE, 128))
        return [
            self._speed("paypro over httpx with one pool, at 128", (MEMORY, 128), (POOL, 128), at_least=2.5),
            self._speed("paypro on aiohttp over aiohttp, at 128", (AIOHTTP, 128), (AIOHTTP_BARE, 128), at_least=0.65),
            self._speed("paypro at 512 over paypro at 8", (MEMORY, 512), (MEMORY, 8), at_least=0.9),
            self._imports("import paypro_async over import httpx", at_most=1.3),
            self._speed("paypro over bare httpx lanes, at 128", (MEMORY, 128), (LANES, 128)),
            self._speed("SQLite ledger over memory ledger, at 128", (SQLITE, 128), (MEMORY, 128)),
            Ratio("commits for each payout, SQLite, at 128", commits),
        ]

    def _speed(self, name: str, one: Cell, other: Cell, *, at_least: float | None = None) -> Ratio:
        rates, cpu = (_medians(self.figures.get(figure, {})) for figure in ("rate", "cpu_us"))
        by_rate = _divide(rates.get(one), rates.get(other))
        return Ratio(name, by_rate, by_cpu=_divide(cpu.get(other), cpu.get(one)), at_least=at_least)

    def _imports(self, name: str, *, at_most: float) -> Ratio:
        wall, cpu = (_medians(self.imports.get(clock, {})) for clock in ("wall", "cpu"))
        by_cpu = _divide(cpu.get("paypro_async"), cpu.get("httpx"))
        by_clock = _divide(wall.get("paypro_async"), wall.get("httpx"))
        return Ratio(name, by_clock, by_cpu=by_cpu, at_most=at_most)


_TABLES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "rate": ("Payouts or requests a second", "{:,.0f}"),
        "cpu_us": ("Microseconds of CPU for each", "{:,.0f}"),
        "requests": ("Requests for each payout", "{:.3f}"),
        "commits": ("Commits for each payout", "{:.3f}"),
    }
)


def as_text(results: Results) -> str:
    """The report as a person reads it."""
    lines = [f"{name + ':':12} {value}" for name, value in results.about.items()]
    for name, (title, form) in _TABLES.items():
        if name in results.figures:
            lines += ["", title, *_table(results.figures[name], form)]
    wall, cpu = (_medians(results.imports.get(clock, {})) for clock in ("wall", "cpu"))
    lines += ["", f"{'Import time':46} clock     CPU"]
    lines += [f"  {name:42} {1000 * wall[name]:6.0f} {1000 * cpu[name]:7.0f} ms" for name in wall]
    lines += ["", f"{'Ratios':46} clock     CPU", *(_ratio(one) for one in results.ratios())]
    if results.failures:
        lines += ["", "Could not run", *(f"  {failure}" for failure in results.failures)]
    return "\n".join(lines)


def as_json(results: Results) -> str:
    """The same with the figures of every round, for a program."""
    return json.dumps(
        {
            **results.about,
            "figures": {name: _by_case(cells) for name, cells in results.figures.items()},
            "import_seconds": results.imports,
            "ratios": [{**asdict(one), "met": one.met} for one in results.ratios()],
            "failures": results.failures,
        },
        indent=2,
        default=str,
    )


def _table(cells: Mapping[Cell, Sequence[float]], form: str) -> list[str]:
    middles = _medians(cells)
    cases, columns = dict.fromkeys(case for case, _ in cells), sorted({column for _, column in cells})
    head = f"  {'concurrency':24}" + "".join(f"{column:>9}" for column in columns) + "   spread"
    rows = [head]
    for case in cases:
        texts = [form.format(middles[case, one]) if (case, one) in middles else "-" for one in columns]
        # How far the rounds lie apart says how much a figure is worth.
        spread = max((max(v) - min(v)) / (median(v) or 1) for (name, _), v in cells.items() if name == case)
        rows.append(f"  {case:24}" + "".join(f"{text:>9}" for text in texts) + f"{spread:9.0%}")
    return rows


def _ratio(one: Ratio) -> str:
    value, by_cpu = ("-" if figure is None else f"{figure:.3g}" for figure in (one.value, one.by_cpu))
    line = f"  {one.name:42} {value:>6} {by_cpu:>7}"
    if one.at_least is None and one.at_most is None:
        return line
    goal = f">= {one.at_least}" if one.at_least is not None else f"<= {one.at_most}"
    return f"{line}   goal {goal}  " + {True: "met", False: "not met", None: "not measured"}[one.met]


def _by_case(cells: Mapping[Cell, Sequence[float]]) -> dict[str, dict[str, Sequence[float]]]:
    found: dict[str, dict[str, Sequence[float]]] = {}
    for (case, concurrency), rounds in cells.items():
        found.setdefault(case, {})[str(concurrency)] = rounds
    return found


def _medians(cells: Mapping[Any, Sequence[float]]) -> dict[Any, float]:
    return {key: median(rounds) for key, rounds in cells.items() if rounds}


def _divide(value: float | None, by: float | None) -> float | None:
    return value / by if value is not None and by else None
