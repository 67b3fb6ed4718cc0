"""Many rows checked at once, a column at a time: a tenth of the work, where there is nothing to find."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial

from attrs import field, frozen

from paypro_async._core.codec import json_bytes
from paypro_async._core.field_checks import TEXT, TRADE_NO, Check, certain_amount
from paypro_async._core.money import amount_text, decimals, minor_units
from paypro_async._core.payment_key import PAYMENT_BYTES, beneficiary, folded_field
from paypro_async._core.regions import RegionSpec
from paypro_async.bulk.cells.formulas import may_be_formula
from paypro_async.bulk.cells.invisible import has_invisible
from paypro_async.bulk.cells.sample import may_be_sample
from paypro_async.bulk.header.columns import Columns

__all__ = ["Certain", "Columnwise", "content_line"]

_Column = Sequence[str]
_FEW = 32


@frozen
class Certain:
    """Rows that are valid without a doubt.

    Args:
        content: Of each, what :func:`content_line` makes of its values, in one piece.
        amounts: Of each.
        with_decimals: How many amounts have decimals.
        trade_nos: Of each, or None if it has none.
        payments: Of each, its payment key as bytes.
        minor_units: The amount of each, in those.
        names, accounts: Of each.
    """

    content: bytes = field(repr=False)
    amounts: Sequence[Decimal] = field(repr=False)
    with_decimals: int
    trade_nos: Sequence[str | None] = field(repr=False)
    payments: Sequence[bytes] = field(repr=False)
    minor_units: Sequence[int] = field(repr=False)
    names: Sequence[str] = field(repr=False)
    accounts: Sequence[str] = field(repr=False)


def content_line(values: Sequence[tuple[str, str]]) -> bytes:
    """What a row adds to the digest of a file's content: its fields in the order of their names.

    The shape of these lines is a contract with every ledger ever written: another shape would give the rows of a
    half-paid file new trade numbers. Never change it.
    """
    return json_bytes(values) + b"\n"


class Columnwise:
    """The fields of a file's rows, checked together where each is certainly right.

    It answers for the columns of the file alone: whether the client's values for all payouts are right has to
    be seen elsewhere. Every answer is the one that :func:`~paypro_async._core.intent.prepare` gives row by row.
    """

    def __init__(self, spec: RegionSpec, columns: Columns) -> None:
        self._spec = spec
        self._minor_units = partial(minor_units, places=spec.max_decimals)
        self._width = len(columns.names)
        self._currency = columns.currency
        # Of a file that this package has written each row may have two trade numbers to compare, or may have lost one.
        self._usable = columns.read is str and not columns.results and columns.retried is None
        self._positions = dict(sorted(columns.fields.items()))
        # A field without a column has the client's value.
        self._wanted = {"amount", *(one.name for one in spec.fields if one.required)} & columns.fields.keys()
        self._tests: dict[str, Callable[[_Column], bool]] = {
            "amount": _each_matches(certain_amount(spec.max_decimals)),
            "trade_no": _test(TRADE_NO),
        }
        self._tests |= {one.name: _test(one.check, required=one.required) for one in spec.fields}
        self._beneficiary = [one.name for one in beneficiary(spec)]
        self._wanted |= {*self._beneficiary}

    def certain(self, records: Sequence[Sequence[str]]) -> Certain | None:
        """What is in *records*, none of which is empty, or None if a row must be looked at by itself."""
        if not self._usable or {*map(len, records)} != {self._width}:
            return None
        columns = list(zip(*records, strict=True))
        if self._currency is not None and any(map(self._currency.is_other, {*columns[self._currency.at]})):
            return None
        # A line break in what is no field may have taken rows into its cell.
        if any("\n" in text or "\r" in text for text in map("".join, columns)):
            return None
        filled = {name: columns[at] for name, at in self._positions.items() if any(columns[at])}
        if not self._wanted <= filled.keys() or not all(self._tests[name](column) for name, column in filled.items()):
            return None
        # Some characters that nobody sees are letters to Python.
        if any(has_invisible("".join(column)) for column in filled.values()):
            return None
        if may_be_sample(filled) or any(may_be_formula("\n".join(column)) for column in filled.values()):
            return None
        return self._found(filled)

    def _found(self, filled: Mapping[str, _Column]) -> Certain:
        amounts = [*map(Decimal, filled["amount"])]
        whole = "." not in "".join(filled["amount"])
        numbers = filled.get("trade_no")
        return Certain(
            content="".join(_each_as_json(filled, end="\n")).encode(),
            amounts=amounts,
            with_decimals=0 if whole else sum(map(bool, map(decimals, amounts))),
            trade_nos=[number or None for number in numbers] if numbers else [None] * len(amounts),
            minor_units=[*map(self._minor_units, filled["amount"])],
            names=filled.get("name", ()),
            accounts=filled["bank_number"],
            payments=self._payments(filled["amount"] if whole else [*map(amount_text, amounts)], filled),
        )

    def _payments(self, amounts: _Column, filled: Mapping[str, _Column]) -> list[bytes]:
        """What :func:`~paypro_async._core.payment_key.payment_key` makes of each row."""
        fields = [[*map(folded_field, filled[name])] for name in self._beneficiary]
        form = f'["payment","{self._spec.name}"' + ',"%s"' * (1 + len(fields)) + "]"
        lines = map(form.__mod__, zip(amounts, *fields, strict=True))
        return [hashlib.sha256(line).digest()[:PAYMENT_BYTES] for line in map(str.encode, lines)]


def _each_as_json(columns: Mapping[str, _Column], *, end: str) -> Iterable[str]:
    """Of each row the names and texts of what is not empty, and *end* behind them."""
    cells = zip(*columns.values(), strict=True)
    names = [f'["{name}","' for name in columns]
    if all(map(all, columns.values())):
        form = "[" + ",".join(f'{name}%s"]' for name in names) + "]" + end
        return map(form.__mod__, cells)
    filled = ([f'{name}{text}"]' for name, text in zip(names, row, strict=True) if text] for row in cells)
    return (f"[{','.join(pairs)}]{end}" for pairs in filled)


def _test(check: Check, *, required: bool = True) -> Callable[[_Column], bool]:
    each, few = _each_matches(check.certainly(required=required)), _few_and_right(check)
    return lambda column: each(column) or few(column)


def _each_matches(pattern: str) -> Callable[[_Column], bool]:
    # A cell with a line break in it makes more lines than there are cells.
    lines = re.compile(rf"(?:{pattern}\n)*+")

    def test(column: _Column) -> bool:
        text = "\n".join(column) + "\n"
        return text.count("\n") == len(column) and lines.fullmatch(text) is not None

    return test


def _few_and_right(check: Check) -> Callable[[_Column], bool]:
    """For what most payouts share."""

    def test(column: _Column) -> bool:
        texts = {*column}
        return len(texts) <= _FEW and all(
            text == text.strip()
            and (TEXT.wrong(text) or check.wrong(text)) is None
            and json_bytes(text) == f'"{text}"'.encode()
            for text in texts
        )

    return test
