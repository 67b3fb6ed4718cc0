"""Callbacks as the platform would send them."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from paypro_async import Md5Signer, signing_string

SECRET = "s3cr3t"
MEMBERS = {
    "status": "0000",
    "message": "SUCCESS",
    "platFormTradeNo": "P-1",
    "tradeNo": "T1",
    "amount": "300",
    "timestamp": "1724740395968",
}


def signed(members: Mapping[str, Any], *, signer: Any = None, raw: Mapping[str, str] | None = None) -> bytes:
    """The body of a callback with these members, rightly signed; those of *raw* are written as they are."""
    signer = signer or Md5Signer(SECRET)
    told = {name: json.dumps(value) for name, value in {**members, "sign": signer.sign(members)}.items()}
    told |= raw or {}
    return ("{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in told.items()) + "}").encode()


def callback(
    status: str = "0000",
    trade_no: str = "T1",
    *,
    signer: Any = None,
    raw: Mapping[str, str] | None = None,
    **more: str | None,
) -> bytes:
    """A genuine callback; a member that is None is left out."""
    members = MEMBERS | {"status": status, "tradeNo": trade_no} | more
    return signed({name: value for name, value in members.items() if value is not None}, signer=signer, raw=raw)


def cut_anew(text: str, draw: Callable[[Sequence[Any]], Any]) -> dict[str, str] | None:
    """Other members that are signed as *text*, if those that are drawn come in order."""
    signs = [at for at, one in enumerate(text) if one == "="]
    ends = [signs[0], *(at for at in signs[1:] if draw((True, True, True, False)))]
    fields, start = {}, 0
    for end, following in zip(ends, [*ends[1:], None], strict=True):
        name, behind = text[start:end], len(text)
        if following is not None:
            known = [len(one) for one in (*MEMBERS, "remark", "utr", "successTime") if text[:following].endswith(one)]
            length = draw(known) if known and draw((True, True, True, False)) else draw(range(1, 13))
            behind = max(end + 1, following - length)
        fields[name], start = text[end + 1 : behind], behind
    return fields if signing_string(fields) == text else None
