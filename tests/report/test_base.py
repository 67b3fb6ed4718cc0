"""What a report shows of itself, in notebooks, in files, and in one line."""

import csv
import io
import re
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from paypro_async import BatchReport, ItemStatus
from paypro_async.report.base import Origin
from paypro_async.report.batch_report import BatchTally
from paypro_async.report.formulas import original, original_number
from paypro_async.report.row_store import RowStore
from paypro_async.report.rows import ReportRow
from tests.support.merchant import PERSONAL, fields, scripted_client
from tests.support.scripted import LOST, PAID, Scripted
from tests.support.virtual_time import virtual_time


class Seen(HTMLParser):
    """The elements of a page, and what a reader finds in it."""

    VOID = frozenset({"br", "meta", "link", "img"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def report_of(*rows: ReportRow, elapsed: float = 1.5, stopped: str | None = None) -> BatchReport:
    tally = BatchTally()
    for one in rows:
        tally.tally.add(one.status, one.amount or Decimal(0))
    origin = Origin(rows=RowStore(one.kept() for one in rows), title="batch-1", batch_id="batch-1", currency="INR")
    return tally.report(elapsed=elapsed, stopped=stopped, origin=origin)


def row(number: int, status: ItemStatus = ItemStatus.SUCCEEDED, **changes: Any) -> ReportRow:
    values = {"trade_no": f"T{number}", "amount": Decimal(3), "name": "Asha Rao", "bank_number": "50100000000017"}
    return ReportRow(row=number, status=status, currency="INR", **(values | changes))


async def paid(*rows: Any, script: Any = PAID) -> BatchReport:
    async with scripted_client(Scripted(script), timeout=5) as client:
        return await client.batch_payout(rows, timeout=5)


@virtual_time
async def test_a_report_is_one_line_where_it_is_printed():
    """In words and as people write money, and not as a dump of its fields."""
    report = await paid(fields("T1", amount="1234567"), fields("T2", amount="x"))
    assert re.fullmatch(r"2 payouts: 1 succeeded \(12,34,567\.00 INR\), 1 invalid \(0\.00 INR\); \d\.\d s", str(report))
    assert str(report_of()) == "no payouts"
    assert (
        str(report_of(row(1), stopped="cancelled"))
        == "1 payout: 1 succeeded (3.00 INR); 1.5 s; stopped early (cancelled)"
    )


@virtual_time
async def test_a_notebook_shows_counts_sums_and_what_to_do():
    """With a bar, and the rows that somebody must look at; nobody is named."""
    report = await paid(fields("T1"), fields("T2", amount="x"), script=LOST)
    seen = Seen(report._repr_html_())
    for told in (
        "unknown",
        "invalid",
        "300.00",
        "money may have moved",
        "T1",
        "T2",
        "Never pay it under a new trade_no",
    ):
        assert told in seen.text
    assert not [value for value in PERSONAL if value in report._repr_html_()]
    assert 'role="img" aria-label="1 unknown, 1 invalid"' in report._repr_html_()


def test_a_notebook_shows_ten_rows_of_many_and_says_so():
    """A hundred thousand would freeze it."""
    rows = [row(number, ItemStatus.FAILED) for number in range(1, 2_000)]
    page = report_of(*rows, row(2_000, ItemStatus.UNKNOWN))._repr_html_()
    assert "1,990 more" in page
    assert "T2000" in page  # what may be paid comes before what is certainly not
    assert len(page) < 20_000


def test_the_failed_rows_are_a_list_that_a_notebook_shows_as_a_table():
    """Nobody is named, and of many a hundred are shown."""
    report = report_of(*(row(number, ItemStatus.FAILED) for number in range(1, 200)))
    assert isinstance(report.failed, list)
    page = report.failed._repr_html_()  # type: ignore[attr-defined]
    assert "99 more" in page
    assert "Asha" not in page
    assert "none" in report.unknown._repr_html_()  # type: ignore[attr-defined]


def test_what_a_text_holds_is_shown_and_never_carried_out():
    """Neither as HTML, nor as mathematics, nor as a script; and no style leaves the cell."""
    hostile = "<script>alert(1)</script>$x^2$ <img src=x onerror=alert(1)> \x1b[2J\u202e"
    page = report_of(row(1, ItemStatus.FAILED, code=hostile, message=hostile, name=hostile))._repr_html_()
    seen = Seen(page)
    assert not set(seen.elements) - {"div", "p", "span", "table", "thead", "tbody", "tr", "th", "td", "code"}
    assert "<script>alert(1)" in seen.text
    assert "\x1b" not in page
    assert "$x" not in page
    assert "onerror=alert" in seen.text


def test_a_cell_of_a_notebook_reads_in_the_light_and_in_the_dark():
    """It sets no colour of text and none behind a text; the parts of the bar have no text."""
    page = re.sub(r"<span[^>]*></span>", "", report_of(row(1), row(2, ItemStatus.FAILED))._repr_html_())
    assert set(re.findall(r"color:([^;\"]*)", page)) == {"inherit"}
    assert "background" not in page


def test_a_report_of_nothing_is_shown_as_that():
    """And one that has lost its rows still shows its counts."""
    assert "no payouts" in report_of()._repr_html_()
    store = RowStore([], failure=OSError("full"))
    tally = BatchTally()
    tally.tally.add(ItemStatus.FAILED, Decimal(3))
    report = tally.report(elapsed=1.0, stopped=None, origin=Origin(rows=store, title="x", currency="INR"))
    assert "could not be kept" in Seen(report._repr_html_()).text
    assert "1 failed" in str(report)
    assert "1 failed" in tally.report(elapsed=1.0, stopped=None)._repr_html_()


def test_csv_is_safe_in_a_spreadsheet_and_can_be_read_back(tmp_path: Path):
    """Formulas, codes and accounts come back as they were, through the same rule as result files."""
    rows = [row(1, code="0015", message="=1+1", name="@SUM(1)"), row(2, ItemStatus.INVALID, amount=None, utr="1E5")]
    report = report_of(*rows)
    text = report.to_csv(unmasked=True)
    assert isinstance(text, str)
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    assert (lines[0]["code"], lines[0]["message"], lines[0]["name"]) == ("'0015", "'=1+1", "'@SUM(1)")
    assert lines[0]["bank_number"] == "'50100000000017"
    for line, one in zip(lines, rows, strict=True):
        assert original(line["bank_number"]) == one.bank_number
        assert original_number(line["amount"]) == ("" if one.amount is None else "3")
        assert original(line["utr"]) == (one.utr or "")
    path = tmp_path / "report.csv"
    assert report.to_csv(path, unmasked=True) is None
    assert path.read_bytes() == b"\xef\xbb\xbf" + text.encode()


def test_csv_is_masked_unless_it_is_said():
    """Nobody is named in a file that was not meant to name anybody."""
    report = report_of(row(1))
    assert "Asha" not in str(report.to_csv())
    assert "0017" in str(report.to_csv())
    assert "Asha Rao" in str(report.to_csv(unmasked=True))


def test_a_page_of_a_report_is_text_or_a_file(tmp_path: Path):
    """It is about the batch, in the region's time, and masked unless it is said."""
    report = report_of(row(1), row(2, ItemStatus.FAILED))
    page = report.to_html()
    assert isinstance(page, str)
    assert page.startswith("<!DOCTYPE html>")
    assert "batch-1" in page
    assert "Asha Rao" not in page
    assert report.to_html(tmp_path / "report.html", unmasked=True) is None
    assert "Asha Rao" in (tmp_path / "report.html").read_text(encoding="utf-8")


@virtual_time
async def test_a_batch_says_that_it_was_not_awaited_yet():
    """In a notebook that is what is shown in place of a report."""
    async with scripted_client(Scripted(PAID)) as client:
        batch = client.batch_payout([fields("T1")])
        assert "(1 items), not awaited yet: nothing was sent. Write 'await' before it" in repr(batch)
        assert not hasattr(batch, "_repr_html_")
        await batch
        assert "ended: 1 payout: 1 succeeded" in repr(batch)
        other = client.batch_payout(iter([]))
        await other.aclose()
        assert "closed: nothing was sent" in repr(other)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_parts_of_the_bar_fill_it(count: int):
    """Whatever the shares."""
    rows = [row(number, status) for number, status in enumerate(list(ItemStatus)[:count], start=1)]
    widths = re.findall(r"width:([\d.]+)%", report_of(*rows)._repr_html_())
    assert sum(map(float, widths)) == pytest.approx(100 if count else 0, abs=0.1)


def test_a_notebook_speaks_of_no_command_and_shows_the_end_of_a_message():
    """Its reader has neither options nor a file of failed rows, and the end of a message says what to do."""
    message = f"{'It was asked about. ' * 15}Never pay it anew."
    rows = [row(place, one, message=message) for place, one in enumerate(ItemStatus, start=1)]
    page = report_of(*rows)._repr_html_()
    assert "--" not in page
    assert "failed rows" not in page
    assert page.count(message) == sum(not one.accepted for one in ItemStatus)
