"""The platform's signature, written a second time on purpose: the sandbox must not agree with a client's mistake."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Literal

__all__ = ["SecretPosition", "is_signed", "java_text", "sign"]

SecretPosition = Literal["suffix", "prefix"]


def java_text(value: object) -> str:
    """The text that Java's ``String.valueOf`` gives for a JSON value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def sign(members: Mapping[str, object], *, secret: str, position: SecretPosition) -> str:
    """The signature of a request body: ``key1=value1key2=value2`` and the secret, as lower-case hexadecimal MD5."""
    # docs: pakistan/overview. That the secret comes last is inferred, hence the switch.
    texts = {key: java_text(value) for key, value in members.items() if key != "sign"}
    text = "".join(f"{key}={texts[key]}" for key in sorted(texts) if texts[key])
    salted = text + secret if position == "suffix" else secret + text
    # Java's getBytes writes "?" for half a surrogate pair, and so does "replace".
    return hashlib.md5(salted.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def is_signed(members: Mapping[str, object], *, secret: str, position: SecretPosition) -> bool:
    """Whether the member ``sign`` is the signature of all the others."""
    given = members.get("sign")
    if not isinstance(given, str):
        return False
    expected = sign(members, secret=secret, position=position)
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
