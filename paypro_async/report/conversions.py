"""Texts that a spreadsheet does not leave as they are: it takes them for a number, a date, a time or a boolean.

Which those are depends on the program, on its language and on the machine's settings, so every text counts that any of
them may convert: one with a digit in which no word stands that is not a part of such a value. ``0015``, ``1E5``,
``2026-11-01``, ``1-2``, ``DEC1``, ``5 p`` and ``₹ 1,23`` do; ``INV-1`` and ``12, MG Road`` do not.
"""

import re
import unicodedata

__all__ = ["is_converted"]

_MONTHS = """
jan january januar janvier enero ene gennaio gen januari janeiro जनवरी
feb february februar février fév févr febrero febbraio februari fevereiro fev फ़रवरी फरवरी
mar march märz mär mrz mars marzo maart mrt março मार्च
apr april avril avr abril abr aprile अप्रैल
may mai mayo maggio mag mei maio मई
jun june juni juin junio giugno giu junho जून
jul july juli juillet juil julio luglio lug julho जुलाई
aug august août aoû agosto ago augustus अगस्त
sep sept september septembre septiembre settembre set setembro सितंबर सितम्बर
oct october oktober okt octobre octubre ottobre ott outubro out अक्टूबर अक्तूबर
nov november novembre noviembre novembro नवंबर नवम्बर
dec december dezember dez décembre déc diciembre dic dicembre dezembro दिसंबर दिसम्बर
"""
_DAYS = """
mon monday tue tues tuesday wed wednesday thu thurs thursday fri friday sat saturday sun sunday
montag dienstag mittwoch donnerstag freitag samstag sonntag
lundi mardi mercredi jeudi vendredi samedi dimanche
"""
_MARKS = "de del of 年 月 日 時 时 分 秒 上午 下午 午前 午後 년 월 일 시 분 초 오전 오후"
_MONEY = "rs inr usd eur gbp chf aed sgd jpy cny kr sek nok dkk pln zł"
_NO_NUMBERS = "true false wahr falsch vrai faux verdadero falso vero verdadeiro waar onwaar sant sann prawda fałsz"
# Errors are values too, and begin with this sign.
_ERROR = re.compile(r"#[^\W\d_][^\s]*[!?]|#n/a\b.*|#null!")

_SEPARATE_MARKS = str.maketrans(dict.fromkeys("'\u2018\u2019`\xb4\"", ""))
# What stands between the digits of a number with an exponent, and of a time in ISO 8601, or behind those of an hour.
_WITHIN = re.compile(r"(?<=\d)(?:\.?[ed](?=[+\-\u2212]?\d)|t(?=\d)|z\b|\s*[ap]m?\b)")
_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f\u093c-\u094d\u0902])*")
# What stands in no such value: no letter, digit, blank, mark that is not seen, sign of a number or of a currency.
_FOREIGN = re.compile(
    r"[^\w\s\u0300-\u036f\u0900-\u0903\u093c-\u094d"
    r"\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r".,:;/\\()+\-%\u2010-\u2015\u2030\u2044\u2212$\xa2-\xa5\u09f2\u09f3\u0e3f\u20a0-\u20cf\ufdfc]|_"
)
_DIGIT = re.compile(r"\d")


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


_WORDS = frozenset(_folded(f"{_MONTHS} {_DAYS} {_MARKS} {_MONEY}").split())
_CONSTANTS = frozenset(_folded(_NO_NUMBERS).split())
_LONGEST_CONSTANT = max(map(len, _CONSTANTS))


def is_converted(text: str) -> bool:
    """Whether some spreadsheet may take a text for something else; quotes in it make no difference."""
    if text.isdecimal():
        return True
    if text.isalpha():
        return len(text) <= _LONGEST_CONSTANT and _folded(text) in _CONSTANTS
    seen = _folded(text.translate(_SEPARATE_MARKS)).strip()
    if _DIGIT.search(seen) is None:
        return seen in _CONSTANTS or _ERROR.fullmatch(seen) is not None
    if _FOREIGN.search(seen):
        return False
    return all(word in _WORDS for word in _WORD.findall(_WITHIN.sub(" ", seen)))
