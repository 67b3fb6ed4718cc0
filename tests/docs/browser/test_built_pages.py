"""Each page of the documentation as people see it: wide and on a phone, light and dark."""

import os
from pathlib import Path

import pytest

from tests.docs.pages import BUILT, ROOT, built_pages
from tests.support.chromium import contexts, found_by_axe

pytestmark = pytest.mark.browser

_WIDTHS = {"wide": 1280, "phone": 390}
_CONTRAST = {"runOnly": ["color-contrast"]}

# What stands out at the side, though the page cannot be scrolled to it. What scrolls inside may be as wide as it likes.
_STANDS_OUT = """() => [...document.querySelectorAll("article *")]
  .filter((one) => !one.closest("pre, .table-wrapper, .math, .visually-hidden, .toc-drawer, .mobile-header, svg *"))
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
  .map((one) => one.outerHTML.slice(0, 120))"""
_SCROLLS_BY = "() => document.documentElement.scrollWidth - innerWidth"
_BROKEN = "() => [...document.images].filter((one) => one.complete && !one.naturalWidth).map((one) => one.src)"


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where screenshots go, for people to look at."""
    folder = Path(os.environ.get("PAYPRO_SCREENSHOTS", ROOT / "docs/_build")) / "pages"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("name", built_pages())
def test_a_page_can_be_read_in_both_themes_and_on_a_phone(chromium, pictures, name):
    """Nothing stands out at the side, no picture is missing, and a checker of accessibility has nothing to say."""
    found = {}
    with contexts(chromium) as new_page:
        for size, width in _WIDTHS.items():
            for scheme in ("light", "dark"):
                page = new_page(width=width, height=900, color_scheme=scheme)
                page.goto((BUILT / f"{name}.html").as_uri())
                page.screenshot(path=pictures / f"{name.replace('/', '-')}-{size}-{scheme}.png", full_page=True)
                complaints = [
                    *([f"the page scrolls by {by} px"] if (by := page.evaluate(_SCROLLS_BY)) > 0 else []),
                    *page.evaluate(_STANDS_OUT),
                    *page.evaluate(_BROKEN),
                    *(_axe(page, scheme) if size == "wide" else []),
                ]
                if complaints:
                    found[size, scheme] = complaints
    assert found == {}


def _axe(page, scheme):
    """The same stands there in both themes, but for its contrast."""
    minor = {"empty-table-header": {"enabled": False}}  # a table whose first column needs no name
    return found_by_axe(page, rules=minor) if scheme == "light" else found_by_axe(page, **_CONTRAST)


def test_the_search_works_from_the_disk(chromium):
    """Without a server: what is typed finds the page that is about it."""
    with contexts(chromium) as new_page:
        page = new_page()
        page.goto((BUILT / "index.html").as_uri())
        box = page.locator("form.sidebar-search-container input[name=q]").first
        box.fill("settle_after")
        box.press("Enter")
        page.wait_for_selector("#search-results ul.search li a")
        titles = page.locator("#search-results ul.search li a").all_inner_texts()
        assert len(titles) > 2
        page.locator("#search-results ul.search li a").first.click()
        assert page.locator("article").inner_text()
