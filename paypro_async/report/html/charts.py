"""The charts of a report as SVG in the page; each says in words what it shows, and each bar when it is pointed at."""

from collections.abc import Iterator, Sequence
from datetime import timedelta, tzinfo
from decimal import Decimal
from itertools import count

from paypro_async._core.items import ItemStatus
from paypro_async.report.html.statistics import Latency, Statistics, Timeline
from paypro_async.report.html.verdict import sums_text
from paypro_async.report.texts import counted, html, moment, seconds

__all__ = ["latency_chart", "share_bars", "timeline_chart"]

_WIDTH, _HEIGHT = 600, 120
_GROUPS = (("paid", "paid"), ("open", "end not known yet"), ("not_paid", "not paid"))


def share_bars(numbers: Statistics) -> Iterator[str]:
    """How payouts, and how money, are shared out among the statuses."""
    present = [status for status in ItemStatus if numbers.counted(status)]
    counts = [Decimal(numbers.counted(status)) for status in present]
    yield _share_bar("payouts", "Payouts", present, counts, [counted(int(one)) for one in counts])
    if len(numbers.currencies) == 1:
        sums = [numbers.sums(status) for status in present]
        amounts = [sum(one.values(), Decimal(0)) for one in sums]
        yield _share_bar("money", "Money", present, amounts, [sums_text(one) for one in sums])


def _share_bar(
    key: str, name: str, statuses: Sequence[ItemStatus], parts: Sequence[Decimal], said: Sequence[str]
) -> str:
    whole = sum(parts, Decimal(0))
    if not whole:
        return ""
    # The smallest part must be seen too: one of a hundred thousand may be the one that matters.
    widths = [max(float(part / whole) * 1000, 6.0) if part else 0.0 for part in parts]
    scale, x = 1000 / sum(widths), 0.0
    rects = []
    for status, width, text, part in zip(statuses, widths, said, parts, strict=True):
        rects.append(
            f'<rect class="s-{status}" x="{x * scale:.1f}" width="{max(width * scale - 2, 0):.1f}" height="24" rx="2">'
            f"<title>{status}: {html(text)} ({_percent(part / whole)})</title></rect>"
        )
        x += width
    described = "; ".join(
        f"{status}: {text}, {_percent(part / whole)}" for status, text, part in zip(statuses, said, parts, strict=True)
    )
    return (
        f'<div class="share"><span class="share-name">{name}</span>'
        f'<svg viewBox="0 0 1000 24" preserveAspectRatio="none" role="img" aria-labelledby="{key}-t {key}-d">'
        f'<title id="{key}-t">{name} by status</title><desc id="{key}-d">{html(described)}</desc>'
        f"{''.join(rects)}</svg></div>"
    )


def timeline_chart(timeline: Timeline) -> str:
    """When payouts were begun, and what became of them."""
    bars = list(timeline.bars())
    if not bars:
        return ""
    most = max(counts.total() for _, counts in bars)
    step = _WIDTH / max(len(bars), 12)
    rects = []
    for number, (at, counts) in enumerate(bars):
        y = float(_HEIGHT)
        for group, _ in _GROUPS:
            height = counts[group] / most * _HEIGHT
            y -= height
            if height:
                rects.append(_rect(f"g-{group}", number * step, y, step, height))
        if counts:
            told = ", ".join(f"{counts[group]:,} {said}" for group, said in _GROUPS if counts[group])
            rects.append(_rect("hit", number * step, 0, step, _HEIGHT, f"{_time(at, timeline.zone)}: {told}"))
    rows = [
        (_time(at, timeline.zone), *(f"{counts[group]:,}" for group, _ in _GROUPS)) for at, counts in bars if counts
    ]
    last = bars[-1][0] + timedelta(seconds=timeline.width)
    described = (
        f"{counted(sum(counts.total() for _, counts in bars))} begun from {_time(bars[0][0], timeline.zone)} to "
        f"{_time(last, timeline.zone)}; {most:,} at most within {_width(timeline.width)}."
    )
    legend = "".join(f'<li><span class="key g-{group}"></span>{said}</li>' for group, said in _GROUPS)
    full = len(bars) >= 12
    ends = (_time(bars[0][0], timeline.zone), _time(last, timeline.zone) if full else "")
    return (
        f'<ul class="legend">{legend}</ul>'
        + _frame("timeline", "Payouts over time", described, rects, most, f"in {_width(timeline.width)}", ends)
        + _figures(("From", *(said for _, said in _GROUPS)), rows)
    )


def latency_chart(latency: Latency) -> str:
    """How long it took from the beginning to the last answer."""
    bars = list(latency.bars())
    if not bars:
        return ""
    most = max(number for _, _, number in bars)
    step = _WIDTH / max(len(bars), 6)
    rects = []
    for index, (low, high, number) in zip(count(), bars, strict=False):
        height = number / most * _HEIGHT
        if number:
            rects.append(_rect("g-neutral", index * step, _HEIGHT - height, step, height))
            rects.append(_rect("hit", index * step, 0, step, _HEIGHT, f"{_range(low, high)}: {counted(number)}"))
    labels = "".join(f"<li>{_edge(high)}</li>" for _, high, _ in bars) + "<li></li>" * max(0, 6 - len(bars))
    half, most_of_all = seconds(latency.within(0.5)), seconds(latency.within(0.95))
    described = f"{counted(latency.count)}: half within about {half}, 95 of 100 within about {most_of_all}."
    return (
        f'<p class="small">Half within about <b>{half}</b>, 95 of 100 within about <b>{most_of_all}</b>.</p>'
        + _frame("latency", "How long payouts took", described, rects, most, "", ("", ""))
        + f'<ol class="edges" aria-hidden="true">{labels}</ol>'
        + _figures(("Took", "Payouts"), [(_range(low, high), f"{number:,}") for low, high, number in bars])
    )


def _frame(
    key: str, title: str, described: str, rects: Sequence[str], most: int, unit: str, ends: tuple[str, str]
) -> str:
    ends_shown = f'<div class="ends"><span>{ends[0]}</span><span>{ends[1]}</span></div>' if any(ends) else ""
    return (
        f'<div class="most">{most:,} {unit}</div>'
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-labelledby="{key}-t {key}-d"><title id="{key}-t">{title}</title>'
        f'<desc id="{key}-d">{html(described)}</desc>'
        f'<path class="grid" d="M0 .5H{_WIDTH}M0 {_HEIGHT / 2}H{_WIDTH}"/>{"".join(rects)}'
        f'<path class="base" d="M0 {_HEIGHT}H{_WIDTH}"/></svg>{ends_shown}'
    )


def _rect(kind: str, x: float, y: float, width: float, height: float, title: str = "") -> str:
    gap = 0 if kind == "hit" else min(2, width / 4)
    told = f"<title>{html(title)}</title>" if title else ""
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width - gap:.1f}" height="{height:.1f}">{told}</rect>'


def _figures(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col"{_right(number)}>{name}</th>' for number, name in enumerate(names))
    body = "".join(
        f'<tr><th scope="row">{html(row[0])}</th>{"".join(f"<td class=num>{html(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return (
        "<details><summary>The figures</summary>"
        f'<table class="plain"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></details>'
    )


def _right(number: int) -> str:
    return ' class="num"' if number else ""


def _percent(share: Decimal) -> str:
    percent = share * 100
    if 0 < percent < Decimal("0.1"):
        return "less than 0.1 %"
    return f"{percent:.1f} %" if percent != percent.to_integral_value() else f"{percent:.0f} %"


def _time(at: object, zone: tzinfo) -> str:
    return moment(at, zone)  # type: ignore[arg-type]  # a datetime


def _width(width: int) -> str:
    words = {60: "a minute", 3600: "an hour", 86_400: "a day", 604_800: "a week", 1: "a second"}
    return words.get(width, seconds(width))


def _edge(high: float | None) -> str:
    return "more" if high is None else f"{_short(high)}"


def _short(duration: float) -> str:
    return seconds(duration).replace(" min", "m").replace(" ", "")


def _range(low: float | None, high: float | None) -> str:
    if low is None and high is not None:
        return f"less than {seconds(high)}"
    return f"{seconds(low or 0)} or more" if high is None else f"{seconds(low or 0)} to {seconds(high)}"
