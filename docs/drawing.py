"""Boxes, arrows and texts as SVG, in the colours of a light and of a dark page.

A drawing is 360 units wide, as wide as a phone, and its smallest text is 12 units: nothing needs to be scrolled.
"""

from collections.abc import Sequence
from html import escape

from attrs import Factory, define, frozen

__all__ = ["DARK", "LIGHT", "WIDTH", "Drawing", "Palette"]

WIDTH = 360
_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
_LETTER = 0.56  # of the size of the text; the widest of those fonts
_DRAWN_AT = 460  # pixels, where there is room


@frozen
class Palette:
    """The colours of one theme; of each kind of box the fill and the edge."""

    text: str
    soft: str
    line: str
    kinds: dict[str, tuple[str, str]]


LIGHT = Palette(
    text="#1b1f24",
    soft="#4b5560",
    line="#5b6773",
    kinds={
        "plain": ("#f4f6f8", "#8a96a3"),
        "group": ("none", "#8a96a3"),
        "open": ("#e8f0fe", "#3b6fd4"),
        "good": ("#e3f5e9", "#2c8a4f"),
        "bad": ("#fdeceb", "#c4453c"),
        "person": ("#fff4dc", "#a86e08"),
    },
)
DARK = Palette(
    text="#e8ebee",
    soft="#b3bcc6",
    line="#98a4b0",
    kinds={
        "plain": ("#22272d", "#6e7a86"),
        "group": ("none", "#6e7a86"),
        "open": ("#1b2b47", "#6d9bf1"),
        "good": ("#173524", "#57c17f"),
        "bad": ("#40201e", "#ee7f77"),
        "person": ("#3b2d10", "#e0aa45"),
    },
)


@define
class Drawing:
    """What is drawn, from back to front.

    Args:
        palette: Its colours.
        height: In units.
        parts: SVG elements.
    """

    palette: Palette
    height: int
    parts: list[str] = Factory(list)

    def box(self, at: tuple[int, int], size: tuple[int, int], lines: Sequence[str], *, kind: str = "plain") -> None:
        """A box with its texts in the middle: the first in bold, the others small. *at* is its upper left corner."""
        (x, y), (width, height) = at, size
        fill, edge = self.palette.kinds[kind]
        dashes = ' stroke-dasharray="5 4"' if kind == "group" else ""
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="7" fill="{fill}" stroke="{edge}" '
            f'stroke-width="1.3"{dashes}/>'
        )
        begin = y + height / 2 - (len(lines) - 1) * 8 + 4.5
        for number, line in enumerate(lines):
            self.text((x + width // 2, round(begin + number * 16)), line, bold=number == 0, fits=width - 8)

    def text(
        self, at: tuple[int, int], text: str, *, bold: bool = False, middle: bool = True, fits: int = WIDTH
    ) -> None:
        """One line of text, its baseline at *at*.

        Raises:
            ValueError: If it is wider than it may be.
        """
        size = 13 if bold else 12
        if len(text) * size * _LETTER > fits:
            raise ValueError(f"{text!r} is wider than {fits} units")
        weight, colour = ("600", self.palette.text) if bold else ("400", self.palette.soft)
        anchor = "middle" if middle else "start"
        self.parts.append(
            f'<text x="{at[0]}" y="{at[1]}" font-size="{size}" font-weight="{weight}" fill="{colour}" '
            f'text-anchor="{anchor}">{escape(text)}</text>'
        )

    def arrow(self, *points: tuple[int, int], dashed: bool = False) -> None:
        """A line with a head at its last point; dashed where a person decides."""
        path = " ".join(f"{'L' if number else 'M'}{x} {y}" for number, (x, y) in enumerate(points))
        dashes = ' stroke-dasharray="4 3"' if dashed else ""
        self.parts.append(
            f'<path d="{path}" fill="none" stroke="{self.palette.line}" stroke-width="1.5"{dashes} '
            'stroke-linejoin="round" marker-end="url(#head)"/>'
        )

    def svg(self, title: str) -> str:
        """The file."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_DRAWN_AT}" height="{self.height * _DRAWN_AT // WIDTH}" '
            f'viewBox="0 0 {WIDTH} {self.height}" role="img" font-family="{_FONT}">'
        )
        marker = (
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto"><path d="M0 0L8 4L0 8Z" fill="{self.palette.line}"/></marker></defs>'
        )
        return "\n".join([head, f"<title>{escape(title)}</title>", marker, *self.parts, "</svg>", ""])
