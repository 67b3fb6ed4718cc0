"""From a payout to an intent: everything checked, everything that identifies it fixed."""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from attrs import NOTHING, field, fields_dict, frozen

from paypro_async._core.checks import (
    Problem,
    amount_problem,
    amount_warning,
    check_text,
    check_trade_no,
)
from paypro_async._core.money import amount_text, parse_amount
from paypro_async._core.regions import Field, RegionSpec
from paypro_async.errors import InvalidPayoutError

__all__ = ["Intent", "build_payout", "prepare"]


@frozen(kw_only=True)
class Intent:
    """A payout that may be sent: valid, complete and frozen.

    Args:
        merchant_no: Whose payout it is; one ledger may hold those of several merchants.
        trade_no: The idempotency key, unique for the merchant.
        amount: In major units of *currency*.
        content: Wire names and texts of every field that is sent, but ``timestamp`` and ``sign``.
        fingerprint: SHA-256 over what is paid to whom. The same trade_no with another fingerprint is a conflict.
        warnings: What is allowed but advised against.
    """

    merchant_no: str
    trade_no: str
    region: str
    amount: Decimal
    currency: str
    content: Mapping[str, str] = field(repr=False)
    fingerprint: str
    warnings: tuple[Problem, ...] = ()


def build_payout(spec: RegionSpec, values: Mapping[str, Any]) -> Any:
    """Make the region's model from keyword arguments; what is missing is reported by :func:`prepare`.

    Raises:
        InvalidPayoutError: If a name is not a field of the region's payout.
        TypeError: If the amount is a float.
    """
    known = fields_dict(spec.model)
    unknown = sorted(set(values) - set(known))
    if unknown:
        names = ", ".join(known)
        problems = [
            Problem(name, "UNKNOWN_FIELD", f"is not a field of this region; it has {names}") for name in unknown
        ]
        raise InvalidPayoutError(problems)
    # A missing field becomes an empty one, so that it is reported together with all the others.
    missing = {name: "" for name, one in known.items() if one.default is NOTHING}
    return spec.model(**missing | dict(values))


def _check_amount(spec: RegionSpec, value: Any) -> tuple[Decimal | None, tuple[str, str] | None]:
    if value in (None, ""):
        return None, ("REQUIRED", "is missing")
    amount = parse_amount(value)
    return amount, amount_problem(amount, max_decimals=spec.max_decimals)


def _check_field(one: Field, value: Any) -> tuple[str, str] | None:
    if value in (None, ""):
        if not one.required:
            return None
        where = " here and in the client" if one.default_by_client else ""
        return "REQUIRED", f"is missing{where}"
    if not isinstance(value, str):
        return "NOT_TEXT", "must be text, so that leading zeros and long digits stay as they are"
    return check_text(value) or one.check(value)


def prepare(spec: RegionSpec, payout: Any, *, merchant_no: str, trade_no: Any, defaults: Mapping[str, str]) -> Intent:
    """Check a payout whole and freeze it.

    Args:
        spec: The region.
        payout: The region's ``Payout``.
        merchant_no: The merchant that pays.
        trade_no: The payout's own number, or a new one if it has none.
        defaults: The client's values for fields that most payouts share.

    Raises:
        InvalidPayoutError: With every wrong field.
    """
    values = spec.content(payout, defaults)
    problems: list[Problem] = []
    found = check_trade_no(trade_no) if isinstance(trade_no, str) else ("NOT_TEXT", "must be text")
    if found:
        problems.append(Problem("trade_no", *found))
    amount, found = _check_amount(spec, payout.amount)
    if found:
        problems.append(Problem("amount", *found))
    problems += [Problem(one.name, *found) for one in spec.fields if (found := _check_field(one, values[one.name]))]
    if problems or amount is None:
        raise InvalidPayoutError(problems, trade_no=trade_no if isinstance(trade_no, str) else None)

    sent = {"tradeNo": trade_no, "amount": amount_text(amount)}
    sent |= {one.wire: values[one.name] for one in spec.fields if values[one.name]}
    warning = amount_warning(amount) if spec.warn_decimals else None
    return Intent(
        merchant_no=merchant_no,
        trade_no=trade_no,
        region=spec.name,
        amount=amount,
        currency=spec.currency,
        content=sent,
        fingerprint=_fingerprint(spec, sent),
        warnings=(Problem("amount", *warning),) if warning else (),
    )


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _fingerprint(spec: RegionSpec, sent: Mapping[str, str]) -> str:
    # The order of the pairs and the separators are a contract with every ledger ever written: never change them.
    names = ["amount", *(one.wire for one in spec.fields if one.identifies)]
    pairs = [[name, sent[name]] for name in sorted(names) if name in sent]
    text = _ENCODER.encode(["1", spec.name, pairs])
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
