"""A real Chromium that opens reports as people do: from a file, with no network."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from paypro_async.report.html import About, write_report
from paypro_async.report.rows import ReportRow
from tests.support.chromium import chromium, contexts

__all__ = ["chromium", "pictures", "show"]


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where screenshots go, for people to look at."""
    folder = Path(os.environ.get("PAYPRO_SCREENSHOTS", "docs/_build/report"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


Show = Callable[..., Any]


@pytest.fixture
def show(chromium: Any, tmp_path: Path) -> Iterator[Show]:
    """Opens a report; at the end of the test, nothing may have been complained about, loaded or run."""
    with contexts(chromium) as new_page:

        def opened(rows: Iterable[ReportRow], about: About, *, unmasked: bool = False, **context: Any) -> Any:
            path = tmp_path / "report.html"
            with path.open("w", encoding="utf-8") as out:
                write_report(out, rows, about, unmasked=unmasked)
            page = new_page(**context)
            page.goto(path.as_uri())
            if context.get("java_script_enabled", True):
                page.wait_for_selector("html[data-ready]", state="attached")
            return page

        yield opened
