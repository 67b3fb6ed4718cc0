"""Callbacks that the platform has not sent: none is believed, none crashes, and each is answered alike."""

import base64
import gzip
import hashlib
import json
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from urllib.parse import quote, urlencode

import pytest

from paypro_async import (
    CallbackError,
    CallbackReading,
    HmacSha256Signer,
    Md5Signer,
    State,
    signing_string,
    verify_callback,
)
from tests.support.callbacks import MEMBERS, cut_anew, signed
from tests.support.merchant import MERCHANT_NO, SIGNER, payout, scripted_client
from tests.support.scripted import PROCESSING, Scripted

REMARKS = (
    None,
    "invoice 17",
    "xstatus=0000successTime",
    "xstatus=00029successTime",
    "x",
    "a=b",
    "xserialNumber=S-1",
    "\u091a\u093e\u0932\u093e\u0928",
    "timestamp=1tradeNo=T1",
    "z" * 40,
)
PAYOUTS = 40


def genuine(number: int) -> dict[str, str]:
    """What the platform would say of payout number so and so: each second one has failed."""
    members = {
        **MEMBERS,
        "tradeNo": f"T{number}",
        "platFormTradeNo": f"P-{number + 1}",
        "status": "0000" if number % 2 else "00029",
        "timestamp": str(1724740395968 + number),
    }
    extra = {"remark": REMARKS[number % len(REMARKS)], "utr": "412345678901" if number % 3 == 0 else None}
    return members | {name: value for name, value in extra.items() if value}


Mutation = Callable[[random.Random, dict[str, str]], bytes]


def body_of(members: Mapping[str, object], sign: object) -> bytes:
    return json.dumps({**members, "sign": sign}).encode()


def bytes_changed(dice: random.Random, members: dict[str, str]) -> bytes:
    raw = bytearray(signed(members, signer=SIGNER))
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(raw))
        match dice.randrange(4):
            case 0:
                raw[at] = dice.randrange(256)
            case 1:
                del raw[at : at + dice.randint(1, 20)]
            case 2:
                raw[at:at] = dice.randbytes(dice.randint(1, 4))
            case _:
                raw[at:at] = raw[dice.randrange(len(raw)) :][: dice.randint(1, 30)]
    return bytes(raw)


def truncated(dice: random.Random, members: dict[str, str]) -> bytes:
    raw = signed(members, signer=SIGNER)
    return raw[: dice.randrange(len(raw))] + dice.choice([b"", b"}", b'"}', b"\x00"])


def members_changed(dice: random.Random, members: dict[str, str]) -> bytes:
    changed: dict[str, object] = dict(members)
    for _ in range(dice.randint(1, 2)):
        name = dice.choice(list(changed) or ["status"])
        value = changed.pop(name, "")
        match dice.randrange(6):
            case 0:
                changed[name] = dice.choice(["0000", "00029", "0015", "", None, 0, 300.0, True, [value], {"a": value}])
            case 1:
                changed[name] = f"{value}{dice.choice('0 =a')}"
            case 2:
                changed[dice.choice([name.upper(), f"{name} ", "amount", "x", "orderAmount", "Sign"])] = value
            case 3:
                other = dice.choice(list(changed) or ["status"])
                changed[name], changed[other] = changed.get(other, ""), value
            case _:
                changed[name] = genuine(dice.randrange(PAYOUTS)).get(name, value)
    return body_of(changed, SIGNER.sign(members))


def said_twice(dice: random.Random, members: dict[str, str]) -> bytes:
    name = dice.choice([*members, "sign"])
    more = f'"{name}":{json.dumps(dice.choice(["0000", "00029", "T1", "300"]))}'.encode()
    raw = signed(members, signer=SIGNER)
    return raw[:-1] + b"," + more + b"}" if dice.random() < 0.5 else b"{" + more + b"," + raw[1:]


def cut(dice: random.Random, members: dict[str, str]) -> bytes:
    for _ in range(30):
        fields = cut_anew(signing_string(members), dice.choice)
        if fields is not None and fields != members:
            return body_of(fields, SIGNER.sign(members))
    return b"{}"


def encoded(dice: random.Random, members: dict[str, str]) -> bytes:
    raw = signed(members, signer=SIGNER)
    text = raw.decode()
    changes: list[Callable[[], bytes]] = [
        lambda: text.encode(dice.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "utf-8-sig", "cp500"])),
        lambda: base64.b64encode(raw),
        lambda: gzip.compress(raw, mtime=0),
        lambda: quote(text).encode(),
        lambda: urlencode(json.loads(text)).encode(),
        lambda: json.dumps(text).encode(),
        lambda: json.dumps([json.loads(text)]).encode(),
        lambda: json.dumps({"data": json.loads(text)}).encode(),
        lambda: json.dumps(json.loads(text) | {"sign": [json.loads(text)["sign"]]}).encode(),
        lambda: text.replace("0", "\\u0660").encode(),
        lambda: text.replace('"', "'").encode(),
        lambda: raw + b" " * 65_536,
        lambda: b"[" * dice.randint(1, 60_000) + raw,
    ]
    return dice.choice(changes)()


def forged(dice: random.Random, members: dict[str, str]) -> bytes:
    text = signing_string(members)
    signs: list[object] = [
        hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
        Md5Signer("another").sign(members),
        Md5Signer("sandbox-secret", secret_position="prefix").sign(members),
        HmacSha256Signer("sandbox-secret").sign(members),
        SIGNER.sign(members).upper(),
        SIGNER.sign(members)[:-1],
        SIGNER.sign(members) + " ",
        f"0x{SIGNER.sign(members)}",
        SIGNER.sign(genuine(dice.randrange(1000, 2000))),
        f"{dice.getrandbits(128):032x}",
        "",
        None,
        True,
        0,
    ]
    return body_of(members, dice.choice(signs))


def noise(dice: random.Random, members: dict[str, str]) -> bytes:
    return dice.randbytes(dice.randrange(300))


KINDS: tuple[Mutation, ...] = (
    bytes_changed,
    truncated,
    members_changed,
    said_twice,
    cut,
    cut,
    encoded,
    forged,
    noise,
)


def is_genuine(body: bytes) -> bool:
    """Whether a body says, in another order or with other blanks and escapes, what the platform has said."""
    told = json.loads(body)
    told.pop("sign")
    members = {name: value for name, value in told.items() if value not in ("", None)}
    return any(members == genuine(number) for number in range(PAYOUTS))


@pytest.mark.parametrize("count", [3_000, pytest.param(10_000, marks=pytest.mark.trial)])
@pytest.mark.timeout(600)
async def test_no_forged_callback_is_believed_and_each_is_answered_alike(count: int, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.CRITICAL, logger="paypro_async")
    dice, seen, began = random.Random(count), Counter[str](), time.perf_counter()
    lenient = CallbackReading(numbers="java", nulls="text", forms="accepted")
    transport = Scripted(payouts=PROCESSING, queries=PROCESSING)
    async with scripted_client(transport) as client:
        for number in range(PAYOUTS):
            await client.payout(payout(f"T{number}"))
        for number in range(count):
            kind = KINDS[number % len(KINDS)]
            body = kind(dice, genuine(dice.randrange(PAYOUTS)))
            reply = await client.receive_callback(body)
            if (reply.status, reply.body) in ((400, b"REFUSED"), (413, b"REFUSED")):
                seen["refused"] += 1
            elif is_genuine(body):
                seen["the same"] += 1
            else:
                # One whose signature fits since it was cut out of a genuine one: the platform was asked.
                assert reply.status == 200, body
                assert verify_callback(body, SIGNER, ambiguous="mark").ambiguous, body
                seen["asked"] += 1
            with suppress(CallbackError):
                verify_callback(body, [SIGNER, Md5Signer("second")], reading=lenient)
        entries = await client.ledger.get_many(MERCHANT_NO, [f"T{number}" for number in range(PAYOUTS)])  # type: ignore[union-attr]
    ends = [State.FAILED, State.SUCCEEDED]
    for number in range(PAYOUTS):
        assert entries[f"T{number}"].state in (State.PROCESSING, ends[number % 2])
    assert seen["asked"] > count / 1000
    assert seen["refused"] > count / 2
    logging.getLogger(__name__).info("%s in %.1f s", dict(seen), time.perf_counter() - began)
