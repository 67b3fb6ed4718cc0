"""The reference shows what users call: each name once, no constructor that they do not call, every word explained."""

import enum
import importlib
import inspect
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import paypro_async
import paypro_async.bulk
import paypro_async.events
from paypro_async._core.variables import ALL, Use
from paypro_async.cli.app import paypro
from paypro_async.cli.exits import Exit

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs" / "reference").glob("*.md"))
SOURCES = sorted((ROOT / "paypro_async").rglob("*.py"))
_SHOWN = re.compile(r"^\.\. auto(?:class|function|exception|data):: ([\w.]+)$", re.MULTILINE)
CALLERS = [
    source.read_text(encoding="utf-8")
    for source in [
        ROOT / "README.md",
        *(ROOT / "docs").glob("**/*.md"),
        *(ROOT / "examples").rglob("*.py"),
        *(ROOT / "tests" / "typing").glob("*.py"),
    ]
]
_NEEDS_AN_EXTRA = "paypro_async.integrations.dbos."  # of an engine that is not installed beside the tests


@pytest.fixture(scope="module", autouse=True)
def _extensions() -> Iterator[None]:
    pytest.importorskip("sphinx")
    sys.path.insert(0, str(ROOT / "docs" / "_extensions"))
    yield
    sys.path.pop(0)


def shown() -> list[str]:
    return [name for page in PAGES for name in _SHOWN.findall(page.read_text(encoding="utf-8"))]


def thing_of(name: str) -> Any:
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)


THINGS = [name for name in shown() if not name.startswith(_NEEDS_AN_EXTRA)]


@pytest.mark.parametrize("module", [paypro_async, paypro_async.bulk, paypro_async.events], ids=lambda one: one.__name__)
def test_each_public_name_is_on_one_page(module: Any) -> None:
    """Neither missing nor told twice."""
    names = Counter(name for name in shown() if name.rpartition(".")[0] == module.__name__)
    assert names == Counter(f"{module.__name__}.{name}" for name in module.__all__ if name != "__version__")


def test_each_integration_is_on_the_page_of_integrations() -> None:
    """Every name that a module for a framework or an engine offers to programs, with a docstring of its own."""
    page = (ROOT / "docs" / "reference" / "integrations.md").read_text(encoding="utf-8")
    for module in ("aiohttp", "asgi", "fastapi", "opentelemetry", "portal", "procrastinate", "starlette"):
        loaded = importlib.import_module(f"paypro_async.integrations.{module}")
        own = [name for name in loaded.__all__ if not name.isupper()]
        again = ("client_lifespan", "client_of")  # what FastAPI's module offers under the same name
        assert [name for name in own if f"{module}.{name}\n" not in page and name not in again] == []


@pytest.mark.parametrize("name", THINGS)
def test_no_page_shows_a_constructor_that_users_do_not_call(name: str) -> None:
    """What only the SDK makes is shown with its fields; a class that is shown with arguments is called somewhere."""
    import shown_names

    thing = thing_of(name)
    if not inspect.isclass(thing):
        return
    if not shown_names.is_made_by_users(thing):
        assert shown_names._signature(None, "class", name, thing, None, "(x)", None) == ("", None)
        lines = inspect.cleandoc(thing.__doc__ or "").splitlines()
        fields = {one.name for one in getattr(thing, "__attrs_attrs__", ())} | set(
            getattr(thing, "__annotations__", ())
        )
        shown_names._docstring(None, "class", name, thing, None, lines)
        assert "Args:" not in lines
        told = {line.strip(" |*-") for line in lines if re.match(r"^ +(\* - )?\| \*\*\w+\*\*$", line)}
        assert issubclass(thing, (enum.Enum, BaseException)) or {one for one in told if one.isidentifier()} <= fields
        return
    called = re.compile(rf"\b{thing.__name__}(?:\.\w+)?\(")
    assert any(called.search(source) for source in CALLERS), f"nothing shows how {name} is called"


@pytest.mark.parametrize("name", THINGS)
def test_no_argument_and_no_field_is_left_without_a_meaning(name: str) -> None:
    """Each row of each table says something."""
    import shown_names

    thing = thing_of(name)
    members = vars(thing).items() if inspect.isclass(thing) else ()
    wrong = []
    for key, one in [(name, thing), *((key, getattr(thing, key)) for key, _ in members if not key.startswith("_"))]:
        if one is not thing and not inspect.isroutine(one):
            continue
        told = shown_names.split_arguments(inspect.cleandoc(one.__doc__ or "").splitlines())[1]
        wrong += [key for line in shown_names._made_table(one, told) or () if line.strip() == "-"]
    assert wrong == []


def test_arguments_behind_stars_are_told_one_by_one() -> None:
    """A payout's fields, as ``payout(**fields)`` takes them, have a type, a default and a meaning each."""
    import shown_names

    told = shown_names.split_arguments(inspect.cleandoc(paypro_async.PayProClient.payout.__doc__ or "").splitlines())[1]
    table = "\n".join(shown_names._made_table(paypro_async.PayProClient.payout, told) or [])
    for field in inspect.signature(paypro_async.Payout).parameters:
        assert f"| **{field}**" in table
    assert "*required*" in table
    assert "In rupees" in table


def test_no_type_has_a_private_name() -> None:
    """What stands for a type in the package alone is said in words."""
    import shown_names

    for name in THINGS:
        thing = thing_of(name)
        for line in shown_names._made_table(thing, {}) or ():
            for found in re.findall(r":py:\w+:`~?(paypro_async[\w.]*)`", line):
                last = found.rpartition(".")[2]
                assert not last.startswith("_"), (name, line)
                assert any(one.rpartition(".")[2] == last for one in shown()), (name, line)


def test_each_variable_of_the_code_is_on_the_page_of_settings() -> None:
    """Whatever PAYPRO_ name a file of the package says is in the one list, and the page shows the list."""
    import code_tables

    named = {name for source in SOURCES for name in re.findall(r"\bPAYPRO_[A-Z_]*[A-Z]\b", source.read_text("utf-8"))}
    listed = [one.name for one in ALL]
    assert sorted(named - set(listed)) == []
    assert len(set(listed)) == len(listed)
    page = code_tables.rendered((ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8"))
    assert [name for name in listed if page.count(f"`{name}`") == 0] == []
    assert [use for use in Use if f"## {use}\n" not in page] == []
    arguments = inspect.signature(paypro_async.PayProClient).parameters
    assert [one for one in ALL if one.argument is not None and one.argument not in arguments] == []


def commands(group: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(group, click.Group):
        for name, one in group.commands.items():
            yield (*words, name), one
            yield from commands(one, (*words, name))


def test_each_command_and_option_is_on_one_page() -> None:
    """The pages of the command line, as they are built, leave none out and tell none twice."""
    import code_tables

    pages = [code_tables.rendered(page.read_text(encoding="utf-8")) for page in PAGES]
    for words, one in commands(paypro):
        heading = f"## paypro {' '.join(words)}\n"
        [page] = [page for page in pages if heading in page]
        assert page.count(heading) == 1
        section = page.partition(heading)[2].partition("\n## ")[0]
        options = [option for option in one.params if isinstance(option, click.Option) and not option.hidden]
        assert [name for option in options for name in option.opts if f"`{name}`" not in section] == []


def test_each_exit_code_is_on_the_page_of_the_command_line() -> None:
    """With its meaning."""
    import code_tables

    page = code_tables.rendered((ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8"))
    assert [code for code in Exit if f"`{code.value}`" not in page or code.meaning not in page] == []


def test_the_diagrams_are_those_of_the_code() -> None:
    """`python docs/diagrams.py` has been run since the lifecycle, the rules, the replies or the layers changed."""
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import diagrams
    finally:
        sys.path.pop(0)
    files = diagrams.files()
    assert [path.name for path, content in files.items() if path.read_text(encoding="utf-8") != content] == []
    there = set((ROOT / "docs" / "images").glob("*-light.svg")) | set((ROOT / "docs" / "images").glob("*-dark.svg"))
    assert there == set(files)


def test_each_diagram_is_on_a_page_for_both_themes_and_for_those_who_do_not_see_it() -> None:
    """A page shows the light one and the dark one, and says in words what they show."""
    pages = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("**/*.md"))
    for name in ("flow", "lifecycle", "replies", "layers"):
        for theme in ("light", "dark"):
            shown = rf"```\{{image\}} (?:\.\./)?images/{name}-{theme}\.svg\n(?::.*\n)*:alt: .{{30,}}\n(?::.*\n)*```"
            assert [f":class: only-{theme}" in found for found in re.findall(shown, pages)] not in ([], [False])


def test_each_error_is_in_the_tree_of_errors() -> None:
    """Below the one that it is a kind of, with a link to what it says."""
    import code_tables

    tree = code_tables.error_tree()
    named = re.findall(r"\[`(\w+)`\]\(#paypro_async\.(\w+)\)", tree)
    errors = importlib.import_module("paypro_async.errors")
    assert sorted(one for one, _ in named) == sorted(set(errors.__all__) - {"PayProWarning", "Problem"})
    assert [pair for pair in named if pair[0] != pair[1]] == []
