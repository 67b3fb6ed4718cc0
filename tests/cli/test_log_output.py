"""PAYPRO_LOG, and what a run that cannot connect says in its summary and its result file."""

import io
import re

import pytest
from rich.console import Console
from rich.progress import Progress

from paypro_async.cli.log_output import logging_as_asked
from paypro_async.log import logger
from tests.support.servers import unused_url
from tests.support.terminal import Terminal, keeps_quiet

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (DEBUG|INFO|WARNING) \S.*")


async def test_log_is_lines_on_standard_error(terminal: Terminal):
    """At DEBUG each attempt has its line with a time; the results stay alone on standard output."""
    terminal.file(3)
    done = await terminal.run("batch", "payouts.csv", "--yes", "--json", "--quiet", env={"PAYPRO_LOG": "Debug"})
    assert done.code == 0, done.err
    assert done.summary["rows"] == 3
    lines = [line for line in done.err.splitlines() if "Payout " in line]
    assert all(LINE.fullmatch(line) for line in lines), done.err
    assert len([line for line in lines if " DEBUG " in line and ", attempt 1: answered, processing" in line]) == 3
    assert len([line for line in lines if " INFO " in line]) == 3
    keeps_quiet(done.err)


async def test_unknown_level_is_a_slip(terminal: Terminal):
    """A level that there is not is refused with those that there are, and nothing is done."""
    done = await terminal.run("balance", env={"PAYPRO_LOG": "loud"})
    assert done.code == 2
    assert "PAYPRO_LOG is none of debug, info, warning" in done.err


async def test_run_without_a_connection_says_why_everywhere(terminal: Terminal):
    """The summary and the result file have the cause and the mend, also of rows that no attempt was made for."""
    terminal.file(2)
    url = unused_url().removesuffix("/v1/paypro/payout")
    address = url.removeprefix("http://")
    done = await terminal.run(
        "batch", "payouts.csv", "--ignore-balance", "--timeout", "1", env={"PAYPRO_BASE_URL": url}
    )
    words = (
        f"Not sent: {address} refused the connection: nothing listens there. Check host and port of base_url; if they "
        "are right, the platform is down or a firewall refuses."
    )
    assert done.code == 4
    assert "2 rows: " + words.replace("base_url", "PAYPRO_BASE_URL (or --base-url)") in done.out
    assert [row["paypro_message"] for row in terminal.result()] == [words, words]
    assert {row["paypro_status"] for row in terminal.result()} == {"not_sent"}


def test_log_stands_above_a_progress_bar(monkeypatch: pytest.MonkeyPatch):
    """The line of the bar is taken away before, and the line of the log has one of its own."""
    monkeypatch.setenv("PAYPRO_LOG", "info")
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80)
    with Progress(console=console, auto_refresh=False) as progress, logging_as_asked():
        progress.add_task("rows")
        progress.refresh()
        logger.info("news of %s", "T1")
        progress.refresh()
    before, _, after = screen.getvalue().partition("INFO news of T1")
    assert re.search(r"\x1b\[2K[-\d :.]+$", before)
    assert after.startswith("\n")
