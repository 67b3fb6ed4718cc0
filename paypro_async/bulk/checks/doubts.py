"""What is allowed in a file and yet seldom meant. A person is asked about it before the file is paid."""

import math
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

from attrs import define, field

from paypro_async._core.money import amount_for_people
from paypro_async.bulk.checks.duplicates import Again, Seen
from paypro_async.bulk.problems import FileProblem, Problems

__all__ = ["FAR_ABOVE", "Doubts"]

FAR_ABOVE = 20
"""How many times the median an amount is far above."""

_FEWEST_ROWS = 3
_KEPT = 10_000
_MOSTLY = 2
_FAR_FROM_CHANCE = 3
_USUAL_ACCOUNTS = re.compile(r"(?:[0-9]{9,15}\n)*+")
_NO_NAME = re.compile(
    r"(?:[?.*_x-]+|#[\w/]+[!?]?|true|false|null|none|nan|nil|n/?a|unknown|undefined|tbd|dummy|abc|xyz|"
    r"test(?:ing)?(?:[ _-]?(?:user|name|account|payee|beneficiary))?[ _-]?\d*|[\d .,-]*\d[\d .,-]*)",
    re.IGNORECASE,
)
_NO_NAMES = re.compile(rf"^{_NO_NAME.pattern}$", re.IGNORECASE | re.MULTILINE)
# What UTF-8 looks like that was read as Windows-1252, and what stands for a character that was lost.
_MOJIBAKE = re.compile(
    r"[\u00c3\u00c2][\u0080-\u00bf\u2018-\u203a\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u20ac\u2122]|"
    r"\u00e2\u20ac|\u00e0[\u00a4\u00a5]|\ufffd"
)
_LOOKALIKES = str.maketrans("oil", "011")

_Rows = Sequence[tuple[int, int]]


@define
class Doubts:
    """Looks at every row that is right, by itself and beside the others.

    Args:
        currency: Of the amounts.
    """

    currency: str
    _found: Problems = field(factory=Problems)
    _rounded: list[FileProblem] = field(factory=list)
    _long: int = 0
    _by_chance: float = 0
    _rounded_count: int = 0
    _lettered: list[tuple[int, int, str]] = field(factory=list)
    _lettered_count: int = 0
    _count: int = 0

    def look(self, rows: _Rows, names: Sequence[str], accounts: Sequence[str]) -> None:
        """Take more rows: of each its number and line, its name and its account."""
        self._count += len(accounts)
        if not _USUAL_ACCOUNTS.fullmatch("\n".join(accounts) + "\n"):
            for row, account in zip(rows, accounts, strict=True):
                self._look_at_account(row, account)
        text = "\n".join(names)
        if _NO_NAMES.search(text) or (not text.isascii() and _MOJIBAKE.search(text)):
            for row, name in zip(rows, names, strict=True):
                self._look_at_name(row, name)

    def end(self, seen: Seen, *, alike: Iterable[Again], median: int | None, places: int) -> tuple[FileProblem, ...]:
        """All doubts, in the order of the file.

        Args:
            seen: All rows.
            alike: Those whose trade numbers look like others.
            median: Of the amounts in minor units, of which the major one has *places* decimals.
            places: See there.
        """
        # By chance one of ten accounts of 16 digits ends so, and one of a hundred of 17.
        far = self._by_chance + _FAR_FROM_CHANCE * math.sqrt(self._by_chance)
        if self._rounded_count * _MOSTLY > self._long or self._rounded_count > far:
            self._found.add(*self._rounded)
        self._look_at_letters()
        for one in alike:
            message = f"differs from that of row {one.first} only by case, zeros or format; are they two payouts?"
            self._doubt((one.row, one.line), "trade_no", "TRADE_NO_ALIKE", message)
        for one in seen.same_payments():
            message = f"pays the same amount to the same account as row {one.first}; is it meant twice?"
            self._doubt((one.row, one.line), None, "SAME_PAYMENT_TWICE", message)
        if median and self._count >= _FEWEST_ROWS:
            for row, line, amount in seen.amounts_from(FAR_ABOVE * median):
                shown, usual = (self._amount(one, places) for one in (amount, median))
                message = f"is {shown} {self.currency}, {amount // median:,} times the median of the file ({usual})"
                self._doubt((row, line), "amount", "AMOUNT_FAR_ABOVE", message)
        return self._found.sorted()

    def _amount(self, minor_units: int, places: int) -> str:
        return amount_for_people(Decimal(f"{minor_units}E-{places}"), self.currency)

    def _look_at_account(self, row: tuple[int, int], account: str) -> None:
        if not account.isdecimal():
            self._lettered_count += 1
            if len(self._lettered) < _KEPT:
                self._lettered.append((*row, account))
        elif len(account) > 15:
            self._long += 1
            self._by_chance += 0.1 ** (len(account) - 15)
            if not account[15:].strip("0"):
                self._rounded_count += 1
                message = (
                    "has only zeros behind its 15th digit, as a spreadsheet leaves of a number that it has rounded; "
                    "compare it with its source"
                )
                if len(self._rounded) < _KEPT:
                    self._rounded.append(_doubt(row, "bank_number", "ACCOUNT_ROUNDED", message))
        if not 9 <= len(account) <= 18:
            message = f"has {len(account)} characters, and accounts in India have 9 to 18; compare it with its source"
            self._doubt(row, "bank_number", "ACCOUNT_LENGTH", message)

    def _look_at_name(self, row: tuple[int, int], name: str) -> None:
        if _NO_NAME.fullmatch(name):
            self._doubt(row, "name", "NAME_UNLIKELY", "looks like no name of a person or a company")
        elif _MOJIBAKE.search(name):
            message = "holds characters that look like text in another encoding; write the name again"
            self._doubt(row, "name", "NAME_GARBLED", message)

    def _look_at_letters(self) -> None:
        digits = self._count - self._lettered_count
        first: dict[str, tuple[int, str]] = {}
        for row, line, account in self._lettered:
            alike = first.setdefault(account.casefold().translate(_LOOKALIKES), (row, account))
            if alike[1] != account:
                message = f"differs from that of row {alike[0]} only by case, or by letters that look like digits"
                self._doubt((row, line), "bank_number", "ACCOUNT_ALIKE", message)
            elif digits >= _MOSTLY * self._lettered_count or account.casefold().translate(_LOOKALIKES).isdecimal():
                message = "holds letters, and the other accounts of the file hold digits only; is an O meant as a zero?"
                self._doubt((row, line), "bank_number", "ACCOUNT_LETTERS", message)

    def _doubt(self, row: tuple[int, int], about: str | None, code: str, message: str) -> None:
        self._found.add(_doubt(row, about, code, message))


def _doubt(row: tuple[int, int], about: str | None, code: str, message: str) -> FileProblem:
    return FileProblem(line=row[1], row=row[0], field=about, code=code, message=message)
