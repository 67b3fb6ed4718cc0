"""Each command that a page shows is typed, in the order of the page, and ends as the page says."""

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.docs.pages import PAGES, ROOT, Block, Command, blocks_of, commands_of
from tests.docs.stage import ANSWERS, GIVEN, NOT_RUN, POSTGRESQL, WORDS, Given
from tests.docs.terminal import Terminal, terminal

pytestmark = pytest.mark.docs

SHOWN = {
    page.relative_to(ROOT).as_posix(): blocks_of(page)
    for page in PAGES
    if any(block.language == "console" for block in blocks_of(page))
}


def why_not(page: str, command: Command) -> str | None:
    reasons = NOT_RUN.get(page, {})
    return next((reason for beginning, reason in reasons.items() if command.typed.startswith(beginning)), None)


def answer_to(page: str, command: Command) -> str | None:
    answers = ANSWERS.get(page, {})
    return next((answer for beginning, answer in answers.items() if command.typed.startswith(beginning)), None)


@pytest.fixture
def folder() -> Iterator[Path]:
    """On a disk, as the doctor asks for; pytest's own folders may lie in memory."""
    with TemporaryDirectory(prefix="paypro-page-", dir="/var/tmp") as name:
        yield Path(name)


@pytest.mark.parametrize("page", [page for page in SHOWN if "" not in NOT_RUN.get(page, {})])
async def test_the_commands_of_a_page_do_what_it_says(page: str, folder: Path, request: pytest.FixtureRequest) -> None:
    """With a sandbox, in a folder of the page's own; what stays in its terminal is ended with Ctrl-C at last."""
    given = GIVEN.get(page, Given())
    words = dict(WORDS)
    if POSTGRESQL in (ROOT / page).read_text(encoding="utf-8"):
        words[POSTGRESQL] = request.getfixturevalue("server").database()
    async with terminal(folder, paid_after=given.paid_after, words=words) as opened:
        for typed in given.commands:
            code, said = await opened.type(typed)
            assert code in (0, 4, 5), f"{typed}\n{said}"
        for block in SHOWN[page]:
            if block.file is not None:
                opened.save(block.file, block.source)
            if block.language == "console":
                await _play(opened, block)


async def _play(opened: Terminal, block: Block) -> None:
    for command in commands_of(block):
        if why_not(block.page, command) is not None or _is_about_packages(command.typed):
            continue
        if opened.stays(command.typed):
            await opened.open(command.typed)
            continue
        code, said = await opened.type(command.typed, answer=answer_to(block.page, command))
        where = f"{block.name}: {command.typed}\n{said}"
        assert code == command.exits, f"exit code {code} of {where}"
        assert "Traceback" not in said, where
        if command.shown:
            pattern = ".*?".join(map(re.escape, re.split("…|\\.\\.\\.", command.shown.strip())))
            assert re.fullmatch(pattern, said.strip(), re.DOTALL), where


def _is_about_packages(typed: str) -> bool:
    """Whether it installs, or runs a session of nox. That is done elsewhere; here, what it names must be there."""
    parts = [part.strip() for part in typed.partition(" #")[0].split("&&")]
    if not all(part.startswith(("pip ", "nox ")) for part in parts):
        return False
    for part in parts:
        words = shlex.split(part)
        if words[0] == "nox":
            assert words[1] == "-s"
            assert set(words[2 : words.index("--") if "--" in words else None]) <= _sessions(), part
        else:
            assert words[1] == "install"
            assert all(_can_be_installed(word) for word in words[2:]), part
    return True


def _sessions() -> set[str]:
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    return {
        one.name
        for one in tree.body
        if isinstance(one, ast.FunctionDef) and any("session" in ast.unparse(mark) for mark in one.decorator_list)
    }


def _can_be_installed(word: str) -> bool:
    if (ours := re.fullmatch(r"(?:\.|paypro-async)(?:\[([\w,]+)\])?", word)) is not None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return set((ours[1] or "").split(",")) <= {"", *project["optional-dependencies"]}
    return word == "nox" or word in {one.name for one in distributions()}


@pytest.mark.parametrize(
    ("page", "beginning"), [(page, one) for book in (NOT_RUN, ANSWERS) for page, found in book.items() for one in found]
)
def test_what_is_not_run_or_answered_is_still_shown(page: str, beginning: str) -> None:
    """An entry of a list that matches nothing is taken away."""
    commands = [one for block in SHOWN[page] if block.language == "console" for one in commands_of(block)]
    assert [one for one in commands if one.typed.startswith(beginning)]


def test_each_page_for_which_something_is_prepared_shows_commands() -> None:
    """Else it need not be prepared."""
    assert set(GIVEN) <= set(SHOWN)
