"""Settings from the environment, for ``PayProClient.from_env()`` and the command line."""

import math
import os
import re
import select
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from ssl import SSLContext
from typing import Any, Literal, TypedDict

from attrs import evolve, fields_dict

from paypro_async._core.callback_body import CallbackReading
from paypro_async._core.known import OnChange
from paypro_async._core.platform_codes import Codes
from paypro_async._core.regions import Region
from paypro_async._core.secret import HiddenFields, HiddenText
from paypro_async._core.signing import Md5Signer, Signer
from paypro_async._core.variables import ALL
from paypro_async.errors import ConfigurationError, PayProWarning
from paypro_async.ledger import Ledger
from paypro_async.ledger.sql.encryption.keys import KeySource
from paypro_async.runtime import Runtime
from paypro_async.transport import Transport, TransportName

__all__ = [
    "CODE_VARIABLES",
    "KNOWN",
    "VARIABLES",
    "ClientSettings",
    "nearest",
    "secret_from",
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
    ledger_key: KeySource | None
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
    callback_signers: Sequence[Signer]
    callback_reading: CallbackReading | None
    unknown_callbacks: Literal["accept", "refuse"]
    on_change: OnChange | None
    consumer: str
    hooks: Sequence[Callable[[Any], object]]
    runtime: Runtime | None


VARIABLES: Mapping[str, str] = {one.name: one.argument for one in ALL if one.argument and one.reads}
"""Each variable and the argument of ``PayProClient`` that it stands for.

Beside these, ``PAYPRO_SECRET`` or ``PAYPRO_SECRET_FILE`` (a path), and ``PAYPRO_SECRET_POSITION``, make the signer;
``PAYPRO_CALLBACK_SECRET`` or ``PAYPRO_CALLBACK_SECRET_FILE`` one more for callbacks, while the secret is changed.
"""

CODE_VARIABLES: Mapping[str, str] = {
    f"PAYPRO_{name.upper()}_CODES": name for name, one in fields_dict(Codes).items() if one.init
}
"""Each variable that adds codes, separated by commas, to a set of :class:`~paypro_async.Codes`."""

KNOWN: frozenset[str] = frozenset(one.name for one in ALL)
"""Every variable of this package that has a meaning."""

_PREFIX = "PAYPRO_"
_NEAR = 0.7
_CODE = re.compile(r"[0-9A-Za-z_-]+")
# A secret is short, and a pipe that a vault writes to (a shell's <(…)) is waited for as long.
_SECRET_BYTES, _SECRET_SECONDS = 64 * 1024, 10.0
_TRUTHS = {"1": True, "yes": True, "true": True, "0": False, "no": False, "false": False}
_POSITION = "PAYPRO_SECRET_POSITION"
_SECONDS = ("timeout", "settle_after", "request_timeout")


def nearest(name: str) -> str | None:
    """The variable that was probably meant by a name that means nothing; None if none is near."""
    # What all have in common would make them all alike.
    known = [one.removeprefix(_PREFIX) for one in KNOWN]
    found = get_close_matches(name.upper().removeprefix(_PREFIX), known, n=1, cutoff=_NEAR)
    return f"{_PREFIX}{found[0]}" if found else None


def slips(environ: Mapping[str, str]) -> str:
    """A sentence, behind a blank, about variables that look like one that is not set; empty if there is none."""
    names = sorted(name for name in environ if name.upper().startswith(_PREFIX) and name not in KNOWN)
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
    if "callback_signers" not in settings and (former := signer_from(environ, "PAYPRO_CALLBACK_SECRET")):
        settings["callback_signers"] = [former]
    if "codes" not in settings and (added := _added_codes(environ)):
        settings["codes"] = added
    missing = [
        variable for variable, name in VARIABLES.items() if name in ("base_url", "merchant_no") and name not in settings
    ]
    if "signer" not in settings:
        missing.append("PAYPRO_SECRET (or PAYPRO_SECRET_FILE)")
    if missing:
        raise ConfigurationError(
            f"Not set: {', '.join(missing)}. Nothing was sent. Set them in the environment or give the arguments."
            f"{slips(environ)}"
        )
    for name in _SECONDS:
        if isinstance(settings.get(name), str):
            settings[name] = _seconds(name, settings[name])
    if isinstance(check_echo := settings.get("check_echo"), str):
        if check_echo.lower() not in _TRUTHS:
            raise ConfigurationError("PAYPRO_CHECK_ECHO is neither yes nor no. Nothing was sent; set one of these two.")
        settings["check_echo"] = _TRUTHS[check_echo.lower()]
    return settings


def _added_codes(environ: Mapping[str, str]) -> Codes | None:
    known, added = Codes(), dict[str, frozenset[str]]()
    listed = [variable for variable in CODE_VARIABLES if environ.get(variable)]
    for variable in listed:
        codes = {code.strip() for code in environ[variable].split(",") if code.strip()}
        if not all(map(_CODE.fullmatch, codes)):
            raise ConfigurationError(
                f"{variable} is no list of codes, of letters and digits with commas between them, as in 7001,7002. "
                "Nothing was sent; mend it."
            )
        name = CODE_VARIABLES[variable]
        added[name] = getattr(known, name) | codes
    try:
        return evolve(known, **added) if added else None
    except ConfigurationError as error:
        # The words are for a program that makes them itself.
        raise ConfigurationError(str(error).replace("Codes(…) lists", f"{' and '.join(listed)} list")) from None


def signer_from(environ: Mapping[str, str], variable: str = "PAYPRO_SECRET") -> Md5Signer | None:
    """The signer that the environment's secret makes; None if there is none.

    Args:
        environ: The environment.
        variable: That holds the secret; with ``_FILE`` behind it, the path of a file with it.

    Raises:
        ConfigurationError: If the secret cannot be read, or is none, or its position is unknown.
    """
    environ = HiddenFields(environ)
    secret = secret_from(environ, variable)
    if not secret:
        return None
    position: Any = environ.get(_POSITION) or "suffix"  # the signer checks it
    try:
        return Md5Signer(secret, secret_position=position)
    except ConfigurationError as error:
        source = variable if environ.get(variable) else f"{variable}_FILE"
        # The words are for a program that gives the secret itself.
        message = str(error).replace("The secret ", f"The secret in {source} ").replace("secret_position", _POSITION)
        raise ConfigurationError(message) from None


def secret_from(environ: Mapping[str, str], variable: str) -> HiddenText | None:
    """The secret that a variable holds, or the file that the same with ``_FILE`` behind it names; None without either.

    Raises:
        ConfigurationError: If both are set, or the file cannot be read or is empty.
    """
    path = environ.get(f"{variable}_FILE")
    if environ.get(variable):
        if path:
            raise ConfigurationError(
                f"Both {variable} and {variable}_FILE are set. Nothing was sent. Keep one of them."
            )
        return HiddenText(environ[variable])
    if not path:
        return None
    try:
        # Editors end a file with a line break, which is no part of the secret.
        secret = HiddenText(_content(path).decode("utf-8").rstrip("\r\n"))
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else None
    else:
        if secret:
            return secret
        raise ConfigurationError(
            f"The file that {variable}_FILE names is empty. Nothing was sent. Write the app secret into it."
        )
    # Out here, since the error about the text would hold it. The path is not shown: it may be the secret by mistake.
    if reason is None:
        raise ConfigurationError(
            f"{variable}_FILE cannot be read: it is not UTF-8 text. Nothing was sent. Save the file that it names as "
            "UTF-8."
        )
    raise ConfigurationError(
        f"{variable}_FILE cannot be read: {reason}. Nothing was sent. It is the path of a file that this user may "
        "read, seen from the folder of the call unless it begins at the root; the secret itself belongs into "
        f"{variable}."
    )


def _content(path: str) -> bytes:
    """What a file holds, or what is written to a pipe in some seconds.

    Raises:
        OSError: If it cannot be read, or is no secret's: it does not end, or nothing comes.
    """
    found, until = b"", time.monotonic() + _SECRET_SECONDS
    path = os.path.expanduser(path)  # noqa: PTH111  pathlib raises for a user that is not there
    with open(path, "rb", buffering=0, opener=_opened) as file:
        while len(found) <= _SECRET_BYTES:
            if not _has_more(file.fileno(), until - time.monotonic()):
                raise OSError(f"nothing came out of it in {_SECRET_SECONDS:.0f} seconds")
            part = file.read(_SECRET_BYTES)
            if not part:
                return found
            found += part
    raise OSError("it is larger than a secret can be")


def _opened(path: str, flags: int) -> int:
    # Opening a pipe that nobody writes to would wait for ever.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _has_more(file: int, seconds: float) -> bool:
    if os.name != "posix":
        return True
    waiting = select.poll()
    waiting.register(file, select.POLLIN)
    return bool(waiting.poll(max(0.0, seconds) * 1000))


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise ConfigurationError(
            f"PAYPRO_{name.upper()} is not a number of seconds above 0. Nothing was sent; set one such as 30 or 2.5."
        )
    return seconds
