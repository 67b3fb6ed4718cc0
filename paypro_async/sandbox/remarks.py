"""What a remark asks of the sandbox: ``sandbox:KIND:CODE:MESSAGE``, of which the message may be left out.

Several wishes may stand in one remark with a blank between: ``sandbox:later:fail:00029 sandbox:callback:twice``.
"""

import enum
import re
from decimal import Decimal

from attrs import evolve, field, frozen

__all__ = ["USUAL", "Kind", "Manner", "Steps", "Wish", "Wishes", "read_code", "read_rule", "read_wish", "read_wishes"]

_PREFIX = "sandbox:"
_PAID = "0000"
_REJECTED = "00029"
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?")
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,4})?")
_CODE = re.compile(r"[0-9]{4,8}")
_LATE = 60.0


class Kind(enum.StrEnum):
    """What a remark can ask for; the values are how it is written."""

    PAID = "paid"  # booked, and paid at once
    FAIL = "fail"  # booked, and failed at once with this status; the balance is debited and refunded
    VANISH = "vanish"  # booked, and from then on not known to any query
    STATUS = "status"  # booked as usual, and the reply says this status all the same
    REPLY = "reply"  # booked as usual, and the reply refuses with this outer code all the same
    REFUSE = "refuse"  # not booked; the reply refuses with this outer code


_WITHOUT_A_CODE = frozenset({Kind.PAID, Kind.VANISH})
_BEGINNINGS = ("later:", "callback:", *(f"{kind}:" for kind in Kind if kind not in _WITHOUT_A_CODE))

Steps = tuple[tuple[str, str | None], ...]
"""What becomes of an order that is processing, one after another: each a status, and a message or None."""


@frozen
class Wish:
    """What one remark asks for.

    Args:
        kind: What is to happen.
        code: The outer code or the status; empty where none is needed.
        message: What is said beside it; None for what the sandbox usually says.
    """

    kind: Kind
    code: str = ""
    message: str | None = None


@frozen(kw_only=True)
class Manner:
    """How the callbacks of one order are sent.

    Args:
        silent: None is sent.
        twice: Each is sent twice, also if the first one is answered.
        delay: Seconds that each is late.
        processing: One that says ``0015`` is sent when the order is booked.
        disorder: One that says ``0015`` is sent behind each other one.
        wrong_signature: Each has a signature that is not its own.
        amount: The amount that each states; None for that of the order.
    """

    silent: bool = False
    twice: bool = False
    delay: float = 0.0
    processing: bool = False
    disorder: bool = False
    wrong_signature: bool = False
    amount: str | None = None


USUAL = Manner()


@frozen
class Wishes:
    """All that one payout asks for.

    Args:
        now: What happens with the request itself; None for the usual.
        later: What becomes of the order after a while; None for the usual.
        manner: How its callbacks are sent.
    """

    now: Wish | None = None
    later: Steps | None = None
    manner: Manner = field(default=USUAL)

    def __bool__(self) -> bool:
        return self != Wishes()


def read_wishes(remark: str) -> Wishes:
    """The wishes in a remark. What is none, or not one that the sandbox knows, is a text that is only given back."""
    wishes = Wishes()
    if not remark.startswith(_PREFIX):
        return wishes
    for part in remark.split(f" {_PREFIX}"):
        text = part.removeprefix(_PREFIX)
        kind, _, rest = text.partition(":")
        if kind == "later":
            wishes = evolve(wishes, later=steps if (steps := _read_later(rest)) is not None else wishes.later)
        elif kind == "callback":
            wishes = evolve(wishes, manner=_read_manner(rest, wishes.manner))
        else:
            wishes = evolve(wishes, now=read_wish(_PREFIX + text) or wishes.now)
    return wishes


def read_rule(text: str) -> Wishes:
    """The wishes of a rule, which are written as in a remark, with ``sandbox:`` before each or without.

    Raises:
        ValueError: If one of them is none.
    """
    parts: list[str] = []
    for word in (one.removeprefix(_PREFIX) for one in text.split(" ")):
        # Any other word goes on with the message of the wish before it.
        alone = word in _WITHOUT_A_CODE and parts and parts[-1].startswith("callback:")
        if not parts or alone or word.startswith(_BEGINNINGS):
            parts.append(word)
        else:
            parts[-1] += f" {word}"
    for part in parts:
        if not read_wishes(_PREFIX + part):
            raise ValueError(f"{part!r} is no wish")
    return read_wishes(" ".join(_PREFIX + part for part in parts))


def read_wish(remark: str) -> Wish | None:
    """The wish in a remark; None if it is any other text, which is only given back."""
    if not remark.startswith(_PREFIX):
        return None
    name, _, rest = remark.removeprefix(_PREFIX).partition(":")
    if name not in set(Kind):
        return None
    kind = Kind(name)
    code, message = read_code(rest)
    return Wish(kind, code, message) if bool(code) is (kind not in _WITHOUT_A_CODE) else None


def read_code(text: str) -> tuple[str, str | None]:
    """The code and the message of ``CODE:MESSAGE`` or ``CODE``."""
    code, _, message = text.partition(":")
    return code, message or None


def _read_later(text: str) -> Steps | None:
    end, _, rest = text.partition(":")
    code, message = read_code(rest)
    match end:
        case "paid" if not rest:
            return ((_PAID, None),)
        case "never" if not rest:
            return ()
        case "fail" if _CODE.fullmatch(code):
            return ((code, message),)
        case "reverse" if not rest or _CODE.fullmatch(code):
            return ((_PAID, None), (code or _REJECTED, message))
    return None


def _read_manner(text: str, manner: Manner) -> Manner:
    """The manner with one more wish; as it was if that is none."""
    name, _, value = text.partition(":")
    match name, value:
        case "none", "":
            return evolve(manner, silent=True)
        case "twice", "":
            return evolve(manner, twice=True)
        case "processing", "":
            return evolve(manner, processing=True)
        case "disorder", "":
            return evolve(manner, disorder=True)
        case "wrong-signature", "":
            return evolve(manner, wrong_signature=True)
        case "late", _ if not value or _SECONDS.fullmatch(value):
            return evolve(manner, delay=float(value) if value else _LATE)
        case "amount", _ if _AMOUNT.fullmatch(value) and Decimal(value):
            return evolve(manner, amount=value)
    return manner
