"""A real Chromium that opens reports as people do: from a file, with no network."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from paypro_async.report.html import About, write_report
from paypro_async.report.rows import ReportRow

_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--force-color-profile=srgb", "--hide-scrollbars"),
)


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where screenshots go, for people to look at."""
    folder = Path(os.environ.get("PAYPRO_SCREENSHOTS", "docs/_build/report"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    program = os.environ.get("PAYPRO_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "no chromium here; install it (apt-get install chromium), or name it in PAYPRO_CHROMIUM"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        yield browser
        browser.close()


Show = Callable[..., Any]


@pytest.fixture
def show(chromium: Any, tmp_path: Path) -> Iterator[Show]:
    """Opens a report; at the end of the test, nothing may have been complained about, loaded or run."""
    with _contexts(chromium) as new_page:

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


@contextmanager
def _contexts(chromium: Any) -> Iterator[Callable[..., Any]]:
    complaints: list[str] = []
    contexts: list[Any] = []

    def new_page(**given: Any) -> Any:
        size = {"width": given.pop("width", 1280), "height": given.pop("height", 900)}
        context = chromium.new_context(viewport=size, **given)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: complaints.append(request.url) if _is_foreign(request.url) else None)
        return page

    yield new_page
    for context in contexts:
        context.close()
    assert complaints == []


def _is_foreign(url: str) -> bool:
    return not url.startswith("file:") and url != "data:,"
