"""Who is paid, for people to look at: every value masked by its type, unless the caller asks for it as it is."""

from collections.abc import Mapping

from paypro_async._core.regions import REGIONS

__all__ = ["BENEFICIARY_FIELDS", "beneficiary_of", "without_personal_values"]

BENEFICIARY_FIELDS: tuple[str, ...] = tuple(dict.fromkeys(one.name for spec in REGIONS.values() for one in spec.fields))
"""Every field that a payout of any region has, by the model's names."""


def beneficiary_of(region: str, content: Mapping[str, str], *, unmasked: bool = False) -> dict[str, str]:
    """The fields of a payout's *content* by the model's names. One whose type is not known shows its length only."""
    spec = REGIONS.get(region)
    if spec is None:
        return {}
    return {
        one.name: content[one.wire] if unmasked else one.mask(content[one.wire])
        for one in spec.fields
        if content.get(one.wire)
    }


def without_personal_values(text: str | None, region: str, content: Mapping[str, str]) -> str | None:
    """The platform's words, in which it may have repeated what it was sent."""
    spec = REGIONS.get(region)
    if text is None or spec is None:
        return text
    hidden = {content[one.wire]: one.mask for one in spec.fields if content.get(one.wire)}
    # The longest first: a name may stand within an address.
    for value in sorted(hidden, key=len, reverse=True):
        if len(value) > 1:
            text = text.replace(value, hidden[value](value))
    return text
