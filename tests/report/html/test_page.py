import json
import re
import tracemalloc
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from html.parser import HTMLParser
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paypro_async._core.items import ItemStatus
from paypro_async.report.html import About, HtmlReport, report_html, write_report
from paypro_async.report.rows import ReportRow

_BEGUN = datetime(2026, 11, 28, 4, 0, tzinfo=UTC)
_KNOWN = {"html", "head", "meta", "link", "title", "style", "body", "script", "main", "header", "section", "footer"} | {
    *("div", "p", "span", "b", "a", "h1", "h2", "ul", "ol", "li", "dl", "dt", "dd", "bdi", "button", "label", "input"),
    *(
        "table",
        "caption",
        "thead",
        "tbody",
        "tfoot",
        "tr",
        "th",
        "td",
        "details",
        "summary",
        "noscript",
        "dialog",
        "form",
    ),
    *("svg", "symbol", "path", "use", "rect", "desc"),
}


def _row(row=1, status=ItemStatus.SUCCEEDED, amount="1500.00", **fields):
    given = {"trade_no": f"T-{row}", "begun_at": _BEGUN, "changed_at": _BEGUN + timedelta(seconds=2)} | fields
    return ReportRow(row=row, status=status, amount=Decimal(amount), currency="INR", **given)


def _data(page):
    """What the script of the page would read: the rows, and the facts about them."""
    rows = re.findall(r'<script type="application/json" class="rows">(.*?)</script>', page, re.DOTALL)
    facts = re.search(r'<script type="application/json" id="facts">(.*?)</script>', page, re.DOTALL)
    return [row for part in rows for row in json.loads(part)], json.loads(facts[1])


class _Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.names, self.handlers = set(), set()

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.handlers |= {name for name, _ in attrs if name.startswith("on")}


def test_the_first_sentence_says_how_many_are_paid_and_how_much_money_that_is():
    """With the grouping of the country, and the sums that are left."""
    rows = [_row(1, amount="123456.50"), _row(2, ItemStatus.FAILED, "1000", code="60019")]
    page = report_html(rows, About(title="payroll.csv"))
    assert "1 of 2 payouts is paid: 1,23,456.50 INR of 1,24,456.50 INR." in page


@pytest.mark.parametrize(
    ("statuses", "sentence"),
    [
        ([], "This report holds no payouts."),
        ([ItemStatus.SUCCEEDED], "The only payout is paid: 1,500.00 INR."),
        ([ItemStatus.SUCCEEDED] * 3, "All 3 payouts are paid: 4,500.00 INR."),
        ([ItemStatus.UNKNOWN], "The only payout is not paid"),
        (
            [ItemStatus.PROCESSING] * 2,
            "All 2 payouts are accepted by the platform, and none is paid yet: 3,000.00 INR.",
        ),
        ([ItemStatus.PROCESSING, ItemStatus.FAILED], "None of 2 payouts is paid yet: 3,000.00 INR."),
        ([ItemStatus.FAILED, ItemStatus.FAILED], "None of 2 payouts is paid: 3,000.00 INR."),
    ],
)
def test_every_mixture_of_ends_has_its_sentence(statuses, sentence):
    rows = [_row(number, status) for number, status in enumerate(statuses, 1)]
    assert sentence in report_html(rows, About(title="x"))


def test_every_status_that_is_left_says_what_to_do():
    """Also where several are left; and money that may have moved is never called failed."""
    rows = [_row(number, status) for number, status in enumerate(ItemStatus, 1)]
    page = report_html(rows, About(title="x"))
    for status in ItemStatus:
        assert f'<use href="#i-{status}"/>' in page
        assert status is ItemStatus.SUCCEEDED or f'data-show="{status}"' in page
    assert "Never pay it anew" in page


def test_names_and_accounts_are_masked_also_in_what_the_platform_said():
    """Unless they are asked for by name."""
    row = _row(name="Asha Rao", bank_number="123456789012", code="00029", message="No account 123456789012 of ASHA RAO")
    masked = report_html([row], About(title="x"))
    for personal in ("Asha", "ASHA", "Rao", "12345678"):
        assert personal not in masked
    assert "9012" in masked
    assert "Asha Rao" in report_html([row], About(title="x"), unmasked=True)


@given(
    text=st.text(max_size=60) | st.sampled_from(["</script><script>alert(1)</script>", "<!--<script>", "]]>", "'\"&"])
)
def test_no_text_becomes_an_element_or_ends_a_script(text):
    """Whatever stands in a name, a message, a number or a file's name."""
    texts = dict.fromkeys(("trade_no", "name", "bank_number", "code", "message", "platform_trade_no", "utr"), text)
    page = report_html([_row(status=ItemStatus.FAILED, **texts)], About(title=text, batch_id=text), unmasked=True)
    page.encode()
    found = _Elements()
    found.feed(page)
    assert found.names <= _KNOWN
    assert not found.handlers
    assert page.count("<script") == page.count("</script>") == 3
    rows, _ = _data(page)
    assert rows[0][0] == 1


def test_what_would_turn_the_text_around_is_shown_by_its_escape():
    """In HTML and in the data."""
    page = report_html([_row(name="a\u202eb\u2028c\x1b")], About(title="x\u202e"), unmasked=True)
    assert "\\u202e" in page
    assert not set("\u202e\u2028\x1b") & set(page)


def test_joiners_of_indian_scripts_stay():
    """Without them a name would be misspelt."""
    assert "क्\u200dष" in report_html([_row(name="क्\u200dष")], About(title="x"), unmasked=True)


def test_the_policy_lets_nothing_run_but_the_page_itself():
    """Its hashes are those of the one style and the one script; nothing may be loaded."""
    page = report_html([], About(title="x"))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'")
    for name, tag in (("style", "<style>"), ("script", "<script>")):
        content = page.partition(tag)[2].partition(f"</{name}>")[0]
        assert f"{name}-src 'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'" in policy


def test_every_row_is_in_the_data_and_adds_up():
    """The table of the script has all rows, though only the first stand in the page as HTML."""
    rows = [_row(number, amount=f"{number}.05") for number in range(1, 5001)]
    page = report_html(rows, About(title="x", rows=5000, total=sum(row.amount for row in rows), currency="INR"))
    data, _ = _data(page)
    assert [row[0] for row in data] == list(range(1, 5001))
    assert sum(Decimal(row[3]) for row in data) == sum(row.amount for row in rows)
    assert "The rows add up to what was planned" in page
    assert page.count("<tr>") < 300


def test_a_sum_that_differs_from_the_plan_is_said():
    """It must not look as if all were well."""
    page = report_html([_row()], About(title="x", rows=1, total=Decimal(7), currency="INR"))
    assert "The rows do not add up to what was planned, 1 payout, 7.00 INR." in page


def test_memory_does_not_grow_with_the_rows():
    """They are written as they come."""

    class Nowhere(StringIO):
        def write(self, text):
            return len(text)

        def writelines(self, lines):
            for _ in lines:
                pass

    def needed(count):
        tracemalloc.start()
        try:
            write_report(Nowhere(), (_row(number) for number in range(1, count + 1)), About(title="x"))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    needed(10)
    assert needed(20_000) < 1.3 * needed(5_000)


def test_of_more_rows_than_a_browser_can_show_those_stay_that_need_a_look(monkeypatch):
    """What is left out of the table is said, and is in the numbers."""
    monkeypatch.setattr("paypro_async.report.html.page._MOST_PAID", 10)
    rows = [_row(number) for number in range(1, 31)] + [_row(31, ItemStatus.UNKNOWN)]
    page = report_html(rows, About(title="x"))
    data, facts = _data(page)
    assert [row[0] for row in data] == [*range(1, 11), 31]
    assert facts["left_out"] == 20
    assert "20 payouts that are not in this table" in page
    assert "30 of 31 payouts are paid" in page


def test_what_is_known_only_at_the_end_may_be_told_then():
    """As when a run ended."""
    out = StringIO()
    page = HtmlReport(out, About(title="x"))
    page.add(_row())
    page.about = About(title="x", stopped="insufficient_funds")
    page.end()
    assert "The run ended early: insufficient_funds." in out.getvalue()
