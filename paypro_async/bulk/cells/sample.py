"""The sample row of a template, which nobody is paid by."""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["SAMPLE", "is_sample", "may_be_sample"]

SAMPLE: Mapping[str, str] = MappingProxyType(
    {
        "amount": "1500",
        "name": "SAMPLE - write over this row",
        "mobile": "9000000000",
        "email": "sample.payee@example.com",
        "bank_number": "00000000000000",
        "bank_code": "ABCD0123456",
        "remark": "salary November",
    }
)
"""By field."""

_TELLING = ("name", "bank_number", "email")


def is_sample(values: Mapping[str, str]) -> bool:
    """Whether a row is the sample, or still holds what marks it."""
    return any(values.get(name) == SAMPLE[name] for name in _TELLING)


def may_be_sample(columns: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether one of many rows is."""
    return any(SAMPLE[name] in columns.get(name, ()) for name in _TELLING)
