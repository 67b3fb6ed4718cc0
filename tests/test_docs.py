"""What README and docs show is run, and what they say of the code is compared with it."""

import re
import sys
from pathlib import Path

import pytest

from tests.support.fork_server import ForkServer
from tests.support.programs.python import PROGRAM

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str) -> list[pytest.param]:
    return [
        pytest.param(block, id=f"{page.name}-{number}")
        for page in PAGES
        for number, block in enumerate(
            re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        )
    ]


@pytest.mark.parametrize("example", blocks("python"))
async def test_each_python_example_runs_as_it_stands(example: str, fork_server: ForkServer, tmp_path: Path) -> None:
    """An example is a program: copied into a file, it runs and ends well."""
    script = tmp_path / "example.py"
    script.write_text(example, encoding="utf-8")
    child = fork_server.start(PROGRAM, "-W", "error", str(script), folder=tmp_path)
    assert await child.ended(within=50) == 0, child.errors


def test_the_table_of_states_is_that_of_the_code() -> None:
    """`python docs/lifecycle.py` has been run since the lifecycle changed."""
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import lifecycle
    finally:
        sys.path.pop(0)
    page = lifecycle.PAGE.read_text(encoding="utf-8")
    assert lifecycle.with_table(page) == page


def test_each_file_that_a_page_names_is_there() -> None:
    """`batch/scheduler.py` is a file of the package, `soak/test_kills.py` one of the tests, and both still exist."""
    homes = [ROOT, ROOT / "paypro_async", ROOT / "tests"]
    missing = [
        (page.name, name)
        for page in PAGES
        for name in re.findall(r"`((?:[\w-]+/)*[\w-]+(?:\.py|/))`", page.read_text(encoding="utf-8"))
        if not any((home / name).exists() for home in homes)
    ]
    assert missing == []


def test_links_between_pages_lead_somewhere() -> None:
    """A relative link on a page names a file that is there."""
    broken = [
        (page.name, target)
        for page in PAGES
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []
