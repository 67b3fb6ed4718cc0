"""What a spreadsheet shows of a number, which is not always the number: a person has seen that, and agreed to it.

Formats can do much with a number, so those are listed that show the number itself: digits in their groups, a point,
signs and words for rupees. With any other one, somebody looks at it again.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType

from attrs import define, field, frozen

from paypro_async._core.money import decimals

__all__ = ["BUILT_IN", "Shown", "shown_as", "shows_text"]

BUILT_IN = "built-in "
"""Before the number of a format that has no code in the file."""

_BUILT_IN = {
    "0": "General",
    "1": "0",
    "2": "0.00",
    "3": "#,##0",
    "4": "#,##0.00",
    "5": "#,##0",
    "6": "#,##0",
    "7": "#,##0.00",
    "8": "#,##0.00",
    "9": "0%",
    "10": "0.00%",
    "11": "0.00E+00",
    "12": "# ?/?",
    "13": "# ??/??",
    "37": "#,##0",
    "38": "#,##0",
    "39": "#,##0.00",
    "40": "#,##0.00",
    "41": "#,##0",
    "42": "#,##0",
    "43": "#,##0.00",
    "44": "#,##0.00",
    "45": "mm:ss",
    "46": "[h]:mm:ss",
    "47": "mm:ss.0",
    "48": "##0.0E+0",
    "49": "@",
}
_DATES = {str(number): "yyyy-mm-dd" for number in (*range(14, 23), *range(27, 37), *range(50, 59))}
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_.|\*(?P<fill>.)|\[(?P<bracket>[^\]]*)\]|(?P<general>General|Standard)|(?P<bare>.)',
    re.IGNORECASE | re.DOTALL,
)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*(-?[0-9]+(?:\.[0-9]+)?)")
_HOLDS: Mapping[str, Callable[[Decimal, Decimal], bool]] = MappingProxyType(
    {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "<>": operator.ne}
)
_DIGIT = "0#?"
_GENERAL = "G"
_LITERAL = "\x01"
"""In the place of characters that are shown as they are."""

_GAP = "\x02"
"""In the place of those that are seen as the end of a group of digits if they stand between two."""

_GAPS = ", '\xa0\u202f"
_ENDS = f"{_LITERAL}{_GAP}"

_GROUPED = re.compile(rf"[{_DIGIT},]*(?:{_GAP}[{_DIGIT}]{{2,3}})*{_GAP}[{_DIGIT}]{{3}}|[{_DIGIT},]+")
_RUPEES = re.compile(
    "\N{INDIAN RUPEE SIGN}|\\b(?:rs|inr|rupees?|re|only|dr)\\b|\u0930[\u0941\u0942]|/[-=]", re.IGNORECASE
)
_FOREIGN = re.compile(r"[$\u20ac\u00a3\u00a5]|\b(?:usd|eur|gbp|aed|sgd)\b", re.IGNORECASE)
_HARMLESS = " \xa0.:+'/"
_NO_LIMIT = 99
_PLAIN = "give the column a plain number format, and see whether the amount is right"


@define
class _Section:
    """One of the forms that a format has for different numbers."""

    digits: str = ""
    literals: list[str] = field(factory=list)
    currencies: list[str] = field(factory=list)
    condition: tuple[str, Decimal] | None = None
    is_date: bool = False

    def add_literal(self, text: str) -> None:
        if not text:
            return
        mark = _GAP if text in _GAPS else _LITERAL
        if self.digits.endswith((_LITERAL, _GAP)):
            self.literals[-1] += text
            self.digits = self.digits[:-1] + max(mark, self.digits[-1], key=[_GAP, _LITERAL].index)
        else:
            self.literals.append(text)
            self.digits += mark

    def holds(self, amount: Decimal) -> bool:
        return self.condition is not None and _HOLDS[self.condition[0]](amount, self.condition[1])

    def problem(self, amount: Decimal) -> str | None:
        return self._other_amount() or self._other_signs() or self._rounded(amount)

    def _other_amount(self) -> str | None:
        digits = self.digits.strip(_ENDS)
        if self.is_date:
            return "is shown as a day or a time; enter the amount as a number"
        if "%" in digits:
            return "is shown as a percentage; enter the amount as a number"
        if not any(one in digits for one in f"{_DIGIT}{_GENERAL}@"):
            return "is not shown as a number: its number format hides it; give the column a number format"
        if re.search(rf"[{_DIGIT}],+(?![{_DIGIT},])", digits) or any(map(str.isdigit, "".join(self.literals))):
            return "is shown scaled, in thousands or with digits that its number format adds; enter it in full"
        if digits in (_GENERAL, "@"):
            return None
        whole, _, fraction = digits.partition(".")
        if (whole and not _GROUPED.fullmatch(whole)) or fraction.strip(_DIGIT):
            return f"is shown in another form than its digits: as a fraction, with an exponent or split; {_PLAIN}"
        return None

    def _other_signs(self) -> str | None:
        words = " ".join(self.literals)
        named = [one for one in self.currencies if _RUPEES.sub("", one).strip(_HARMLESS)]
        if named or (_FOREIGN.search(words) and not _RUPEES.search(words)):
            return "is shown in another currency than rupees; enter the amount in rupees, as a plain number"
        rest = _RUPEES.sub("", words).replace(",", "").replace(" ", "").strip(_HARMLESS)
        if rest in ("-", "(", ")", "()"):
            return f"is shown as less than nothing; {_PLAIN}"
        return f"is shown with words that its number format adds; {_PLAIN}" if rest else None

    def _rounded(self, amount: Decimal) -> str | None:
        shown = _NO_LIMIT if _GENERAL in self.digits or "@" in self.digits else 0
        shown = shown or sum(one in _DIGIT for one in self.digits.partition(".")[2])
        if decimals(amount) > shown:
            return "is shown rounded: its number format hides decimals; show them, or round the value itself"
        return None


@frozen
class Shown:
    """How a format shows numbers.

    Args:
        is_date: As a day or a time.
    """

    is_date: bool
    _sections: Sequence[_Section] = field(repr=False)

    def problem(self, amount: Decimal) -> str | None:
        """Why an amount is not shown as it is, or None. The amount is more than nothing."""
        first = self._sections[0]
        meant = [first] if first.condition is None else []
        if holding := next((one for one in self._sections if one.holds(amount)), None):
            meant.append(holding)
        # Which of those without a condition is meant then, programs do not agree upon.
        meant = meant or [one for one in self._sections if one.condition is None]
        return next((problem for one in meant if (problem := one.problem(amount))), None)


@lru_cache(maxsize=512)
def shown_as(code: str) -> Shown:
    """How a number format shows numbers.

    Args:
        code: As the file has it; of a built-in one its number behind :data:`BUILT_IN`.
    """
    sections = _sections(code)[:3]
    return Shown(sections[0].is_date, sections)


@lru_cache(maxsize=512)
def shows_text(code: str) -> bool:
    """Whether a number format shows a text as it is: it may show nothing, or more.

    Args:
        code: As :func:`shown_as` takes it.
    """
    sections = _sections(code)
    last = sections[-1]
    if len(sections) < 4 and "@" not in last.digits:
        return True
    return last.digits.strip(_ENDS) == "@" and not "".join(last.literals).strip()


def _sections(code: str) -> list[_Section]:
    if code.startswith(BUILT_IN):
        number = code.removeprefix(BUILT_IN)
        code = _BUILT_IN.get(number, _DATES.get(number, "General"))
    sections = [_Section()]
    for token in _TOKEN.finditer(code or "General"):
        section = sections[-1]
        if token["bare"] == ";":
            sections.append(_Section())
        elif token["general"]:
            section.digits += _GENERAL
        elif (literal := token["quoted"] or token["escaped"]) is not None:
            section.add_literal(literal)
        elif token["fill"] is not None:
            if token["fill"].isdigit():
                section.add_literal(token["fill"])
        elif token["bracket"] is not None:
            _read_bracket(section, token["bracket"])
        elif token["bare"]:
            _read_bare(section, token["bare"])
    return sections


def _read_bracket(section: _Section, text: str) -> None:
    if text.startswith("$"):
        section.currencies.append(text[1:].partition("-")[0])
    elif found := _CONDITION.fullmatch(text.strip()):
        section.condition = found[1], Decimal(found[2])
    elif text and set(text.lower()) <= set("hms"):
        section.is_date = True


def _read_bare(section: _Section, one: str) -> None:
    if one in f"{_DIGIT}.,%@/" or (one in "eE" and section.digits):
        section.digits += one
    elif one in "ymdhsYMDHS":
        section.is_date = True
    else:
        section.add_literal(one)
