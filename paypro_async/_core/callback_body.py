"""The body of a callback: bytes in, the signed texts out. Nothing is believed here.

What is refused, before any signature is looked at: what is longer than 64 KiB; what is no JSON object in UTF-8; a name
that comes twice; a value that holds others, or is true or false. What the documentation leaves open is a
:class:`CallbackReading`.
"""

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl

from paypro_async._core.codec import NumberText, ReadingError, read_json
from paypro_async._core.errors import CallbackPayloadError, CallbackSignatureError, ConfigurationError
from paypro_async._core.secret import HiddenBytes, HiddenFields, HiddenText, hidden
from paypro_async._core.values import frozen

__all__ = [
    "LONGEST_CALLBACK",
    "CallbackBody",
    "CallbackReading",
    "CallbackSigned",
    "CallbackTooLongError",
    "java_text",
    "read_body",
]

LONGEST_CALLBACK = 64 * 1024
"""Bytes of a callback's body, at most. A genuine one has some hundreds."""

CallbackBody = bytes | bytearray | memoryview | str
"""A callback's body as a framework gives it: raw, or as text."""


class CallbackTooLongError(CallbackPayloadError):
    """The callback's body is longer than any of the platform's. It was not read, and nothing was stored."""


Numbers = Literal["refused", "as_written", "java"]
Nulls = Literal["skipped", "text"]
Forms = Literal["refused", "accepted"]


@frozen(kw_only=True)
class CallbackReading:
    """How callbacks are read where the platform's documentation leaves it open.

    Documented are JSON objects whose values are text. Only if genuine callbacks are refused with an error that names a
    setting, set that one.

    Args:
        numbers: What was signed for a JSON number: its text ``"as_written"``; what ``"java"`` writes for the number
            that it reads (``300.00`` as ``300.0``, ``30000000.5`` as ``3.00000005E7``); or ``"refused"``.
        nulls: What was signed for ``null``: nothing (``"skipped"``), or the ``"text"`` null.
        forms: Whether a body that is a form (``application/x-www-form-urlencoded``) is ``"accepted"`` beside JSON.

    Raises:
        ConfigurationError: If a value is none of these.
    """

    numbers: Numbers = "refused"
    nulls: Nulls = "skipped"
    forms: Forms = "refused"

    def __attrs_post_init__(self) -> None:
        for name, kind in (("numbers", Numbers), ("nulls", Nulls), ("forms", Forms)):
            if getattr(self, name) not in get_args(kind):
                allowed = " or ".join(map(repr, get_args(kind)))
                raise ConfigurationError(f"CallbackReading({name}=…) must be {allowed}. Nothing was sent.")


@frozen
class CallbackSigned:
    """What a callback says, and the signature that it has. Neither is checked yet.

    Args:
        members: All members but ``sign``, as the texts that were signed; without those that are empty.
        sign: The signature as it came.
    """

    members: HiddenFields[str, str]
    sign: str

    def __repr__(self) -> str:
        return f"CallbackSigned({self.members!r})"


def read_body(body: CallbackBody, reading: CallbackReading) -> CallbackSigned:
    """What stands in a callback's *body*.

    Raises:
        CallbackPayloadError: If it is not what the platform documents, or *reading* does not cover it.
        CallbackSignatureError: If it has no signature.
        TypeError: If *body* is no body: the members that a framework has read, say.
    """
    raw = HiddenBytes(_bytes(hidden(body)))
    del body  # A traceback may show the variables of this frame.
    is_form = _is_form(raw)
    if is_form and reading.forms == "refused":
        raise _refused("its body is a form and no JSON", "forms='accepted'")
    members = HiddenFields(_form(raw) if is_form else _json(raw))
    sign = members.pop("sign", None)
    if type(sign) is not str or not sign:
        raise CallbackSignatureError(
            "The callback has no signature: its member sign is missing or is no text. Nothing was stored. It is not "
            "from PayPro, or something on the way has changed it."
        )
    texts = HiddenFields((name, _text(name, members, reading)) for name in members)
    return CallbackSigned(HiddenFields((name, text) for name, text in texts.items() if text), sign)


def _bytes(body: Any) -> bytes:
    raw: bytes
    if isinstance(body, str):
        if len(body) > LONGEST_CALLBACK:
            raise _too_long()
        try:
            raw = HiddenBytes(body.encode())
        except UnicodeEncodeError:
            raise _wrong("it holds half a character") from None
    elif isinstance(body, HiddenBytes):
        raw = body
    else:
        # hidden() has made a HiddenFields of whatever mapping was given.
        kind = "a mapping, such as a dict" if isinstance(body, Mapping) else type(body).__name__
        raise TypeError(
            f"The body of a callback is given as {kind}. Give the raw body of the request, as bytes or text: what a "
            "framework has read of it cannot be verified. In FastAPI and Starlette that is await request.body(), in "
            "aiohttp await request.read(), in Django request.body. Nothing was stored."
        )
    if len(raw) > LONGEST_CALLBACK:
        raise _too_long()
    return raw


_FORM = re.compile(rb"[!-<>-z|~]+=[!-~]*")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MOST_FIELDS = 100


def _is_form(raw: bytes) -> bool:
    # No JSON begins with a name and an equals sign.
    return raw.lstrip()[:1] not in (b"{", b"[", b'"') and _FORM.fullmatch(raw) is not None


def _form(raw: bytes) -> dict[str, Any]:
    text = HiddenText(raw.decode("ascii"))
    if _BROKEN_ESCAPE.search(text):
        raise _wrong("an escape of its form is broken")
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise _wrong("its body is no form that can be read") from None
    members, count = HiddenFields[str, Any](pairs), len(pairs)
    del pairs
    if len(members) != count:
        raise _wrong("it says a thing twice")
    return members


def _json(raw: bytes) -> dict[str, Any]:
    if raw.startswith(b"\xef\xbb\xbf"):
        raise _wrong("its body begins with a byte order mark")
    try:
        return read_json(raw, as_written=True)
    except ReadingError as error:
        raise _wrong(str(error)) from None


# A name with an equals sign, or one that Java sorts otherwise than Python (beyond the first plane), could be signed as
# another one.
_NAME = re.compile("[^=\x00-\x20\x7f\U00010000-\U0010ffff]{1,64}")


def _text(name: str, members: HiddenFields[str, Any], reading: CallbackReading) -> str | None:
    """The text that was signed for the value of that name; None for nothing."""
    if not _NAME.fullmatch(name):
        raise _wrong("the name of a member is none that the platform can have given")
    kind = type(members[name])
    if kind is str:
        text: str = members[name]
        return text
    if kind is NumberText:
        if reading.numbers == "refused":
            raise _refused("it holds a number that is not written as text", "numbers='as_written' or numbers='java'")
        return NumberText(members[name]) if reading.numbers == "as_written" else java_text(members[name])
    if members[name] is None:
        return "null" if reading.nulls == "text" else None
    raise _wrong("the value of a member is neither text nor a number")


_JAVA_PLAIN = (-3, 7)


def java_text(number: str) -> NumberText:
    """What Java's ``String.valueOf`` writes for the long or the double that the JSON *number* is read as.

    Raises:
        CallbackPayloadError: If it is beyond a double.
    """
    if not any(one in number for one in ".eE"):
        return NumberText("0" if number == "-0" else number)
    value = float(number)
    if math.isinf(value):
        raise _wrong("it holds a number beyond all bounds")
    sign = "-" if math.copysign(1, value) < 0 else ""
    # repr() finds the fewest digits that are read as the same double, as Java does since version 19; but where one is
    # enough, Java takes the nearest two.
    two = f"{abs(value):.1e}"
    shortest = two if float(two) == abs(value) else repr(abs(value))
    _, digits, exponent = Decimal(shortest).normalize().as_tuple()
    written = "".join(map(str, digits))
    point = len(written) + int(exponent)  # digits in front of it
    if value == 0:
        return NumberText(f"{sign}0.0")
    if _JAVA_PLAIN[0] < point <= _JAVA_PLAIN[1]:
        if point <= 0:
            return NumberText(f"{sign}0.{'0' * -point}{written}")
        return NumberText(f"{sign}{written[:point]:0<{point}}.{written[point:] or '0'}")
    return NumberText(f"{sign}{written[0]}.{written[1:] or '0'}E{point - 1}")


def _wrong(what: str) -> CallbackPayloadError:
    return CallbackPayloadError(f"The callback was not read: {what}. Nothing was stored.")


def _refused(what: str, setting: str) -> CallbackPayloadError:
    return CallbackPayloadError(
        f"The callback was not read: {what}, and nothing documents how such a one is signed. Nothing was stored. If it "
        f"is from PayPro, try CallbackReading({setting}): the signature shows whether that is right."
    )


def _too_long() -> CallbackTooLongError:
    return CallbackTooLongError(
        f"The callback was not read: its body has more than {LONGEST_CALLBACK} bytes, which none of PayPro's has. "
        "Nothing was stored."
    )
