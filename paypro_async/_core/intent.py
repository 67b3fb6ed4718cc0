"""From a payout to an intent: everything checked, everything that identifies it fixed."""

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from attrs import NOTHING, field, fields_dict, frozen

from paypro_async._core.codec import json_bytes
from paypro_async._core.errors import InvalidPayoutError, Problem
from paypro_async._core.field_checks import TEXT, TRADE_NO, amount_problem, amount_warning
from paypro_async._core.money import amount_text, parse_amount
from paypro_async._core.regions import Field, RegionSpec
from paypro_async._core.secret import HiddenFields

__all__ = ["Intent", "build_payout", "fingerprint_of", "prepare"]

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
    warnings: tuple[Problem, ...] = ()


def build_payout(spec: RegionSpec, values: Mapping[str, Any], *, defaults: Mapping[str, str] = _NOTHING) -> Any:
    """Make the region's model from keyword arguments; what is missing is reported by :func:`prepare`.

    Args:
        spec: The region.
        values: The fields by the model's names.
        defaults: The client's values, so that an error names what they do not mend.

    Raises:
        InvalidPayoutError: If a name is not a field of the region's payout; every other wrong field is named too.
        TypeError: If the amount is a float.
    """
    known, missing = _names(spec)
    payout: Any = None
    wrong: TypeError | None = None
    try:
        payout = spec.model(**missing | {name: value for name, value in values.items() if name in known})
    except TypeError as error:
        wrong = error.with_traceback(None)  # without the frame in which every field is a variable
    if wrong is not None:
        raise wrong
    if unknown := sorted(values.keys() - known.keys()):
        names = ", ".join(known)
        problems = [Problem(one, "UNKNOWN_FIELD", f"is not a field of this region; it has {names}") for one in unknown]
        raise InvalidPayoutError(problems + _problems(spec, payout, spec.content(payout, defaults)))
    return payout


@lru_cache(maxsize=16)  # one for each region
def _names(spec: RegionSpec) -> tuple[dict[str, None], dict[str, str]]:
    """The names of the model's fields, and empty texts for those that it wants."""
    fields = fields_dict(spec.model)
    # A missing field becomes an empty one, so that it is reported together with all the others.
    return dict.fromkeys(fields), {name: "" for name, one in fields.items() if one.default is NOTHING}


def _check_trade_no(value: Any) -> tuple[str, str] | None:
    return TRADE_NO.wrong(value) if isinstance(value, str) else ("NOT_TEXT", "must be text")


def _check_amount(spec: RegionSpec, value: Any) -> tuple[str, str] | None:
    if value in (None, ""):
        return "REQUIRED", "is missing"
    return amount_problem(parse_amount(value), max_decimals=spec.max_decimals)


def _problems(spec: RegionSpec, payout: Any, values: Mapping[str, Any]) -> list[Problem]:
    amount = _check_amount(spec, payout.amount)
    problems = [Problem("amount", *amount)] if amount else []
    problems.extend(Problem(one.name, *found) for one in spec.fields if (found := _check_field(one, values[one.name])))
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
        payout: The region's ``Payout``.
        merchant_no: The merchant that pays.
        trade_no: The payout's own number, or a new one if it has none.
        defaults: The client's values for fields that most payouts share.
        settle_after: Kept with the intent, see :class:`Intent`; and so is *resend*.
        place: The batch that it belongs to, and its number there.

    Raises:
        InvalidPayoutError: With every wrong field.
    """
    values = HiddenFields(spec.content(payout, defaults))
    found = _check_trade_no(trade_no)
    problems = ([Problem("trade_no", *found)] if found else []) + _problems(spec, payout, values)
    amount = parse_amount(payout.amount)
    if problems or amount is None:
        raise InvalidPayoutError(problems, trade_no=trade_no if isinstance(trade_no, str) else None)

    sent: HiddenFields[str, str] = HiddenFields(tradeNo=trade_no, amount=amount_text(amount))
    sent |= {one.wire: values[one.name] for one in spec.fields if values[one.name]}
    warning = amount_warning(amount) if spec.warn_decimals else None
    return Intent(
        merchant_no=merchant_no,
        trade_no=trade_no,
        region=spec.name,
        amount=amount,
        currency=spec.currency,
        content=sent,
        fingerprint=fingerprint_of(spec, sent),
        batch_id=place[0],
        position=place[1],
        settle_after=settle_after,
        resend=resend,
        warnings=(Problem("amount", *warning),) if warning else (),
    )


def fingerprint_of(spec: RegionSpec, sent: Mapping[str, str]) -> str:
    """What is paid to whom, of a payout whose *sent* fields are known by their wire names."""
    # The order of the pairs and the separators are a contract with every ledger ever written: never change them.
    names = ["amount", *(one.wire for one in spec.fields if one.identifies)]
    pairs = [[name, sent[name]] for name in sorted(names) if name in sent]
    return hashlib.sha256(json_bytes(["1", spec.name, pairs])).hexdigest()
