"""Money is a Decimal made from text. A float is refused: it would pay another amount."""

import re
from collections.abc import Iterable
from decimal import Context, Decimal
from numbers import Integral, Rational, Real

__all__ = [
    "AmountTypeError",
    "amount_for_people",
    "amount_text",
    "decimals",
    "minor_units",
    "parse_amount",
    "total",
    "written_decimals",
]

_FEWEST_DIGITS = -20
_PLAIN = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


class AmountTypeError(TypeError):
    """An amount is of a type that cannot hold money exactly. Nothing was sent.

    Attributes:
        problem: The same in the words of a wrong field.
    """

    def __init__(self, kind: type) -> None:
        self.problem = (
            f"is a {kind.__name__}, which cannot hold money exactly; give text such as '300.50', an int or a Decimal"
        )
        super().__init__(
            f"amount is a {kind.__name__}, which cannot hold money exactly; nothing was sent. "
            'Give text such as "300.50", an int, or a decimal.Decimal.'
        )


def parse_amount(value: object) -> Decimal | None:
    """Read an amount in major units (rupees, not paise) exactly; None if it is not a plain number.

    Args:
        value: Text such as ``"300"`` or ``"300.50"``, an int, also of numpy, or a Decimal. No sign, no exponent, no
            thousands separators: what a spreadsheet does to numbers is refused, not repaired.

    Raises:
        AmountTypeError: If *value* is a float or a bool.
    """
    if isinstance(value, str):
        return Decimal(value) if _PLAIN.fullmatch(value) else None
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, float | bool):
        raise AmountTypeError(type(value))
    if isinstance(value, Integral):  # int, and the integers of numpy
        return Decimal(int(value))
    if isinstance(value, Real) and not isinstance(value, Rational):
        raise AmountTypeError(type(value))  # the smaller floats of numpy
    return None


def decimals(amount: Decimal) -> int:
    """How many decimals an amount really has: none for ``300.00``."""
    if amount.adjusted() > _FEWEST_DIGITS:
        # As text, which is quick; the digits of a tiny number would be many.
        return len(f"{amount:f}".partition(".")[2].rstrip("0"))
    _, digits, exponent = amount.as_tuple()
    # By hand: every arithmetic on a Decimal rounds to the application's own context.
    zeros = next((zeros for zeros, digit in enumerate(reversed(digits)) if digit), len(digits))
    return max(0, -exponent - zeros) if isinstance(exponent, int) else 0


def written_decimals(amount: Decimal) -> int:
    """How many decimals an amount was written with: two for ``300.00``, three for ``1.500``."""
    exponent = amount.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def minor_units(text: str, *, places: int) -> int:
    """A plain amount with at most so many decimals as a whole number: paise of rupees, for two."""
    whole, _, rest = text.partition(".")
    return int(whole + rest.ljust(places, "0"))


def amount_text(amount: Decimal) -> str:
    """The canonical text of an amount: no exponent, ``300.00`` as ``300``, ``300.5`` as ``300.50``."""
    text = f"{amount:f}"
    if "." not in text:
        return text
    whole, _, cents = text.partition(".")
    cents = cents.rstrip("0")
    return f"{whole}.{cents:0<2}" if cents else whole


def amount_for_people(amount: Decimal, currency: str) -> str:
    """An amount as people of the currency's country write it, without its name: rupees as ``12,34,567.00``.

    Two decimals, or as many as it has: nothing is rounded.
    """
    text = f"{amount:,.{max(2, decimals(amount))}f}"
    if currency != "INR":
        return text
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, _, cents = digits.replace(",", "").partition(".")
    head, tail = whole[:-3], whole[-3:]
    pairs = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)]
    return f"{sign}{','.join([*reversed(pairs), tail])}.{cents}"


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum, whatever the application's decimal context."""
    exact = Context(prec=200)
    result = Decimal(0)
    for amount in amounts:
        result = exact.add(result, amount)
    return result
