"""A report as people see it and use it, in a real browser."""

import re
from math import inf
from time import perf_counter

import pytest
from attrs import evolve

from paypro_async._core.money import amount_for_people
from tests.report.browser.samples import HOSTILE, about, hostile_rows, rows
from tests.support.chromium import found_by_axe

pytestmark = pytest.mark.browser

_WIDTHS = {"wide": 1280, "tablet": 800, "phone": 360}


def _texts(page, selector):
    return page.locator(selector).all_inner_texts()


def _overflow(page):
    """How many pixels the page can be scrolled to the side; and what stands out, in a section as well."""
    return page.evaluate(
        """() => [document.documentElement.scrollWidth - innerWidth, [...document.querySelectorAll("section")]
           .filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.getAttribute("aria-labelledby"))]"""
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", _WIDTHS)
def test_it_can_be_read_in_both_themes_and_at_every_width(show, pictures, scheme, size):
    """Nothing stands out at the side, and a checker of accessibility has nothing to say, contrast included."""
    page = show(rows(1000), about(1000), color_scheme=scheme, width=_WIDTHS[size], height=800)
    page.screenshot(path=pictures / f"{size}-{scheme}.png", full_page=True)
    assert _overflow(page) == [0, []]
    assert found_by_axe(page) == []
    page.locator("#payouts tbody button").first.click()
    page.screenshot(path=pictures / f"one-{size}-{scheme}.png")
    assert found_by_axe(page) == []


def test_the_other_theme_can_be_chosen(show):
    """Whatever the system says."""
    page = show(rows(5), about(), color_scheme="light")
    colour = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    for name in ("light", "dark", "auto"):
        page.locator("#theme").click()
        assert page.locator("#theme").inner_text() == f"Theme: {name}"
        assert (page.evaluate(colour) == light) is (name != "dark")


def test_hostile_texts_are_shown_and_do_nothing(show):
    """No script of theirs runs, none becomes an element, and none turns the text around; not in the title either."""
    page = show(hostile_rows(), about(title=HOSTILE[0]), unmasked=True)
    assert page.evaluate("() => window.hacked") is None
    # The script of the page, and its facts; the rows are taken out once they are read.
    assert page.evaluate("() => document.scripts.length") == 2
    assert page.evaluate("() => document.querySelectorAll('img, iframe, h1 ~ h1, b b').length") == 0
    assert HOSTILE[0] in page.title()
    for number, text in enumerate(HOSTILE):
        page.locator("#payouts tbody button").nth(number).click()
        shown = page.locator("#one dd").all_inner_texts()
        if text.isprintable() and len(text) < 100:
            assert shown.count(text) >= 6, text
        assert not set("\u202e\u2028\x00\x1b") & set("".join(shown))
        page.keyboard.press("Escape")
    page.locator("#search").fill("</script>")
    page.wait_for_timeout(300)
    assert page.locator("#found").inner_text() == "3 payouts of 12"
    assert page.evaluate("() => window.hacked") is None


def test_the_script_shows_what_the_page_held_without_it(show):
    """The first rows read the same with and without JavaScript, amounts and times included."""
    some = list(rows(150))
    cells = "#payouts tbody tr:nth-child(-n+20)"
    without = show(some, about(), java_script_enabled=False)
    before = without.eval_on_selector_all(cells, "rows => rows.map(row => row.textContent)")
    after = show(some, about()).eval_on_selector_all(cells, "rows => rows.map(row => row.textContent)")
    assert before == after
    assert len(after) == 20
    assert all(amount_for_people(row.amount, "INR") in text for row, text in zip(some[:20], after, strict=True))


def test_without_javascript_the_numbers_and_the_first_rows_are_there(show):
    """And it is said that there are more."""
    page = show(rows(1000), about(1000), java_script_enabled=False)
    assert "of 1,000 payouts are paid" in page.locator("#verdict").inner_text()
    assert page.locator("#payouts tbody tr").count() == 200
    assert page.get_by_text("The first 200 of 1,000 payouts are shown").first.is_visible()
    assert not page.locator("#search").is_visible()
    assert _overflow(page) == [0, []]


@pytest.mark.parametrize(("count", "found"), [(0, "There are none."), (1, "1 payout"), (3, "3 payouts")])
def test_the_smallest_reports_are_reports_as_well(show, count, found):
    """Nothing fails, and a checker of accessibility has nothing to say."""
    page = show(rows(count), about(count))
    assert page.locator("#found").inner_text() == found
    assert found_by_axe(page) == []


def test_the_table_is_searched_and_filtered(show):
    """By any part of a number, a masked name, a status, a code or an amount; several words must all be there."""
    page = show(rows(1000), about(1000))
    found = page.locator("#found")

    def search(text):
        page.locator("#search").fill(text)
        page.wait_for_timeout(200)
        return found.inner_text()

    assert search("12-0000007") == "1 payout of 1,000"
    assert _texts(page, "#payouts tbody .badge:visible") == ["reversed"]
    assert search("REJECTED_transaction failed") != "1,000 payouts"
    assert {"failed"} == set(_texts(page, "#payouts tbody .c-status"))
    assert search("nothing at all").startswith("No payout is like that")
    search("")
    page.get_by_role("button", name=re.compile("^unknown")).click()
    assert set(_texts(page, "#payouts tbody .c-status")) == {"unknown"}
    page.get_by_role("button", name=re.compile("^all")).click()
    assert found.inner_text() == "1,000 payouts"
    page.locator("[data-show=review]").click()
    assert found.inner_text() == "1 payout of 1,000"


def test_everything_is_done_with_the_keyboard_alone(show):
    """Sorting says its direction; a payout is opened, closed, and the place kept."""
    page = show(rows(300), about())
    amount = page.locator("#payouts thead th.c-amount")
    amount.locator("button").focus()
    for direction in ("ascending", "descending"):
        page.keyboard.press("Enter")
        assert amount.get_attribute("aria-sort") == direction
    sums = [float(text.replace(",", "")) for text in _texts(page, "#payouts tbody .c-amount .one")]
    assert sums == sorted(sums, reverse=True)
    assert sums[0] == float(max(row.amount for row in rows(300)))
    button = page.locator("#payouts tbody button").first
    button.focus()
    page.keyboard.press("Enter")
    assert page.locator("#one").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#one").is_visible()
    assert page.evaluate("() => document.activeElement.dataset.index !== undefined")


def quickest(page, *, enough: float) -> float:
    """The seconds in which the page opens, of five times at most, since others use the machine too."""
    least = inf
    for _ in range(5):
        start = perf_counter()
        page.reload()
        page.wait_for_selector("html[data-ready]", state="attached")
        least = min(least, perf_counter() - start)
        if least < enough:
            break
    return least


def test_a_hundred_thousand_rows_do_not_freeze(show, tmp_path):
    """At most 15 MB; the first view in two seconds, each sorting and search in one, and scrolling in no time."""
    page = show(rows(100_000), about(100_000))
    written = (tmp_path / "report.html").stat().st_size
    opened = quickest(page, enough=2)
    took = page.evaluate(
        """() => {
          const took = {};
          function time(name, act) {
            const start = performance.now();
            act();
            took[name] = performance.now() - start;
          }
          for (const head of document.querySelectorAll("#payouts thead th")) time(`sort ${head.dataset.key}`, () => {
            head.querySelector("button").click(); document.body.offsetHeight; });
          const view = document.getElementById("view");
          time("scroll", () => { view.scrollTop = view.scrollHeight / 2; document.body.offsetHeight; });
          return took;
        }"""
    )
    page.wait_for_timeout(100)
    took["search"] = page.evaluate(
        """() => new Promise((done) => {
          const start = performance.now(), found = document.getElementById("found");
          new MutationObserver(() => { document.body.offsetHeight; done(performance.now() - start); })
            .observe(found, {childList: true});
          const search = document.getElementById("search");
          search.value = "asha-none 0100019"; search.dispatchEvent(new Event("input"));
        })"""
    )
    print({"MB": written / 1e6, "opened, s": round(opened, 2)} | {name: round(ms) for name, ms in took.items()})
    assert written <= 15_000_000
    assert opened < 2
    assert {name: ms for name, ms in took.items() if ms >= 1000} == {}
    assert page.locator("#payouts tbody tr").count() < 100
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    # The last row is drawn where it should be.
    page.evaluate("() => { const view = document.getElementById('view'); view.scrollTop = view.scrollHeight; }")
    page.get_by_text("3f9a2b7c11d04e55ab12-0100000").wait_for()
    assert page.locator("#payouts tbody tr").last.get_attribute("aria-rowindex") == "100001"


@pytest.mark.parametrize(("count", "printed"), [(300, 300), (3000, 1000)])
def test_a_small_report_is_printed_whole_and_a_large_one_says_what_is_left_out(show, pictures, count, printed):
    """As a PDF of many pages; and the table is as it was afterwards."""
    page = show(rows(count), about())
    page.evaluate(
        """() => addEventListener("beforeprint", () => {
          window.printed = [
            document.querySelectorAll("#payouts tbody tr").length, document.getElementById("printed").textContent];
        })"""
    )
    pdf = page.pdf(path=pictures / f"print-{count}.pdf", prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type ?/Page\b", pdf)) > printed / 40
    lines, note = page.evaluate("() => window.printed")
    assert lines == printed
    assert note == (
        "" if printed == count else "Printed are the first 1,000 of 3,000 payouts. The file itself holds them all."
    )
    assert page.locator("#payouts tbody tr").count() < 100


def test_an_account_is_shown_whole_on_a_screen_and_on_paper(show):
    """The longest that a bank has, where it was asked for: a person compares it digit by digit."""
    account = "501000000000170001"
    page = show([evolve(one, bank_number=account) for one in rows(5)], about(), unmasked=True)
    cell = page.locator("#payouts tbody .c-payee .two").first
    assert cell.text_content() == account
    assert cell.evaluate("one => one.scrollWidth <= one.clientWidth")
    height = cell.bounding_box()["height"]
    page.set_viewport_size({"width": 1032, "height": 720})  # of A4 landscape, within its margins
    page.emulate_media(media="print")
    assert cell.bounding_box()["height"] <= height


def test_the_header_of_the_table_is_on_every_printed_page(show):
    """Chromium leaves out a box that is a button wherever it repeats a header."""
    page = show(rows(300), about())
    page.emulate_media(media="print")
    buttons = page.locator("#payouts thead th button")
    assert buttons.count() == 8
    assert set(buttons.evaluate_all("all => all.map(one => getComputedStyle(one).display)")) == {"contents"}
