"""docs/dependencies.md has each dependency, its cost and a way out of it, and no more."""

import importlib.metadata
import re
from pathlib import Path

import pytest

from benchmarks.dependencies import BEGIN, END, OURS, Requirement, extras, requirements, with_tables

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
ALWAYS, _, OPTIONAL = PAGE.partition("\n## With an extra\n")
COPYLEFT = {"MPL-2.0", "LGPL-3.0-only"}
"""What the page says that some packages ask."""


def entries(part: str) -> dict[str, str]:
    """By package: what the page says of it."""
    pieces = re.split(r"^### (.+)$", part.partition("\n## Licences\n")[0], flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def rows(name: str) -> list[list[str]]:
    """A table of the page, its cells."""
    table = PAGE.partition(BEGIN.format(name))[2].partition(END.format(name))[0]
    return [
        [cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines() if line.startswith("|")
    ][2:]


def test_what_every_installation_has_is_told_as_such() -> None:
    assert sorted(entries(ALWAYS)) == sorted(one.name for one in requirements() if not one.extra)


def test_what_extras_bring_is_told_as_such() -> None:
    assert sorted(entries(OPTIONAL)) == sorted(one.name for one in requirements() if one.extra)


@pytest.mark.parametrize("one", requirements(), ids=lambda one: one.name)
def test_each_says_why_whether_it_lives_and_the_way_out(one: Requirement) -> None:
    """And what is optional names the extra that brings it."""
    text = entries(PAGE)[one.name]
    said = dict(re.findall(r"^- \*\*(.+?)\*\*: (.{12,})$", text, flags=re.MULTILINE))
    assert list(said) == ["Why", "Alive", "Way out"]
    if one.extra:
        assert f"`[{one.extra}]`" in said["Why"]


def test_the_cost_of_each_is_measured() -> None:
    """One row for each package in pyproject.toml and one for each extra, with numbers that make sense."""
    single = {re.sub(r"\[(.+)\]\(#\1\)", r"\1", row[0]): row[1:] for row in rows("single")}
    assert list(single) == [one.name for one in requirements()]
    for packages, size, took, licence in single.values():
        assert int(packages) >= 1
        assert float(size) >= 0
        assert int(took) >= 0
        assert licence
    added = {row[0]: row[1:] for row in rows("extras")}
    assert list(added) == [f"`{OURS}`", *(f"with `[{extra}]`" for extra in extras())]
    assert all(int(packages) >= 1 and float(size) > 0 for packages, size in added.values())


@pytest.mark.parametrize("one", requirements(), ids=lambda one: one.name)
def test_the_licence_is_what_the_package_says(one: Requirement) -> None:
    try:
        about = importlib.metadata.metadata(one.name)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{one.name} is not installed beside the tests")
    [said] = [row[4] for row in rows("single") if row[0] == f"[{one.name}](#{one.name})"]
    kinds = [kind.rpartition(" :: ")[2] for kind in about.get_all("Classifier") or () if kind.startswith("License")]
    assert said in (about["License-Expression"], about["License"], ", ".join(kinds))


def test_the_packages_that_are_not_permissive_are_named() -> None:
    """Each by its name, and no other."""
    asks = {row[0].partition("]")[0][1:] for row in rows("single") if COPYLEFT & set(re.findall(r"[\w.-]+", row[4]))}
    named = set(re.findall(r"certifi|orjson|psycopg", PAGE.partition("\n## Licences\n")[2]))
    assert asks == named


def test_tables_are_put_where_they_belong() -> None:
    """What stood there goes, and all around stays."""
    page = f"before\n{BEGIN.format('single')}\nold\n\n{END.format('single')}after\n"
    made = with_tables(page, {"single": "| new |\n"})
    assert "old" not in made
    assert made.startswith("before\n")
    assert made.endswith("after\n")
    assert with_tables(made, {"single": "| new |\n"}) == made


def test_an_extra_that_contains_others_is_looked_through() -> None:
    """What is counted for it is all that it brings."""
    assert {line.partition(">")[0] for line in extras()["cli"]} >= {"click", "rich", "orjson", "aiohttp"}
    assert not [line for lines in extras().values() for line in lines if line.startswith(OURS)]
