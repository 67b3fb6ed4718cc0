"""Cells that a spreadsheet would take for formulas or for values of another kind, made harmless and read back.

A spreadsheet carries out what begins with ``=``, ``+``, ``-`` or ``@``, also in their wide forms, and drops what nobody
sees in front of it: blanks, marks of zero width, quotes. One that is set to another separator than the file's cuts a
cell at a semicolon, a tab, a comma or a line break, quoted or not, and carries out what comes next. Each such beginning
gets an apostrophe, behind which a spreadsheet finds text::

    defused("=1+1")                "'=1+1"
    defused("rent;=1+1")           "rent;'=1+1"
    defused("0015")                "'0015"
    original(defused(text))        text, whatever it is

So does what it would convert (:mod:`paypro_async.report.conversions`): it would show the account ``50100000000017`` as
5.01E+13 and the code ``0015`` as 15, and save them so. A number that is one, as an amount, is :func:`defused_number`.
"""

import re

from paypro_async.report.conversions import is_converted

__all__ = ["defused", "defused_number", "original", "original_number", "unchanged"]

_CONTROLS = r"\x00-\x1f\x7f-\x9f"
# Blanks of every width, marks that are not seen, and what is empty in most fonts.
_UNSEEN = (
    r"\s\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000110bd\U000110cd"
    r"\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_QUOTES = "\"'`\u2018-\u201f\u00ab\u00bb\uff02\uff07"
# With their small, wide, raised and lowered forms, and the minus of mathematics. The last two begin what some programs
# take for a command.
_SIGNS = (
    "=\uff1d\ufe66\u207a\u207c\u208a\u208c+\uff0b\ufe62\\-\uff0d\ufe63\u207b\u208b\u2212@\uff20\ufe6b"
    "|\uff5c%\uff05\ufe6a"
)
_SEPARATORS = ",;\t\r\n"

# What a spreadsheet finds at the beginning of a cell. A control character alone is enough, since some drop it, and so
# is what calls another program behind a sign (DDE), since a person may add that sign.
_BEGINNING = re.compile(rf"[,;{_UNSEEN}{_QUOTES}]*(?:[{_SIGNS}{_CONTROLS}]|\w{{1,64}}\||[Dd][Dd][Ee]\s*\()")
# What may lie between a separator and a sign, and that sign if there is one. Whole runs, so that none is read twice.
_RUN = re.compile(rf"[{_SEPARATORS}{_CONTROLS}{_UNSEEN}{_QUOTES}]++[{_SIGNS}]?")
_SIGN = re.compile(f"[{_SIGNS}]")
_NOTEWORTHY = re.compile(f"[({_SIGNS}{_CONTROLS}]")
_NOTEWORTHY_ASCII = re.compile(r"[(=+\-@|%\x00-\x1f\x7f]")
_SEPARATOR = re.compile(f"[{_SEPARATORS}]")
_SEPARATED = re.compile(f"([{_SEPARATORS}])'")


def defused(text: str) -> str:
    """A cell with this text, in which a spreadsheet finds this text."""
    # The apostrophe changes neither answer, so what is found without it is found behind it too, and taken away again.
    return f"'{_within(text)}" if is_converted(text) or _begins_formula(text) else _within(text)


def original(cell: str) -> str:
    """The text of a cell that :func:`defused` has made; any other text stays as it is."""
    if cell.startswith("'") and (is_converted(cell[1:]) or _begins_formula(cell[1:])):
        return _without(cell[1:])
    return _without(cell)


def unchanged(text: str) -> str:
    """A cell for a place where no spreadsheet converts anything, which :func:`original` reads as this text."""
    return text if original(text) == text else defused(text)


def defused_number(text: str) -> str:
    """A cell with this number, which a spreadsheet may take for one, but for no formula."""
    return f"'{_within(text)}" if _begins_formula(text) else _within(text)


def original_number(cell: str) -> str:
    """The text of a cell that :func:`defused_number` has made, as releases up to 0.1 made all their cells."""
    rest = cell[1:] if cell.startswith("'") and _begins_formula(cell[1:]) else cell
    return _without(rest)


def _begins_formula(text: str) -> bool:
    return not _is_plain(text) and _BEGINNING.match(text) is not None


def _within(text: str) -> str:
    return text if _is_plain(text) else _within_runs(text, _SEPARATOR, r"\g<0>'")


def _without(cell: str) -> str:
    return cell if _is_plain(cell) else _within_runs(cell, _SEPARATED, r"\1")


def _is_plain(text: str) -> bool:
    """Whether nothing is in it that could be a formula, as is so of nearly all cells."""
    if text.isalnum():
        return True
    return (_NOTEWORTHY_ASCII if text.isascii() else _NOTEWORTHY).search(text) is None


def _within_runs(text: str, found: re.Pattern[str], replacement: str) -> str:
    """Replace what is *found* between a separator and a sign."""
    if _SEPARATOR.search(text) is None:
        return text

    def replaced(run: re.Match[str]) -> str:
        return found.sub(replacement, run[0]) if _SIGN.match(run[0][-1]) else run[0]

    return _RUN.sub(replaced, text)
