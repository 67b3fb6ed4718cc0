"""Callbacks as the platform would send them."""

import json
from collections.abc import Mapping
from typing import Any

from paypro_async import Md5Signer

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
