"""What stands in a block is run or read by its language, and no block is in one that nobody reads."""

import ast
import configparser
import importlib
import json
import tomllib
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
import yaml

from tests.docs.pages import Block, all_blocks
from tests.support.fork_server import ForkServer
from tests.support.postgres import Server
from tests.support.programs.python import PROGRAM

# `python docs/screens.py` has taken these from a real terminal, and the tests of it have them.
_TAKEN = "docs/screens"


def blocks(language: str) -> list[pytest.param]:
    return [pytest.param(block, id=block.name) for block in all_blocks() if block.language == language]


@pytest.mark.parametrize("block", blocks("python"))
async def test_each_python_block_runs_as_it_stands(block: Block, fork_server: ForkServer, tmp_path: Path) -> None:
    """It is a program: copied into a file, it runs and ends well."""
    script = tmp_path / (block.file or "example.py")
    script.write_text(block.source, encoding="utf-8")
    child = fork_server.start(PROGRAM, "-W", "error", str(script), folder=tmp_path)
    assert await child.ended(within=50) == 0, child.errors


@pytest.mark.parametrize("block", blocks("py"))
def test_each_part_of_a_program_can_be_read_and_imports_what_is_there(block: Block) -> None:
    """A part needs what stands around it, or a framework that is not here; each name that it takes from us exists."""
    tree = compile(block.source, block.name, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None
            root = node.module.partition(".")[0]
            if root == "paypro_async" or find_spec(root) is not None:
                try:
                    module = importlib.import_module(node.module)
                except ImportError as error:
                    if "paypro-async[dbos]" not in str(error):  # which `nox -s engines` has
                        raise
                    continue
                assert [one.name for one in node.names if not hasattr(module, one.name)] == []


@pytest.mark.parametrize("block", blocks("sql"))
async def test_each_sql_block_runs_on_a_ledger(block: Block, server: Server) -> None:
    """In PostgreSQL, as the pages that have some are about it."""
    with psycopg.connect(await server.ledger()) as connection:
        connection.execute(block.source)


def _read_ini(text: str) -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_string(text)
    assert parser.sections()


READERS = {"json": json.loads, "yaml": yaml.safe_load, "toml": tomllib.loads, "ini": _read_ini}
# `console` is typed by test_commands.py; `text` is looked at; what stands in braces is Sphinx's, which reads it.
RUN = {"python", "py", "sql", "console", "text", *READERS}


@pytest.mark.parametrize("language", READERS)
def test_each_block_of_data_can_be_read(language: str) -> None:
    """By a reader of its language."""
    for block in all_blocks():
        if block.language == language:
            assert READERS[language](block.source) is not False, block.name


def test_no_block_is_in_a_language_that_nobody_reads() -> None:
    """One that is new here needs somebody who runs it or reads it."""
    unread = [block.name for block in all_blocks() if block.language not in RUN and not block.language.startswith("{")]
    assert unread == []


def test_no_command_hides_in_a_block_that_is_only_looked_at() -> None:
    """What people type stands in `console` blocks, and is typed here too."""
    hidden = [
        block.name
        for block in all_blocks()
        if block.language == "text" and not block.page.startswith(_TAKEN) and "\n$ " in f"\n{block.source}"
    ]
    assert hidden == []
