"""Who is paid, for people to look at: every value masked by its type, unless the caller asks for it as it is."""

import re
from collections.abc import Callable, Mapping

from paypro_async._core.masking import mask_account, mask_email, mask_mobile, mask_name
from paypro_async._core.platform_text import CUT, shown
from paypro_async._core.regions import REGIONS

__all__ = ["BENEFICIARY_FIELDS", "beneficiary_of", "may_repeat", "names_payee", "without_personal_values"]

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


def may_repeat(text: str, region: str, content: Mapping[str, str]) -> bool:
    """Whether anything of a payout may stand in *text*, at one look: if not, the two below find nothing in it."""
    spec = REGIONS.get(region)
    lowered = text.lower()
    for one in spec.fields if spec else ():
        value = content.get(one.wire, "").lower()
        if value and (value in lowered or not value.isascii()):
            return True
        if one.mask is mask_name and any(part in lowered for part in value.split() if len(part) >= _SHORTEST):
            return True
    return False


def without_personal_values(text: str | None, region: str, content: Mapping[str, str]) -> str | None:
    """The platform's words, in which it may have repeated what it was sent, in whatever case."""
    spec = REGIONS.get(region)
    if not text or spec is None or not content:
        return text
    # Of words that were cut, the end may be the beginning of any value.
    lowered, is_cut = text.lower(), text.endswith(CUT)
    hidden: dict[str, Callable[[object], str]] = {}
    for one in spec.fields:
        value = content.get(one.wire) or ""
        if not value.isascii():
            value = shown(value) or ""
        if value.lower() in lowered or is_cut:
            hidden[value] = one.mask
        if one.mask is mask_name:
            for part in value.split():
                if part.lower() in lowered or is_cut:
                    hidden[part] = mask_name
    # The longest first: a name may stand within an address.
    for value in sorted(hidden, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            text = _without(text, value, hidden[value](value))
    return text


_OF_PERSONS = frozenset({mask_account, mask_email, mask_mobile, mask_name})
_PERSONAL = {name: [one.wire for one in spec.fields if one.mask in _OF_PERSONS] for name, spec in REGIONS.items()}


def names_payee(number: str, region: str, content: Mapping[str, str]) -> bool:
    """Whether what stands where a number should is, or holds, the payee's name, account or address as a whole."""
    folded = number.lower()
    for wire in _PERSONAL.get(region, ()):
        value = content.get(wire, "")
        # A short name may stand in a number by chance.
        sure = len(value) >= _SURE or 0 < len(value) == len(number)
        if sure and value.lower() in folded:
            return True
    return False


_SURE = 6  # characters
_SHORTEST = 3  # characters; what is shorter stands in many words


def _without(text: str, value: str, mask: str) -> str:
    text = re.sub(re.escape(value), lambda _: mask, text, flags=re.IGNORECASE)
    if not text.endswith(CUT):
        return text
    # The words were cut, perhaps in the midst of it.
    kept = text.removesuffix(CUT)
    for length in range(len(value) - 1, _SHORTEST - 1, -1):
        if kept.lower().endswith(value[:length].lower()):
            return kept[:-length] + mask + CUT
    return text
