"""A real Chromium that opens pages as people do: from a file, with no network."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--force-color-profile=srgb", "--hide-scrollbars"),
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    program = os.environ.get("PAYPRO_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "no chromium here; install it (apt-get install chromium), or name it in PAYPRO_CHROMIUM"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        yield browser
        browser.close()


@contextmanager
def contexts(chromium: Any) -> Iterator[Callable[..., Any]]:
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


def found_by_axe(page: Any, **options: Any) -> list[tuple[str, str, str]]:
    """What a checker of accessibility finds, contrast among it, unless *options* ask it for less."""
    import axe_playwright_python

    page.evaluate((Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    kinds = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
    # Without preload: it would read styles by requests that a page from the disk may not make.
    asked = {"runOnly": kinds, "preload": False} | options
    found = page.evaluate("options => axe.run(options)", asked)
    return [
        (one["id"], node["html"][:200], node["failureSummary"]) for one in found["violations"] for node in one["nodes"]
    ]
