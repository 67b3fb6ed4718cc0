"""From a payout to an intent: everything checked, everything that identifies it fixed."""

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from attrs import field

from paypro_async._core.codec import json_bytes
from paypro_async._core.errors import InvalidPayoutError, Problem
from paypro_async._core.field_checks import TEXT, TRADE_NO, amount_problem, amount_warning
from paypro_async._core.money import amount_text, parse_amount
from paypro_async._core.regions import Field, RegionSpec
from paypro_async._core.secret import HiddenFields
from paypro_async._core.values import frozen

__all__ = ["Intent", "fields_of", "fingerprint_of", "prepare"]

_NOTHING: Mapping[str, str] = MappingProxyType({})


@frozen(kw_only=True)
class Intent:
    """A payout that may be sent: valid, complete and frozen.

    Args:
        merchant_no: Whose payout it is; one ledger may hold those of several merchants.
        trade_no: The idempotency key, unique for the merchant.
        amount: In major units of *currency*.
        content: Wire names and texts of every field that is sent, but ``timestamp`` and ``sign``.
        fingerprint: SHA-256 over what is paid to whom. The same trade_no with another fingerprint is a conflict.
        batch_id: The batch that it belongs to, if to one; *position* is its number there, from 0.
        settle_after: Seconds after its first attempt within which "no such order" proves nothing, as the client has it
            that claims it.
        resend: Whether that client allows that it is sent again by itself.
        others: How many payouts of the same amount to the same account, of other batches, the ledger may hold when it
            is claimed: those that its caller knows of. None for any number.
        planned: Whether it was imported before, and may be begun only while its batch may run.
        warnings: What is allowed but advised against.
    """

    merchant_no: str
    trade_no: str
    region: str
    amount: Decimal
    currency: str
    content: Mapping[str, str] = field(repr=False)
    fingerprint: str
    batch_id: str | None = None
    position: int | None = None
    settle_after: float | None = None
    resend: bool = True
    others: int | None = None
    planned: bool = False
    warnings: tuple[Problem, ...] = ()


def fields_of(
    spec: RegionSpec, values: Mapping[str, Any], *, defaults: Mapping[str, str] = _NOTHING
) -> HiddenFields[str, Any]:
    """All fields of the region's model, from keyword arguments; what is missing is reported by :func:`prepare`.

    Args:
        spec: The region.
        values: The fields by the model's names.
        defaults: The client's values, so that an error names what they do not mend.

    Raises:
        InvalidPayoutError: If a name is not a field of the region's payout; every other wrong field is named too.
        TypeError: If the amount is a float.
    """
    fields: HiddenFields[str, Any] = HiddenFields({**spec.unset, **values})
    amount = parse_amount(fields["amount"])
    if amount is not None:
        fields["amount"] = amount
    if len(fields) > len(spec.unset):
        which = f"is not a field of this region; it has {', '.join(spec.unset)}"
        problems = [Problem(one, "UNKNOWN_FIELD", which) for one in sorted(fields.keys() - spec.unset.keys())]
        raise InvalidPayoutError(problems + _problems(spec, spec.content(None, fields, defaults)))
    return fields


def _check_trade_no(value: Any) -> tuple[str, str] | None:
    return TRADE_NO.wrong(value) if isinstance(value, str) else ("NOT_TEXT", "must be text")


def _check_amount(spec: RegionSpec, value: Any) -> tuple[str, str] | None:
    if value in (None, ""):
        return "REQUIRED", "is missing"
    return amount_problem(parse_amount(value), max_decimals=spec.max_decimals)


def _problems(spec: RegionSpec, content: Mapping[str, Any]) -> list[Problem]:
    amount = _check_amount(spec, content["amount"])
    problems = [Problem("amount", *amount)] if amount else []
    problems.extend(Problem(one.name, *found) for one in spec.fields if (found := _check_field(one, content[one.wire])))
    return problems


def _check_field(one: Field, value: Any) -> tuple[str, str] | None:
    if value is None or value == "":
        if not one.required:
            return None
        where = " here and in the client" if one.default_by_client else ""
        return "REQUIRED", f"is missing{where}"
    if not isinstance(value, str):
        return "NOT_TEXT", "must be text, so that leading zeros and long digits stay as they are"
    return TEXT.wrong(value) or one.check.wrong(value)


def prepare(
    spec: RegionSpec,
    payout: Any,
    *,
    merchant_no: str,
    trade_no: Any,
    defaults: Mapping[str, str],
    settle_after: float | None = None,
    resend: bool = True,
    place: tuple[str | None, int | None] = (None, None),
) -> Intent:
    """Check a payout whole and freeze it.

    Args:
        spec: The region.
        payout: The region's ``Payout``, or what :func:`fields_of` gives.
        merchant_no: The merchant that pays.
        trade_no: The payout's own number, or a new one if it has none.
        defaults: The client's values for fields that most payouts share.
        settle_after: Kept with the intent, see :class:`Intent`; and so is *resend*.
        place: The batch that it belongs to, and its number there.

    Raises:
        InvalidPayoutError: With every wrong field.
    """
    content = spec.content(trade_no, payout, defaults)
    amount = parse_amount(content["amount"])
    if not spec.is_certain(content | {"amount": str(amount)}) or amount is None:
        found = _check_trade_no(trade_no)
        problems = ([Problem("trade_no", *found)] if found else []) + _problems(spec, content)
        if problems or amount is None:
            raise InvalidPayoutError(problems, trade_no=trade_no if isinstance(trade_no, str) else None)

    content["amount"] = amount_text(amount)
    for one in spec.maybe_absent:
        if not content[one.wire]:
            del content[one.wire]
    warning = amount_warning(amount) if spec.warn_decimals and "." in content["amount"] else None
    return Intent(
        merchant_no=merchant_no,
        trade_no=trade_no,
        region=spec.name,
        amount=amount,
        currency=spec.currency,
        content=content,
        fingerprint=fingerprint_of(spec, content),
        batch_id=place[0],
        position=place[1],
        settle_after=settle_after,
        resend=resend,
        warnings=(Problem("amount", *warning),) if warning else (),
    )


def fingerprint_of(spec: RegionSpec, sent: Mapping[str, str]) -> str:
    """What is paid to whom, of a payout whose *sent* fields are known by their wire names."""
    # The order of the pairs and the separators are a contract with every ledger ever written: never change them.
    pairs = [(name, sent[name]) for name in spec.identifying if name in sent]
    return hashlib.sha256(json_bytes(["1", spec.name, pairs])).hexdigest()
