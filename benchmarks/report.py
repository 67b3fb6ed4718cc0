"""From sections to text, to JSON, and into the page of the documentation."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict, define, field

from benchmarks.subject import MOST_SPREAD, Goal, Section, Table

__all__ = ["PAGE", "Report", "as_json", "as_text", "with_figures"]

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
_BEGIN = "<!-- bench {}: begin (python -m benchmarks --write writes this) -->\n"
_END = "<!-- bench {}: end -->\n"
MOST_BUSY = 0.1
"""How much of the machine others may use before the report says so; one that is idle uses a hundredth or two."""
_MET = {True: "ok", False: "MISSED", None: "not measured"}


@define
class Report:
    """Everything that one run has found.

    Args:
        about: The machine, the versions, and how it was measured.
        raw: The figures of every round, by subject and cell.
        failures: What could not run, and why.
        others: How much of the machine others used, from 0 to 1, before each round and at the end.
    """

    about: dict[str, str]
    sections: list[Section] = field(factory=list)
    raw: dict[str, dict[str, Any]] = field(factory=dict)
    failures: list[str] = field(factory=list)
    others: list[float] = field(factory=list)

    @property
    def warning(self) -> str | None:
        """That the machine was not ours alone."""
        most = max(self.others, default=0.0)
        if most <= MOST_BUSY:
            return None
        return f"others used up to {most:.0%} of this machine's processors: compare figures by CPU, if at all"

    @property
    def warnings(self) -> list[str]:
        """Why the figures are to be doubted; those of a subject are named with it."""
        noisy = [
            f"{section.name}: rounds lie more than {MOST_SPREAD:.0%} apart: {'; '.join(section.noisy)}"
            for section in self.sections
            if section.noisy
        ]
        return [*([self.warning] if self.warning else []), *noisy]


def as_text(report: Report) -> str:
    """The report as a person reads it."""
    lines = [f"{name + ':':12} {value}" for name, value in report.about.items()]
    for section in report.sections:
        lines += ["", section.title, "=" * len(section.title)]
        for table in section.tables:
            lines += ["", table.title, *_text_table(table)]
        if section.goals:
            lines += ["", f"{'Ratios':64} clock     CPU", *(_text_goal(one) for one in section.goals)]
    if report.warnings:
        lines += ["", "Warnings", *(f"  {warning}" for warning in report.warnings)]
    if report.failures:
        lines += ["", "Could not run", *(f"  {failure}" for failure in report.failures)]
    return "\n".join(lines)


def as_json(report: Report) -> str:
    """The same with the figures of every round, for a program."""
    goals = [{**asdict(one), "met": one.met} for section in report.sections for one in section.goals]
    return json.dumps(
        {
            **report.about,
            "others": report.others,
            "warnings": report.warnings,
            "goals": goals,
            "figures": report.raw,
            "failures": report.failures,
        },
        indent=2,
        default=str,
    )


def with_figures(page: str, report: Report) -> str:
    """The page with the figures of the subjects that were measured; the others keep theirs.

    Raises:
        ValueError: If the page has no section for one.
    """
    for section in report.sections:
        body = [*_markdown_about(report.about), *_markdown_warnings(report, section), ""]
        for table in section.tables:
            body += [f"**{table.title}**", "", *_markdown_table(table), ""]
        if section.goals:
            body += [*_markdown_goals(section.goals), ""]
        begin, end = _BEGIN.format(section.name), _END.format(section.name)
        head, found, rest = page.partition(begin)
        _, closed, tail = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"the page has no section for {section.name}")
        page = f"{head}{begin}\n" + "\n".join(body) + f"{end}{tail}"
    return page


def _text_table(table: Table) -> list[str]:
    widths = [max(9, len(column) + 2) for column in table.columns]
    named = max(32, *(len(row) for row in table.rows)) if table.rows else 32

    def line(name: str, texts: Sequence[str]) -> str:
        cells = (f"{text:>{width}}" for text, width in zip(texts, widths, strict=True))
        return f"  {name:{named}}" + "".join(cells)

    return [line(table.corner, table.columns), *(line(name, texts) for name, texts in table.rows.items())]


def _text_goal(one: Goal) -> str:
    value, by_cpu, goal = _goal_texts(one)
    line = f"  {one.name:60} {value:>7} {by_cpu:>7}"
    return f"{line}   {goal}  {_MET[one.met]}" if goal else line


def _goal_texts(one: Goal) -> tuple[str, str, str]:
    value, by_cpu = ("-" if figure is None else f"{figure:.3g}" for figure in (one.value, one.by_cpu))
    if one.at_least is None and one.at_most is None:
        return value, by_cpu, ""
    return value, by_cpu, f">= {one.at_least:g}" if one.at_least is not None else f"<= {one.at_most:g}"


def _markdown_about(about: Mapping[str, str]) -> list[str]:
    wanted = ("command", "date", "machine", "python", "versions", "server", "one fsync", "load before", "rounds")
    return [f"- {name}: `{about[name]}`" for name in wanted if name in about]


def _markdown_warnings(report: Report, section: Section) -> list[str]:
    lines = [f"- **busy machine**: {report.warning}"] if report.warning else []
    if section.noisy:
        lines.append(f"- **rounds more than {MOST_SPREAD:.0%} apart**: {'; '.join(section.noisy)}")
    return lines


def _markdown_table(table: Table) -> list[str]:
    head = f"| {table.corner} | " + " | ".join(table.columns) + " |"
    ruler = "| --- |" + " ---: |" * len(table.columns)
    return [head, ruler, *(f"| {name} | " + " | ".join(texts) + " |" for name, texts in table.rows.items())]


def _markdown_goals(goals: Sequence[Goal]) -> list[str]:
    lines = ["| ratio | by the clock | by CPU | goal | |", "| --- | ---: | ---: | ---: | --- |"]
    for one in goals:
        value, by_cpu, goal = _goal_texts(one)
        lines.append(f"| {one.name} | {value} | {by_cpu} | {goal or '-'} | {_MET[one.met] if goal else ''} |")
    return lines
