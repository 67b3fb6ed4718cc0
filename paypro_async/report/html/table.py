"""The table of a report: every row as data for the script, and the first ones as HTML for readers without scripts."""

import re
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any

from attrs import define, field

from paypro_async._core.items import ItemStatus
from paypro_async._core.masking import mask_account, mask_name
from paypro_async._core.money import amount_for_people, amount_text
from paypro_async.report.rows import ReportRow
from paypro_async.report.texts import html, moment, visible

__all__ = ["COLUMNS", "RowData", "Words", "badge", "row_html", "without_names"]

COLUMNS = (
    ("row", "Row"),
    ("trade", "Trade number"),
    ("payee", "Beneficiary"),
    ("amount", "Amount"),
    ("status", "Status"),
    ("code", "Code and message"),
    ("bank", "UTR, order"),
    ("time", "Last news"),
)
"""The columns, by the names of their classes."""

_STATUSES = list(ItemStatus)
_MOST_WORDS = 2000
_SHORTEST = 3


@define(kw_only=True, eq=False)
class Words:
    """Texts that many rows share, each stored once and named by its number."""

    numbers: dict[str, int] = field(factory=dict)

    def __call__(self, text: str | None) -> int | str | None:
        """The number of a text; the text itself once there are too many."""
        if not text:
            return None
        text = visible(text)
        known = self.numbers.get(text)
        if known is None and len(self.numbers) < _MOST_WORDS:
            known = self.numbers[text] = len(self.numbers)
        return text if known is None else known


@define(kw_only=True, eq=False)
class RowData:
    """Rows as the script reads them: short lists, since there may be a hundred thousand."""

    words: Words = field(factory=Words)
    start: int | None = None
    """When the first payout was begun, in milliseconds since 1970, from which times are counted."""

    def of(self, row: ReportRow) -> list[Any]:
        """One row; its beginning in milliseconds since *start*, and its last change in those since its beginning."""
        begun, changed = _milliseconds(row.begun_at), _milliseconds(row.changed_at)
        if self.start is None:
            self.start = begun if begun is not None else changed
        start = self.start or 0
        found = [
            row.row,
            visible(row.trade_no or ""),
            _STATUSES.index(row.status),
            None if row.amount is None else amount_text(row.amount),
            self.words(row.currency),
            self.words(row.name),
            visible(row.bank_number or ""),
            self.words(row.code),
            self.words(row.message),
            visible(row.platform_trade_no or ""),
            visible(row.utr or ""),
            row.attempts,
            None if begun is None else begun - start,
            None if changed is None else changed - (start if begun is None else begun),
        ]
        while found[-1] in (None, "", 0) and len(found) > 5:
            found.pop()
        return found


def without_names(row: ReportRow) -> ReportRow:
    """The row with its personal values masked, in the message as well, where the platform may have repeated them."""
    # Not evolve(), which costs as much as all the rest.
    return ReportRow(
        row=row.row,
        trade_no=row.trade_no,
        status=row.status,
        amount=row.amount,
        currency=row.currency,
        name=mask_name(row.name) if row.name else row.name,
        bank_number=mask_account(row.bank_number) if row.bank_number else row.bank_number,
        code=row.code,
        message=_masked(row.message, row) if row.message else row.message,
        platform_trade_no=row.platform_trade_no,
        utr=row.utr,
        attempts=row.attempts,
        begun_at=row.begun_at,
        changed_at=row.changed_at,
    )


def row_html(row: ReportRow, zone: tzinfo) -> str:
    """One row as the script would show it."""
    name, account = html(row.name or ""), html(row.bank_number or "")
    amount = "" if row.amount is None else amount_for_people(row.amount, row.currency)
    changed = "" if row.changed_at is None else moment(row.changed_at, zone)
    cells = {
        "row": f"{row.row:,}",
        "trade": _two(html(row.trade_no or ""), name),
        "payee": _two(name, account),
        "amount": f'{_two(amount, html(row.currency))}<span class="narrow">{badge(row.status)}</span>',
        "status": badge(row.status),
        "code": _two(html(row.code or ""), html(row.message or "")),
        "bank": _two(html(row.utr or ""), html(row.platform_trade_no or "")),
        "time": _two(changed[:11], changed[12:]),
    }
    return f"<tr>{''.join(_cells(cells))}</tr>"


def badge(status: ItemStatus) -> str:
    """A status with its sign, which tells without colour."""
    return (
        f'<span class="badge s-{status}"><svg class="sign" aria-hidden="true"><use href="#i-{status}"/></svg>'
        f"{status.replace('_', ' ')}</span>"
    )


def _cells(cells: dict[str, str]) -> Iterator[str]:
    for name, content in cells.items():
        if name == "trade":
            yield f'<th scope="row" class="c-trade">{content}</th>'
        else:
            yield f'<td class="c-{name}">{content}</td>'


def _two(first: str, second: str) -> str:
    return f'<bdi class="one">{first}</bdi><bdi class="two">{second}</bdi>'


def _milliseconds(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)


def _masked(message: str, row: ReportRow) -> str:
    name, account = row.name or "", row.bank_number or ""
    lowered = message.lower()
    for value in sorted({name, *name.split(), account}, key=len, reverse=True):
        if len(value) >= _SHORTEST and value.lower() in lowered:
            shown = mask_account(value) if value == account else mask_name(value)
            message = re.sub(re.escape(value), lambda _, shown=shown: shown, message, flags=re.IGNORECASE)  # type: ignore[misc]
    return message
