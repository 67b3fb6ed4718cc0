"""A report as a notebook shows it: what it came to, a bar, and the first rows that somebody must look at.

One piece of HTML without script and without styles of its own, since notebooks, their viewers and mail drop both. It
takes the colours of the page around it, light or dark, and tells nothing by colour alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from paypro_async._core.items import ItemStatus
from paypro_async._core.money import amount_for_people
from paypro_async.report.rows import ReportRow
from paypro_async.report.texts import html

__all__ = ["bar", "cell", "rows_table", "statuses_table", "table", "words"]

_CELL = "padding:2px 10px;text-align:{};vertical-align:top"
_LONGEST = 500  # characters; the end of a message says what to do
# Of a lightness that can be seen on white and on black.
_COLOURS: Mapping[ItemStatus, str] = {
    ItemStatus.SUCCEEDED: "#2a9d5c",
    ItemStatus.PROCESSING: "#3d8fd1",
    ItemStatus.UNKNOWN: "#d99a1c",
    ItemStatus.MISSING: "#d99a1c",
    ItemStatus.REVIEW: "#d99a1c",
}
_WRONG = "#d4554a"
# A person at a notebook has no command line before them, and a batch leaves no file of failed rows.
_NEXT: Mapping[ItemStatus, str] = {
    ItemStatus.PROCESSING: "Wait, then ask for news: pay the same again with refresh=True.",
    ItemStatus.FAILED: "Mend the cause and pay it under a new trade_no.",
    ItemStatus.UNKNOWN: "Pay the same again, which asks first. Never pay it under a new trade_no.",
    ItemStatus.NOT_SENT: "Pay the same again: it sends it.",
}


def cell(*parts: str) -> str:
    """The whole of it."""
    return f'<div style="max-width:72em">{"".join(parts)}</div>'


def bar(counts: Mapping[ItemStatus, int]) -> str:
    """How many payouts of each status, as one bar whose parts have a title and a text for those who do not see it."""
    total = sum(counts.values())
    if not total:
        return ""
    told = ", ".join(f"{counts[one]:,} {words(one)}" for one in _in_order(counts))
    parts = "".join(
        f'<span title="{counts[one]:,} {words(one)}" style="display:inline-block;height:100%;'
        f'width:{100 * counts[one] / total:.3f}%;background:{_COLOURS.get(one, _WRONG)}"></span>'
        for one in _in_order(counts)
    )
    style = "height:10px;margin:6px 0;border-radius:5px;overflow:hidden;white-space:nowrap;font-size:0;line-height:0"
    return f'<div role="img" aria-label="{told}" style="{style}">{parts}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[int] = ()) -> str:
    """A table; the columns at the positions *numbers* are set to the right."""

    def cells(kind: str, row: Sequence[object]) -> Iterator[str]:
        for position, one in enumerate(row):
            side = "right;white-space:nowrap" if position in numbers else "left"
            yield f'<{kind} style="{_CELL.format(side)}">{_html(one)}</{kind}>'

    lines = "".join(f"<tr>{''.join(cells('td', row))}</tr>" for row in rows)
    # Some pages give a table the colour of text on white, whatever is around it.
    style = "color:inherit;border-collapse:collapse;margin:8px 0"
    head_line = "".join(cells("th", head))
    return f'<table style="{style}"><thead><tr>{head_line}</tr></thead><tbody>{lines}</tbody></table>'


def statuses_table(counts: Mapping[ItemStatus, int], amounts: Mapping[ItemStatus, Decimal], currency: str) -> str:
    """A line for each status: how many payouts, their sum, what it means for the money, and what to do."""
    lines = [
        (
            words(one),
            f"{counts[one]:,}",
            amount_for_people(amounts.get(one, Decimal(0)), currency),
            one.meaning,
            _NEXT.get(one, one.what_to_do),
        )
        for one in _in_order(counts)
    ]
    return table(["status", "payouts", currency or "sum", "meaning", "what to do"], lines, numbers=(1, 2))


def rows_table(rows: Iterable[ReportRow]) -> str:
    """A line for each row, with names and accounts as they are given."""
    lines = [
        (
            f"{row.row:,}",
            row.trade_no,
            row.name,
            row.bank_number,
            "" if row.amount is None else amount_for_people(row.amount, row.currency),
            words(row.status),
            row.code,
            row.message,
        )
        for row in rows
    ]
    head = ["row", "trade_no", "name", "account", "amount", "status", "code", "message"]
    return table(head, lines, numbers=(0, 4))


def words(status: ItemStatus) -> str:
    """A status for people."""
    return status.value.replace("_", " ")


def _in_order(counts: Mapping[ItemStatus, int]) -> list[ItemStatus]:
    return [one for one in ItemStatus if counts.get(one)]


def _html(one: object) -> str:
    if one is None:
        return ""
    text = str(one)
    # A dollar would begin a formula where a notebook sets mathematics.
    return html(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…").replace("$", "&#36;")
