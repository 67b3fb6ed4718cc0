"""What a remark asks of the sandbox: ``sandbox:KIND:CODE:MESSAGE``, of which the message may be left out."""

import enum

from attrs import frozen

__all__ = ["Kind", "Wish", "read_code", "read_wish"]

_PREFIX = "sandbox:"


class Kind(enum.StrEnum):
    """What a remark can ask for; the values are how it is written."""

    PAID = "paid"  # booked, and paid at once
    FAIL = "fail"  # booked, and failed at once with this status; the balance is debited and refunded
    VANISH = "vanish"  # booked, and from then on not known to any query
    STATUS = "status"  # booked as usual, and the reply says this status all the same
    REPLY = "reply"  # booked as usual, and the reply refuses with this outer code all the same
    REFUSE = "refuse"  # not booked; the reply refuses with this outer code


_WITHOUT_A_CODE = frozenset({Kind.PAID, Kind.VANISH})


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
