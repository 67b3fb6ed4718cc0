"""What tells two payments of the same from one that was edited: who is paid, and how much."""

import hashlib
import re
from collections.abc import Mapping

from paypro_async._core.codec import json_bytes
from paypro_async._core.regions import REGIONS, Field, RegionSpec

__all__ = ["PAYMENT_BYTES", "beneficiary", "folded_field", "payment_key"]

PAYMENT_BYTES = 16
"""How many bytes a key spells."""

_NOT_CONTENT = re.compile(r"[\W_]+")


def payment_key(region: str, content: Mapping[str, str]) -> str | None:
    """The same for payouts of one amount to one account, whatever else is said of them; None if that is not known.

    It is folded over what a spreadsheet or a hand changes by the way: case, blanks, and zeros at the beginning. Two
    payouts of one key may both be wanted, so a key is evidence that a person may overrule.

    Args:
        region: The country's name.
        content: What is sent, by the platform's names.
    """
    spec = REGIONS.get(region)
    names = [one.wire for one in beneficiary(spec)] if spec else []
    if not names or not all(content.get(name) for name in ("amount", *names)):
        return None  # Its content was erased, or another release knows more of it.
    folded = [folded_field(content[name]) for name in names]
    # A contract with every ledger that holds such keys: never change it.
    return hashlib.sha256(json_bytes(["payment", region, content["amount"], *folded])).hexdigest()[: 2 * PAYMENT_BYTES]


def beneficiary(spec: RegionSpec) -> list[Field]:
    """The fields that say where the money goes, in the order in which they stand in a key."""
    return [one for one in spec.fields if one.beneficiary]


def folded_field(text: str) -> str:
    """The text of such a field, as it stands in a key."""
    return _NOT_CONTENT.sub("", text).casefold().lstrip("0")
