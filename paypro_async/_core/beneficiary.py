"""Who is paid, for people to look at: every value masked by its type, unless somebody asks for it in so many words."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import fields_dict

from paypro_async._core.masking import mask_text
from paypro_async._core.regions import REGIONS

__all__ = ["BENEFICIARY_FIELDS", "beneficiary_of", "without_personal_values"]

_SHOWN = frozenset({"bank_code"})
"""A branch of a bank is nobody."""

BENEFICIARY_FIELDS: tuple[str, ...] = tuple(dict.fromkeys(one.name for spec in REGIONS.values() for one in spec.fields))
"""Every field that a payout of any region has, by the model's names."""


def beneficiary_of(region: str, content: Mapping[str, str], *, unmasked: bool = False) -> dict[str, str]:
    """The fields of a payout's *content* by the model's names. One whose type is not known shows its length only."""
    spec = REGIONS.get(region)
    if spec is None:
        return {}
    return {
        one.name: content[one.wire] if unmasked else _mask(spec.model, one.name)(content[one.wire])
        for one in spec.fields
        if content.get(one.wire)
    }


def without_personal_values(text: str | None, region: str, content: Mapping[str, str]) -> str | None:
    """The platform's words, in which it may have repeated what it was sent."""
    spec = REGIONS.get(region)
    if text is None or spec is None:
        return text
    hidden = {content[one.wire]: _mask(spec.model, one.name) for one in spec.fields if content.get(one.wire)}
    # The longest first: a name may stand within an address.
    for value in sorted(hidden, key=len, reverse=True):
        if len(value) > 1:
            text = text.replace(value, hidden[value](value))
    return text


def _mask(model: type[Any], name: str) -> Callable[[object], str]:
    if name in _SHOWN:
        return str
    mask = fields_dict(model)[name].repr
    return mask if callable(mask) else mask_text
