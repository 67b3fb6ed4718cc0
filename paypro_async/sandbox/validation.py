"""What the platform demands of a request body, as its pages say it."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal

from paypro_async.sandbox.orders import PROCESSING, SUCCESS, Instruction, Payee
from paypro_async.sandbox.remarks import Kind, Wishes

__all__ = [
    "BALANCE_MEMBERS",
    "QUERY_MEMBERS",
    "Members",
    "read_instruction",
    "read_members",
    "wrong_member",
    "wrong_payout",
]

Members = Mapping[str, object]

# docs: india/payout. The IFSC is called bankNCode in the table and bankCode in the example: either will do.
PAYOUT_MEMBERS = ("timestamp", "ipAddress", "tradeNo", "amount", "name", "mobile", "email", "bankNumber", "notifyUrl")
# docs: india/payoutQuery, philippines/balance
QUERY_MEMBERS = ("timestamp", "tradeNo")
BALANCE_MEMBERS = ("timestamp",)

_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,4})?")
_MOBILE = re.compile(r"[6-9][0-9]{9}")
_IFSC = re.compile(r"[A-Z]{4}0[A-Z0-9]{6}")
_TIMESTAMP = re.compile(r"[0-9]{10,16}")


def read_members(body: bytes) -> Members | None:
    """The members of a JSON object, numbers as exact decimals; ``None`` when the body is anything else."""
    try:
        value = json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError):
        return None  # The second: an exponent beyond what any number can have.
    return value if isinstance(value, dict) else None


def wrong_member(members: Members, required: tuple[str, ...]) -> str | None:
    """The first member that is missing or not a text, named with its fault; ``None`` when all are well."""
    for name in required:
        value = members.get(name)
        if not isinstance(value, str):
            return f"{name} must be a string" if name in members else f"{name} is required"
        if not value:
            return f"{name} is required"
    if not _TIMESTAMP.fullmatch(_text(members, "timestamp")):
        return "timestamp must be milliseconds since the epoch"
    return None


def wrong_payout(members: Members) -> str | None:
    """What the platform has against a payout, by the member's name; ``None`` when nothing."""
    if (wrong := wrong_member(members, PAYOUT_MEMBERS)) is not None:
        return wrong
    if not isinstance(members.get("remark", ""), str):
        return "remark must be a string"
    amount = _text(members, "amount")
    if not _AMOUNT.fullmatch(amount) or not Decimal(amount):
        return "amount must be a positive number"
    if not _MOBILE.fullmatch(_text(members, "mobile")):
        return "mobile must have 10 digits beginning with 6, 7, 8 or 9"
    if not _IFSC.fullmatch(_bank_code(members)):
        return "bankCode must be an IFSC code"
    return None


def read_instruction(members: Members, wishes: Wishes) -> Instruction:
    """The payout in a body that ``wrong_payout`` has nothing against, with what is wished for the order."""
    wish = wishes.now
    status = {Kind.PAID: SUCCESS, Kind.FAIL: wish.code}.get(wish.kind) if wish is not None else None
    return Instruction(
        trade_no=_text(members, "tradeNo"),
        amount=Decimal(_text(members, "amount")),
        payee=Payee(
            name=_text(members, "name"),
            mobile=_text(members, "mobile"),
            email=_text(members, "email"),
            bank_number=_text(members, "bankNumber"),
            bank_code=_bank_code(members),
        ),
        remark=_text(members, "remark"),
        status=status or PROCESSING,
        message=wish.message if wish is not None and status else None,
        notify_url=_text(members, "notifyUrl"),
        later=wishes.later,
        manner=wishes.manner,
    )


def _bank_code(members: Members) -> str:
    return _text(members, "bankCode") or _text(members, "bankNCode")


def _text(members: Members, name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
