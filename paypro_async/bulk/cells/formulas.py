"""Texts that a spreadsheet would carry out, and quotes that are part of a text: neither was meant as it stands."""

import re
from collections.abc import Mapping

from paypro_async.bulk.problems import FileProblem

__all__ = ["may_be_formula", "unmeant"]

_SIGNS = "=@\uff1d\uff20\ufe66\ufe6b"
_CALLS = re.compile(rf"[\s'\"]*[{_SIGNS}][\s'\"]*[^\s'\"]")
_COUNTS = re.compile(r"[\s'\"]*[+\-\uff0b\uff0d\ufe62\ufe63\u2212]\s*[^\W\d_]")
_QUOTED = re.compile(r"\".*\"", re.DOTALL)
_ANY = re.compile(rf"^(?:[\s'\"]*[{_SIGNS}+\-\uff0b\uff0d\ufe62\ufe63\u2212]|\")", re.MULTILINE)
# The others say by themselves what is wrong with a sign.
_STRICT = frozenset({"name", "email", "bank_number", "bank_code", "trade_no"})
_FORMULA = "begins as a formula does, which a spreadsheet would carry out; write the text itself"
_QUOTES = "stands in quotes that are part of the text, as where a blank stands before the first; take them out"


def may_be_formula(texts: str) -> bool:
    """Whether one of many lines may be what :func:`unmeant` finds."""
    return _ANY.search(texts) is not None


def unmeant(values: Mapping[str, str]) -> list[FileProblem]:
    """What is wrong with the texts of a row; its line is not known here."""
    problems = []
    for name, text in values.items():
        strict = name in _STRICT
        if (strict or name == "remark") and (_CALLS.match(text) or (strict and _COUNTS.match(text))):
            problems.append(FileProblem(line=0, field=name, code="CELL_FORMULA", message=_FORMULA))
        elif strict and len(text) > 1 and _QUOTED.fullmatch(text):
            problems.append(FileProblem(line=0, field=name, code="CELL_QUOTED", message=_QUOTES))
    return problems
