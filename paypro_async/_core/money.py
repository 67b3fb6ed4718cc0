"""Money is a Decimal made from text. A float is refused: it would pay another amount."""

import re
from decimal import Decimal

__all__ = ["amount_text", "parse_amount"]

_PLAIN = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


def parse_amount(value: object) -> Decimal | None:
    """Read an amount in major units (rupees, not paise) exactly; None if it is not a plain number.

    Args:
        value: Text such as ``"300"`` or ``"300.50"``, an int, or a Decimal. No sign, no exponent, no thousands
            separators: what a spreadsheet does to numbers is refused, not repaired.

    Raises:
        TypeError: If *value* is a float or a bool.
    """
    if isinstance(value, float | bool):
        raise TypeError(
            f"amount is a {type(value).__name__}, which cannot hold money exactly; nothing was sent. "
            'Give text such as "300.50", an int, or a decimal.Decimal.'
        )
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return Decimal(value)
    return None


def amount_text(amount: Decimal) -> str:
    """The canonical text of an amount: no exponent, ``300.00`` as ``300``, ``300.5`` as ``300.50``."""
    if amount == amount.to_integral_value():
        return f"{amount.to_integral_value():f}"
    text = f"{amount.normalize():f}"
    whole, _, cents = text.partition(".")
    return f"{whole}.{cents:0<2}"
