"""The signature over a request's fields.

The platform's rule (docs: india/payout, pakistan/overview): every body field except ``sign``, empty ones left out,
sorted by name, joined as ``key1=value1key2=value2`` without separators, then the secret; lower-case hex MD5 of the
UTF-8 bytes. That the secret comes last is inferred (reference 1.2), so it is one switch: ``secret_position``.
"""

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, Protocol, get_args, runtime_checkable

from attrs import field, frozen

from paypro_async._core.errors import ConfigurationError
from paypro_async._core.secret import Secret

__all__ = [
    "HmacSha256Signer",
    "Md5Signer",
    "SecretPosition",
    "Signer",
    "check_signer",
    "matches",
    "signing_string",
    "verify",
]

SecretPosition = Literal["suffix", "prefix"]


@runtime_checkable
class Signer(Protocol):
    """Anything that signs the fields of one request.

    ``sign`` is called once per attempt, over that attempt's own timestamp. It may be a coroutine function, for a
    secret that lives in a vault or an HSM.
    """

    def sign(self, fields: Mapping[str, str]) -> str | Awaitable[str]:
        """Return the signature of *fields* (wire names, without ``sign``)."""
        ...


def check_signer(signer: object) -> None:
    """Refuse what cannot sign.

    Raises:
        ConfigurationError: If it has no ``sign``.
    """
    if not isinstance(signer, Signer):
        raise ConfigurationError("signer has no sign(). Give Md5Signer(secret).")


def signing_string(fields: Mapping[str, object]) -> str:
    """The text that is signed, without the secret: ``key1=value1key2=value2…``, sorted, empty and absent left out."""
    return "".join(
        [
            f"{name}={value}"
            for name in sorted(fields)
            if name != "sign" and (value := fields[name]) is not None and value != ""
        ]
    )


def verify(received: str, fields: Mapping[str, object], signers: "Sequence[Md5Signer | HmacSha256Signer]") -> bool:
    """Whether *received* is the signature of *fields* by one of *signers* (several during a rotation).

    Every signer is tried and compared in constant time, so that timing tells nothing.
    """
    return matches(received, [signer.sign(fields) for signer in signers])


def matches(received: str, signatures: Sequence[str]) -> bool:
    """Whether *received* is one of *signatures*. It is compared with each, in constant time."""
    received_bytes = received.encode("utf-8", "surrogatepass")
    found = [hmac.compare_digest(one.encode("utf-8", "surrogatepass"), received_bytes) for one in signatures]
    return any(found)


_MARKS = ("\ufeff", "\ufffe", "\xef\xbb\xbf")
_UNSEEN = "\x00\u200b\u200c\u200d\u2060"
# As a shell, a file of Windows or a template has it. A secret may begin with a dollar: without braces it must look like
# the name of a variable, which are written in capitals.
_UNFILLED = re.compile(r"\$\{[A-Za-z_]\w*\}|\$[A-Z_][A-Z_0-9]{3,}|%[A-Za-z_]\w*%|\{\{.*\}\}|<[A-Za-z_ -]+>")
_QUOTES = {"'": "'", '"': '"', "`": "`", "\u2018": "\u2019", "\u201c": "\u201d", "\xab": "\xbb"}

# What comes along when a secret is copied, looked for before anything is signed with it: the platform's refusal of such
# a request names no secret. None of the messages holds a part of it.
_WRONG: Sequence[tuple[Callable[[str], bool], str]] = (
    (
        lambda secret: secret.startswith(_MARKS) or secret.endswith(_MARKS),
        "begins or ends with a byte order mark, which editors put into text files. Save the file as UTF-8 without it.",
    ),
    (lambda secret: not secret, "is empty. Give the app secret from PayPro's dashboard."),
    (
        lambda secret: secret != secret.strip().strip(_UNSEEN) or secret.endswith(("\\n", "\\r")),
        "begins or ends with a line break, a blank or another sign that cannot be seen. Take it off; .strip() does.",
    ),
    (
        lambda secret: len(secret) > 1 and _QUOTES.get(secret[0]) == secret[-1],
        "stands in quotes, which belong to the shell or to the file that it came from. Give it without them.",
    ),
    (
        lambda secret: secret.upper().startswith(("PAYPRO_SECRET=", "EXPORT ")),
        "begins with the name of its variable. Give what stands behind the equals sign alone.",
    ),
    (
        lambda secret: _UNFILLED.fullmatch(secret) is not None,
        "is the name of a variable that nothing has filled in. Give the app secret from PayPro's dashboard.",
    ),
    (
        lambda secret: " #" in secret,
        "goes on with a blank and a '#', as a remark in a file does. Give the secret alone.",
    ),
    (
        lambda secret: not secret.isascii() or not secret.isprintable(),
        (
            "holds a line break or a tab, or a letter beyond ASCII that only looks like one of PayPro's. Copy it once "
            "more from the dashboard; if it is really so, give it as bytes."
        ),
    ),
)


def _read(value: object) -> tuple[Secret[bytes], str | None]:
    """The secret, and what is wrong with it. Nothing is raised here, where it stands in the clear."""
    if not isinstance(value, str | bytes):
        return Secret(b""), "is not text. Give the app secret from PayPro's dashboard as str or bytes."
    if isinstance(value, str):
        text, wrongs = value, _WRONG
    else:
        # Bytes beyond ASCII are a key that a program made, of which only the mark of a text file is surely no part.
        text, wrongs = value.decode("latin-1"), _WRONG[:-1] if value.isascii() else _WRONG[:1]
    wrong = next((message for is_wrong, message in wrongs if is_wrong(text)), None)
    if wrong is not None:
        return Secret(b""), wrong
    return Secret(value if isinstance(value, bytes) else value.encode("ascii")), None


@frozen(init=False)
class Md5Signer:
    """The platform's scheme: lower-case hex MD5 of the signing string and the secret.

    Args:
        secret: The app secret (merchant key) from PayPro's dashboard.
        secret_position: ``"suffix"`` (inferred, about 90 % sure) or ``"prefix"``.

    Raises:
        ConfigurationError: If the secret is empty, something was copied along with it (a line break, blanks, a byte
            order mark, quotes), or the position is unknown.
    """

    _secret: Secret[bytes] = field(repr=False)
    secret_position: SecretPosition = field(default="suffix", kw_only=True)

    def __init__(self, secret: str | bytes, *, secret_position: SecretPosition = "suffix") -> None:  # noqa: S107  a place
        hidden, wrong = _read(secret)
        del secret  # A traceback may show the variables of this frame.
        self.__attrs_init__(hidden, secret_position=secret_position)  # first, so that a traceback can show it
        if wrong is not None:
            raise ConfigurationError(f"The secret {wrong} Nothing was sent.")
        if secret_position not in get_args(SecretPosition):
            raise ConfigurationError(
                "secret_position is neither 'suffix' nor 'prefix'. Nothing was sent. Use 'suffix' unless told."
            )

    def with_secret_as(self, position: SecretPosition) -> "Md5Signer":
        """The same signer with its secret at that end."""
        return Md5Signer(self._secret.reveal(), secret_position=position)

    def sign(self, fields: Mapping[str, object]) -> str:
        """Return the signature as 32 lower-case hexadecimal characters."""
        first = self.secret_position == "prefix"  # noqa: S105  where it stands, and not what it is
        # MD5 is the platform's choice; it authenticates nothing by itself, TLS does.
        digest = hashlib.md5(self._secret.reveal() if first else b"", usedforsecurity=False)
        digest.update(signing_string(fields).encode("utf-8"))
        digest.update(b"" if first else self._secret.reveal())
        return digest.hexdigest()


@frozen(init=False)
class HmacSha256Signer:
    """HMAC-SHA-256 over the same signing string, for a platform that offers it.

    Args:
        secret: The shared secret.

    Raises:
        ConfigurationError: As :class:`Md5Signer` raises it for a secret.
    """

    _secret: Secret[bytes] = field(repr=False)

    def __init__(self, secret: str | bytes) -> None:
        hidden, wrong = _read(secret)
        del secret  # A traceback may show the variables of this frame.
        self.__attrs_init__(hidden)
        if wrong is not None:
            raise ConfigurationError(f"The secret {wrong} Nothing was sent.")

    def sign(self, fields: Mapping[str, object]) -> str:
        """Return the signature as 64 lower-case hexadecimal characters."""
        return hmac.new(self._secret.reveal(), signing_string(fields).encode("utf-8"), hashlib.sha256).hexdigest()
