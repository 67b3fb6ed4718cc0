"""The page: rows come one by one and are written as they come, and what they add up to is written behind them.

So no memory grows with the rows. For a reader the order is the other way round: rows are data, which a browser does not
show, and the table that the script makes of them stands below the numbers.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from io import StringIO
from typing import Any, TextIO

from paypro_async._core.items import ItemStatus
from paypro_async.report.html.about import About
from paypro_async.report.html.sections import (
    about_section,
    causes_section,
    charts_section,
    signs,
    statuses_section,
    table_section,
    top,
)
from paypro_async.report.html.statistics import Statistics, Timeline
from paypro_async.report.html.table import RowData, row_html, without_names
from paypro_async.report.html.verdict import headline
from paypro_async.report.rows import ReportRow
from paypro_async.report.texts import html, json_in_html

__all__ = ["HtmlReport", "report_html", "write_report"]

_TOGETHER = 2000  # rows in one piece of data
_MOST_PAID, _MOST_OTHERS = 200_000, 100_000  # in the table; browsers draw no table that is higher
_WITHOUT_SCRIPT = 200


def report_html(rows: Iterable[ReportRow], about: About, *, unmasked: bool = False) -> str:
    """The page as one text. The arguments are those of :func:`write_report`."""
    out = StringIO()
    write_report(out, rows, about, unmasked=unmasked)
    return out.getvalue()


def write_report(out: TextIO, rows: Iterable[ReportRow], about: About, *, unmasked: bool = False) -> None:
    """Write the page.

    Args:
        out: Where to; opened with ``encoding="utf-8"``.
        rows: The payouts in the order of the table; each is looked at once.
        about: What else the page tells.
        unmasked: Show names and account numbers as they are, to all who have the page.
    """
    page = HtmlReport(out, about, unmasked=unmasked)
    for row in rows:
        page.add(row)
    page.end()


class HtmlReport:
    """A page that is written row by row: :meth:`add` each, then :meth:`end`.

    The arguments are those of :func:`write_report`.

    Attributes:
        about: What the page tells beside its rows. But for its title it may be replaced until the end.
    """

    def __init__(self, out: TextIO, about: About, *, unmasked: bool = False) -> None:
        self.about = about
        self._out = out
        self._unmasked = unmasked
        self._numbers = Statistics(timeline=Timeline(zone=about.zone))
        self._data = RowData()
        self._waiting: list[Any] = []
        self._first: list[str] = []
        self._paid = self._others = 0
        out.write(_head(about))

    def add(self, row: ReportRow) -> None:
        """Take one row, and write it sooner or later."""
        if not self._unmasked:
            row = without_names(row)
        self._numbers.add(row, row.message)
        if len(self._first) < _WITHOUT_SCRIPT:
            self._first.append(row_html(row, self.about.zone))
        # Of more than a browser can show, those are kept that somebody must look at.
        if row.status is ItemStatus.SUCCEEDED:
            self._paid += 1
            wanted = self._paid <= _MOST_PAID
        else:
            self._others += 1
            wanted = self._others <= _MOST_OTHERS
        if wanted:
            self._waiting.append(self._data.of(row))
        if len(self._waiting) >= _TOGETHER:
            self._write_rows()

    @property
    def count(self) -> int:
        """How many rows were taken."""
        return self._numbers.count

    @property
    def headline(self) -> str:
        """The first sentence of the page: how many are paid, and how much money that is."""
        return headline(self._numbers)

    def end(self) -> None:
        """Write what the rows come to, and the end of the page."""
        self._write_rows()
        about, numbers = self.about, self._numbers
        left_out = max(0, self._paid - _MOST_PAID) + max(0, self._others - _MOST_OTHERS)
        facts = {
            "statuses": [status.value for status in ItemStatus],
            "meanings": [status.meaning for status in ItemStatus],
            "words": list(self._data.words.numbers),
            "start": self._data.start or 0,
            "offset": _offset_minutes(about),
            "zone": about.made_at.astimezone(about.zone).tzname(),
            "left_out": left_out,
        }
        self._out.write(f'<script type="application/json" id="facts">{json_in_html(facts)}</script>\n{signs()}')
        self._out.write('<a class="skip" href="#all">To the table of all payouts</a><main>')
        parts = (
            top(about, numbers, unmasked=self._unmasked),
            statuses_section(numbers),
            causes_section(numbers),
            charts_section(numbers),
            table_section(rows="".join(self._first), count=numbers.count, shown=len(self._first), left_out=left_out),
            about_section(about, numbers, unmasked=self._unmasked),
        )
        for part in parts:
            self._out.writelines(part)
            self._out.write("\n")
        self._out.write(f"</main><script>{_asset('page.js')}</script></body></html>\n")

    def _write_rows(self) -> None:
        if self._waiting:
            data = json_in_html(self._waiting)
            self._out.write(f'<script type="application/json" class="rows">{data}</script>\n')
            self._waiting.clear()


def _head(about: About) -> str:
    style, script = _asset("page.css"), _asset("page.js")
    # Nothing is loaded from anywhere, and no script or style runs but the page's own, whatever a text may hold.
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer"><meta name="generator" content="paypro-async">'
        '<meta name="robots" content="noindex"><meta name="color-scheme" content="light dark">'
        '<link rel="icon" href="data:,">'
        f"<title>Payout report: {html(about.title)}</title><style>{style}</style></head>\n<body>\n"
    )


@cache
def _asset(name: str) -> str:
    return files("paypro_async.report.html").joinpath(name).read_text(encoding="utf-8")


@cache
def _hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _offset_minutes(about: About) -> float:
    offset = about.made_at.astimezone(about.zone).utcoffset()
    return offset.total_seconds() / 60 if offset else 0
