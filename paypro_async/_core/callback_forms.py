"""What the members of a callback must look like, since the signature alone does not say where one ends.

The platform signs ``name=value`` after ``name=value`` without anything in between, so ``{"a": "1b=2"}`` and
``{"a": "1", "b": "2"}`` are signed alike. Who sees one genuine callback, and has a say in what stands in it (a remark,
say), could cut it anew. Therefore:

1. Members that decide something have a strict form, in which there is no ``=``; and no name holds one.
2. A callback that could have been cut out of another one is *ambiguous*. It is, if

   - any value holds ``=``: a member may be hidden in it;
   - one of several amounts or order numbers follows a member without a form: it may be the end of that one;
   - a name that no page documents ends as a documented one does, or is the end of one: it may hide that one;
   - such a name follows a member that decides, and part of the one could as well belong to the other.

   Without these, each ``=`` behind a documented name is that of the callback that was signed, since a name of the
   platform is the end of no other one; so the members that decide are those that were signed.

An ambiguous callback is genuine as a rule. It is not believed: the platform is asked.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from types import MappingProxyType

from paypro_async._core.codec import NumberText
from paypro_async._core.errors import CallbackPayloadError
from paypro_async._core.wire import ORDER_NUMBERS

__all__ = ["AMOUNTS", "check_forms", "is_ambiguous", "plain_amounts"]

AMOUNTS = ("amount", "orderAmount", "payAmount")

# docs: brazil/paymentNotify, indonesia/paymentNotify; and what queries (india/payoutQuery) and payouts add to an order
_DOCUMENTED = frozenset(
    {
        *(
            "status",
            "message",
            "tradeNo",
            "successTime",
            "channelCode",
            "wayCode",
            "timestamp",
            "remark",
            "desc",
            "utr",
        ),
        *AMOUNTS,
        *ORDER_NUMBERS,
    }
)

_VISIBLE = re.compile(r"[!-<>-~]{1,128}")
_CODE = re.compile(r"[0-9A-Za-z_.-]{1,64}")
_AMOUNT = re.compile(r"[0-9]{1,20}(\.[0-9]{1,10})?")
_AMOUNT_AS_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?")
_TIMESTAMP = re.compile(r"[0-9]{1,20}")

_FORMS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "status": _CODE,
        # The collection side, whose callbacks come here too, may have numbers of another form than ours.
        "tradeNo": _VISIBLE,
        "timestamp": _TIMESTAMP,
        **dict.fromkeys(AMOUNTS, _AMOUNT),
        **dict.fromkeys(ORDER_NUMBERS, _VISIBLE),
    }
)
_REQUIRED = ("status", "tradeNo", "timestamp")
_KINDS = (AMOUNTS, ORDER_NUMBERS)


def check_forms(members: Mapping[str, str]) -> None:
    """Refuse what decides nothing for certain.

    Raises:
        CallbackPayloadError: If a member that decides is missing, or has not the form of one.
    """
    missing = [name for name in _REQUIRED if name not in members]
    if not any(name in members for name in AMOUNTS):
        missing.append("amount")
    if missing:
        raise CallbackPayloadError(
            f"The callback is rightly signed and incomplete: {', '.join(missing)} missing or empty. Nothing was "
            "stored. Ask PayPro what it means."
        )
    wrong = [name for name, form in _FORMS.items() if name in members and not _has_form(members[name], form)]
    if wrong:
        raise CallbackPayloadError(
            f"The callback is rightly signed, and these members have another form than the documentation shows: "
            f"{', '.join(wrong)}. Nothing was stored. Ask PayPro what they mean."
        )


def _has_form(value: str, form: re.Pattern[str]) -> bool:
    if form is _AMOUNT and type(value) is NumberText:
        form = _AMOUNT_AS_NUMBER
    return form.fullmatch(value) is not None


def plain_amounts(members: Mapping[str, str]) -> dict[str, str]:
    """The *members* as texts, with amounts as replies have them: without an exponent, one of them as ``amount``."""
    plain = {name: str(value) for name, value in members.items()}
    for name in AMOUNTS:
        if name in plain and not plain[name].isdigit():
            plain[name] = format(Decimal(plain[name]), "f")
    if "amount" not in plain and "orderAmount" not in plain:
        plain["amount"] = plain["payAmount"]
    return plain


def is_ambiguous(members: Mapping[str, str]) -> bool:
    """Whether *members* may have been cut out of a callback that said something else."""
    if any("=" in value for value in members.values()):
        return True
    names, hideable = sorted(members), _hideable(members)
    if any(after in hideable and name not in _FORMS for name, after in pairwise(names)):
        return True
    if members.keys() <= _DOCUMENTED:
        return False
    unknown = members.keys() - _DOCUMENTED
    if any(name.endswith(one) or one.endswith(name) for name in unknown for one in _DOCUMENTED):
        return True
    neighbours = zip(names, names[1:], [*names[2:], None], strict=False)
    return any(
        name in _FORMS and after in unknown and _may_be_cut_elsewhere(name, members[name], after, next_one)
        for name, after, next_one in neighbours
    )


def _hideable(members: Mapping[str, str]) -> set[str]:
    """Amounts or order numbers, if there are several: one of each is in every callback that was signed."""
    present = ([name for name in kind if name in members] for kind in _KINDS)
    return {name for kind in present if len(kind) > 1 for name in kind}


def _may_be_cut_elsewhere(name: str, value: str, after: str, next_one: str | None) -> bool:
    """Whether *value* and the name *after* it could share their letters otherwise, and still be in order."""
    text, form = value + after, _FORMS[name]
    return any(
        name < text[at:]
        and (next_one is None or text[at:] < next_one)
        and form.fullmatch(text[:at]) is not None
        # A code of digits is no other code with letters behind it.
        and (name != "status" or text[:at].isdigit() or not value.isdigit())
        for at in range(1, len(text))
        if at != len(value)
    )
