"""The links of pages, as they are written and as they are built."""

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

from tests.docs.pages import PAGES, ROOT

LINKED = [
    *PAGES,
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "examples").rglob("*.md")),
    *sorted((ROOT / "changelog.d").glob("*.md")),
]
_FENCED = re.compile(r"^([ \t]*)(`{3,}|~{3,}).*?^\1\2[ \t]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(
    r"\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)|^\[[^\]]+\]: (\S+)|<(https?://[^>\s]+)>|(?:src|href)=\"([^\"]+)\"",
    re.MULTILINE,
)
_LABEL = re.compile(r"^\(([\w-]+)\)=$", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} +(.*?) *#*$", re.MULTILINE)


def prose(page: Path) -> str:
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def home_of(page: Path) -> Path:
    """Where its links begin. A fragment becomes a part of CHANGELOG.md."""
    return ROOT if page.parent.name == "changelog.d" else page.parent


def links_of(page: Path) -> list[str]:
    text = re.sub(r"`[^`\n]*`", "", prose(page))
    return [next(filter(None, match.groups())) for match in _LINK.finditer(text)]


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """Those of headings, as GitHub and MyST make them, and labels."""
    text = prose(page)
    found: list[str] = []
    for heading in _HEADING.findall(text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return frozenset([*found, *_LABEL.findall(text)])


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value and tag not in ("input", "meta", "form"):
                self.anchors.add(value)
            elif name in ("href", "src") and value and tag != "base":
                self.links.append(value)


@cache
def built(page: Path) -> _Reader:
    reader = _Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    return reader
