"""What the environment says, one setting at a time: what is wrong with one hides nothing of the others."""

import os
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from paypro_async._core.endpoint import Endpoint, check_merchant_no, read_endpoint
from paypro_async._core.platform_codes import Codes
from paypro_async._core.regions import region_named
from paypro_async._core.secret import HiddenFields
from paypro_async._core.signing import Md5Signer
from paypro_async.cli.exits import explain
from paypro_async.client import PayProClient
from paypro_async.errors import ConfigurationError
from paypro_async.settings import KNOWN, VARIABLES, nearest, settings_from, signer_from

__all__ = ["KNOWN", "Misspelt", "Settings", "Variables", "read_settings", "read_variables"]

_OTHERS = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
_STANDS_FOR: Mapping[str, Any] = {
    "base_url": "https://paypro.invalid",
    "merchant_no": "0",
    "signer": Md5Signer("none"),
    "environment": "none",
}


@frozen
class Misspelt:
    """A variable that looks like one of this package and means nothing.

    Args:
        name: Its name.
        nearest: The one that was probably meant; None if none is near.
    """

    name: str
    nearest: str | None


@frozen(kw_only=True)
class Variables:
    """The names of what is set. No value is kept.

    Args:
        ours: Those of this package.
        others: Those that decide over proxies and certificates.
        unknown: Those that begin like ours and mean nothing.
    """

    ours: tuple[str, ...]
    others: tuple[str, ...]
    unknown: tuple[Misspelt, ...]


@frozen(kw_only=True)
class Settings:
    """What a client would be made with, and why it could not be.

    Args:
        values: Arguments of a client, those that can be read.
        endpoint: Where requests go; None if that is not known.
        wrong: By the name of a line, why a setting cannot be used.
    """

    values: Mapping[str, Any] = field(repr=False)
    endpoint: Endpoint | None
    wrong: Mapping[str, str]

    @property
    def can_ask(self) -> bool:
        """Whether the platform can be asked anything."""
        return self.endpoint is not None and not {"secret", "merchant", "address"} & self.wrong.keys()

    @property
    def codes(self) -> Codes:
        """What the platform's codes mean."""
        return self.values.get("codes") or Codes()


def read_variables(environ: Mapping[str, str] = os.environ) -> Variables:
    """Which variables are set, and which of them mean nothing."""
    named = sorted(name for name in environ if name.upper().startswith("PAYPRO_"))
    return Variables(
        ours=tuple(name for name in named if name in KNOWN),
        others=tuple(name for name in sorted(environ) if name.upper() in _OTHERS and environ[name]),
        unknown=tuple(Misspelt(name, nearest(name)) for name in named if name not in KNOWN),
    )


def read_settings(given: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the options that were *given*, and the environment for the rest."""
    # A traceback may show the variables of a frame, and a URL may hold a password.
    environ = HiddenFields(environ)
    arguments = HiddenFields((name, value) for name, value in given.items() if value is not None)
    wrong: dict[str, str] = {}
    values: HiddenFields[str, Any] = HiddenFields(
        (name, environ[variable]) for variable, name in VARIABLES.items() if environ.get(variable)
    )
    values |= arguments
    endpoint = _endpoint(values, wrong)
    _merchant(values, wrong)
    try:
        values["signer"] = signer_from(environ)
    except ConfigurationError as error:
        wrong["secret"] = str(error)
    else:
        if values["signer"] is None:
            wrong["secret"] = "PAYPRO_SECRET (or PAYPRO_SECRET_FILE) is not set."  # noqa: S105  its name
    _rest(arguments, environ, values, wrong)
    return Settings(values=values, endpoint=endpoint, wrong=wrong)


def _endpoint(values: Mapping[str, Any], wrong: dict[str, str]) -> Endpoint | None:
    if "base_url" not in values:
        wrong["address"] = "PAYPRO_BASE_URL (or --base-url) is not set."
        return None
    try:
        return read_endpoint(
            values["base_url"],
            environment=values.get("environment"),
            allow_plain_http=bool(values.get("allow_plain_http")),
        )
    except ConfigurationError as error:
        wrong["address"] = _said(error)
        return None


def _merchant(values: Mapping[str, Any], wrong: dict[str, str]) -> None:
    if "merchant_no" not in values:
        wrong["merchant"] = "PAYPRO_MERCHANT_NO (or --merchant-no) is not set."
        return
    try:
        check_merchant_no(values["merchant_no"])
    except ConfigurationError as error:
        wrong["merchant"] = _said(error)


def _rest(
    arguments: Mapping[str, Any], environ: Mapping[str, str], values: dict[str, Any], wrong: dict[str, str]
) -> None:
    """What is wrong with the other settings, alone or together: a client is made of them, and never opened."""
    try:
        read = settings_from(environ, {**arguments, **_STANDS_FOR, "ledger": None})
        values |= {name: value for name, value in read.items() if name not in _STANDS_FOR and name != "ledger"}
        PayProClient(**read)
        _check_shared(read)
    except ConfigurationError as error:
        wrong["settings"] = _said(error)


def _check_shared(values: Mapping[str, Any]) -> None:
    """See that what all payouts share can be paid with: a client refuses it with the first payout."""
    for one in region_named(values.get("region", "india")).fields:
        value = values.get(one.name)
        if isinstance(value, str) and (wrong := one.check.wrong(value)):
            raise ConfigurationError(f"{one.name} {wrong[1]}. Each payout without one of its own would be refused.")


def _said(error: ConfigurationError) -> str:
    return explain(error).removeprefix("Error: ")
