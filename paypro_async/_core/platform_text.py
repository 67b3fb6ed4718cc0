r"""What the platform says, made fit for people: the one place where it is masked and bounded.

Texts of a reply go to terminals, logs, errors, ``repr``, JSON, result files and the ledger. They come through here,
as an :class:`~paypro_async._core.outcome.Outcome` is made, so that nothing behind it has to think of them:

1. A character that shows nothing or steers what shows it (controls, line ends, marks of direction, zero width) is shown
   by its escape, ``\x1b`` or ``\u202e``; a blank or a letter of another width is shown in the usual one.
2. What is longer than its kind may be ends in an ellipsis.
3. In free words, digits as long as an account number and what stands before an @ are masked: platforms repeat what they
   were sent.

A text that has been through is left alone. What has to be compared exactly is looked at before and never changed: codes
have a form of their own, and so has the platform's number of an order, see :func:`is_exact`.
"""

import re

from paypro_async._core.masking import mask_email, mask_number

__all__ = ["CUT", "MAYBE_PERSONAL", "SHORT", "WORDS_LENGTH", "cause_text", "is_exact", "reference", "shown", "words"]

SHORT = 128
"""Characters of a code or a number, at most. A page shows none of more than 32."""
WORDS_LENGTH = 300
_READ = 8192  # what lies beyond is not even looked at
CUT = "\N{HORIZONTAL ELLIPSIS}"
"""How a text ends that was longer than its kind may be."""

# Letters and marks that are as good as invisible, though they count as printable.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_BLANKS = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_WIDE = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
MAYBE_PERSONAL = re.compile(r"[\d@](?:(?<=@)|\d\d)")  # \d{3}|@, in the form that is found quickly
# Accounts and mobile numbers, also in groups; dates and codes are shorter, or in groups of two.
_NUMBER = re.compile(r"\d{3,}(?:[ ./-]\d{3,})+|\d{9,}")
_SHORTEST_NUMBER = 9
_REFERENCE = re.compile(r"[A-Za-z0-9 :.+_/-]{1,64}")
_ADDRESS = re.compile(r"[^\s@<>()\[\]{},;:\"'|/\\=]+@[\w.-]*")


def words(text: str | None) -> str | None:
    """Free words of the platform."""
    if text is None:
        return None
    if len(text) > _READ:
        # The last word may be half an account number, which would be short enough to be shown.
        text = text[:_READ].rpartition(" ")[0] + CUT
    text = _visible(text)
    if MAYBE_PERSONAL.search(text):
        text = _ADDRESS.sub(lambda found: mask_email(found[0]), _NUMBER.sub(_masked, text))
    return _bounded(text, WORDS_LENGTH)


def cause_text(text: str | None) -> str | None:
    """Why there was no reply, in the words of a transport, which may be a user's own."""
    return None if text is None else _bounded(_visible(text), WORDS_LENGTH)


def shown(text: str | None) -> str | None:
    """A code or a number, or what stands where one should."""
    return None if text is None else _bounded(_visible(text), SHORT)


def reference(text: str | None) -> str | None:
    """A bank's reference or a time; what has not the form of one is words, which may hold anything."""
    return text if text is None or _REFERENCE.fullmatch(text) else words(text)


def is_exact(text: str) -> bool:
    """Whether a text can be a code, or the platform's number of an order: it is shown as it is."""
    return len(text) <= SHORT and text == _visible(text)


def _visible(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    usual = _BLANKS.sub(" ", text[:_READ]).translate(_WIDE)
    visible = "".join(one if one.isprintable() else _escaped(one) for one in usual)
    return _INVISIBLE.sub(lambda found: _escaped(found[0]), visible)


def _escaped(one: str) -> str:
    return one.encode("unicode_escape").decode()


def _bounded(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + CUT


def _masked(found: re.Match[str]) -> str:
    text = found[0]
    return mask_number(text) if sum(one.isdigit() for one in text) >= _SHORTEST_NUMBER else text
