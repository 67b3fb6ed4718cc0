"""Processes forked from one that has made or opened a ledger: gunicorn --preload, multiprocessing, a daemon."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from paypro_async.sandbox import Sandbox
from tests.support.fork_server import ROOT, ForkServer
from tests.support.programs.forker import NUMBERS

PROGRAM = "tests.support.programs.forker"


async def seen(fork_server: ForkServer, way: str, *arguments: str) -> Any:
    """What a process saw that forked itself in that way."""
    child = fork_server.start(PROGRAM, way, *arguments, folder=ROOT)
    assert await child.ended(within=60) == 0, child.errors
    return json.loads(child.output)


@pytest.mark.parametrize("way", ["claims_of_workers", "sends_of_workers"])
async def test_workers_of_one_object_do_not_take_each_others_row_for_their_own(
    fork_server: ForkServer, database_url: str, way: str
):
    """A ledger made before the fork and opened after it: each number is announced by one worker."""
    first, second = await seen(fork_server, way, database_url)
    assert first == NUMBERS
    assert second == []


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def any_url(request: pytest.FixtureRequest, path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("server_url"))
    return "memory" if request.param == "memory" else f"sqlite:///{path}"


@pytest.fixture
async def server_url(server: Any) -> str:
    return str(await server.ledger())


async def test_a_ledger_that_was_opened_before_the_fork_is_refused_after_it(fork_server: ForkServer, any_url: str):
    """The child hears what to do instead of waiting for a thread that it has not; the parent's ledger goes on."""
    found = await seen(fork_server, "opened_ledger", any_url)
    (kind, said), closed = found["child"]
    assert kind == "ClientStateError"
    assert "forked" in said
    assert "open a new client in each process" in said
    assert closed == "closed"
    assert (found["parent"], found["found"]) == (True, ["AFTER", "BEFORE"])


async def test_a_client_that_was_opened_before_the_fork_is_refused_after_it(fork_server: ForkServer, any_url: str):
    """Neither pays nor asks in the child; and its closing there closes nothing of the parent's."""
    async with Sandbox() as sandbox:
        found = await seen(fork_server, "opened_client", any_url, sandbox.base_url)
        assert sandbox.books.booked_once(["BEFORE", "AFTER"]).exact
    assert [kind for kind, _ in found["child"][:2]] == ["ClientStateError"] * 2
    assert all("process" in said for _, said in found["child"][:2])
    assert (found["child"][2], found["parent"]) == ("closed", "processing")


@pytest.mark.parametrize(
    ("name", "purpose"),
    [
        ("the same", "open"),
        ("the same", "open_to_read"),
        ("a link", "open_to_maintain"),
        ("another name", "open"),
    ],
)
async def test_a_file_that_the_parent_has_open_is_refused_in_a_child(
    fork_server: ForkServer, path: Path, purpose: str, name: str
):
    """SQLite would take the parent's locks for the child's own. After exec, and once the parent has closed, it goes."""
    other = path if name == "the same" else path.with_name("other.db")
    if name == "a link":
        other.symlink_to(path)
    elif name == "another name":
        other = path.parent / "x" / ".." / path.name
        (path.parent / "x").mkdir()
    found = await seen(fork_server, "file_of_parent", f"sqlite:///{path}", f"sqlite:///{other}", purpose)
    kind, said = found["child"]
    assert kind == "ClientStateError"
    assert "Close the ledger before the fork" in said
    assert len(json.loads(found["started"])) == 5
    assert found["later"] == "BEFORE"


async def test_a_payout_that_a_fork_doubles_is_sent_by_the_parent_alone(fork_server: ForkServer, tmp_path: Path):
    """Whatever goes on in the child, its copy of a payout under way does not leave; its outcome is unknown there."""
    found = await seen(fork_server, "fork_while_paying", str(tmp_path))
    assert found == {"child": "OutcomeUnknownError", "parent": "succeeded"}
    assert len(os.listdir(tmp_path)) == 1  # noqa: PTH208  nobody else waits in this event loop
