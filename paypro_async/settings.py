"""Settings from the environment, for ``PayProClient.from_env()`` and the command line."""

import os
import warnings
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from ssl import SSLContext
from typing import Any, Literal, TypedDict

from attrs import evolve, fields_dict

from paypro_async._core.platform_codes import Codes
from paypro_async._core.regions import Region
from paypro_async._core.secret import HiddenFields, HiddenText
from paypro_async._core.signing import Md5Signer, Signer
from paypro_async.errors import ConfigurationError, PayProWarning
from paypro_async.ledger import Ledger
from paypro_async.runtime import Runtime
from paypro_async.transport import Transport, TransportName

__all__ = [
    "CODE_VARIABLES",
    "KNOWN",
    "VARIABLES",
    "ClientSettings",
    "nearest",
    "settings_from",
    "settings_from_environment",
    "signer_from",
    "slips",
]


class ClientSettings(TypedDict, total=False):
    """The arguments of :class:`~paypro_async.PayProClient`, where they are all optional, for editors and checkers."""

    base_url: str
    merchant_no: str
    signer: Signer
    region: Region
    ledger: str | Ledger | None
    ip_address: str | None
    notify_url: str | None
    timeout: float
    max_attempts: int
    settle_after: float
    resend: Literal["after_settle", "never"]
    request_timeout: float | None
    send_within: float | None
    codes: Codes | None
    check_echo: bool
    adopt_duplicates: bool
    environment: str | None
    allow_plain_http: bool
    max_connections: int
    proxy: str | None
    ssl_context: SSLContext | None
    transport: TransportName | Transport
    runtime: Runtime | None


VARIABLES: Mapping[str, str] = {
    "PAYPRO_BASE_URL": "base_url",
    "PAYPRO_MERCHANT_NO": "merchant_no",
    "PAYPRO_REGION": "region",
    "PAYPRO_LEDGER": "ledger",
    "PAYPRO_IP_ADDRESS": "ip_address",
    "PAYPRO_NOTIFY_URL": "notify_url",
    "PAYPRO_ENVIRONMENT": "environment",
    "PAYPRO_TIMEOUT": "timeout",
    "PAYPRO_SETTLE_AFTER": "settle_after",
    "PAYPRO_REQUEST_TIMEOUT": "request_timeout",
    "PAYPRO_PROXY": "proxy",
    "PAYPRO_TRANSPORT": "transport",
    "PAYPRO_CHECK_ECHO": "check_echo",
}
"""Each variable and the argument of ``PayProClient`` that it stands for.

Beside these, ``PAYPRO_SECRET`` or ``PAYPRO_SECRET_FILE`` (a path), and ``PAYPRO_SECRET_POSITION``, make the signer.
"""

CODE_VARIABLES: Mapping[str, str] = {
    f"PAYPRO_{name.upper()}_CODES": name for name, one in fields_dict(Codes).items() if one.init
}
"""Each variable that adds codes, separated by commas, to a set of :class:`~paypro_async.Codes`."""

KNOWN: frozenset[str] = frozenset(
    {
        *VARIABLES,
        *CODE_VARIABLES,
        "PAYPRO_SECRET",
        "PAYPRO_SECRET_FILE",
        "PAYPRO_SECRET_POSITION",
        "PAYPRO_LEDGER_MARK",
        "PAYPRO_LOG",
    }
)
"""Every variable of this package that has a meaning."""

_NEAR = 0.75
_TRUTHS = {"1": True, "yes": True, "true": True, "0": False, "no": False, "false": False}
_POSITION = "PAYPRO_SECRET_POSITION"
_SECONDS = ("timeout", "settle_after", "request_timeout")


def nearest(name: str) -> str | None:
    """The variable that was probably meant by a name that means nothing; None if none is near."""
    return next(iter(get_close_matches(name.upper(), KNOWN, n=1, cutoff=_NEAR)), None)


def slips(environ: Mapping[str, str]) -> str:
    """A sentence, behind a blank, about variables that look like one that is not set; empty if there is none."""
    names = sorted(name for name in environ if name.upper().startswith("PAYPRO_") and name not in KNOWN)
    near = [(name, meant) for name in names if (meant := nearest(name)) is not None and not environ.get(meant)]
    return "".join(f" {name} is set and means nothing: is it {meant}?" for name, meant in near)


def settings_from_environment(given: Mapping[str, Any]) -> dict[str, Any]:
    """As :func:`settings_from`, of this process; a variable that is probably misspelt warns whoever makes the client.

    Raises:
        ConfigurationError: If something is missing or cannot be read.
    """
    settings = settings_from(os.environ, given)
    if told := slips(os.environ):
        warnings.warn(told.strip(), PayProWarning, stacklevel=3)
    return settings


def settings_from(environ: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a client: those given, and the environment's for the rest. An empty variable is none.

    Raises:
        ConfigurationError: If something is missing or cannot be read; every missing variable is named at once.
    """
    # A traceback may show the variables of a frame, and a URL may hold a password.
    environ, given = HiddenFields(environ), HiddenFields(given)
    settings: HiddenFields[str, Any] = HiddenFields(
        (name, environ[variable]) for variable, name in VARIABLES.items() if environ.get(variable)
    )
    settings |= given
    if "signer" not in settings and (signer := signer_from(environ)):
        settings["signer"] = signer
    if "codes" not in settings and (added := _added_codes(environ)):
        settings["codes"] = added
    missing = [
        variable for variable, name in VARIABLES.items() if name in ("base_url", "merchant_no") and name not in settings
    ]
    if "signer" not in settings:
        missing.append("PAYPRO_SECRET (or PAYPRO_SECRET_FILE)")
    if missing:
        raise ConfigurationError(
            f"Not set: {', '.join(missing)}. Set them in the environment or give the arguments.{slips(environ)}"
        )
    for name in _SECONDS:
        if isinstance(settings.get(name), str):
            settings[name] = _seconds(name, settings[name])
    if isinstance(check_echo := settings.get("check_echo"), str):
        if check_echo.lower() not in _TRUTHS:
            raise ConfigurationError("PAYPRO_CHECK_ECHO is neither yes nor no.")
        settings["check_echo"] = _TRUTHS[check_echo.lower()]
    return settings


def _added_codes(environ: Mapping[str, str]) -> Codes | None:
    known = Codes()
    added = {
        name: getattr(known, name) | {code.strip() for code in text.split(",") if code.strip()}
        for variable, name in CODE_VARIABLES.items()
        if (text := environ.get(variable))
    }
    return evolve(known, **added) if added else None


def signer_from(environ: Mapping[str, str]) -> Md5Signer | None:
    """The signer that the environment's secret makes; None if there is none.

    Raises:
        ConfigurationError: If the secret cannot be read, or is none, or its position is unknown.
    """
    environ = HiddenFields(environ)
    secret = _secret(environ)
    if not secret:
        return None
    position: Any = environ.get(_POSITION) or "suffix"  # the signer checks it
    try:
        return Md5Signer(secret, secret_position=position)
    except ConfigurationError as error:
        source = "PAYPRO_SECRET" if environ.get("PAYPRO_SECRET") else "PAYPRO_SECRET_FILE"
        # The words are for a program that gives the secret itself.
        message = str(error).replace("The secret ", f"The secret in {source} ").replace("secret_position", _POSITION)
        raise ConfigurationError(message) from None


def _secret(environ: Mapping[str, str]) -> HiddenText | None:
    path = environ.get("PAYPRO_SECRET_FILE")
    if environ.get("PAYPRO_SECRET"):
        if path:
            raise ConfigurationError("Both PAYPRO_SECRET and PAYPRO_SECRET_FILE are set. Keep one of them.")
        return HiddenText(environ["PAYPRO_SECRET"])
    if not path:
        return None
    try:
        # Editors end a file with a line break, which is no part of the secret.
        secret = HiddenText(Path(path).read_text(encoding="utf-8").rstrip("\r\n"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
    else:
        if secret:
            return secret
        raise ConfigurationError("The file that PAYPRO_SECRET_FILE names is empty. Write the app secret into it.")
    # Out here, since the error about the text would hold it. The path is not shown: it may be the secret by mistake.
    if reason is None:
        raise ConfigurationError(
            "PAYPRO_SECRET_FILE cannot be read: it is not UTF-8 text. Save the file that it names as UTF-8."
        )
    raise ConfigurationError(
        f"PAYPRO_SECRET_FILE cannot be read: {reason}. It is the path of a file that this user may read, seen from "
        "the folder of the call unless it begins at the root; the secret itself belongs into PAYPRO_SECRET."
    )


def _seconds(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigurationError(f"PAYPRO_{name.upper()} is not a number of seconds.") from None
