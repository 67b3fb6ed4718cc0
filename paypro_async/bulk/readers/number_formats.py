"""What a spreadsheet shows of a number, which is not always the number: a person has seen that, and agreed to it."""

import re
from decimal import Decimal
from functools import lru_cache

from attrs import frozen

from paypro_async._core.money import decimals

__all__ = ["BUILT_IN", "Shown", "shown_as"]

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
_QUOTED = re.compile(r'"([^"]*)"|\\(.)')
_PADDING = re.compile(r"[_*].")
_BRACKETS = re.compile(r"\[([^\]]*)\]")
_RUPEES = re.compile("\N{INDIAN RUPEE SIGN}|rs|inr|rupee", re.IGNORECASE)
_FOREIGN = re.compile(r"[$€£¥]|usd|eur|gbp|aed|sgd", re.IGNORECASE)
_NO_LIMIT = 99


@frozen
class Shown:
    """How a format shows numbers.

    Args:
        is_date: As a day or a time.
        trap: Why what is shown is another amount than the number, or None.
        decimals: How many it shows at most.
    """

    is_date: bool = False
    trap: str | None = None
    decimals: int = _NO_LIMIT

    def problem(self, amount: Decimal) -> str | None:
        """What is wrong with an amount that is shown so, or None."""
        if self.trap is not None:
            return self.trap
        if decimals(amount) > self.decimals:
            return "is shown rounded: its number format hides decimals; show them, or round the value itself"
        return None


@lru_cache(maxsize=512)
def shown_as(code: str) -> Shown:
    """How a number format shows numbers.

    Args:
        code: As the file has it; of a built-in one its number behind :data:`BUILT_IN`.
    """
    if code.startswith(BUILT_IN):
        number = code.removeprefix(BUILT_IN)
        code = _BUILT_IN.get(number, _DATES.get(number, "General"))
    section = code.split(";")[0] if code.replace(";", "") else ""
    literals = " ".join(first or second for first, second in _QUOTED.findall(section))
    plain = _QUOTED.sub("", section)
    brackets = " ".join(one.partition("-")[0] for one in _BRACKETS.findall(plain) if one.startswith("$"))
    is_elapsed = any(set(one.lower()) <= set("hms") for one in _BRACKETS.findall(plain) if one)
    plain = _PADDING.sub("", _BRACKETS.sub("", plain))
    signs = f"{literals} {brackets.replace('$', '', 1) if brackets else ''} {plain}"
    return _shown(plain, literals, signs, is_elapsed=is_elapsed)


def _shown(plain: str, literals: str, signs: str, *, is_elapsed: bool) -> Shown:
    if "general" in plain.lower() or plain == "@":
        return Shown()
    if is_elapsed or re.search(r"[ymdhs]", plain, re.IGNORECASE):
        return Shown(is_date=True)
    if _FOREIGN.search(signs) and not _RUPEES.search(signs):
        return Shown(trap="is shown in another currency than rupees; enter the amount in rupees, as a plain number")
    if "%" in plain:
        return Shown(trap="is shown as a percentage; enter the amount as a number")
    if not re.search(r"[0#?]", plain):
        return Shown(trap="is not shown as a number: its number format hides it; give the column a number format")
    if re.search(r"[0#?],+(?![0#?,])", plain) or any(map(str.isdigit, literals)):
        return Shown(trap="is shown scaled, in thousands or with digits that its number format adds; enter it in full")
    if "e" in plain.lower() or "/" in plain:
        return Shown()
    return Shown(decimals=len(re.findall(r"[0#?]", plain.partition(".")[2])))
