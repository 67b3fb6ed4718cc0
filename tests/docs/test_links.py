"""Each link leads to something that is there: on the pages as they are written, and as they are built."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.links import LINKED, anchors_of, built, home_of, links_of
from tests.docs.pages import BUILT, ROOT, built_pages

# Other people's sites to which pages may lead; no test asks them. A slip in a name is a host that is not here.
HOSTS = {
    "cryptography.io",
    "docs.paypro.tech",
    "opentelemetry.io",
    "procrastinate.readthedocs.io",
    "semver.org",
    "www.rfc-editor.org",
}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_each_link_of_a_page_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    """From one page to another, to an example, to a picture, and within the page."""
    broken = []
    for link in links_of(page):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = (home_of(page) / unquote(parts.path)).resolve() if parts.path else page
        there = target.exists() and (
            not parts.fragment or target.suffix != ".md" or unquote(parts.fragment) in anchors_of(target)
        )
        if not there:
            broken.append(link)
    assert broken == []


def test_links_to_other_sites_are_sound_and_lead_to_known_hosts() -> None:
    """By https alone, and to no host that nobody has looked at; each host of the list is linked to."""
    links = {link for page in LINKED for link in links_of(page) if urlsplit(link).scheme}
    assert [link for link in links if not link.startswith("https://")] == []
    assert {urlsplit(link).hostname for link in links} == HOSTS


@pytest.mark.docs
@pytest.mark.parametrize("name", built_pages())
def test_each_link_of_a_built_page_leads_to_something(name: str) -> None:
    """Without a server: from the folder that `nox -s docs` has made, scripts, styles, pictures and downloads too."""
    page = BUILT / f"{name}.html"
    assert page.exists(), "nox -s docs builds the pages, and tests them then"
    broken = []
    for link in built(page).links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        fragment = unquote(parts.fragment)
        there = target.is_file() and target.is_relative_to(BUILT)
        if not there or (fragment and target.suffix == ".html" and fragment not in built(target).anchors):
            broken.append(link)
    assert broken == []
