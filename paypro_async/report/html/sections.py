"""The parts of a report's page, from top to bottom."""

import re
from collections.abc import Iterator

from paypro_async._core.items import ItemStatus
from paypro_async.report.html.about import About
from paypro_async.report.html.charts import latency_chart, share_bars, timeline_chart
from paypro_async.report.html.statistics import Statistics
from paypro_async.report.html.table import COLUMNS, badge
from paypro_async.report.html.verdict import (
    cause_advice,
    code_meaning,
    headline,
    mood,
    sums_text,
)
from paypro_async.report.texts import counted, html, moment, money, seconds

__all__ = ["about_section", "causes_section", "charts_section", "signs", "statuses_section", "table_section", "top"]

_AS_TYPED = re.compile(r"--[a-z-]+|&#x27;.*?&#x27;")
_SIGNS = {
    ItemStatus.SUCCEEDED: "M3 8.5l3.2 3.2L13 4.8",
    ItemStatus.PROCESSING: "M8 3v5l3 2M8 1.5a6.5 6.5 0 1 0 .01 0",
    ItemStatus.FAILED: "M4 4l8 8M12 4l-8 8",
    ItemStatus.REVERSED: "M6 3L2.5 6.5 6 10M2.5 6.5H10a3.5 3.5 0 0 1 0 7H6",
    ItemStatus.UNKNOWN: "M5.5 6a2.5 2.5 0 1 1 3.6 2.2C8.3 8.7 8 9 8 10M8 12.6v.8",
    ItemStatus.MISSING: "M7 2.5a4.5 4.5 0 1 0 .01 0M10.2 10.2L14 14",
    ItemStatus.REVIEW: "M8 2.5v7M8 12.4v1",
    ItemStatus.NOT_SENT: "M3 8h10",
    ItemStatus.CONFLICT: "M8 2L14.5 13.5h-13zM8 6.5v3.2M8 11.6v.6",
    ItemStatus.INVALID: "M8 1.5a6.5 6.5 0 1 0 .01 0M3.5 3.5l9 9",
}


def signs() -> str:
    """The signs of all statuses, which badges refer to."""
    symbols = "".join(
        f'<symbol id="i-{status}" viewBox="0 0 16 16"><path d="{path}"/></symbol>' for status, path in _SIGNS.items()
    )
    return f'<svg class="signs" aria-hidden="true" focusable="false">{symbols}</svg>'


def top(about: About, numbers: Statistics, *, unmasked: bool) -> Iterator[str]:
    """The title, and first of all who was paid, who was not, and what to do."""
    made = f"{moment(about.made_at, about.zone)} {html(about.made_at.astimezone(about.zone).tzname() or '')}"
    yield (
        '<header><div><p class="kind">Payout report</p>'
        f'<h1><bdi>{html(about.title)}</bdi></h1><p class="small">Made on {made}</p></div>'
        '<button type="button" id="theme" class="quiet" hidden>Theme: auto</button></header>'
    )
    yield f'<section class="verdict {mood(numbers)}" aria-labelledby="verdict">'
    yield f'<h2 id="verdict">{html(headline(numbers))}</h2>'
    todo = [status for status in ItemStatus if numbers.counted(status) and status is not ItemStatus.SUCCEEDED]
    if todo:
        yield '<ul class="todo">'
        for status in todo:
            yield (
                f"<li>{badge(status)}<p><b>{counted(numbers.counted(status))}</b>, "
                f"{html(sums_text(numbers.sums(status)))}: {html(status.meaning)}. "
                f'<span class="do">{_advice(status.what_to_do)}</span> '
                f'<button type="button" class="link" data-show="{status}" hidden>Show '
                f"{'it' if numbers.counted(status) == 1 else 'them'}</button></p></li>"
            )
        yield "</ul>"
    for note in _notes(about, numbers, unmasked=unmasked):
        yield f'<p class="note">{html(note)}</p>'
    yield "</section>"


def statuses_section(numbers: Statistics) -> Iterator[str]:
    """Totals, by status."""
    yield '<section aria-labelledby="totals"><h2 id="totals">Totals</h2>'
    yield from share_bars(numbers)
    yield (
        '<table class="plain totals"><caption>Payouts and sums by status</caption><thead><tr>'
        '<th scope="col">Status</th>'
        '<th scope="col" class="num">Payouts</th><th scope="col" class="num">Sum</th>'
        '<th scope="col" class="wide">Meaning</th></tr></thead><tbody>'
    )
    for status in ItemStatus:
        if number := numbers.counted(status):
            yield (
                f'<tr><th scope="row">{badge(status)}</th><td class="num">{number:,}</td>'
                f'<td class="num">{html(sums_text(numbers.sums(status)))}</td>'
                f'<td class="wide">{html(status.meaning)}</td></tr>'
            )
    yield (
        f'</tbody><tfoot><tr><th scope="row">All</th><td class="num">{numbers.count:,}</td>'
        f'<td class="num">{html(sums_text(numbers.sums()) or "0")}</td><td class="wide"></td></tr></tfoot></table>'
        "</section>"
    )


def charts_section(numbers: Statistics) -> Iterator[str]:
    """When, and how long it took."""
    timeline, latency = timeline_chart(numbers.timeline), latency_chart(numbers.latency)
    if not timeline and not latency:
        return
    yield '<div class="charts">'
    if timeline:
        never = numbers.timeline.untimed
        left = f" {counted(never)} {'was' if never == 1 else 'were'} never begun and not shown." if never else ""
        yield (
            '<section aria-labelledby="when"><h2 id="when">Payouts over time</h2>'
            f'<p class="small">When each was begun, by what became of it.{left}</p>{timeline}</section>'
        )
    if latency:
        other = numbers.count - numbers.latency.count
        left = f" {counted(other)} without an answer {'is' if other == 1 else 'are'} not counted." if other else ""
        yield (
            '<section aria-labelledby="long"><h2 id="long">How long it took</h2>'
            "<p class=small>From the moment a payout was stored to the last change of what is known of it, such as "
            f"&ldquo;paid&rdquo;.{left}</p>{latency}</section>"
        )
    yield "</div>"


def causes_section(numbers: Statistics) -> Iterator[str]:
    """Why payouts were not paid, the most frequent cause first."""
    causes = sorted(numbers.causes.values(), key=lambda cause: -cause.statuses.total())
    if not causes:
        return
    yield (
        '<section aria-labelledby="why"><h2 id="why">What was not accepted, and why</h2>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Table of causes"><table class="plain causes">'
        '<caption>By the platform&rsquo;s code, or the kind of the error</caption><thead><tr><th scope="col">Code</th>'
        '<th scope="col" class="num">Payouts</th><th scope="col" class="num">Sum</th><th scope="col">What it says</th>'
        '<th scope="col">What to do</th></tr></thead><tbody>'
    )
    for cause in causes:
        statuses = " ".join(badge(status) for status in ItemStatus if cause.statuses[status])
        number = cause.statuses.total()
        noun = "payout" if number == 1 else "payouts"
        yield (
            f'<tr><th scope="row"><bdi>{html(cause.code or "no code")}</bdi><div>{statuses}</div></th>'
            f'<td class="num">{number:,}<span class="narrow"> {noun}</span></td>'
            f'<td class="num">{html(sums_text(cause.amounts))}</td>'
            f"<td><bdi>{html(code_meaning(cause))}</bdi></td><td>{_advice(cause_advice(cause))}</td></tr>"
        )
    yield "</tbody></table></div></section>"


def table_section(*, rows: str, count: int, shown: int, left_out: int) -> Iterator[str]:
    """Every payout: the first ones as they are, all of them once the script runs.

    Args:
        rows: The first ones as HTML.
        count: How many there are, *shown* of them in *rows*, and *left_out* not in the page at all.
    """
    yield (
        '<section aria-labelledby="all" class="all"><h2 id="all">All payouts</h2><div id="tools" hidden><label>Search'
        '<input type="search" id="search" autocomplete="off" spellcheck="false" '
        'placeholder="Number, name, code, UTR"></label>'
        '<div id="chips" role="group" aria-label="Show payouts by status"></div></div><p id="found" role="status"></p>'
    )
    if left_out:
        yield (
            f'<p class="note">{counted(left_out)} that {"is" if left_out == 1 else "are"} not in this table '
            f"{'is' if left_out == 1 else 'are'} in all numbers above. Every row is in the result file.</p>"
        )
    if shown < count:
        yield (
            f'<p class="note" id="printed">The first {shown:,} of {counted(count)} are shown. With JavaScript the page '
            "shows, sorts and searches all.</p>"
        )
    heads = "".join(f'<th scope="col" class="c-{key}" data-key="{key}">{name}</th>' for key, name in COLUMNS)
    yield (
        '<div id="view" class="scroll" tabindex="0" role="region" aria-label="Table of all payouts">'
        f'<table id="payouts" class="payouts" aria-rowcount="{count + 1}"><caption class="unseen">All payouts, '
        f"one in a row</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></section>"
        '<dialog id="one" aria-labelledby="one-title"><h2 id="one-title"></h2><dl></dl>'
        '<form method="dialog"><button>Close</button></form></dialog>'
    )


def about_section(about: About, numbers: Statistics, *, unmasked: bool) -> Iterator[str]:
    """Where the numbers come from."""
    zone = about.zone
    facts = (
        ("File or batch", about.title),
        ("Batch", about.batch_id),
        ("Input hash", about.digest),
        ("Planned", None if about.rows is None else _planned(about)),
        ("Merchant", about.merchant_no),
        ("Platform", about.environment),
        ("Region", about.region),
        ("Currency", about.currency or ", ".join(numbers.currencies) or None),
        ("Ledger", about.ledger),
        ("Begun", about.begun_at and moment(about.begun_at, zone)),
        ("Ended", about.ended_at and moment(about.ended_at, zone)),
        ("Took", None if about.elapsed is None else seconds(about.elapsed)),
        ("Stopped early", about.stopped),
        ("Report made", moment(about.made_at, zone)),
        ("Times in", _offset(about)),
        ("Personal data", "shown in full, as was asked" if unmasked else "masked"),
        ("Made by", f"paypro-async {about.package_version}, Python {about.python}"),
    )
    yield '<section aria-labelledby="about"><h2 id="about">About this report</h2><dl class="facts">'
    for name, value in facts:
        if value:
            yield f"<div><dt>{name}</dt><dd><bdi>{html(value)}</bdi></dd></div>"
    yield "</dl></section>"


def _advice(text: str) -> str:
    """Advice in which no option and no command is broken in two at the end of a line."""
    return _AS_TYPED.sub(r'<span class="typed">\g<0></span>', html(text))


def _offset(about: About) -> str:
    local = about.made_at.astimezone(about.zone)
    written = local.strftime("%z")
    return f"{local.tzname()} (UTC{written[:3]}:{written[3:5]})"


def _planned(about: About) -> str:
    total = "" if about.total is None else f", {money(about.total, about.currency or '')}"
    return f"{counted(about.rows or 0)}{total}"


def _notes(about: About, numbers: Statistics, *, unmasked: bool) -> Iterator[str]:
    if about.stopped:
        yield f"The run ended early: {about.stopped}."
    yield from about.notes
    sums = list(numbers.sums().values())
    if about.rows is not None and about.rows != numbers.count:
        yield f"{counted(about.rows)} were planned, and {numbers.count:,} are in this report."
    elif about.total is not None and about.rows is not None and len(sums) == 1:
        if sums[0] == about.total:
            yield f"The rows add up to what was planned: {_planned(about)}."
        else:
            yield f"The rows do not add up to what was planned, {_planned(about)}."
    if unmasked:
        yield "This report shows names and accounts in full. Keep it where only those can read it who may."
