"""The pages that people read, and what stands in their blocks, as Sybil reads them."""

import re
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sybil import Document
from sybil.parsers.markdown.lexers import DirectiveInHTMLCommentLexer, RawFencedCodeBlockLexer

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
BUILT = ROOT / "docs" / "_build" / "html"  # by `nox -s docs`

_BLOCK = RawFencedCodeBlockLexer(re.compile(r"(?P<language>[^\n]*)\n"))
_REMARK = DirectiveInHTMLCommentLexer("file|exit")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        page: Its path from the root of the repository, as ``docs/bulk.md``.
        number: Which block of its page it is, from 0.
        file: The name of the file that the reader is told to save it as, from ``<!-- file: NAME -->`` before it.
        exits: The exit codes of its last commands, from ``<!-- exit: 4 -->`` before it.
    """

    page: str
    number: int
    line: int
    language: str
    source: str
    file: str | None
    exits: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """What is typed behind ``$ ``, and what the page shows as its output; nothing if it shows none."""

    typed: str
    shown: str
    exits: int


@cache
def blocks_of(page: Path) -> tuple[Block, ...]:
    text = page.read_text(encoding="utf-8")
    document = Document(text, str(page))
    regions = sorted([*_BLOCK(document), *_REMARK(document)], key=lambda region: region.start)
    found: list[Block] = []
    remarks: dict[str, str] = {}
    for region in regions:
        if "directive" in region.lexemes:
            remarks[region.lexemes["directive"]] = region.lexemes["arguments"].strip()
            continue
        found.append(
            Block(
                page=page.relative_to(ROOT).as_posix(),
                number=len(found),
                line=text.count("\n", 0, region.start) + 1,
                language=region.lexemes["language"].strip(),
                source=str(region.lexemes["source"]),
                file=remarks.pop("file", None),
                exits=tuple(map(int, remarks.pop("exit", "").split())),
            )
        )
        assert remarks == {}
    assert remarks == {}, f"{page}: no block follows {remarks}"
    return tuple(found)


def all_blocks() -> list[Block]:
    return [block for page in PAGES for block in blocks_of(page)]


def commands_of(block: Block) -> list[Command]:
    """Those of a console block. One goes on in the next line where a quote is open, or behind a backslash."""
    commands: list[list[str]] = []
    for line in block.source.splitlines():
        if line.startswith("$ "):
            commands.append([line[2:], ""])
        else:
            assert commands, f"{block.name}: a console block begins with '$ '"
            typed, shown = commands[-1]
            commands[-1] = [f"{typed}\n{line}", shown] if _is_open(typed) else [typed, f"{shown}{line}\n"]
    exits = [0] * (len(commands) - len(block.exits)) + list(block.exits)
    return [Command(typed, shown, code) for (typed, shown), code in zip(commands, exits, strict=True)]


def _is_open(typed: str) -> bool:
    if typed.endswith("\\"):
        return True
    try:
        shlex.split(typed, comments=True)
    except ValueError:  # no closing quotation
        return True
    return False


def built_pages() -> list[str]:
    """As ``reference/client``: what the documentation is built of, and the pages that Sphinx adds."""
    docs = ROOT / "docs"
    written = [page.relative_to(docs).with_suffix("").as_posix() for page in PAGES if docs in page.parents]
    return [*(name for name in written if not name.startswith("_")), "genindex", "search"]
