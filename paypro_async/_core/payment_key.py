"""What tells two payments of the same from one that was edited: who is paid, and how much."""

import hashlib
import re
from collections.abc import Mapping

from paypro_async._core.codec import json_bytes
from paypro_async._core.regions import REGIONS

__all__ = ["payment_key"]

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
    names = [one.wire for one in spec.fields if one.beneficiary] if spec else []
    if not names or not all(content.get(name) for name in ("amount", *names)):
        return None  # Its content was erased, or another release knows more of it.
    folded = [_NOT_CONTENT.sub("", content[name]).casefold().lstrip("0") for name in names]
    # A contract with every ledger that holds such keys: never change it.
    return hashlib.sha256(json_bytes(["payment", region, content["amount"], *folded])).hexdigest()[:32]
